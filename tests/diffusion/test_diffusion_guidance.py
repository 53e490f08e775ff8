"""Guidance of neural parents: laws over the registry, and each formula written out row by row.

The conditional field is a fixed nonlinear function of (y, tau, digit, color, size), with values of
its own for the nulls, so that no direction of one parent is that of another. It remembers how many
rows it was asked for.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.field import Values
from causalflow.diffusion.guidance import contrast
from causalflow.diffusion.guidance.anticausal import Pull, pull
from causalflow.diffusion.guidance.contrast import GUIDANCES, SCHEDULES, Schedule
from causalflow.errors import CausalflowError
from causalflow.nn.embedding import nulled

NAMES = ["digit", "color", "size"]
NAN = torch.nan
REFERENCE = {
    "digit": torch.tensor([0, 1, 2, 3, -1]),
    "color": torch.tensor([0, 0, 1, 1, -1]),
    "size": torch.tensor([0.5, 1.0, NAN, 2.0, NAN], dtype=torch.float64),
}
TARGET = {
    "digit": torch.tensor([0, 1, 2, 0, 2]),
    "color": torch.tensor([0, 1, 1, 0, 1]),
    "size": torch.tensor([0.5, 1.0, NAN, 1.5, 3.0], dtype=torch.float64),
}
UNCHANGED, AFFECTED = [0, 2], {1: ["color"], 3: NAMES, 4: NAMES}
STRENGTHS = [0.0, 0.7, 3.0]


def guide(*given, guidance="none", **options):
    """The guided velocity, the guidance named."""
    return contrast.guide(*given, guidance=GUIDANCES.get(guidance), **options)


class Network:
    """v(y, tau, digit, color, size[, code]), and the rows of each call."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, y: Tensor, tau: float | Tensor, values: Values) -> Tensor:
        self.rows.append(len(y))
        time = torch.as_tensor(tau, dtype=y.dtype).reshape(-1, 1)
        one = (values["digit"][:, None] + 1.5) * torch.tensor([0.3, -0.2, 0.5]).double()
        two = (values["color"][:, None] + 2.5) * torch.tensor([-0.4, 0.1, 0.6]).double()
        size = values["size"].nan_to_num(-2.0)[:, None]
        out = torch.tanh(one * y) + torch.sin(two + one * time) + size * torch.cos(y - two)
        return out + values["code"] if "code" in values else out


def positions() -> Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def one(values: Values, row: int) -> dict[str, Tensor]:
    return {name: value[row : row + 1] for name, value in values.items()}


def written_out(name: str, y: Tensor, tau: float, row: int, w: float) -> Tensor:
    """The formula of the guidance at one row, from separate calls."""
    network, wanted, factual = Network(), one(TARGET, row), one(REFERENCE, row)
    y = y[row : row + 1]
    told = network(y, tau, wanted)
    match name:
        case "free":
            silent = network(y, tau, nulled(wanted, NAMES))
            return silent + w * (told - silent)
        case "grouped":
            for parent in AFFECTED.get(row, []):
                told = told + (w - 1) * (
                    network(y, tau, wanted) - network(y, tau, nulled(wanted, [parent]))
                )
            return told
        case "delta":
            return told + (w - 1) * (told - network(y, tau, factual))
    return told


@pytest.mark.parametrize("w", STRENGTHS)
@pytest.mark.parametrize("name", GUIDANCES)
def test_a_guidance_is_its_formula_at_every_row(name: str, w: float) -> None:
    y = positions()
    field = guide(Network(), TARGET, REFERENCE, neural=NAMES, guidance=name, strength=w)
    for tau in (0.1, 0.8):
        guided = field(y, tau)
        for row in range(len(y)):
            # 1e-12: the same float64 algebra in another order.
            expected = written_out(name, y, tau, row, w)
            torch.testing.assert_close(guided[row : row + 1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", GUIDANCES)
def test_strength_one_is_the_plain_velocity_in_a_call_of_its_own_size(name: str) -> None:
    network, y = Network(), positions()
    field = guide(network, TARGET, REFERENCE, neural=NAMES, guidance=name, strength=1.0)
    assert torch.equal(field(y, 0.3), Network()(y, 0.3, TARGET))
    assert network.rows == [5]


@pytest.mark.parametrize("name", ["none", "grouped", "delta"])
def test_a_null_intervention_is_not_guided_whatever_the_strength(name: str) -> None:
    network, y = Network(), positions()
    field = guide(network, REFERENCE, REFERENCE, neural=NAMES, guidance=name, strength=9.0)
    assert torch.equal(field(y, 0.3), Network()(y, 0.3, REFERENCE))
    assert network.rows == [5]
    mixed = guide(network, TARGET, REFERENCE, neural=NAMES, guidance=name, strength=9.0)
    assert torch.equal(mixed(y, 0.3)[UNCHANGED], Network()(y, 0.3, TARGET)[UNCHANGED])


@pytest.mark.parametrize(("name", "rows"), [("free", 10), ("grouped", 12), ("delta", 8)])
def test_one_evaluation_is_one_call_with_only_the_compared_rows_added(name: str, rows: int) -> None:
    network = Network()
    field = guide(network, TARGET, REFERENCE, neural=NAMES, guidance=name, strength=2.0)
    field(positions(), 0.3)
    assert network.rows == [rows]


def test_grouped_leaves_the_directions_of_the_other_parents_alone_and_free_does_not() -> None:
    digits = torch.eye(5, 7, dtype=torch.float64)
    colors = torch.zeros(3, 7, dtype=torch.float64)
    colors[1, 5] = colors[2, 6] = 1.0

    def network(y: Tensor, tau: float | Tensor, values: Values) -> Tensor:
        return digits[values["digit"] + 1] + colors[values["color"] + 1]

    reference = {"digit": torch.tensor([0, 1, 2]), "color": torch.tensor([0, 0, 0])}
    target = reference | {"color": torch.tensor([1, 1, 1])}
    y, plain = torch.zeros(3, 7), network(torch.zeros(3, 7), 0.3, target)
    for w in STRENGTHS:
        given = {"neural": ["digit", "color"], "strength": w}
        grouped = guide(network, target, reference, guidance="grouped", **given)(y, 0.3)
        delta = guide(network, target, reference, guidance="delta", **given)(y, 0.3)
        free = guide(network, target, reference, guidance="free", **given)(y, 0.3)
        assert torch.equal(grouped[:, :5], plain[:, :5])
        assert torch.equal(delta[:, :5], plain[:, :5])
        # 1e-12: w times unit vectors, in float64.
        assert (grouped[:, 6] - w).abs().max() < 1e-12
        assert (free[:, 1:4].sum(dim=1) - w).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["free", "grouped", "delta"])
def test_the_code_stays_with_its_row(name: str) -> None:
    y = positions()
    code = torch.arange(15, dtype=torch.float64).reshape(5, 3)
    given = {"neural": NAMES, "guidance": name, "strength": 2.5}
    without = guide(Network(), TARGET, REFERENCE, **given)(y, 0.3)
    told = guide(Network(), {**TARGET, "code": code}, REFERENCE, **given)(y, 0.3)
    # 1e-12: codes of up to 14 cancel in the contrasts, in float64.
    torch.testing.assert_close(told, without + code, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", GUIDANCES)
def test_times_by_row_are_those_of_one_row_at_a_time(name: str) -> None:
    y, times = positions(), torch.tensor([0.01, 0.3, 0.5, 0.7, 0.99], dtype=torch.float64)
    given = {
        "neural": NAMES,
        "guidance": name,
        "strength": 2.5,
        "schedule": Schedule(kind="cosine", interval=(0.1, 0.6)),
    }
    together = guide(Network(), TARGET, REFERENCE, **given)(y, times)
    for row, tau in enumerate(times.tolist()):
        alone = guide(Network(), one(TARGET, row), one(REFERENCE, row), **given)
        # 1e-12: the same float64 algebra in another order.
        torch.testing.assert_close(
            together[row : row + 1], alone(y[row : row + 1], tau), rtol=0, atol=1e-12
        )


def bowl(y: Tensor, tau: float | Tensor, velocity: Tensor):
    """A predictor of the colour that also reads the predicted image."""
    image = y - 0.3 * velocity

    def answer(values: Values) -> dict[str, Tensor]:
        return {"color": -((image - values["color"][:, None]).square().sum(dim=1))}

    return answer


@pytest.mark.parametrize("name", GUIDANCES)
def test_neural_and_anticausal_edges_add_up(name: str) -> None:
    y, edges = positions(), Pull(predictor=bowl, scales={"color": 0.8})
    given = {"neural": ["digit", "size"], "guidance": name, "strength": 2.5}
    schedule = Schedule(kind="linear")
    neural = guide(Network(), TARGET, REFERENCE, **given, schedule=schedule)(y, 0.3)
    both = guide(Network(), TARGET, REFERENCE, **given, schedule=schedule, pulled=edges)(y, 0.3)
    plain = Network()(y, 0.3, TARGET)
    term = pull(edges, y, 0.3, plain, TARGET, REFERENCE)
    assert term[[1, 3, 4]].any(dim=1).all()
    torch.testing.assert_close(both, neural + 0.7 * term, rtol=0, atol=1e-12)  # same algebra


def test_bayes_rule_holds_with_one_neural_and_one_anticausal_parent() -> None:
    means = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    prior, tau = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64), 0.4
    variance = 0.6**2 * 0.3**2 + 0.4**2
    y = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    target = {"n": torch.tensor([0, 0, 0, 1, 1, 1]), "a": torch.tensor([0, 1, 2, 0, 1, 2])}
    reference = {"n": target["n"], "a": torch.full((6,), -1)}

    def posterior(y: Tensor, n: Tensor) -> Tensor:
        square = (y[:, None] - 0.6 * means[n]).square().sum(dim=-1)
        return (prior.log() - square / (2 * variance)).log_softmax(dim=1)

    def velocities(y: Tensor, n: Tensor) -> Tensor:
        return -means[n] + (0.4 - 0.6 * 0.3**2) / variance * (y[:, None] - 0.6 * means[n])

    def network(y: Tensor, tau: float | Tensor, c: Values) -> Tensor:
        return (posterior(y, c["n"]).exp()[..., None] * velocities(y, c["n"])).sum(dim=1)

    def predictor(y: Tensor, tau: float | Tensor, velocity: Tensor):
        logs = posterior(y, target["n"])
        return lambda values: {
            "a": torch.where(
                values["a"] >= 0, logs.gather(1, values["a"].clamp_min(0)[:, None])[:, 0], 0.0
            )
        }

    edges = Pull(predictor=predictor, scales={"a": 1.0})
    field = guide(network, target, reference, neural=["n"], pulled=edges)
    exact = velocities(y, target["n"])[torch.arange(6), target["a"]]
    # 1e-12: float64 algebra, divided by a variance of .19.
    torch.testing.assert_close(field(y, tau), exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tau", [0.19, 0.81])
def test_outside_its_interval_guidance_costs_and_does_nothing(tau: float) -> None:
    network, y = Network(), positions()
    schedule = Schedule(interval=(0.2, 0.8))
    edges = Pull(predictor=bowl, scales={"color": 5.0})
    given = {"neural": NAMES, "guidance": "free", "strength": 5.0, "pulled": edges}
    field = guide(network, TARGET, REFERENCE, schedule=schedule, **given)
    assert torch.equal(field(y, tau), Network()(y, tau, TARGET))
    assert network.rows == [5]


def test_at_the_end_of_the_path_no_strength_is_no_guidance_and_not_nan() -> None:
    y, ends = positions(), torch.ones(5, dtype=torch.float64)
    edges = Pull(predictor=bowl, scales={"color": 5.0})
    field = guide(
        Network(), TARGET, REFERENCE, neural=NAMES, pulled=edges, schedule=Schedule(kind="linear")
    )
    assert torch.equal(field(y, ends), Network()(y, ends, TARGET))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_guidance_works_where_gradients_are_off(mode) -> None:
    layer = torch.nn.Linear(3, 4, dtype=torch.float64)

    def predictor(y: Tensor, tau: float | Tensor, velocity: Tensor):
        logs = layer(y).log_softmax(dim=1)
        return lambda values: {"digit": logs.gather(1, values["digit"].clamp_min(0)[:, None])[:, 0]}

    with mode():
        target = {name: value.clone() for name, value in TARGET.items()}
        edges = Pull(predictor=predictor, scales={"digit": 1.0})
        field = guide(
            Network(),
            target,
            REFERENCE,
            neural=["color"],
            guidance="delta",
            strength=2.0,
            pulled=edges,
        )
        guided = field(positions(), 0.3)
    assert guided.ne(Network()(positions(), 0.3, TARGET))[[1, 3, 4]].any(dim=1).all()
    assert not guided.requires_grad
    assert layer.weight.grad is None


def test_an_unknown_guidance_or_schedule_lists_those_there_are() -> None:
    with pytest.raises(CausalflowError, match=r"unknown guidance 'fre'.*did you mean 'free'"):
        guide(Network(), TARGET, REFERENCE, neural=NAMES, guidance="fre")
    with pytest.raises(CausalflowError, match=r"unknown guidance schedule 'late'.*'middle'"):
        Schedule(kind="late")


@pytest.mark.parametrize("interval", [(0.8, 0.2), (-0.1, 1.0), (0.0, 1.1), (torch.nan, 1.0)])
def test_an_interval_outside_of_the_path_is_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(CausalflowError, match="expected 0 <= low <= high <= 1"):
        Schedule(interval=interval)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_lies_between_nothing_and_all_and_reads_rows_as_it_reads_numbers(
    kind: str,
) -> None:
    times = torch.linspace(0, 1, 101, dtype=torch.float64)
    schedule = Schedule(kind=kind, interval=(0.1, 0.9))
    factors = schedule(times)
    assert factors.min() == 0
    assert 0.9 <= factors.max() <= 1
    assert factors.tolist() == [schedule(tau) for tau in times.tolist()]


def test_growing_schedules_grow_towards_the_data_and_the_middle_one_peaks_there() -> None:
    for kind, known in {"linear": [1, 0.5, 0], "cosine": [1, 0.5, 0], "middle": [0, 1, 0]}.items():
        schedule = Schedule(kind=kind)
        # 1e-15: a cosine or sine in float64.
        assert [schedule(tau) for tau in (0.0, 0.5, 1.0)] == pytest.approx(known, abs=1e-15)
