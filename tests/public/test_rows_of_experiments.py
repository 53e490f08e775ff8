"""Rows in which a node was set: what a fit takes from them, and the pendulum's, by their law."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import causalflow as cf

N = 400
RANDOM = np.random.default_rng(0)
X, SET = RANDOM.normal(size=N), RANDOM.random(N) < 0.5
Y = np.where(SET, -5 * X + 3, 2 * X + 1 + 0.1 * RANDOM.normal(size=N))
Z = 3 * Y - 2 * X + 0.1 * RANDOM.normal(size=N)
LINEAR = {"type": "continuous", "noise": "linear"}
CHAIN = cf.Graph(nodes=dict.fromkeys("xyz", LINEAR), edges=["x -> y", "x, y -> z"])
ROWS = {"x": X, "y": Y, "z": Z, "do(y)": SET}
QUIET = {"progress": False, "steps": 8, "batch_size": 32}


def slope(model, cause, effect):
    """How much the effect moves as its cause goes from 0 to 1, and its other cause stays."""
    row = {"x": [0.0], "y": [0.0], "z": [0.0]}
    held = {name: 0.0 for name in "xyz" if name not in (cause, effect)}
    moved = model.counterfactual(row, do={**held, cause: 1.0})
    return float(moved[effect][0])


def least_squares(y, *columns):
    return np.linalg.lstsq(np.stack([*columns, np.ones(len(y))], axis=1), y, rcond=None)[0]


def test_the_mechanism_of_a_set_node_is_fitted_to_the_other_rows_alone():
    model = cf.compile(CHAIN)
    model.fit(ROWS, **QUIET)
    wanted = least_squares(Y[~SET], X[~SET])[0]
    # both are float64 least squares of a design with two columns
    assert slope(model, "x", "y") == pytest.approx(wanted, abs=1e-9)
    assert wanted == pytest.approx(2, abs=0.05)  # 5 standard errors of .1 / sqrt(200)


def test_a_child_of_a_set_node_is_fitted_to_every_row():
    model = cf.compile(CHAIN)
    model.fit(ROWS, **QUIET)
    of_x, of_y, _ = least_squares(Z, X, Y)
    assert slope(model, "x", "z") == pytest.approx(of_x, abs=1e-9)
    assert slope(model, "y", "z") == pytest.approx(of_y, abs=1e-9)
    # without the rows of the experiment y hardly varies given x: 20 times less is known of it
    assert of_y == pytest.approx(3, abs=0.02)


def test_rows_that_do_not_say_so_would_bias_it():
    model = cf.compile(CHAIN)
    model.fit({name: ROWS[name] for name in "xyz"}, **QUIET)
    assert abs(slope(model, "x", "y") - 2) > 2


KINDS = {
    "linear": LINEAR,
    "flow": {"type": "continuous", "noise": "flow"},
    "a support": {"type": "continuous", "support": [-50, 50]},
    "count": {"type": "count"},
    "class": {"type": "class", "levels": 3},
}
PARENTS = {"a number": {"type": "continuous"}, "a class": {"type": "class", "levels": 2}}


@pytest.mark.filterwarnings("ignore:fit. what the mechanism draws")  # 8 steps are few
@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_leaf_was_set_to_is_nothing_to_its_mechanism(kind, parent, tmp_path):
    """The model's file is the same, byte for byte, whatever the experiment set."""
    graph = cf.Graph(nodes={"x": PARENTS[parent], "y": KINDS[kind]}, edges=["x -> y"])
    random = np.random.default_rng(1)
    x, y = random.integers(0, 2, N), random.integers(0, 3, N)
    for name, value in {"first": 0, "second": 2}.items():
        model = cf.compile(graph)
        model.fit({"x": x, "y": np.where(SET, value, y), "do(y)": SET}, **QUIET)
        model.save(tmp_path / f"{name}.safetensors")
    first, second = (
        (tmp_path / f"{name}.safetensors").read_bytes() for name in ("first", "second")
    )
    assert first == second


def test_a_table_counts_the_rows_that_were_not_set():
    coin = {"type": "class", "levels": 2}
    graph = cf.Graph(nodes={"x": coin, "y": coin}, edges=["x -> y"])
    x = np.array([0] * 50 + [1] * 50)
    y = np.array([0, 1] * 25 + [1, 1, 1, 0, 0] * 10)
    was_set = np.array([False] * 50 + [False, False, False, True, True] * 10)
    draws = []
    for rows in ({"x": x, "y": y, "do(y)": was_set}, {"x": x[~was_set], "y": y[~was_set]}):
        model = cf.compile(graph)
        model.fit(rows, smoothing=0.5, **QUIET)
        draws.append(model.sample(4_000, do={"x": 1})["y"])
    assert torch.equal(*draws)
    # 30 ones of 30 rows, and half an observation spread over both levels
    error = 5 * (0.25 / 30.5 / 4_000) ** 0.5
    assert float(draws[0].double().mean()) == pytest.approx(30.25 / 30.5, abs=error)


@pytest.mark.parametrize("third", [None, {"type": "continuous"}], ids=["tables", "networks"])
def test_a_node_that_was_set_says_nothing_of_its_hidden_cause(third):
    """x and y agree by a hidden cause; an experiment that sets x against y does not undo that."""
    coin = {"type": "class", "levels": 2}
    nodes, edges = {"x": coin, "y": coin}, ["x <-> y"]
    if third is not None:
        nodes, edges = {"t": third, **nodes}, ["t -> x", "t -> y", *edges]
    hidden = RANDOM.integers(0, 2, 2_000)
    was_set = RANDOM.random(2_000) < 0.5
    rows = {"t": RANDOM.normal(size=2_000), "y": hidden, "x": np.where(was_set, 1 - hidden, hidden)}
    steps = {"progress": False, "steps": 300, "learning_rate": 0.02, "ema": 0.9}
    agree = {}
    for name, marks in {"said": {"do(x)": was_set}, "not said": {}}.items():
        model = cf.compile(cf.Graph(nodes=nodes, edges=edges))
        model.fit({**rows, **marks}, **steps)
        drawn = model.sample(4_000, do={} if third is None else {"t": 0.0})
        agree[name] = float((drawn["x"] == drawn["y"]).double().mean())
    assert agree["said"] > 0.97
    assert abs(agree["not said"] - 0.5) < 0.05


def test_files_of_rows_say_it_too(tmp_path):
    cells = zip(X.tolist(), Y.tolist(), SET.tolist(), strict=True)
    lines = ["x,y,do(y)", *(",".join(map(str, row)) for row in cells)]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    (tmp_path / "graph.yaml").write_text(
        "nodes: {x: {type: continuous, noise: linear}, y: {type: continuous, noise: linear}}\n"
        "edges: [x -> y]\n"
    )
    command = [sys.executable, "-m", "causalflow", "fit", "graph.yaml", "--data", "rows.csv"]
    command += ["-o", "model.safetensors", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["model"] == "model.safetensors"
    model = cf.Model.load(tmp_path / "model.safetensors")
    moved = model.counterfactual({"x": [0.0], "y": [0.0]}, do={"x": 1.0})["y"][0]
    assert float(moved) == pytest.approx(least_squares(Y[~SET], X[~SET])[0], abs=1e-9)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"do(y)": [None] * N}, "column 'do(y)', row 0: a gap; expected a truth value a row"),
        ({"do(y)": SET[1:]}, "columns of unequal lengths: 'x' 400, 'y' 400, 'z' 400, 'do(y)' 399"),
        ({"do(v)": SET}, "column 'do(v)': no column 'v'; expected one of"),
        ({"do(y)": ["perhaps"] * N}, "column 'do(y)', row 0"),
    ],
)
def test_marks_that_mean_nothing_are_refused(marks, message):
    with pytest.raises(cf.CausalflowError) as caught:
        cf.compile(CHAIN).fit({"x": X, "y": Y, "z": Z, **marks}, **QUIET)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


COINS = {"x": SET, "y": ~SET, "do(y)": SET}


@pytest.mark.parametrize(
    "asked",
    [
        lambda graph, rows: cf.identify(graph, "P(y | do(x))").estimate(rows),
        lambda graph, rows: cf.bounds(graph, "P(y | do(x=1))", rows),
    ],
    ids=["estimate", "bounds"],
)
def test_what_is_an_estimate_of_observations_refuses_rows_of_experiments(asked):
    coin = {"type": "class", "levels": 2}
    graph = cf.Graph(nodes={"x": coin, "y": coin}, edges=["x -> y"])
    with pytest.raises(cf.CausalflowError, match=r"by column 'do\(y\)' \d+ rows are of an exp"):
        asked(graph, COINS)
    asked(graph, {**COINS, "do(y)": np.zeros(N, dtype=bool)})


def test_hidden_labels_leave_the_marks():
    hidden = cf.data.hide_labels(ROWS, 0.25)
    assert np.array_equal(hidden["do(y)"], SET)
    assert np.isnan(hidden["y"]).sum() == 300


@pytest.fixture(scope="module")
def pendulums():
    return cf.data.pendulum("train", 16), cf.data.pendulum("train", 16, interventional=0.2)


SHADOW = {"shadow_length": (3, 12.6), "shadow_position": (2, 19.6)}


def test_a_share_of_the_pendulums_is_set_and_the_rest_is_as_ever(pendulums):
    plain, mixed = pendulums
    assert not any(name.startswith("do(") for name in plain.columns)
    length, position = (mixed.columns[f"do({name})"] for name in SHADOW)
    assert not (length & position).any()
    assert (length | position).sum() == round(0.2 * len(mixed))
    # a fair coin each: 5 standard errors
    assert abs(length.sum() - position.sum()) < 5 * (0.2 * len(mixed)) ** 0.5
    for name in plain.labels:
        was_set = mixed.columns.get(f"do({name})", np.zeros(len(mixed), dtype=bool))
        assert np.array_equal(mixed.labels[name][~was_set], plain.labels[name][~was_set])
    assert torch.equal(mixed.images[~(length | position)], plain.images[~(length | position)])


@pytest.mark.parametrize("name", SHADOW)
def test_a_shadow_that_was_set_is_uniform_and_owes_its_causes_nothing(pendulums, name):
    plain, mixed = pendulums
    was_set, (low, high) = mixed.columns[f"do({name})"], SHADOW[name]
    share = np.sort((mixed.labels[name][was_set] - low) / (high - low))
    n = len(share)
    # Kolmogorov's distance from the uniform law exceeds 1.95 / sqrt(n) once in a thousand
    assert abs(share - (np.arange(n) + 0.5) / n).max() < 1.95 / n**0.5
    for cause in ("angle", "light"):
        there = plain.labels[cause][was_set]
        assert abs(np.corrcoef(mixed.labels[name][was_set], there)[0, 1]) < 5 / n**0.5


@pytest.mark.parametrize("name", SHADOW)
def test_its_picture_is_the_true_one_under_that_intervention(pendulums, name):
    plain, mixed = pendulums
    rows = np.flatnonzero(mixed.columns[f"do({name})"])[:40]
    world = plain.true_counterfactual(rows, {name: mixed.labels[name][rows]})
    assert torch.equal((255 * world["image"]).round().byte(), mixed.images[rows])
    again = mixed.true_counterfactual(rows, {})
    assert torch.equal(again["image"], world["image"])
    for label in plain.labels:
        assert np.array_equal(world[label], mixed.labels[label][rows])


def test_larger_shares_hold_the_smaller(pendulums):
    _, mixed = pendulums
    few = cf.data.pendulum("train", 16, interventional=0.01)
    for name in SHADOW:
        was_set = few.columns[f"do({name})"]
        assert mixed.columns[f"do({name})"][was_set].all()
        assert np.array_equal(few.labels[name][was_set], mixed.labels[name][was_set])
    other = cf.data.pendulum("train", 16, interventional=0.01, seed=1)
    assert not np.array_equal(other.labels["shadow_length"], few.labels["shadow_length"])


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(cf.CausalflowError, match="expected a share, 0 to 1"):
        cf.data.pendulum("test", 16, n=4, interventional=share)


@pytest.mark.parametrize("given", [True, np.zeros((3, 2), dtype=bool)])
def test_a_regime_that_is_no_column_of_truth_values_is_refused(given):
    model = cf.compile(cf.Graph(nodes={"x": {"type": "continuous"}}, edges=[]))
    with pytest.raises(cf.CausalflowError, match=r"column 'do\(x\)': .* a truth value a row"):
        model.fit({"x": [1.0, 2.0, 3.0], "do(x)": given}, progress=False)
