"""Bounds against published numbers, closed forms and models made at random.

The truth of a random model comes from enumerating its hidden causes.
"""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from finite_models import Units
from questions import written_query
from scipy.optimize import linprog

from causalflow.bounds.bounds import bounds
from causalflow.errors import CausalflowError, DataError, EvidenceError, QueryError
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.query.parse import parse_query

ALGEBRA = 1e-9  # a simplex vertex in float64: sums of a few dozen numbers of order 1
INSIDE = 1e-7  # the truth may sit on an end that HiGHS's tolerance of 1e-10 a row has moved

INSTRUMENT = Graph(edges=["z -> x -> y", "x <-> y"])
BOW = Graph(edges=["x -> y", "x <-> y"])
FRONT_DOOR = Graph(edges=["x -> m -> y", "x <-> y"])
EFFECT = "E[y[x=1] - y[x=0]]"


def made(parents, hidden, random, levels=3, sparse=False):
    """A random model: a hidden cause of its own for each node, one for each ``<->``."""
    causes = {f"of {node}": node for node in parents} | {f"of {pair}": pair for pair in hidden}
    model = Units({cause: random.dirichlet(np.ones(levels)).tolist() for cause in causes})
    for node, above in parents.items():
        heard = [cause for cause, nodes in causes.items() if node in nodes]
        table = random.integers(2, size=[2] * len(above) + [levels] * len(heard))
        table = np.minimum(table, 0) if sparse and not above else table
        model.sizes[node], model.arguments[node] = 2, [*above, *heard]
        model.functions[node] = lambda *v, table=table: table[v]
    directed = [f"{p} -> {node}" for node, above in parents.items() for p in above]
    model.graph = Graph(nodes=[*parents], edges=[*directed, *map(" <-> ".join, hidden)])
    return model


def truth_of(model, query):
    return float(model.truth(parse_query(query)))


def given_instrument(rows):
    """P(y, x | z) from rows (y0x0, y0x1, y1x0, y1x1), one a level of z."""
    return Table(["z", "y", "x"], np.reshape(rows, (2, 2, 2)))


def balke_pearl(p):
    """The closed form of Balke & Pearl (1997) for the average effect; p[z][y, x]."""

    def q(y, x, z):
        return p[z][y, x]

    low = max(
        q(1, 1, 1) + q(0, 0, 0) - 1,
        q(1, 1, 0) + q(0, 0, 1) - 1,
        q(1, 1, 0) - q(1, 1, 1) - q(1, 0, 1) - q(0, 1, 0) - q(1, 0, 0),
        q(1, 1, 1) - q(1, 1, 0) - q(1, 0, 0) - q(0, 1, 1) - q(1, 0, 1),
        -q(0, 1, 1) - q(1, 0, 1),
        -q(0, 1, 0) - q(1, 0, 0),
        q(0, 0, 1) - q(0, 1, 1) - q(1, 0, 1) - q(0, 1, 0) - q(0, 0, 0),
        q(0, 0, 0) - q(0, 1, 0) - q(1, 0, 0) - q(0, 1, 1) - q(0, 0, 1),
    )
    high = min(
        1 - q(0, 1, 1) - q(1, 0, 0),
        1 - q(0, 1, 0) - q(1, 0, 1),
        -q(0, 1, 0) + q(0, 1, 1) + q(0, 0, 1) + q(1, 1, 0) + q(0, 0, 0),
        -q(0, 1, 1) + q(1, 1, 1) + q(0, 0, 1) + q(0, 1, 0) + q(0, 0, 0),
        q(1, 1, 1) + q(0, 0, 1),
        q(1, 1, 0) + q(0, 0, 0),
        -q(1, 0, 1) + q(1, 1, 1) + q(0, 0, 1) + q(1, 1, 0) + q(1, 0, 0),
        -q(1, 0, 0) + q(1, 1, 0) + q(0, 0, 0) + q(1, 1, 1) + q(1, 0, 1),
    )
    return low, high


@pytest.mark.parametrize(
    ("rows", "published"),
    [
        ([(0.919, 0, 0.081, 0), (0.315, 0.139, 0.073, 0.473)], (0.392, 0.780)),
        ([(0.0064, 0, 0.9936, 0), (0.0028, 0.0010, 0.1972, 0.7990)], (-0.1946, 0.0054)),
    ],
    ids=["lipid", "vitamin A"],
)
def test_average_effect_has_the_published_bounds_of_balke_and_pearl(rows, published):
    conditional = given_instrument(rows)
    found = bounds(INSTRUMENT, EFFECT, conditional)
    assert found.kind == "sharp"
    assert (found.low, found.high) == pytest.approx(published, abs=ALGEBRA)
    joint = Table(conditional.axes, conditional.values * np.reshape([0.3, 0.7], (2, 1, 1)))
    again = bounds(INSTRUMENT, EFFECT, joint)
    assert (again.low, again.high) == pytest.approx(published, abs=ALGEBRA)


def test_two_hundred_instruments_have_the_closed_form_and_contain_the_truth():
    random = np.random.default_rng(0)
    for _ in range(200):
        law = random.dirichlet(np.full(16, random.choice([0.2, 1.0]))).reshape(2, 2, 2, 2)
        p = np.zeros((2, 2, 2))  # z, y, x
        effect = 0.0
        for x0, x1, y0, y1 in product(range(2), repeat=4):
            weight = law[x0, x1, y0, y1]
            effect += weight * (y1 - y0)
            for z, x in ((0, x0), (1, x1)):
                p[z, (y0, y1)[x], x] += weight
        found = bounds(INSTRUMENT, EFFECT, Table(["z", "y", "x"], p / 2))
        assert (found.low, found.high) == pytest.approx(balke_pearl(p), abs=ALGEBRA)
        assert found.low - INSIDE <= effect <= found.high + INSIDE


def test_bow_graph_has_the_bounds_of_manski_for_any_number_of_levels():
    random = np.random.default_rng(1)
    joint = random.dirichlet(np.ones(12)).reshape(3, 4)
    found = bounds(BOW, "P(y | do(x))", Table(["x", "y"], joint))
    assert found.kind == "sharp"
    low, high = found.low.to_numpy(["x", "y"]), found.high.to_numpy(["x", "y"])
    np.testing.assert_allclose(low, joint, atol=ALGEBRA)
    np.testing.assert_allclose(high, joint + 1 - joint.sum(axis=1, keepdims=True), atol=ALGEBRA)


NECESSARY_AND_SUFFICIENT = "P(y[x=1]=1, y[x=0]=0)"
NECESSARY = "P(y[x=0]=0 | x=1, y=1)"
SUFFICIENT = "P(y[x=1]=1 | x=0, y=0)"


def test_probabilities_of_causation_have_the_bounds_of_tian_and_pearl():
    random = np.random.default_rng(2)
    for _ in range(20):
        model = made({"x": (), "y": ("x",)}, ["xy"], random, levels=4)
        p = model.table().to_numpy(["x", "y"])
        if p.min() == 0:
            continue
        one, zero = (truth_of(model, f"P(y[x={x}]=1)") for x in (1, 0))
        y = p[:, 1].sum()
        experiment = Table(["x", "y"], [[1 - zero, zero], [1 - one, one]])
        data = {"P(v)": model.table(), "P(y | do(x))": experiment}
        expected = {
            NECESSARY_AND_SUFFICIENT: (
                max(0, one - zero, y - zero, one - y),
                min(one, 1 - zero, p[1, 1] + p[0, 0], one - zero + p[1, 0] + p[0, 1]),
            ),
            NECESSARY: (
                max(0, (y - zero) / p[1, 1]),
                min(1, (1 - zero - p[0, 0]) / p[1, 1]),
            ),
            SUFFICIENT: (
                max(0, (one - y) / p[0, 0]),
                min(1, (one - p[1, 1]) / p[0, 0]),
            ),
        }
        for query, ends in expected.items():
            found = bounds(BOW, query, data)
            assert (found.low, found.high) == pytest.approx(ends, abs=ALGEBRA), query
        found = bounds(BOW, NECESSARY_AND_SUFFICIENT, model.table())
        assert (found.low, found.high) == pytest.approx((0, p[1, 1] + p[0, 0]), abs=ALGEBRA)


def test_without_hidden_causes_the_probability_of_necessity_and_sufficiency_is_frechets():
    p = np.array([[0.15, 0.05], [0.32, 0.48]])
    zero, one = p[:, 1] / p.sum(axis=1)
    graph = Graph(edges=["x -> y"])
    found = bounds(graph, NECESSARY_AND_SUFFICIENT, Table(["x", "y"], p))
    assert found.kind == "sharp"
    expected = (max(0, one - zero), min(one, 1 - zero))
    assert (found.low, found.high) == pytest.approx(expected, abs=ALGEBRA)


def test_condition_in_another_world_is_bounded_as_by_bisection_over_linear_programs():
    """max of a/b is the level at which max of a - level * b changes its sign (Dinkelbach)."""
    random = np.random.default_rng(3)
    types = list(product(range(2), repeat=3))  # x, y0, y1
    joint = random.dirichlet(np.ones(4)).reshape(2, 2)
    equations = [[x == r[0] and y == r[1 + x] for r in types] for x in (0, 1) for y in (0, 1)]
    top = np.array([r[1] == 0 and r[2] == 1 for r in types], dtype=float)
    bottom = np.array([r[1] == 0 for r in types], dtype=float)

    def largest(sign):
        low, high = -1.0, 1.0
        for _ in range(60):
            level = (low + high) / 2
            cost = -(sign * top - level * bottom)
            found = linprog(cost, A_eq=np.array(equations, dtype=float), b_eq=joint.ravel())
            low, high = (level, high) if -found.fun >= 0 else (low, level)
        return low

    found = bounds(BOW, "P(y[x=1]=1 | y[x=0]=0)", Table(["x", "y"], joint))
    assert found.kind == "sharp"
    assert (found.low, found.high) == pytest.approx((-largest(-1), largest(1)), abs=1e-7)


TREATED, RESTORED = "P(y[x=1]=1 | x=0)", "P(y[x=1, m[x=0]]=1)"


@pytest.mark.parametrize(
    ("parents", "hidden", "query"),
    [
        ({"z": (), "x": "z", "y": "zx"}, [], "P(y=1 | do(x=1))"),
        ({"x": (), "m": "x", "y": "m"}, ["xy"], "P(y=1 | do(x=1))"),
        ({"w": (), "r": "w", "x": "r", "y": "x"}, ["wx", "wy"], "P(y=1 | do(x=1))"),
        ({"x": (), "m": "x", "y": "m"}, ["xy"], "P(y=1 | do(x=1), m=0)"),
        ({"z": (), "x": "z", "y": "zx"}, [], TREATED),
        ({"x": (), "m": "x", "y": "m"}, ["xy"], TREATED),
        ({"x": (), "m": "x", "y": "xm"}, [], RESTORED),
        ({"z": (), "x": "z", "m": "zx", "y": "zxm"}, [], RESTORED),
    ],
)
def test_identifiable_question_gives_the_truth_as_a_point(parents, hidden, query):
    random = np.random.default_rng(4)
    model = made(parents, hidden, random, levels=4)
    while model.table().values.min() == 0:
        model = made(parents, hidden, random, levels=4)
    found = bounds(model.graph, query, model.table())
    truth = truth_of(model, query)
    assert found.kind == "point"
    assert (found.low, found.high) == pytest.approx((truth, truth), abs=ALGEBRA)


def test_front_door_is_a_point_by_linear_programs_too_where_a_probability_is_zero():
    joint = np.zeros((2, 2, 2))
    for x, m, y in product(range(2), repeat=3):
        joint[x, m, y] = 0.5 * (0.8 if m == x else 0.2) * (y == (x if m else 0))
    assert joint.min() == 0
    found = bounds(FRONT_DOOR, "P(y=1 | do(x=1))", Table(["x", "m", "y"], joint))
    assert found.kind == "point"
    # P(y | do(x=1)) = sum_m P(m | x=1) sum_x' P(y | m, x') P(x') = .8 * .5 + .2 * 0
    assert (found.low, found.high) == pytest.approx((0.4, 0.4), abs=ALGEBRA)


SHAPES = [
    ({"x": (), "y": "x"}, ["xy"]),
    ({"z": (), "x": "z", "y": "x"}, ["xy"]),
    ({"z": (), "x": "z", "y": "xz"}, ["xy"]),
    ({"x": (), "m": "x", "y": "xm"}, ["my"]),
    ({"x": (), "m": "x", "y": "m"}, ["xy"]),
    ({"x": (), "m": "x", "y": "xm"}, ["xm", "my"]),
    ({"w": (), "r": "w", "x": "r", "y": "x"}, ["wx", "wy"]),
    ({"z": (), "x": "z", "w": (), "y": "xw"}, ["xw", "wy"]),
    ({"x": (), "y": "x", "w": "y"}, ["xw", "xy", "yw"]),
]


def random_term(model, random):
    node = str(random.choice(list(model.sizes)))
    others = [name for name in model.sizes if name != node]
    set_ones = [name for name in others if random.random() < 0.4]
    do = tuple((name, int(random.integers(2))) for name in set_ones)
    return node, do, int(random.integers(2))


@pytest.mark.parametrize("sparse", [False, True], ids=["positive", "with zeros"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{len(shape[0])}-{shape[1]}")
def test_bounds_contain_the_truth_of_random_models(shape, sparse):
    random = np.random.default_rng(5)
    for _ in range(12):
        model = made(*shape, random, levels=2, sparse=sparse)
        terms = [random_term(model, random) for _ in range(4)]
        different = list({(node, frozenset(do)): (node, do, v) for node, do, v in terms}.values())
        count = random.integers(1, len(different)) if len(different) > 1 else 1
        query = written_query(different[:count], different[count:][: random.integers(2)])
        truth = truth_of(model, query)
        if np.isnan(truth):
            continue
        found = bounds(model.graph, query, model.table())
        if found.kind != "optimised":
            assert found.low - INSIDE <= truth <= found.high + INSIDE, query
        assert 0 <= found.low <= found.high + INSIDE <= 1 + 2 * INSIDE


def test_nested_counterfactual_is_bounded_around_the_truth():
    model = made({"x": (), "m": "x", "y": "xm"}, ["my"], np.random.default_rng(6))
    truth, found = truth_of(model, RESTORED), bounds(model.graph, RESTORED, model.table())
    assert found.kind == "sharp"
    assert found.low - INSIDE <= truth <= found.high + INSIDE
    assert found.low < found.high


def test_non_descendant_of_the_question_sharpens_it():
    """w shows which of three kinds a unit is: x = 0, x = 1, x = z."""
    law = {(0, 0): 0.35, (1, 1): 0.35, (0, 1): 0.3}
    joint = np.zeros((2, 2, 3))
    for w, (kind, weight) in enumerate(law.items()):
        for z in (0, 1):
            joint[z, kind[z], w] += weight / 2
    data = Table(["z", "x", "w"], joint)
    asked = "P(x[z=0]=0, x[z=1]=1)"
    with_w = bounds(Graph(edges=["z -> x", "x <-> w"]), asked, data)
    without = bounds(Graph(edges=["z -> x"]), asked, data.sum("w"))
    assert (with_w.low, with_w.high) == pytest.approx((0.3, 0.3), abs=ALGEBRA)
    assert (without.low, without.high) == pytest.approx((0.3, 0.65), abs=ALGEBRA)


def test_unknowns_of_independent_districts_multiply_and_the_search_says_what_it_is():
    random = np.random.default_rng(7)
    model = made({"a": (), "b": "a", "x": (), "y": "x"}, ["ab", "xy"], random, levels=3)
    joint = model.table()
    one = bounds(model.graph, "P(b[a=1]=1)", joint)
    two = bounds(model.graph, "P(y[x=0]=1)", joint)
    found = bounds(model.graph, "P(b[a=1]=1, y[x=0]=1)", joint)
    assert found.kind == "optimised"
    assert "a search found them" in found.assumptions[-1]
    expected = (one.low * two.low, one.high * two.high)
    assert (found.low, found.high) == pytest.approx(expected, abs=ALGEBRA)


def test_district_that_is_no_clique_is_labelled_as_outer():
    random = np.random.default_rng(8)
    model = made({"x": (), "m": "x", "y": "xm"}, ["xm", "my"], random, levels=3)
    found = bounds(model.graph, "P(y=1 | do(x=1))", model.table())
    assert found.kind == "outer"
    assert "hidden causes common to all of ['m', 'x', 'y'] are allowed" in found.assumptions[-1]


def test_clique_of_three_says_what_its_hidden_causes_may_be():
    random = np.random.default_rng(9)
    model = made({"x": (), "y": "x", "w": "y"}, ["xw", "xy", "yw"], random, levels=2)
    found = bounds(model.graph, "P(y[x=0]=1, y[x=1]=1)", model.table())
    assert found.kind == "sharp"
    assert found.assumptions == ("sharp if hidden causes may be common to all of ['w', 'x', 'y']",)


def test_hidden_node_of_the_graph_is_the_same_as_a_bidirected_edge():
    conditional = given_instrument([(0.919, 0, 0.081, 0), (0.315, 0.139, 0.073, 0.473)])
    graph = Graph(edges=["z -> x -> y", "u -> x", "u -> y"])
    found = bounds(graph, EFFECT, conditional)
    assert (found.low, found.high) == pytest.approx((0.392, 0.780), abs=ALGEBRA)
    assert "the hidden nodes ['u'] may be of any kind" in found.assumptions
    with pytest.raises(QueryError, match="'u' is hidden"):
        bounds(graph, "P(u=1)", conditional)


def test_named_levels_rows_and_fractions_give_the_same_bounds():
    graph = Graph(
        nodes={
            "drug": {"type": "class", "levels": ["no", "yes"]},
            "cured": {"type": "class", "levels": ["no", "yes"]},
        },
        edges=["drug -> cured", "drug <-> cured"],
    )
    counts = {("no", "no"): 3, ("no", "yes"): 2, ("yes", "no"): 1, ("yes", "yes"): 4}
    rows = [cell for cell, count in counts.items() for _ in range(count)]
    frame = pd.DataFrame(rows, columns=["drug", "cured"])
    exact = {cell: Fraction(count, 10) for cell, count in counts.items()}
    levels = {"drug": ("yes", "no"), "cured": ("no", "yes")}
    reordered = Table.from_dict(["drug", "cured"], exact, levels)
    query = "P(cured=yes | do(drug=yes))"
    for data in (frame, reordered, reordered.rename({})):
        found = bounds(graph, query, data)
        assert (found.low, found.high) == pytest.approx((0.4, 0.9), abs=ALGEBRA)
    assert "sampling error is not included" in bounds(graph, query, frame).assumptions[0]
    found = bounds(graph, "E[cured[drug=yes] - cured[drug=no]]", frame)
    assert (found.low, found.high) == pytest.approx((0.4 - 0.7, 0.9 - 0.2), abs=ALGEBRA)


def test_rows_that_no_model_fits_are_moved_to_the_nearest_and_a_table_is_refused():
    impossible = given_instrument([(0.9, 0.1, 0, 0), (0, 0.1, 0.9, 0)])  # z acts on y where x=0
    with pytest.raises(DataError, match=r"P\(v\) contradicts the graph; the nearest"):
        bounds(INSTRUMENT, "P(y[x=1]=1)", impossible)
    cells = [cell for cell, p in impossible.to_dict().items() for _ in range(round(p * 10))]
    found = bounds(INSTRUMENT, EFFECT, pd.DataFrame(cells, columns=["z", "y", "x"]))
    assert any("no model has the data exactly" in note for note in found.assumptions)


def test_impossible_condition_is_an_error():
    joint = Table(["x", "y"], [[0.3, 0.7], [0.0, 0.0]])
    with pytest.raises(EvidenceError, match=r"probability zero: P\(x=1\) = 0"):
        bounds(BOW, "P(y[x=0]=1 | x=1)", joint)


@pytest.mark.parametrize(
    ("query", "data", "error", "message"),
    [
        ("P(q=1)", Table(["x", "y"], np.full((2, 2), 0.25)), QueryError, "unknown"),
        (
            "P(y=7 | do(x=1))",
            Table(["x", "y"], np.full((2, 2), 0.25)),
            CausalflowError,
            "unknown level",
        ),
        ("P(y=1 | do(x=1))", Table(["x", "y"], np.full((2, 2), 0.2)), DataError, "sum to 0.8"),
        ("P(y=1 | do(x=1))", Table(["x", "y"], [[1.2, -0.2], [0, 0]]), DataError, "negative"),
        ("P(y=1 | do(x=1))", Table(["x", "v"], np.full((2, 2), 0.25)), DataError, "variable 'v'"),
        ("P(y=1 | do(x=1))", [1, 2], DataError, "expected a Table or a DataFrame"),
        ("P(y=1 | do(x=1))", {"a": [1]}, DataError, "no column is a node"),
    ],
)
def test_mistakes_are_one_line_errors(query, data, error, message):
    with pytest.raises(error, match=message) as caught:
        bounds(BOW, query, data)
    assert len(str(caught.value).splitlines()) in (1, 3)  # 3: the query with a caret


def test_question_about_the_law_of_what_the_data_condition_on_is_refused():
    data = given_instrument([(0.919, 0, 0.081, 0), (0.315, 0.139, 0.073, 0.473)])
    with pytest.raises(QueryError, match="depends on the law of 'z'"):
        bounds(INSTRUMENT, "P(x=1)", data)


def test_too_many_response_functions_are_refused_with_their_number():
    joint = Table(["x", "y"], np.full((10, 10), 0.01))
    with pytest.raises(CausalflowError, match=r"about 10\^11 joint response functions"):
        bounds(BOW, "P(y=1 | do(x=1))", joint)


def test_too_many_constraints_are_refused_before_they_are_made():
    joint = np.full((150, 150), 1.0)
    joint[0, 0] = 0  # or the question were answered by a formula
    data = Table(["x", "y"], joint / joint.sum())
    with pytest.raises(CausalflowError, match="22,500 unknowns with 506,250,000 entries"):
        bounds(Graph(edges=["x <-> y"]), "P(y=2 | do(x=0))", data)


def test_too_many_worlds_values_are_refused():
    names = [f"v{i}" for i in range(18)]
    edges = [f"{a} -> {b}" for a, b in pairwise(names)]
    graph = Graph(edges=edges)
    joint = Table(names, np.full((2,) * 18, 0.5**18))
    with pytest.raises(CausalflowError, match="too wide"):
        bounds(graph, "P(v17[v0=1]=1, v17[v0=0]=0)", joint)


def test_text_says_the_question_the_interval_and_its_kind():
    joint = Table(["x", "y"], [[0.3, 0.2], [0.1, 0.4]])
    found = bounds(BOW, "P(y=1 | do(x=1))", joint)
    assert str(found) == "P(y=1 | do(x=1)) in [0.4, 0.9] (sharp)"
    table = str(bounds(BOW, "P(y | do(x=1))", joint))
    assert table.splitlines()[0] == "P(y | do(x=1)): sharp bounds"
