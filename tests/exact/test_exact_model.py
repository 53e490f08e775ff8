"""The exact model's border: evidence in every form, draws, limits and errors."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from causalflow.errors import CausalflowError, CompileError, EvidenceError, QueryError
from causalflow.exact.model import ExactModel
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
BINARY = {"type": "class", "levels": 2}
COIN = {"p": ["1/2", "1/2"]}


@pytest.fixture(scope="module")
def ascm():
    return ExactModel(load(GRAPHS / "ascm_xy.yaml"))


@pytest.fixture(scope="module")
def front_door():
    return ExactModel(load(GRAPHS / "bar_mnist_frontdoor_scm.yaml"))


def layered(width, depth):
    """Every node of a layer is a parent of every node of the next, two layers share no noise."""
    exogenous, nodes = {}, {}
    for k in range(depth):
        for j in range(width):
            exogenous[f"u{k}_{j}"] = COIN
            above = [f"v{k - 1}_{i}" for i in range(width)] if k else []
            terms = " ^ ".join([f"u{k}_{j}", *above])
            nodes[f"v{k}_{j}"] = {**BINARY, "equation": terms}
    return Graph(exogenous=exogenous, nodes=nodes)


def chain(length):
    exogenous = {f"u{k}": {"p": ["3/4", "1/4"]} for k in range(length)}
    equations = ["u0", *(f"v{k - 1} ^ u{k}" for k in range(1, length))]
    nodes = {f"v{k}": {**BINARY, "equation": text} for k, text in enumerate(equations)}
    return Graph(exogenous=exogenous, nodes=nodes)


def test_an_image_is_given_by_code_and_by_pixels(ascm):
    expected = ascm.ask("P(x | i=5)").table.to_dict()
    pixels = np.array([[[0, 1], [0, 1]]])
    assert ascm.ask("P(x | i)", i=5).table.to_dict() == expected
    assert ascm.ask("P(x | i)", i=pixels).table.to_dict() == expected
    assert ascm.ask("P(x | i)", i=pixels.astype(float)).table.to_dict() == expected
    batch = ascm.ask("P(x | i)", i=np.stack([pixels, pixels]))
    assert batch.table.at({"row": 1}).to_dict() == expected


def test_a_batch_may_mix_columns_and_single_values(ascm):
    batch = ascm.ask("P(y[x=1]=1 | x, i)", x=0, i=[0, 5])
    singles = [ascm.ask(f"P(y[x=1]=1 | x=0, i={code})").value for code in (0, 5)]
    assert list(batch.value) == singles
    assert batch.table.axes == ("row",)


def test_a_batch_larger_than_one_contraction_is_answered_in_parts(ascm, monkeypatch):
    codes = ascm.sample(50, generator=1)["i"]
    whole = ascm.ask("P(x, y | i)", i=codes).table
    monkeypatch.setattr("causalflow.exact.inference._BATCH_CELLS", 2**5)
    parts = ExactModel(ascm.graph).ask("P(x, y | i)", i=codes).table
    assert parts.to_dict() == whole.to_dict()


def test_asking_again_with_other_evidence_compiles_nothing(ascm):
    ascm.ask("P(x | i=5)")
    before = dict(ascm._inference._compiled)
    ascm.ask("P(x | i=6)")
    assert dict(ascm._inference._compiled) == before


def test_cells_of_impossible_conditions_are_zero_and_said_to_be():
    graph = Graph(exogenous={"u": {"p": [1, 0]}}, nodes={"x": {**BINARY, "equation": "u"}})
    answer = ExactModel(graph).ask("P(x | u)")
    assert answer.table.to_dict() == {(0, 0): 1, (1, 0): 0, (0, 1): 0, (1, 1): 0}
    assert "probability zero are shown as 0" in answer.assumptions[0]


def test_bernoulli_exogenous_variables_are_exact():
    graph = Graph(
        exogenous={"u": {"type": "bernoulli", "p": 0.3}}, nodes={"x": {**BINARY, "equation": "u"}}
    )
    assert ExactModel(graph).ask("P(x=1)").value == Fraction(3, 10)


def test_answers_are_floats_where_fractions_would_be_slow_and_agree_with_them():
    graph = chain(60)
    query = "P(v59[v30=1]=1 | v50=0, v20=1)"
    exact, fast = (ExactModel(graph, kind).ask(query).value for kind in ("fraction", "float"))
    assert isinstance(exact, Fraction)
    assert fast == pytest.approx(float(exact), abs=1e-12)  # float64


def test_evidence_on_a_thousand_nodes_does_not_underflow():
    graph = chain(1000)
    model = ExactModel(graph, "float")
    sample = model.sample(1, generator=3)
    evidence = {name: int(value[0]) for name, value in sample.items()}
    answer = model.posterior(evidence, ["u7"])
    truth = evidence["v7"] ^ evidence["v6"]
    assert answer.table.to_dict() == {truth: 1.0, 1 - truth: 0.0}


def test_samples_have_the_model_distribution(front_door):
    drawn = front_door.sample(40_000, {"color": "red"}, generator=1)
    share = (drawn["bar"] == 1).mean()
    assert share == pytest.approx(0.5096, abs=5 * np.sqrt(0.25 / 40_000))  # 5 standard errors
    assert set(drawn["color"]) == {1}


def test_counterfactual_draws_have_the_exact_distribution(ascm):
    n = 40_000
    drawn = ascm.draw_counterfactual({"i": [5, 6]}, {"x": 1}, n, generator=2)
    codes = drawn["i"].reshape(2 * n, 4).astype(int) @ [8, 4, 2, 1]
    assert set(np.unique(drawn["i"])) == {0.0, 1.0}
    for row, code in enumerate((5, 6)):
        exact = ascm.ask("P(i[x=1] | i)", i=code).table
        for level, number in exact.to_dict().items():
            share = (codes[row::2] == level).mean()
            assert share == pytest.approx(float(number), abs=5 * np.sqrt(0.25 / n))  # 5 s.e.


def test_counterfactual_draws_without_change_give_the_evidence_back(front_door):
    world = {name: column[:200] for name, column in front_door.sample(200, generator=5).items()}
    drawn = front_door.draw_counterfactual(world, {"color": world["color"]}, 3, generator=0)
    for name, column in world.items():
        assert np.array_equal(drawn[name], np.tile(column, 3))


def test_counterfactual_draws_keep_exogenous_variables_that_are_known(ascm):
    drawn = ascm.draw_counterfactual({"u_xy": [0, 1], "u_y": 1, "x": 0}, {"x": 1}, 50)
    assert np.array_equal(drawn["y"], np.tile([1, 0], 50))


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("P(x | i=1)", "i=1"),
        ("P(x | i=5, y=0)", "i=5, y=0"),
        ("P(u_i | x=0, u_y=0, i=5, y=0)", "i=5, y=0"),
        ("P(y | y[x=1]=0, x=1, u_x=0, u_xy=1, u_y=0)", "y[x=1]=0, u_xy=1, u_y=0"),
        ("P(y | x[x=1]=0)", "x[x=1]=0"),
    ],
)
def test_impossible_evidence_is_an_error_that_names_the_part(ascm, query, part):
    with pytest.raises(EvidenceError) as caught:
        ascm.ask(query)
    assert str(caught.value) == f"the evidence has probability zero: P({part}) = 0"


def test_a_query_that_is_too_wide_is_refused_before_allocation():
    model = ExactModel(layered(10, 4))
    nodes = ", ".join(f"v{k}_{j}" for k in range(4) for j in range(10))
    with pytest.raises(CausalflowError, match=r"too wide: .* cells over 40 variables \(v0_0"):
        model.ask(f"P({nodes})")
    outcomes = ", ".join(f"{name}=0" for name in nodes.split(", "))
    assert model.ask(f"P({outcomes})").value == Fraction(1, 2**40)


def test_a_batch_whose_answer_would_not_fit_is_refused_before_allocation():
    rows = np.arange(2**20) % 2
    outcomes = ", ".join(f"v{k}" for k in range(1, 10))
    with pytest.raises(CausalflowError, match="too wide: 1,048,576 rows with 512 cells each"):
        ExactModel(chain(10)).ask(f"P({outcomes} | v0)", v0=rows)


def test_an_equation_with_too_many_arguments_is_refused():
    exogenous = {f"u{k}": COIN for k in range(30)}
    graph = Graph(exogenous=exogenous, nodes={"x": {**BINARY, "equation": " ^ ".join(exogenous)}})
    with pytest.raises(CompileError, match=r"node 'x': its equation reads .* combinations"):
        ExactModel(graph).ask("P(x)")


def test_an_image_with_too_many_codes_for_a_table_is_refused():
    exogenous = {f"u{k}": COIN for k in range(14)}
    image = {"type": "image", "shape": [1, 1, 14], "levels": 2, "equation": list(exogenous)}
    with pytest.raises(CausalflowError, match=r"too wide: node 'i' has 16,384 levels"):
        ExactModel(Graph(exogenous=exogenous, nodes={"i": image})).ask("P(i)")


def test_enumeration_of_a_large_model_is_refused_and_names_the_remedy():
    with pytest.raises(CausalflowError, match="ask a question instead"):
        ExactModel(chain(30)).enumerate()


def test_an_equation_that_gives_no_level_is_an_error_only_where_it_can_happen():
    def model(equation):
        exogenous = {"u": {"p": ["1/2", "1/2", 0]}, "w": COIN}
        nodes = {"a": {"type": "class", "levels": 3, "equation": "u"}}
        nodes["b"] = {**BINARY, "equation": "where(a > 0, w, 0)"}
        nodes["c"] = {**BINARY, "equation": equation}
        return ExactModel(Graph(exogenous=exogenous, nodes=nodes))

    assert model("a - b").ask("P(c=0)").value == Fraction(3, 4)
    with pytest.raises(EvidenceError, match=r"'c': the equation gives what is not a level"):
        model("a + b").ask("P(c=0)")
    assert model("a + b").ask("P(b=0)").value == Fraction(3, 4)
    with pytest.raises(EvidenceError, match=r"'c\[a=2\]': the equation gives"):
        model("a - b").ask("P(c[a=2])")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.ask("P(z)"), QueryError, "unknown node 'z'"),
        (lambda m: m.ask("P(x=7)"), QueryError, "unknown level '7'"),
        (lambda m: m.ask("P(x | y)", z=1), QueryError, "'z' is known, but no variable"),
        (lambda m: m.ask("P(x | y)", x=1), QueryError, "'x' is both an outcome and a cond"),
        (lambda m: m.ask("P(x | y)", y=9), EvidenceError, "'y': unknown level 9"),
        (lambda m: m.ask("P(x | y)", y=[0, 9]), EvidenceError, "'y', row 1: unknown level 9"),
        (lambda m: m.ask("P(x | y)", y=float("nan")), EvidenceError, "has no value"),
        (lambda m: m.ask("P(x | y, i)", y=[0], i=[0, 5]), EvidenceError, "unequal length"),
        (lambda m: m.ask("P(x | y)", y=[]), EvidenceError, "without rows"),
        (lambda m: m.ask("P(x | i)", i=np.zeros((3, 3, 3))), EvidenceError, "has shape"),
        (lambda m: m.ask("P(x | i)", i=np.full((1, 2, 2), 0.4)), EvidenceError, "not among its 2"),
        (lambda m: m.ask("E[i]"), QueryError, "expectation of the image 'i'"),
        (lambda m: m.distribution({"x": 0}, {"z": 1}), EvidenceError, "do: unknown node 'z'"),
        (lambda m: m.distribution({"z": 0}, {"x": 1}), EvidenceError, "unknown variable 'z'"),
        (lambda m: m.distribution({"x": 0}, {}), EvidenceError, "nothing is set"),
        (lambda m: m.posterior({"x": 0}, ["z"]), EvidenceError, "'z' cannot be asked"),
        (lambda m: ExactModel(m.graph, "exact"), CausalflowError, "unknown arithmetic 'exact'"),
    ],
)
def test_mistakes_are_one_line_errors(ascm, call, error, message):
    with pytest.raises(error, match=message):
        call(ascm)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (Graph(edges=["x -> y"]), "node 'x' has no finite set of levels"),
        (Graph(nodes={"x": BINARY}), "node 'x' has no equation"),
        (
            Graph(exogenous={"u": "normal"}, nodes={"x": {**BINARY, "equation": "u > 0"}}),
            "exogenous variable 'u' has no finite distribution",
        ),
    ],
)
def test_graphs_that_are_no_finite_model_are_refused_with_the_reason(graph, reason):
    assert not ExactModel.supports(graph)
    with pytest.raises(CompileError, match=reason):
        ExactModel(graph)


def test_a_thousand_nodes_of_small_treewidth_are_answered():
    random = np.random.default_rng(0)
    exogenous, nodes = {}, {}
    for k in range(1000):
        exogenous[f"u{k}"] = {"p": ["1/3", "2/3"]}
        near = np.arange(max(0, k - 4), k)
        parents = [f"v{j}" for j in random.choice(near, min(k, 3), replace=False)]
        text = f"u{k} ^ ({' & '.join(parents)})" if parents else f"u{k}"
        nodes[f"v{k}"] = {**BINARY, "equation": text}
    model = ExactModel(Graph(exogenous=exogenous, nodes=nodes))
    table = model.ask("P(v999[v500=1], v990 | v500=0, v998=1)").table
    direct = model.ask("P(v990 | v500=0, v998=1)").table
    assert table.marginal("v990").allclose(direct)
    assert not table.is_exact


def test_images_of_many_pixels_are_known_by_codes_beyond_64_bits():
    pixels = ["u", "w", *["u ^ w"] * 98]
    image = {"type": "image", "shape": [1, 10, 10], "levels": 2, "equation": pixels}
    model = ExactModel(Graph(exogenous={"u": COIN, "w": COIN}, nodes={"i": image}))
    table = model.ask("P(i)").table
    assert table.to_dict() == dict.fromkeys(
        [0, 2**98 + 2**98 - 1, 2**99 + 2**98 - 1, 2**99 + 2**98], Fraction(1, 4)
    )
    drawn = model.sample(30, generator=0)["i"]
    answer = model.ask("P(u | i)", i=drawn)
    assert np.array_equal(answer.table.to_numpy()[:, 1], drawn[:, 0, 0, 0])
    assert model.ask("P(u=1 | i)", i=drawn[0]).value == drawn[0, 0, 0, 0]


def test_images_that_are_drawn_can_be_asked_about():
    """Pixels are levels in and out, of three or more too."""
    image = {"type": "image", "shape": [1, 1, 2], "levels": 3, "equation": ["u", "(u + w) % 3"]}
    exogenous = {"u": {"p": ["1/3"] * 3}, "w": COIN}
    model = ExactModel(Graph(exogenous=exogenous, nodes={"i": image}))
    drawn = model.sample(40, generator=0)["i"]
    assert set(np.unique(drawn)) == {0, 1, 2}
    for pixels in (drawn, drawn.astype(float)):
        seen = model.ask("P(u | i)", i=pixels).table.to_numpy()
        assert np.array_equal(seen.argmax(axis=1), drawn[:, 0, 0, 0])
        assert (seen.max(axis=1) == 1).all()


def test_a_wrong_pixel_in_a_batch_names_its_row(ascm):
    images = np.zeros((3, 1, 2, 2))
    images[1, 0, 1, 1] = np.nan
    with pytest.raises(EvidenceError, match="row 1: image 'i' has a pixel"):
        ascm.ask("P(x | i)", i=images)
