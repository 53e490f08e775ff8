"""With two levels a little more is told than with any number: the verdict says so, and is right."""

import json
import os
from itertools import combinations, product

import numpy as np
import pytest
from scipy.linalg import block_diag

import causalflow as cf

WORLDS = int(os.environ.get("CAUSALFLOW_ORACLE_WORLDS", "120"))
EXACT = 1e-9  # float64 sums of 64 products


class Units:
    """Binary variables that respond to their parents by a type; the types have any joint law."""

    def __init__(self, parents, generator):
        self.parents = parents
        sizes = [2 ** (2 ** len(each)) for each in parents.values()]
        self.types = [*product(*map(range, sizes))]
        self.law = generator.dirichlet(np.ones(len(self.types)))

    def solve(self, unit, do):
        values = {}
        for (name, parents), kind in zip(self.parents.items(), unit, strict=True):
            place = sum(values[parent] << at for at, parent in enumerate(parents))
            values[name] = do.get(name, kind >> place & 1)
        return values

    def table(self, names, do=()):
        cells = np.zeros([2] * (len(names) + len(do)))
        for setting in product((0, 1), repeat=len(do)):
            for unit, mass in zip(self.types, self.law, strict=True):
                found = self.solve(unit, dict(zip(do, setting, strict=True)))
                cells[(*(found[name] for name in names), *setting)] += mass
        return cf.Table([*names, *do], cells)

    def chance(self, event):
        pairs = zip(self.types, self.law, strict=True)
        return sum(mass for unit, mass in pairs if event(unit))


def graph(levels, edges=("x -> y", "x <-> y")):
    names = sorted({name for edge in edges for name in edge.replace("<->", "->").split(" -> ")})
    return cf.Graph(
        nodes={name: {"type": "class", "levels": levels} for name in names}, edges=[*edges]
    )


DATA = ["P(x, y)", "P(y | do(x))"]


@pytest.mark.parametrize(("seen", "set_"), [(0, 1), (1, 0)])
def test_effect_on_those_not_treated_is_told_by_experiment_and_observation(seen, set_):
    verdict = cf.identify(graph(2), f"P(y[x={set_}] | x={seen})", DATA)
    assert verdict.identifiable is True
    formula, note = str(verdict).splitlines()
    assert formula.endswith(f"[P(y | do(x={set_})) - P(x={set_}, y)] / [P(x={seen})]")
    assert note == "  (the verdict holds with two levels of x; with more it would be no)"
    assert any("two levels of x" in each for each in verdict.assumptions)
    assert "two levels of x" in verdict.note
    model = Units({"x": (), "y": ("x",)}, np.random.default_rng(0))
    tables = {"P(x, y)": model.table("xy"), "P(y | do(x))": model.table("y", "x")}
    found = verdict.evaluate(tables).to_numpy()
    seen_mass = model.chance(lambda unit: model.solve(unit, {})["x"] == seen)
    for y in (0, 1):
        mass = model.chance(
            lambda unit, y=y: (
                model.solve(unit, {})["x"] == seen and model.solve(unit, {"x": set_})["y"] == y
            )
        )
        assert abs(found[y] - mass / seen_mass) < EXACT


def test_average_effect_on_the_treated_equals_the_truth():
    verdict = cf.identify(graph(2), "ETT(x -> y)", ["P(v)", "P(v | do(x))"])
    model = Units({"x": (), "y": ("x",)}, np.random.default_rng(1))
    tables = {"P(v)": model.table("xy"), "P(v | do(x))": model.table("y", "x")}
    treated = [
        (mass, unit)
        for unit, mass in zip(model.types, model.law, strict=True)
        if model.solve(unit, {})["x"] == 1
    ]
    gain = sum(
        mass * (model.solve(unit, {"x": 1})["y"] - model.solve(unit, {"x": 0})["y"])
        for mass, unit in treated
    )
    expected = gain / sum(mass for mass, _ in treated)
    assert abs(verdict.evaluate(tables).values.item() - expected) < EXACT


def test_third_level_takes_the_answer_away():
    verdict = cf.identify(graph(3), "P(y[x=1] | x=0)", DATA)
    assert verdict.identifiable is False
    assert any("any number of levels" in each for each in verdict.assumptions)
    untyped = cf.Graph(edges=["x -> y", "x <-> y"])
    assert cf.identify(untyped, "P(y[x=1] | x=0)", DATA).identifiable is False


def test_observation_alone_does_not_tell_with_two_levels_either():
    assert cf.identify(graph(2), "P(y[x=1] | x=0)").identifiable is False


def test_no_that_holds_with_two_levels_too_says_any_number():
    verdict = cf.identify(graph(2), "P(y[x=1]=1, y[x=0]=0)", "experimental")
    assert verdict.identifiable is False
    assert verdict.note == ""
    assert any("any number of levels" in each for each in verdict.assumptions)
    assert "bounds(graph, query, table)" in str(verdict)


def test_no_of_a_graph_too_large_to_count_says_that_two_levels_may_be_a_point():
    edges = ("a -> x", "b -> x", "c -> x", "d -> x", "x -> y", "x <-> y")
    verdict = cf.identify(graph(2, edges), "P(y[x=1]=1, y[x=0]=0)", "experimental")
    assert verdict.identifiable is False
    assert "with two, bounds may be a point" in str(verdict)


def test_what_two_levels_determine_without_a_formula_is_unknown():
    edges = ("x -> y", "x -> m", "m -> y", "x <-> y")
    verdict = cf.identify(graph(2, edges), "P(m[y=0]=1, y[x=0, m=1]=0)", "experimental")
    assert verdict.identifiable is None
    assert "with more levels it is not identifiable" in str(verdict)
    assert cf.identify(graph(3, edges), str(verdict.query), "experimental").identifiable is False


def test_both_values_of_one_variable_at_once_are_impossible_with_two_levels():
    """Whatever x is, y is y[x=0] or y[x=1], so it is not 1 where both are 0."""
    verdict = cf.identify(graph(2), "P(y[x=0]=0, y[x=1]=0, y=1)", "experimental")
    assert verdict.is_impossible


def test_bounds_are_a_point_where_the_verdict_says_so():
    model = Units({"x": (), "y": ("x",)}, np.random.default_rng(2))
    tables = {"P(x, y)": model.table("xy"), "P(y | do(x))": model.table("y", "x")}
    query = "P(y[x=1]=1 | x=0)"
    answer = cf.identify(graph(2), query, DATA).evaluate(tables).values.item()
    found = cf.bounds(
        graph(2), query, {"P(v)": tables["P(x, y)"], "P(y | do(x))": tables["P(y | do(x))"]}
    )
    assert found.low == pytest.approx(answer, abs=1e-6)  # of the linear program
    assert found.high == pytest.approx(answer, abs=1e-6)


@pytest.mark.parametrize("query", ["P(y[x=1]=1 | x)", "P(y[x]=1 | x=0)"])
def test_levels_left_open_are_each_answered(query):
    verdict = cf.identify(graph(2), query, DATA)
    assert verdict.identifiable is True
    model = Units({"x": (), "y": ("x",)}, np.random.default_rng(4))
    tables = {"P(x, y)": model.table("xy"), "P(y | do(x))": model.table("y", "x")}
    found = verdict.evaluate(tables).to_numpy()
    for cell in np.ndindex(found.shape):
        seen = 0 if "| x=0" in query else cell[0]
        set_ = 1 if "x=1" in query else cell[-1]
        below = model.chance(lambda unit, seen=seen: model.solve(unit, {})["x"] == seen)
        above = model.chance(
            lambda unit, seen=seen, set_=set_: (
                model.solve(unit, {})["x"] == seen and model.solve(unit, {"x": set_})["y"] == 1
            )
        )
        assert abs(found[cell] - above / below) < EXACT


def test_longer_graph_with_a_mediator_equals_the_truth():
    edges = ("x -> m", "m -> y", "x <-> y", "x <-> m", "m <-> y")
    data = ["P(x, m, y)", "P(m, y | do(x))"]
    verdict = cf.identify(graph(2, edges), "P(y[x=1]=1 | x=0)", data)
    model = Units({"x": (), "m": ("x",), "y": ("m",)}, np.random.default_rng(3))
    tables = {data[0]: model.table("xmy"), data[1]: model.table("my", "x")}
    below = model.chance(lambda unit: model.solve(unit, {})["x"] == 0)
    above = model.chance(
        lambda unit: model.solve(unit, {})["x"] == 0 and model.solve(unit, {"x": 1})["y"] == 1
    )
    assert abs(verdict.evaluate(tables).values.item() - above / below) < EXACT


def test_check_verifies_what_two_levels_do_not_tell(cli, tmp_path):
    file = tmp_path / "bow.yaml"
    file.write_text(
        "nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2}}\n"
        "edges: [x -> y, x <-> y]\n"
        'queries: [{ask: "P(y[x=1] | x)", identifiable: false}]\n',
        encoding="utf-8",
    )
    (result,) = json.loads(cli("check", file, "--json").out)
    assert (result["ok"], result["queries"][0]["verdict"]) == (True, False)


def random_case(generator):
    """A small graph whose districts are cliques, a question about worlds, and data."""
    names = ["a", "b", "c"][: int(generator.integers(2, 4))]
    order = [names[at] for at in generator.permutation(len(names))]
    arrows = [pair for pair in combinations(order, 2) if generator.random() < 0.7]
    joined = order[:2] if generator.random() < 0.7 else order
    arcs = [*combinations(joined, 2)] if generator.random() < 0.7 else []
    drawn = [random_term(generator, names) for _ in range(int(generator.integers(1, 4)))]
    terms = [
        *{(name, *sorted(world.items())): (name, world, v) for name, world, v in drawn}.values()
    ]
    asked = int(generator.integers(1, len(terms) + 1))
    sets = [[], *([name] for name in names if generator.random() < 0.5)]
    return order, arrows, arcs, terms[:asked], terms[asked:], sets


def random_term(generator, names):
    """(name, world, value)."""
    name, *others = (names[at] for at in generator.permutation(len(names)))
    world = {other: int(generator.integers(2)) for other in others if generator.random() < 0.4}
    return name, world, int(generator.integers(2))


def written(term):
    name, world, value = term
    inside = ", ".join(f"{other}={level}" for other, level in world.items())
    return f"{name}{f'[{inside}]' if inside else ''}={value}"


class Case:
    """A random case with a law of types that is a product over districts."""

    def __init__(self, generator):
        self.order, self.arrows, self.arcs, self.asked, self.seen, sets = random_case(generator)
        parents = {n: tuple(a for a, b in self.arrows if b == n) for n in self.order}
        self.units = Units(parents, generator)
        together = [[n for n in self.order if any(n in arc for arc in self.arcs)]]
        alone = [[n] for n in self.order if n not in together[0]]
        self.blocks = [block for block in together + alone if block]
        self.keys = [
            [tuple(unit[self.order.index(n)] for n in block) for unit in self.units.types]
            for block in self.blocks
        ]
        self.laws = []
        for keys in self.keys:
            kinds = sorted(set(keys))
            drawn = generator.dirichlet(np.ones(len(kinds)))
            self.laws.append(dict(zip(kinds, drawn, strict=True)))
        factors = [
            np.array([law[key] for key in keys])
            for law, keys in zip(self.laws, self.keys, strict=True)
        ]
        self.units.law = np.prod(factors, axis=0)
        self.sets = sets
        self.factors = factors

    @property
    def graph(self):
        edges = [f"{a} -> {b}" for a, b in self.arrows] + [f"{a} <-> {b}" for a, b in self.arcs]
        nodes = {name: {"type": "class", "levels": 2} for name in self.order}
        return cf.Graph(nodes=nodes, edges=edges)

    @property
    def query(self):
        seen = f" | {', '.join(map(written, self.seen))}" if self.seen else ""
        return f"P({', '.join(map(written, self.asked))}{seen})"

    def data(self):
        for do in self.sets:
            left = [name for name in self.order if name not in do]
            name = f"P({', '.join(left)}{f' | do({do[0]})' if do else ''})"
            yield name, left, do

    def holds(self, terms):
        """Which units make all terms true."""
        return np.array(
            [
                all(self.units.solve(unit, world)[name] == value for name, world, value in terms)
                for unit in self.units.types
            ],
            dtype=float,
        )

    def slopes(self, rows):
        """The derivatives of sums over units by the law of each block, and of its sum."""
        parts, sums = [], []
        for at, keys in enumerate(self.keys):
            rest = np.prod([f for i, f in enumerate(self.factors) if i != at], axis=0)
            kinds = sorted(set(keys))
            member = np.array([[key == kind for kind in kinds] for key in keys], dtype=float)
            parts.append(np.asarray(rows) * rest @ member)
            sums.append(np.ones(len(kinds)))
        return np.concatenate(parts, axis=1), block_diag(*sums)

    def is_determined(self):
        cells = []
        for _, left, do in self.data():
            for setting in product((0, 1), repeat=len(do)):
                world = dict(zip(do, setting, strict=True))
                for cell in product((0, 1), repeat=len(left)):
                    cells.append(
                        self.holds([(n, world, v) for n, v in zip(left, cell, strict=True)])
                    )
        known, sums = self.slopes(cells)
        seen = self.holds(self.seen)
        both = self.holds([*self.asked, *self.seen])
        (above, below), _ = self.slopes([both, seen])
        one, other = both @ self.units.law, seen @ self.units.law
        asked = above * other - below * one
        _, sizes, span = np.linalg.svd(np.concatenate([known, sums]), full_matrices=False)
        span = span[sizes > 1e-10 * sizes[0]]
        return np.abs(asked - asked @ span.T @ span).max() < 1e-9


@pytest.mark.parametrize("part", range(4))
def test_random_questions_about_worlds_of_two_levels_are_never_judged_wrongly(part):
    told, refused = 0, 0
    for seed in range(part, WORLDS, 4):
        case = Case(np.random.default_rng(seed))
        below = case.holds(case.seen) @ case.units.law
        if below == 0:
            continue
        try:
            verdict = cf.identify(case.graph, case.query, [name for name, *_ in case.data()])
        except cf.QueryError as error:
            assert "impossible" in str(error), case.query
            continue
        if verdict:
            tables = {name: case.units.table(left, do) for name, left, do in case.data()}
            truth = case.holds([*case.asked, *case.seen]) @ case.units.law / below
            found = verdict.evaluate(tables).values.item()
            assert abs(found - truth) < EXACT, (seed, case.query)
            told += 1
        elif verdict.identifiable is False:
            assert not case.is_determined(), (seed, case.query)
            refused += 1
    assert told > 5
    assert refused > 0
