from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from causalflow.equations.equation import NUMPY, OPERATIONS, evaluate, parse_equation
from causalflow.errors import CompileError, EvidenceError, GraphError
from causalflow.graph.node import Class, Continuous, Family, Finite, Image
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.equation.operations import TORCH
from causalflow.mechanisms.equation.preimage import preimage
from causalflow.mechanisms.exogenous.draws import abduct_exogenous
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.exogenous_posterior import exogenous_posterior
from causalflow.mechanisms.exogenous.particles import Draws
from causalflow.mechanisms.exogenous.visit import NeedsDrawsError

LINE = (-math.inf, math.inf)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def node(name: str, kind: type, equation: object, **fields: object) -> EquationMechanism:
    parsed = parse_equation(equation)
    return EquationMechanism(name, kind(equation=parsed, **fields), sorted(parsed.names))


def finite(name: str, *p: str) -> ExogenousVariable:
    return ExogenousVariable(name, Finite(p=tuple(map(Fraction, p))))


def family(variable: str, law: str, **parameters: float) -> ExogenousVariable:
    return ExogenousVariable(variable, Family(name=law, parameters=tuple(parameters.items())))


def abducted(mechanisms, exogenous, values):
    return abduct_exogenous(mechanisms, exogenous, values, generator()).values


def by_name(*parts):
    return {part.name: part for part in parts}


# The table of operations


def test_torch_has_the_operations_of_numpy():
    assert TORCH.keys() == NUMPY.keys() == OPERATIONS


LEAVES = st.sampled_from(["i", "j", "b", "x", "y", "2", "0.5", "3", "pi", "0"])
INFIX = ["+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
UNARY = ["exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sigmoid", "logit", "abs", "floor"]


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(INFIX), inner),
        st.builds("{}({})".format, st.sampled_from([*UNARY, "round", "-"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("{}({}, {}, {})".format, st.sampled_from(["where", "clip"]), inner, inner, inner),
        st.builds("(({}) ** {})".format, inner, st.sampled_from(["2", "3", "-1"])),
        st.builds(
            "(({0} > 1) {2} ({1} < 2) {3} i)".format,
            inner,
            inner,
            st.sampled_from("&|^"),
            st.sampled_from(["&", "|", "^"]),
        ),
        st.just("~i"),
        st.builds("(not {})".format, inner),
    )


@settings(max_examples=300, deadline=None)
@given(text=st.recursive(LEAVES, compound, max_leaves=6).map(lambda text: f"({text})"))
@example(text="((i % cos(2)) ** -1)")
def test_torch_and_numpy_agree_on_any_expression(text):
    values = {
        "i": np.array([0, 1, 2, 5, 7, 3]),
        "j": np.array([1, 3, 0, 2, 1, 4]),
        "b": np.array([True, False, True, True, False, False]),
        "x": np.array([0.5, -1.25, 2.0, 0.1, 3.3, -0.7]),
        "y": np.array([1.5, 0.25, -2.0, 0.9, 0.0, 1.0]),
    }
    equation = parse_equation(text)
    theirs = np.asarray(evaluate(equation, values, NUMPY), dtype=float)
    tensors = {name: torch.as_tensor(array) for name, array in values.items()}
    ours = np.asarray(evaluate(equation, tensors, TORCH), dtype=float)
    # Two math libraries differ in the last places, which a logarithm near 0 may magnify.
    assert np.allclose(ours, theirs, rtol=1e-7, atol=1e-9, equal_nan=True)


def test_shifts_agree_and_keep_their_limits():
    value, count = np.array([1, -5, 7]), np.array([3, 1, 0])
    for sign in ("<<", ">>"):
        ours = TORCH[sign](torch.as_tensor(value), torch.as_tensor(count))
        assert ours.tolist() == NUMPY[sign](value, count).tolist()
        with pytest.raises(GraphError, match="shift by 0 to 62"):
            TORCH[sign](torch.as_tensor(value), 63)


def test_integers_stay_exact_and_reals_stay_float64():
    values = {"i": torch.tensor([2**40]), "k": torch.tensor([3])}
    assert evaluate(parse_equation("i * 1024 + 1"), values, TORCH).item() == 2**50 + 1
    assert evaluate(parse_equation("k * 0.1 / 7"), values, TORCH).item() == 3 * 0.1 / 7
    with pytest.raises(GraphError, match=r"operator '&' needs integers"):
        evaluate(parse_equation("x & 1"), {"x": torch.tensor([0.5])}, TORCH)


# Inversion


def on(low: float, high: float) -> ExogenousVariable:
    """A law that lives on an interval."""
    if math.isinf(high):
        return family("u", "normal" if math.isinf(low) else "exponential")
    return family("u", "uniform", low=low, high=high)


INVERTIBLE = [
    ("u + t", LINE),
    ("3 - 2 * u * t", LINE),
    ("t * exp(u) + 1", LINE),
    ("log(1 + exp(u + t))", LINE),
    ("1 / (1 + exp(-u)) + t", LINE),
    ("tanh(u * t / 3)", LINE),
    ("u ** 3 + t", LINE),
    ("where(t > 1, u, 2 * u)", LINE),
    ("u + sin(u) / 2 + t", LINE),
    ("u ** 2 + t", (0.0, math.inf)),
    ("-sqrt(u) * t", (0.0, math.inf)),
    ("u ** 5 + u + t * u", LINE),
    ("logit(u) * t", (0.0, 1.0)),
    ("max(u, 2 * u) + t", LINE),
    ("(u + t) ** 3 + u", (-2.0, 2.0)),
]


@pytest.mark.parametrize(("text", "support"), INVERTIBLE)
def test_inversion_recovers_the_unknown(text, support):
    low, high = max(support[0], -2), min(support[1], 2)
    t = 0.5 + torch.rand(200, generator=generator(1), dtype=torch.float64)
    u = low + (high - low) * torch.rand(200, generator=generator(2), dtype=torch.float64)
    expression = parse_equation(text).components[0]
    x = evaluate(expression, {"t": t, "u": u}, TORCH)
    found = preimage(expression, on(*support), x, {"t": t}).low
    # The slopes here are above .01, so that float64 rounding of x moves u by less than 1e-9.
    assert ((found - u).abs().nan_to_num(1) < 1e-9).any(0).all()
    assert (~found.isnan()).sum(0).max() == 1


def test_every_branch_in_the_support_is_found():
    expression = parse_equation("u ** 2 + t").components[0]
    x, t = torch.tensor([5.0]), torch.tensor([1.0])
    found = preimage(expression, family("u", "normal"), x, {"t": t}).low
    assert sorted(found.flatten().tolist()) == pytest.approx([-2, 2])


def test_a_value_outside_the_range_has_no_preimage():
    target = torch.tensor([1.5, -7.0], dtype=torch.float64)
    for text, support in (("sin(u)", (-10.0, 10.0)), ("exp(u)", LINE), ("u + exp(u) + 9", (-1, 1))):
        expression = parse_equation(text).components[0]
        assert preimage(expression, on(*support), -target.abs(), {}).low.isnan().all()


# Abduction


THICKNESS = "0.5 + u_t"
INTENSITY = "64 + 191 * sigmoid(2 * (thickness - 2.5) + 0.5 * u_i)"


def morpho_mnist():
    mechanisms = by_name(
        node("thickness", Continuous, THICKNESS), node("intensity", Continuous, INTENSITY)
    )
    exogenous = by_name(family("u_t", "gamma", shape=10, rate=5), family("u_i", "normal"))
    return mechanisms, exogenous


def test_evidence_outside_an_equations_range_is_refused_by_node_and_row():
    mechanisms, exogenous = morpho_mnist()
    values = {
        "thickness": torch.tensor([2.0, 2.0]).double(),
        "intensity": torch.tensor([100.0, 260.0]),
    }
    with pytest.raises(EvidenceError, match="node 'intensity': row 1: no exogenous values"):
        abducted(mechanisms, exogenous, values)
    below = {"thickness": torch.tensor([0.2]).double()}
    with pytest.raises(EvidenceError, match="node 'thickness': row 0"):
        abduct_exogenous({"thickness": mechanisms["thickness"]}, exogenous, below, generator())


def ascm():
    """The example of Sardesai, Ctf-Editing using a Diffusion NCM, section 3."""
    binary = {"levels": (0, 1)}
    pixels = ["u_x & x", "y", "x ^ u_i", "x ^ y ^ u_i"]
    mechanisms = by_name(
        node("x", Class, "u_x ^ u_xy", **binary),
        node("y", Class, "u_y ^ u_xy", **binary),
        node("i", Image, pixels, shape=(1, 2, 2), levels=2),
    )
    exogenous = by_name(
        finite("u_x", "0.4", "0.6"),
        finite("u_y", "0.6", "0.4"),
        finite("u_xy", "0.5", "0.5"),
        finite("u_i", "0.5", "0.5"),
    )
    return mechanisms, exogenous


FIVE = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
POSTERIOR = {(0, 0, 1, 0): 4 / 19, (0, 1, 0, 1): 9 / 19, (1, 0, 0, 1): 6 / 19}


def law(posterior) -> dict[tuple[int, ...], float]:
    columns = [posterior.values[name][0].tolist() for name in ("u_i", "u_x", "u_y", "u_xy")]
    weights = posterior.log_weight[0].exp().tolist()
    found: dict[tuple[int, ...], float] = {}
    for *state, weight in zip(*columns, weights, strict=True):
        found[tuple(state)] = found.get(tuple(state), 0.0) + weight
    return {state: weight for state, weight in found.items() if weight > 0}


def test_the_equations_of_the_papers_example_give_its_marginal():
    mechanisms, exogenous = ascm()
    grid = torch.cartesian_prod(*[torch.arange(2)] * 4).T
    world = dict(zip(("u_x", "u_y", "u_xy", "u_i"), grid, strict=True))
    weight = sum(exogenous[name].log_prob(world[name]) for name in exogenous).exp()
    for name in ("x", "y", "i"):
        world[name] = mechanisms[name].predict(world)
    codes = (world["i"].flatten(1).long() * torch.tensor([8, 4, 2, 1])).sum(1)
    totals = torch.zeros(16, dtype=torch.float64).index_add_(0, codes, weight)
    oracle = {0: 0.16, 3: 0.16, 5: 0.19, 6: 0.19, 8: 0.09, 11: 0.09, 13: 0.06, 14: 0.06}
    assert totals.tolist() == pytest.approx(
        [oracle.get(code, 0.0) for code in range(16)], abs=1e-12
    )


def test_an_impossible_image_is_refused_by_node_and_row():
    mechanisms, exogenous = ascm()
    images = torch.cat([FIVE, 1 - torch.zeros_like(FIVE)])
    with pytest.raises(EvidenceError, match="node 'i': row 1: no exogenous values"):
        abducted(mechanisms, exogenous, {"i": images})


def test_a_mixture_has_the_posterior_of_bayes_rule():
    # x = 2 k + (1 + k) u: given k, u = (x - 2 k) / (1 + k) with density p(u) / (1 + k).
    mechanisms = by_name(node("x", Continuous, "2 * k + (1 + k) * u"))
    exogenous = by_name(finite("k", "0.3", "0.7"), family("u", "normal"))
    x = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)
    found = exogenous_posterior(mechanisms, exogenous, {"x": x}, generator())
    spread = torch.tensor([1.0, 2.0], dtype=torch.float64)
    normal = torch.distributions.Normal(torch.tensor([0.0, 2.0], dtype=torch.float64), spread)
    joint = normal.log_prob(x[:, None]) + torch.tensor([0.3, 0.7], dtype=torch.float64).log()
    assert torch.allclose(found.log_weight, joint.log_softmax(1), atol=1e-12)
    assert torch.allclose(found.values["u"], torch.stack([x, (x - 2) / 2], 1), atol=1e-12)


def test_an_exogenous_variable_shared_by_two_nodes_is_solved_once_and_checked():
    mechanisms = by_name(node("a", Continuous, "2 * u"), node("b", Continuous, "u + v + a"))
    exogenous = by_name(family("u", "normal"), family("v", "laplace"))
    values = {"a": torch.tensor([1.0]).double(), "b": torch.tensor([3.0]).double()}
    found = abducted(mechanisms, exogenous, values)
    assert (found["u"].item(), found["v"].item()) == pytest.approx((0.5, 1.5))
    twins = by_name(node("a", Continuous, "2 * u"), node("c", Continuous, "u + 1"))
    with pytest.raises(EvidenceError, match="node 'c': row 0"):
        abduct_exogenous(
            twins, exogenous, {"a": values["a"], "c": torch.tensor([9.0])}, generator()
        )


def test_noise_of_a_missing_leaf_keeps_its_prior():
    mechanisms, exogenous = morpho_mnist()
    n = 20_000
    values = {"thickness": torch.full((n,), 2.5).double()}
    found = abducted(mechanisms, exogenous, values)
    assert torch.allclose(found["u_t"], torch.full((n,), 2.0).double())
    assert abs(found["u_i"].mean()) <= 5 / math.sqrt(n)
    assert abs(found["u_i"].square().mean() - 1) <= 5 * math.sqrt(2 / n)


def test_what_cannot_be_abducted_is_refused_by_name():
    two = by_name(node("x", Continuous, "u + v"), node("y", Continuous, "u - v"))
    exogenous = by_name(family("u", "normal"), family("v", "normal"))
    seen = {"x": torch.zeros(1).double(), "y": torch.zeros(1).double()}
    with pytest.raises(NeedsDrawsError):
        abduct_exogenous(two, exogenous, seen, generator())
    drawn = Draws(copies=8)
    with pytest.raises(EvidenceError, match=r"node 'y': row 0: .* no draws of several noises"):
        exogenous_posterior(two, exogenous, seen, generator(), draws=drawn)
    image = by_name(node("i", Image, ["u", "v"], shape=(1, 1, 2)))
    with pytest.raises(CompileError, match="node 'i': its exogenous variables cannot be recovered"):
        exogenous_posterior(
            image, exogenous, {"i": torch.zeros(1, 1, 1, 2)}, generator(), draws=drawn
        )
    many = [finite(f"u{i}", *["0.001"] * 1000) for i in range(3)]
    big = by_name(node("x", Class, "(u0 + u1 + u2) % 2", levels=(0, 1)))
    with pytest.raises(CompileError, match=r"nodes \['x'\]: .* 1000000000 joint"):
        abduct_exogenous(big, by_name(*many), {"x": torch.zeros(1).long()}, generator())


def test_rows_are_numbered_across_chunks(monkeypatch):
    monkeypatch.setattr("causalflow.mechanisms.exogenous.draws.CHUNK", 64)
    mechanisms, exogenous = ascm()
    images = torch.cat([FIVE.expand(40, -1, -1, -1), torch.ones_like(FIVE)])
    with pytest.raises(EvidenceError, match="row 40"):
        abducted(mechanisms, exogenous, {"i": images})
    drawn = abducted(mechanisms, exogenous, {"i": images[:40]})
    assert {tuple(state) for state in torch.stack(list(drawn.values()), 1).tolist()} <= {
        (u_x, u_y, u_xy, u_i) for u_i, u_x, u_y, u_xy in POSTERIOR
    }


# The mechanism itself


def test_a_class_equation_that_leaves_the_levels_is_refused():
    mechanism = node("x", Class, "z + 1", levels=(0, 1))
    assert mechanism.predict({"z": torch.tensor([0])}).tolist() == [1]
    with pytest.raises(EvidenceError, match=r"node 'x': row 1: .* levels are 0 to 1"):
        mechanism.predict({"z": torch.tensor([0, 1])})


@pytest.mark.parametrize(("equation", "given"), [("log(u)", "nan"), ("u", "-1")])
def test_a_continuous_equation_that_leaves_the_support_is_refused(equation, given):
    made = node("x", Continuous, equation, support=(0.0, math.inf))
    u = torch.tensor([2.0, -1.0], dtype=torch.float64)
    with pytest.raises(EvidenceError, match=f"^node 'x': row 1: its equation gives {given}, "):
        made.predict({"u": u})
    # An end of the support is reached by rounding: sigmoid(40) is 1.
    rounded = node("x", Continuous, "sigmoid(u)", support=(0.0, 1.0))
    assert rounded.predict({"u": 20 * u.abs()})[0] == 1


def test_a_node_without_noise_accepts_only_what_its_equation_gives():
    mechanism = node("x", Continuous, "2 * z")
    parents = {"z": torch.tensor([1.0, 2.0]).double()}
    assert mechanism.abduct(torch.tensor([2.0, 4.0]), parents, generator()) == {}
    with pytest.raises(EvidenceError, match="node 'x': row 1"):
        mechanism.abduct(torch.tensor([2.0, 5.0]), parents, generator())


def test_an_image_needs_one_entry_a_pixel():
    with pytest.raises(CompileError, match="node 'i': the equation has 2 entries; 4 expected"):
        node("i", Image, ["u", "u"], shape=(1, 2, 2))


@pytest.mark.parametrize(
    ("variable", "mean", "spread"),
    [
        (finite("k", "0.2", "0.3", "0.5"), 1.3, 0.781),
        (family("u", "bernoulli", p=0.3), 0.3, 0.4583),
        (family("u", "gamma", shape=10, rate=5), 2.0, 0.6325),
        (family("u", "uniform", low=-1, high=3), 1.0, 1.1547),
    ],
)
def test_exogenous_draws_have_their_moments_and_a_density(variable, mean, spread):
    n = 40_000
    value = variable.draw_noise(n, generator())["value"]
    assert abs(value.double().mean() - mean) <= 5 * spread / math.sqrt(n)
    assert variable.log_prob(value).isfinite().all()
    if variable.is_finite:
        levels = torch.arange(len(variable.log_p))
        assert variable.log_prob(levels).exp().sum().item() == pytest.approx(1, abs=1e-12)
        assert variable.log_prob(torch.tensor([-1, 99])).isneginf().all()
    assert torch.equal(value, variable.draw_noise(n, generator())["value"])
