"""Bounds hold the truth of random models, and whatever is wrong with the data is said in one line.

The truth comes from enumerating all noise of a random model, and so do its data. A full run:
``CAUSALFLOW_SPOILED=1000 pytest tests/public/test_bounds_of_any_data.py``.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

COUNT = int(os.environ.get("CAUSALFLOW_SPOILED", "24"))

# nodes in order, directed edges, hidden causes of pairs
GRAPHS = [
    ("xy", ["xy"], ["xy"]),
    ("zxy", ["zx", "xy"], ["xy"]),
    ("xmy", ["xm", "my"], ["xy"]),
    ("xmy", ["xm", "my", "xy"], ["xm"]),
    ("zxy", ["zx", "xy", "zy"], ["zx"]),
    ("xy", ["xy"], []),
    ("zxy", ["zx", "zy"], ["xy"]),
]


class Model:
    """v = f_v(parents, hidden causes, own noise), all tables at random; every noise enumerated."""

    def __init__(self, seed: int) -> None:
        self.random = random = np.random.default_rng(seed)
        self.names, self.edges, self.hidden = GRAPHS[seed % len(GRAPHS)]
        most = 3 if len(self.names) == 3 else 4  # three levels of three nodes take seconds
        self.sizes = {v: int(random.integers(2, most)) for v in self.names}
        self.laws = [random.dirichlet(np.ones(3)) for _ in self.hidden]
        self.own = [random.dirichlet(np.ones(2)) for _ in self.names]
        self.tables = {}
        for v in self.names:
            shape = [self.sizes[e[0]] for e in self.edges if e[1] == v]
            shape += [3 for pair in self.hidden if v in pair] + [2]
            self.tables[v] = random.integers(0, self.sizes[v], size=shape)

    @property
    def graph(self):
        nodes = {v: {"type": "class", "levels": self.sizes[v]} for v in self.names}
        edges = [" -> ".join(e) for e in self.edges] + [" <-> ".join(e) for e in self.hidden]
        return cf.Graph(nodes=nodes, edges=edges)

    def worlds(self, do):
        """(probability of the noise, values) for each noise."""
        ranges = [range(3)] * len(self.hidden) + [range(2)] * len(self.names)
        for noise in itertools.product(*ranges):
            hidden, own = noise[: len(self.hidden)], noise[len(self.hidden) :]
            weight = np.prod([law[k] for law, k in zip(self.laws, hidden, strict=True)])
            weight *= np.prod([law[k] for law, k in zip(self.own, own, strict=True)])
            values = {}
            for v, k in zip(self.names, own, strict=True):
                if v in do:
                    values[v] = do[v]
                    continue
                at = [values[e[0]] for e in self.edges if e[1] == v]
                at += [u for pair, u in zip(self.hidden, hidden, strict=True) if v in pair]
                values[v] = int(self.tables[v][(*at, k)])
            yield float(weight), values

    def law(self, do=()):
        table = np.zeros([self.sizes[v] for v in self.names])
        for weight, values in self.worlds(dict(do)):
            table[tuple(values[v] for v in self.names)] += weight
        return table

    def experiment(self):
        """P(y | do(x)), axes x, y."""
        laws = [self.law({"x": x}) for x in range(self.sizes["x"])]
        others = tuple(k for k, v in enumerate(self.names) if v != "y")
        return np.stack([law.sum(axis=others) for law in laws])

    def truth(self, first, second, given):
        """P(y[x=first]=1, y[x=second]=0 | given); None where the condition has probability 0."""
        runs = [list(self.worlds(do)) for do in ({}, {"x": first}, {"x": second or 0})]
        above = below = 0.0
        for (weight, seen), (_, one), (_, other) in zip(*runs, strict=True):
            if all(seen[v] == value for v, value in given.items()):
                below += weight
                above += weight * (one["y"] == 1 and (second is None or other["y"] == 0))
        return above / below if below > 1e-9 else None


def questions(model):
    """Some questions with their truths."""
    yield "P(y[x=1]=1)", model.truth(1, None, {})
    yield "P(y[x=1]=1, y[x=0]=0)", model.truth(1, 0, {})
    yield "P(y[x=1]=1 | x=0)", model.truth(1, None, {"x": 0})
    yield "P(y[x=1]=1 | x=0, y=0)", model.truth(1, None, {"x": 0, "y": 0})


def rounded(table, digits):
    return np.round(table, digits) if digits < 17 else table


@pytest.mark.parametrize("seed", range(max(COUNT // 4, 14)))
def test_bounds_of_two_tables_of_one_model_hold_its_truth(seed):
    """Tables from one model agree up to the last digits, however these are rounded."""
    model = Model(seed)
    digits = [17, 17, 12, 9, 7][seed % 5]
    kind = np.float32 if seed % 4 == 3 and digits == 17 else float
    joint = cf.Table([*model.names], rounded(model.law(), digits).astype(kind))
    told = cf.Table(["x", "y"], rounded(model.experiment(), digits).astype(kind))
    for query, truth in questions(model):
        if truth is None:
            continue
        both, alone = {"P(v)": joint, "P(y | do(x))": told}, {"P(y | do(x))": told}
        for data in (both, joint, alone):
            found = cf.bounds(model.graph, query, data)
            # seven digits of numbers down to .001 leave .001 of a ratio of two of them
            slack = 1e-6 if digits == 17 and kind is float else 2e-3
            assert found.low - slack <= truth <= found.high + slack, (query, str(found), truth)


@pytest.mark.parametrize(("p0", "p1"), [(0.014, 0.016), (0.6, 0.9), (0.7, 0.2)])
def test_experiments_alone_bound_what_is_necessary_and_sufficient(p0, p1):
    """max(0, p1 - p0) <= PNS <= min(p1, 1 - p0), whatever P(x, y)."""
    nodes = {v: {"type": "class", "levels": 2} for v in "xy"}
    graph = cf.Graph(nodes=nodes, edges=["x -> y", "x <-> y"])
    told = cf.Table(["x", "y"], [[1 - p0, p0], [1 - p1, p1]])
    found = cf.bounds(graph, "PNS(x -> y)", {"P(y | do(x))": told})
    assert (found.low, found.high) == pytest.approx((max(0, p1 - p0), min(p1, 1 - p0)), abs=1e-6)
    assert found.kind == "sharp"


def test_a_second_observational_table_is_no_silent_replacement():
    graph = cf.Graph(edges=["x -> y", "y -> z"])
    one, other = (cf.Table([*axes], np.full((2, 2), 0.25)) for axes in ("xy", "yz"))
    with pytest.raises(cf.CausalflowError, match="a second table"):
        cf.bounds(graph, "P(z=1)", {"P(x, y)": one, "P(y, z)": other})


def test_bounds_that_a_division_by_small_numbers_made_fail():
    """v0 does not reach v2, so evidence v2=1 says it all; cells of 1e-10 are among the data."""
    nodes = {v: {"type": "class", "levels": k} for v, k in (("v0", 3), ("v1", 3), ("v2", 2))}
    graph = cf.Graph(nodes=nodes, edges=["v0 -> v1", "v0 <-> v1", "v0 <-> v2"])
    small = [
        [[0.00048463086046221813, 0.000351726384975924], [0.0, 0.0],
         [4.936845104441075e-05, 3.853560950653204e-05]],
        [[0.1411782158997034, 0.1698329502871884], [0.021263753117426617, 0.02559852619353575],
         [7.60179010175181e-11, 0.00017154239661315237]],
        [[9.450265508438532e-10, 0.021749650126716945],
         [2.586033619492777e-08, 0.5523628246290763],
         [0.0005544864611644212, 0.06636376270120524]],
    ]  # fmt: skip
    last = [0.16353048167118167, 0.8364695183288181]
    data = {
        "P(v)": cf.Table(["v0", "v1", "v2"], small),
        "P(v2 | do(v0))": cf.Table(["v0", "v2"], [last, last, last]),
    }
    found = cf.bounds(graph, "P(v2[v0=0]=1 | v0=2, v2=1)", data)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0), abs=1e-6)


@pytest.mark.parametrize("query", ["P(y[x=1]=1)", "P(y[x=1]=1, y[x=0]=0)", "P(x=1)"])
@pytest.mark.parametrize("edges", [["x -> y"], ["x -> y", "x <-> y"]])
def test_data_that_contradict_each_other_are_named(query, edges):
    nodes = {v: {"type": "class", "levels": 2} for v in "xy"}
    joint = cf.Table(["x", "y"], [[0.1, 0.4], [0.3, 0.2]])
    wrong = cf.Table(["x", "y"], [[0.95, 0.05], [0.6, 0.4]])  # P(y=1 | do(x=0)) is at least .4
    with pytest.raises(cf.CausalflowError, match=r"no model .*P\(y\[x=0\]=\d\) = 0\.\d+ contrad"):
        cf.bounds(cf.Graph(nodes=nodes, edges=edges), query, {"P(v)": joint, "P(y | do(x))": wrong})


def spoil(model, random):
    """(query, data, options) with something wrong in it, mostly."""
    query = random.choice(
        [*dict(questions(model)), "E[y[x=1] - y[x=0]]", "P(y | do(x))", "P(x | y)"]
    )
    joint, told = model.law(), model.experiment()
    axes, options = [*model.names], {}
    which = int(random.integers(0, 22))
    noise = random.normal(size=joint.shape)
    match which:
        case 0:
            joint = joint + 0.05 * noise
        case 1:
            joint = joint * random.choice([0.0, 0.5, 0.9999, 1.0005, 3.0])
        case 2:
            joint = np.where(random.random(joint.shape) < 0.5, 0.0, joint)
        case 3:
            joint = np.full_like(joint, random.choice([np.nan, np.inf, -1.0, 1e308, 1e-320]))
        case 4:
            told = np.roll(told, 1, axis=1)
        case 5:
            told = told + 0.2 * random.normal(size=told.shape)
        case 6:
            told = np.zeros_like(told)
        case 7:
            told = told.astype(np.float32)
        case 8:
            axes = axes[::-1]
        case 9:
            joint = joint.sum(axis=0)
            axes = axes[1:]
        case 10:
            axes[0] = "q"
        case 11:
            query = "".join(random.permutation([*query]))
        case 12:
            query = query.replace("1", random.choice(["7", "-1", "maybe", "1.5", "''", "1e400"]))
        case 13:
            query = random.choice(["", "P()", "P(y[y=1]=0)", "P(y[x=0]=1 | x=1, x=0)", "P(q=1)"])
        case 14:
            options = {"tolerance": random.choice([-1.0, 0.0, 1e-3, np.nan, np.inf])}
        case 15:
            options = {"seed": int(random.integers(-3, 3))}
        case 16:
            joint = (np.round(joint, 3) / np.round(joint, 3).sum()).tolist()
        case 17:
            return query, random.choice(np.array([None, 5, "P(v)", [1], (), {}], dtype=object)), {}
        case 18:
            frame = {v: random.integers(0, 5, 30) for v in model.names}
            return query, random.choice(np.array([frame, pd.DataFrame(frame)], dtype=object)), {}
        case 19:
            columns = {v: [None, "a", 1.5, np.nan, 0, 1, [2]] for v in model.names}
            return query, columns, {}
        case 20:
            text = random.choice(["P(y | do(q))", "P(y | x)", "P(", "P(y, x | do(x))", ""])
            return query, {"P(v)": cf.Table(axes, joint), str(text): cf.Table(["x", "y"], told)}, {}
    data = {"P(v)": cf.Table(axes, joint), "P(y | do(x))": cf.Table(["x", "y"], told)}
    return query, random.choice(np.array([data, data["P(v)"]], dtype=object)), options


@pytest.mark.filterwarnings("ignore::causalflow.CausalflowWarning")
@pytest.mark.parametrize("seed", range(COUNT))
def test_spoiled_data_end_in_bounds_or_in_one_line_of_error(seed):
    model = Model(seed)
    random = np.random.default_rng([seed, 1])
    for _ in range(4):
        try:
            found = cf.bounds(model.graph, *(given := spoil(model, random))[:2], **given[2])
        except cf.CausalflowError as error:
            assert 0 < len(str(error)) < 500
            assert "\n" not in str(error)
            continue
        low, high = (np.asarray(getattr(end, "values", end)) for end in (found.low, found.high))
        assert np.all(np.isfinite(low) & np.isfinite(high) & (low <= high + 1e-9))
