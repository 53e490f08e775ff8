"""One reader of values: random levels, every way of writing one, every way in; all agree.

A table x -> y is drawn with levels of three kinds (numbers, some numbers, names). `writings` says,
by the rule alone, which values mean level k; nothing here asks the package for it. Rows of y's
table are far apart, so that a shifted level is another answer.

`CAUSALFLOW_VALUE_TABLES=200` takes as many tables as the project's own check does.
"""

import json
import math
import os
import warnings
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

import causalflow as cf

TABLES = int(os.environ.get("CAUSALFLOW_VALUE_TABLES", "12"))
WORDS = [
    "no", "yes", "very yes", "it's", 'say "so"', "None", "NA", "true", "False", "über", "a,b",
    "x=1", "nan", "<5", "5-10", "-", "1_0", "0x1", "inf", "=1", "A", "a",
]  # fmt: skip
GAPS = [None, math.nan, pd.NaT, pd.NA, np.float64("nan"), np.datetime64("NaT")]
BIG = 2**53
WORDED = {"true", "false", "yes", "no"}


def random_levels(random):
    """Level names of one of the kinds, in a random order."""
    kind = ["numbers", "mixed", "names"][random.integers(3)]
    count = int(random.integers(1, 6))
    words = [WORDS[at] for at in random.permutation(len(WORDS))]
    if kind == "names":
        return kind, words[:count]
    base = [0, 1, -1, 7, 2000, BIG][random.integers(6)]
    numbers = [base + int(step) for step in random.permutation(2 * count)[:count]]
    texts = [[str(n), f"0{n}" if n >= 0 else str(n)][random.integers(2)] for n in numbers]
    if kind == "numbers":
        return kind, texts
    odd = [["0.5", "1.5", "1e-3"], words[:2]][random.integers(2)]
    return kind, [str(each) for each in random.permutation([*texts, *odd])]


def number(text):
    """The number that a level's text shows, by Python's own reading."""
    if any(letter not in "0123456789.e-+" for letter in text):
        return None
    try:
        return Fraction(text)
    except ValueError:
        return None


def writings(kind, levels, k):
    """Values that mean level k, and are no other's."""
    text, n = levels[k], number(levels[k])
    found = [text, np.str_(text)]
    if f" {text} " not in levels:
        found.append(f" {text} ")
    if kind == "names":
        found += [k, float(k), np.int64(k), np.float32(k), Decimal(k), Fraction(k)]
        found += [] if {str(k), f"{k}.0"} & set(levels) else [str(k), f"{k}.0"]
        return [*found, *truths(levels, k)]
    if n is not None:
        found.append(n)
    if n is not None and n.denominator == 1:
        whole = int(n)
        found += [whole, np.int64(whole), f"{whole}.0", f"+{whole}" if whole >= 0 else f"{whole}"]
        found += [float(whole), np.float64(whole)] if abs(whole) < BIG else []
        found += [np.float32(whole)] if abs(whole) < 2**24 else []
        is_truth = whole in (0, 1) and WORDED.isdisjoint(each.lower() for each in levels)
        found += [bool(whole), str(bool(whole))] if is_truth else []
    elif n is not None:
        found += [float(n), np.float32(float(n)), Decimal(text)]
    return found


def truths(levels, k):
    """Truth values that mean level k of names: those of its words, else as an index."""
    named = [each.lower() for each in levels]
    if WORDED.isdisjoint(named):
        return [bool(k), str(bool(k)).upper()] if k < 2 else []
    pairs = [pair for pair in (["false", "true"], ["no", "yes"]) if {*pair} & {*named}]
    pair = next((pair for pair in pairs if {*pair} <= {*named}), pairs[0])
    return [bool(pair.index(named[k]))] if named[k] in pair else []


def gaps(levels):
    """Values that mean no level."""
    words = [w for w in ["", "NA", "n/a", " NaN ", "null", "<NA>"] if w.strip() not in levels]
    minus = [] if any(number(each) == -1 for each in levels) else [-1, -1.0, "-1"]
    return [*GAPS, *words, *minus]


def quoted(text):
    """A level as a query's text has it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def tensor_of(kind, levels, places):
    """The column as a tensor holds it: numbers where all levels are, else indices."""
    found = [int(number(levels[k])) for k in places] if kind == "numbers" else places
    return torch.tensor(found)


def columns(kind, levels, places, random):
    """The column in many containers."""
    texts = [levels[k] for k in places]
    mixed = [pick(writings(kind, levels, k), random) for k in places]
    found = [
        texts,
        tuple(mixed),
        np.array(texts),
        np.array(texts, dtype=object),
        pd.Series(texts),
        pd.Series(texts, dtype="category"),
        pd.Series(texts, dtype="string"),
        pd.Index(texts),
        tensor_of(kind, levels, places),
        [tensor_of(kind, levels, [k])[0] for k in places],
    ]
    if kind != "mixed":
        plain = tensor_of(kind, levels, places).numpy()
        found += [plain, pd.Series(plain), pd.Series(plain, dtype="Int64"), plain.tolist()]
        found += [pd.Series(plain, dtype="category")]
        found += [plain.astype(float)] if np.abs(plain).max() < BIG else []
    return found


def pick(values, random):
    return values[random.integers(len(values))]


@dataclass
class Drawn:
    """A graph with tables x -> y, the kind of x's levels, P(x), P(y | x), randomness left."""

    graph: cf.Graph
    kind: str
    levels: list
    law: np.ndarray
    rows: np.ndarray
    random: np.random.Generator


@pytest.fixture(params=range(TABLES))
def drawn(request):
    random = np.random.default_rng([13, request.param])
    kind, levels = random_levels(random)
    _, below = random_levels(random)
    law = random.dirichlet(np.ones(len(levels)))
    rows = [random.dirichlet(np.ones(len(below)) / 2) for _ in levels]
    nodes = {
        "x": {"type": "class", "levels": levels, "table": law},
        "y": {
            "type": "class",
            "levels": below,
            "noise": "gumbel",
            "table": dict(zip(levels, rows, strict=True)),
        },
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = cf.Graph(nodes=nodes, edges=["x -> y"])
    return Drawn(graph, kind, levels, law, np.array(rows), random)


def same(answer, wanted):
    """Rounding of the rows to sum one, and of floats: 1e-9."""
    return np.allclose(answer.table.to_numpy(), wanted, rtol=0, atol=1e-9)


def test_every_writing_of_a_level_is_that_level_in_evidence_do_query_and_table(drawn):
    graph, kind, levels, law, rows, random = (
        drawn.graph,
        drawn.kind,
        drawn.levels,
        drawn.law,
        drawn.rows,
        drawn.random,
    )
    model = cf.compile(graph)
    joint = cf.Table(["x", "y"], law[:, None] * rows, {"x": levels, "y": graph.nodes["y"].levels})
    verdict = cf.identify(graph, "P(y | do(x))")
    for k in range(len(levels)):
        assert same(model.ask(f"P(y | x={quoted(levels[k])})"), rows[k])
        written = cf.identify(graph, f"P(y | do(x={quoted(levels[k])}))")
        assert np.allclose(written.evaluate(joint).to_numpy(), rows[k])
        for value in writings(kind, levels, k):
            assert same(model.ask("P(y | x)", x=value), rows[k]), (levels, k, value)
            assert same(model.ask("P(y)", x=value), rows[k])
            assert same(model.ask("P(y | do(x))", {"x": value}), rows[k])
            assert np.allclose(verdict.evaluate(joint).at({"x": value}).to_numpy(), rows[k])
        value = pick(writings(kind, levels, k), random)
        world = model.sample(3, do={"x": value})
        assert world["x"].tolist() == tensor_of(kind, levels, [k] * 3).tolist()
        assert same(model.ask("P(y | x)", x=world["x"]), np.stack([rows[k]] * 3))


def test_every_container_of_a_column_holds_the_same_levels(drawn):
    graph, kind, levels, rows, random = (
        drawn.graph,
        drawn.kind,
        drawn.levels,
        drawn.rows,
        drawn.random,
    )
    model = cf.compile(graph)
    places = [int(each) for each in random.integers(0, len(levels), 8)]
    shares = np.bincount(places, minlength=len(levels)) / 8
    for column in columns(kind, levels, places, random):
        assert same(model.ask("P(y | x)", x=column), rows[places]), (levels, column)
        table = cf.Table.from_samples({"x": column}, {"x": levels})
        assert np.allclose(table.to_numpy(), shares)
        alone = cf.Graph(nodes={"x": {"type": "class", "levels": levels}})
        found = cf.identify(alone, "P(x)").estimate({"x": column}, resamples=2)
        assert np.allclose(found.table.to_numpy(), shares)


def test_a_gap_is_never_a_level_and_a_stranger_is_refused(drawn):
    graph, kind, levels = drawn.graph, drawn.kind, drawn.levels
    model = cf.compile(graph)
    for gap in gaps(levels):
        with pytest.raises(cf.CausalflowError, match="no value"):
            model.ask("P(y | x)", x=gap)
        with pytest.raises(cf.CausalflowError):
            model.sample(2, do={"x": gap})
        with pytest.raises(cf.CausalflowError, match="missing"):
            cf.Table.from_samples({"x": [levels[0], gap]}, {"x": levels})
    strangers = ["zebra", 0.25, math.inf, 10**9, -(2**70), 1j, object(), {"x": 0}]
    strangers += [] if kind == "numbers" else [torch.tensor(len(levels))]
    strangers += [float(BIG)] if kind == "numbers" else []  # may have been 2^53 + 1
    for stranger in strangers:
        with pytest.raises(cf.CausalflowError):
            model.ask("P(y | x)", x=stranger)


def test_rows_fitted_have_the_levels_that_they_say(drawn):
    kind, levels, law, random = drawn.kind, drawn.levels, drawn.law, drawn.random
    alone = cf.Graph(nodes={"x": {"type": "class", "levels": levels}})
    places = [int(each) for each in random.choice(len(levels), 400, p=law)]
    written = [pick(writings(kind, levels, k), random) for k in places]
    holes = [pick(gaps(levels), random) for _ in range(100)]
    order = random.permutation(500)
    column = np.empty(500, dtype=object)
    for at, value in zip(order, [*written, *holes], strict=True):
        column[at] = value
    given = [pd.DataFrame({"x": column}), {"x": column.tolist()}][random.integers(2)]
    model = cf.compile(alone)
    model.fit(given, progress=False)
    shares = np.bincount(places, minlength=len(levels)) / 400
    found = model.ask("P(x)", draws=4_000).table.to_numpy()
    # five standard errors of a share of 4,000 draws, and half a row a level of smoothing
    assert np.allclose(found, shares, rtol=0, atol=5 * 0.5 / math.sqrt(4_000) + 0.005)


def test_what_one_call_returns_is_taken_by_the_next(drawn):
    graph, levels = drawn.graph, drawn.levels
    model = cf.compile(graph)
    world = model.sample(40, generator=1)
    again = model.counterfactual(world, do={"x": world["x"].flip(0)}, generator=2)
    assert torch.equal(again["x"], world["x"].flip(0))
    kept = model.counterfactual(dict(world), do={}, generator=2)
    assert torch.equal(kept["x"], world["x"])
    assert torch.equal(kept["y"], world["y"])
    answer = model.ask("P(y | x)", x=again["x"])
    assert answer.table.to_numpy().shape == (40, len(graph.nodes["y"].levels))
    fitted = cf.compile(cf.Graph(nodes={"x": {"type": "class", "levels": levels}}))
    fitted.fit({"x": world["x"]}, progress=False)
    drawn_share = cf.Table.from_samples({"x": world["x"]}, {"x": levels}).to_numpy()
    found = fitted.ask("P(x)", draws=4_000).table.to_numpy()
    # five standard errors of a share of 4,000 draws, and half a row a level of 40 rows of smoothing
    assert np.allclose(found, drawn_share, rtol=0, atol=0.04 + 0.5 * len(levels) / 40)


def test_files_and_the_command_line_read_the_same(drawn, cli, tmp_path):
    graph, kind, levels, rows, random = (
        drawn.graph,
        drawn.kind,
        drawn.levels,
        drawn.rows,
        drawn.random,
    )
    (tmp_path / "g.yaml").write_text(graph.to_yaml(), encoding="utf-8")
    assert cf.load(tmp_path / "g.yaml") == graph
    k = int(random.integers(len(levels)))
    texts = [each for each in writings(kind, levels, k) if isinstance(each, str)]
    for text in dict.fromkeys(map(str, texts)):
        if text.strip() == text:  # the shell's own trimming
            ran = cli("ask", "g.yaml", "P(y | x)", "--given", f"x={text}", "--json")
            assert ran.code == 0, ran.err
            assert np.allclose([each["p"] for each in json.loads(ran.out)["table"]], rows[k])
    ran = cli("ask", "g.yaml", f"P(y | x={quoted(levels[k])})", "--json")
    assert np.allclose([each["p"] for each in json.loads(ran.out)["table"]], rows[k])
    shown = [each["y"] for each in json.loads(ran.out)["table"]]
    assert [str(each) for each in shown] == [str(each) for each in graph.nodes["y"].levels]
