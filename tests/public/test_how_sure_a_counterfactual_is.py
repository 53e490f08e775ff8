"""Counterfactuals of rows come with ranges, and the ranges hold the truth as often as they say."""

from itertools import pairwise

import numpy as np
import pytest

import causalflow as cf

LINE = """
graph: line
nodes:
  x: {type: continuous, noise: linear}
  m: {type: continuous, noise: linear}
  y: {type: continuous, noise: linear}
edges: [x -> m, "x, m -> y"]
"""
PERSONS, SETS, ROWS = 4, 40, 120
LEVEL = 0.95


def line(generator, rows, noise=None, x=None):
    """Rows of a linear world with the noise that made them; a world of the same noise under do."""
    noise = generator.normal(size=(3, rows)) if noise is None else noise
    x = noise[0] if x is None else np.full(rows, x)
    m = 0.5 + 0.8 * x + noise[1]
    return {"x": x, "m": m, "y": 1 - 0.5 * x + 1.5 * m + 0.7 * noise[2]}, noise


def shares(found, truth):
    """Which rows have the truth inside: node -> what -> bool (rows,)."""
    return {
        what: {
            name: (ends[:, 0, 0] <= truth[name]) & (truth[name] <= ends[:, 0, 1])
            for name, ends in ((n, getattr(found[n], what)) for n in found)
        }
        for what in ("interval", "fit", "any_noise")
    }


@pytest.mark.filterwarnings("ignore::causalflow.SupportWarning")
def test_intervals_of_persons_hold_their_true_counterfactuals():
    """Over data sets: rows of one set go together, so 40 and not 160 count."""
    inside = []
    for seed in range(SETS):
        generator = np.random.default_rng(seed)
        rows, _ = line(generator, ROWS)
        model = cf.compile(cf.loads(LINE, format="yaml"))
        model.fit(rows, members=8, seed=seed, progress=False)
        persons, noise = line(generator, PERSONS)
        truth, _ = line(generator, PERSONS, noise, x=1.0)
        found = cf.individuals(model, persons, {"x": 1.0}, draws=20)
        inside.append([shares(found, truth)["interval"][name] for name in ("m", "y")])
    covered = np.mean(inside, axis=(0, 2))
    # 3 standard errors of 40 independent sets at .95 are .103.
    assert (covered > LEVEL - 0.103).all(), covered
    assert np.mean(inside) < 1


def crossed(generator, rows, noise=None, x=None):
    """A world whose noise acts the other way at x = 1; its rows are those of a plain shift."""
    noise = generator.normal(size=rows) if noise is None else noise
    x = generator.integers(0, 2, rows) if x is None else np.full(rows, x)
    return {"x": x, "y": 2 * x + np.where(x == 1, -noise, noise)}, noise


def test_what_no_rows_can_tell_is_outside_of_the_interval_but_not_of_any_noise():
    text = "nodes: {x: {type: class, levels: [0, 1]}, y: {type: continuous, noise: linear}}"
    generator = np.random.default_rng(0)
    rows, _ = crossed(generator, 4000)
    model = cf.compile(cf.loads(text + "\nedges: [x -> y]", format="yaml"))
    model.fit(rows, members=10, progress=False)
    noise = generator.normal(size=1000)
    persons, _ = crossed(generator, 1000, noise, x=0)
    truth, _ = crossed(generator, 1000, noise, x=1)
    found = cf.individuals(model, persons, {"x": 1}, draws=400)
    inside = shares(found, truth)
    assert inside["interval"]["y"].mean() < 0.2
    # 5 standard errors of 1,000 persons are .034; a hull holds no fewer.
    assert inside["any_noise"]["y"].mean() > LEVEL - 0.034
    assert "noise in which it is monotone" in str(found)


def test_bounds_of_a_class_are_frechets():
    text = "nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2}}\nedges: [x -> y]"
    x = np.repeat([0, 1], 1000)
    y = np.concatenate([np.arange(1000) < 300, np.arange(1000) < 600]).astype(int)
    model = cf.compile(cf.loads(text, format="yaml"))
    model.fit({"x": x, "y": y}, progress=False)
    found = cf.individuals(model, {"x": [0, 0], "y": [0, 1]}, {"x": 1}, draws=4000)["y"]
    p, q = 0.3, 0.6
    wanted = [(q - p) / (1 - p), q / (1 - p)], [(q + p - 1) / p, 1]
    for row, (low, high) in enumerate(wanted):
        # A pseudo-count of half a row moves p and q by less than .001.
        assert found.any_noise[row, 1] == pytest.approx([max(low, 0), min(high, 1)], abs=0.003)
    # Gumbel-max noise: P(y'=1 | y=0) by draws of the pair of worlds.
    gumbel = np.random.default_rng(1).gumbel(size=(400_000, 2))
    first = (np.log([1 - p, p]) + gumbel).argmax(1)
    second = (np.log([1 - q, q]) + gumbel).argmax(1)
    # 5 standard errors of 4,000 draws.
    assert found.value[0, 1] == pytest.approx(second[first == 0].mean(), abs=0.04)


@pytest.fixture(scope="module")
def fitted():
    rows, _ = line(np.random.default_rng(5), 300)
    model = cf.compile(cf.loads(LINE, format="yaml"))
    model.fit(rows, members=3, progress=False)
    return model, {name: column[:3] for name, column in rows.items()}


def test_members_are_kept_in_a_file(fitted, tmp_path):
    model, rows = fitted
    model.save(tmp_path / "model.safetensors")
    again = cf.Model.load(tmp_path / "model.safetensors")
    first, second = (cf.individuals(m, rows, {"x": 0.0}) for m in (model, again))
    assert first.members == second.members == 3
    assert str(first) == str(second)
    assert (first["y"].fit == second["y"].fit).all()


def test_a_fit_without_members_says_that_its_error_is_not_known(fitted):
    _, rows = fitted
    model = cf.compile(cf.loads(LINE, format="yaml"))
    model.fit(line(np.random.default_rng(5), 300)[0], progress=False)
    found = cf.individuals(model, rows, {"x": 0.0})
    assert found["y"].fit is None
    assert "of the fit: not known; fit with members=20 (--members 20)" in str(found)


def cells(found, row=2):
    """A line of the printed table, by its columns."""
    head, *lines = found.table()[1:]
    names = ["row", "node", "factual", "would have been", "interval", "of the fit", "any noise"]
    ends = pairwise([*map(head.index, names), None])
    return dict(zip(names, (lines[row][a:b].strip() for a, b in ends), strict=True))


def test_a_row_that_the_fit_leaves_one_value_has_no_interval_without_members(fitted):
    with_members, rows = fitted
    model = cf.compile(cf.loads(LINE, format="yaml"))
    model.fit(line(np.random.default_rng(5), 300)[0], progress=False)
    found = cf.individuals(model, rows, {"x": 0.0})
    assert cells(found)["interval"] == "-"
    assert " to " in cells(found)["any noise"]
    assert "what the row leaves open, - where that is one value; the error of the fit" in str(found)
    known = cf.individuals(with_members, rows, {"x": 0.0})
    assert " to " in cells(known)["interval"]
    assert "one value" not in str(known)
    same = cf.individuals(with_members, rows, {"x": rows["x"]})
    assert cells(same)["interval"] == cells(same)["would have been"]
    missing = cf.individuals(model, {"x": rows["x"]}, {"x": 0.0})
    assert " to " in cells(missing)["interval"]
    assert "one value" not in str(missing)


def test_a_null_intervention_leaves_nothing_open(fitted):
    model, rows = fitted
    found = cf.individuals(model, rows, {"x": rows["x"]})["y"]
    for ends in (found.interval, found.any_noise):
        assert np.allclose(ends[:, 0], np.asarray(rows["y"])[:, None], rtol=1e-9)


def test_a_missing_cell_is_open(fitted):
    model, rows = fitted
    found = cf.individuals(model, {"x": rows["x"]}, {"x": 0.0}, draws=500)["m"]
    width = np.diff(found.interval[:, 0])[:, 0]
    # The noise of m has standard deviation 1; 5 standard errors of quantiles of 500 draws are .6.
    assert np.allclose(width, 2 * 1.96, atol=0.9)
    assert found.factual == (None, None, None)


def test_results_are_frames_and_pictures(fitted):
    model, rows = fitted
    found = cf.individuals(model, rows, {"x": 0.0})
    frame = found.to_dataframe()
    assert list(frame["node"]) == ["m", "y"] * 3
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["any_noise_high"] >= frame["high"]).all()
    assert len(found.plot().axes) == 2


def test_mistakes_are_one_line(fitted):
    model, rows = fitted
    with pytest.raises(cf.CausalflowError, match="level=2"):
        cf.individuals(model, rows, {"x": 0.0}, level=2.0)
    picture = {"type": "image", "shape": [1, 8, 8]}
    graph = cf.Graph(nodes={"a": {"type": "class", "levels": 2}, "i": picture}, edges=["a -> i"])
    with pytest.raises(cf.CausalflowError, match="node 'i' is an image"):
        cf.individuals(cf.compile(graph), {"a": [0]}, {"a": 1})
    with pytest.raises(cf.CausalflowError, match="members=2 of a graph with the image 'i'"):
        cf.compile(graph).fit({"a": [0]}, members=2)
