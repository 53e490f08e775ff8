"""Walks of an image, whole trajectories as one launch: the same numbers, and what may be recorded.

No GPU is needed: `_Recorder` stands for a CUDA graph. Its launch computes anew from where it reads
to where it writes, so that padding, copies and counts are those of a real record. What else a
record asks of a walk, that it decides nothing by values and fetches nothing from the host, is seen
on the device *meta*, which has shapes and no values.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from causalflow.diffusion.denoiser import NetworkCalls
from causalflow.diffusion.solver.solver import SOLVERS
from causalflow.errors import CausalflowWarning
from causalflow.graph.node import Anticausal, Class, Continuous, Diffusion, Image, Neural
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.nn import replay as replay_module
from causalflow.nn.replay import Replay

PARENTS = {"color": Class(levels=("g", "r")), "width": Continuous()}
KINDS = {
    "neural": {"color": Neural(), "width": Neural()},
    "anticausal": {"color": Anticausal(scale=2.0), "width": Neural()},
}
ROWS = 8
"""Half of which changes: 4 and 4, powers of two, which no record has to pad."""
WALKED = [name for name in SOLVERS if not SOLVERS.get(name).stochastic]


def mechanism(kinds="neural", **options):
    """Random weights throughout; those that start at zero are shaken."""
    small = {"width": 4, "multipliers": (1,), "predictor_width": 4, "steps": 2, "code": 4}
    node = Image(shape=(2, 8, 8), diffusion=Diffusion(**small | options))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = ImageMechanism("image", node, PARENTS, KINDS[kinds]).eval()
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return made


def rows(n, seed=2):
    draws = torch.Generator().manual_seed(seed)
    image = torch.rand(n, 2, 8, 8, generator=draws) * 2 - 1
    return image, {
        "color": torch.arange(n) // 2 % 2,
        "width": torch.randn(n, generator=draws).double(),
    }


def answers(made, n, seed=2):
    """The counterfactual of half the rows, the null intervention of the others; and the calls."""
    image, parents = rows(n, seed)
    other = {**parents, "color": torch.where(torch.arange(n) % 2 == 0, 1, parents["color"])}
    with NetworkCalls([made.denoiser]) as calls:
        noise = made.abduct(image, parents, torch.Generator().manual_seed(3))
        return made.predict(other, noise), calls, image, other["color"] == parents["color"]


@pytest.fixture
def recorded(monkeypatch):
    """Records without a GPU; the number of records made, and of launches."""
    counts = {"records": 0, "launches": 0}

    def records(self, function):
        counts["records"] += 1
        outputs = function()

        def launch():
            counts["launches"] += 1
            images = self.images
            for place, value in zip(outputs, function(), strict=True):
                place.copy_(value)
            self.images = images  # a launch runs no Python

        return launch, outputs

    monkeypatch.setattr(Replay, "_records_on", lambda self, device: not self._recording)
    monkeypatch.setattr(Replay, "_recorded", records)
    monkeypatch.setattr(replay_module, "_warm_up", lambda function, device: function())
    return counts


@pytest.mark.parametrize("solver", WALKED)
@pytest.mark.parametrize("kinds", KINDS)
def test_a_recorded_walk_gives_the_numbers_and_the_calls_of_the_called_one(
    solver, kinds, request, monkeypatch
):
    monkeypatch.setattr(replay_module, "SMALLEST", 1)
    called = [answers(mechanism(kinds, solver=solver), ROWS, seed) for seed in (2, 4)]
    counts, made = request.getfixturevalue("recorded"), mechanism(kinds, solver=solver)
    for (expected, calls, _, _), seed in zip(called, (2, 4), strict=True):
        got, counted, image, same = answers(made, ROWS, seed)
        assert torch.equal(got, expected)
        torch.testing.assert_close(got[same], image[same], rtol=0, atol=1e-6)
        assert counted.images == calls.images
        first = counts.setdefault("of the first batch", counts["records"])
    assert counts["records"] == first  # none for the second batch
    assert counts["launches"] >= 2 * first


LOCAL = {
    "plain": ("neural", {}),
    "few calls": ("neural", {"solver": "difference"}),
    "guided": ("anticausal", {"guided_solver": "dpm++2m"}),
}


@pytest.mark.parametrize("case", LOCAL)
def test_recorded_walks_within_a_mask_are_the_called_ones(case, request, monkeypatch):
    monkeypatch.setattr(replay_module, "SMALLEST", 1)
    kinds, options = LOCAL[case]
    options = {"local": True, "local_draws": 3} | options
    expected, calls, *_ = answers(mechanism(kinds, **options), ROWS)
    counts, made = request.getfixturevalue("recorded"), mechanism(kinds, **options)
    got, counted, image, same = answers(made, ROWS)
    assert torch.equal(got, expected)
    torch.testing.assert_close(got[same], image[same], rtol=0, atol=1e-6)
    assert counted.images == calls.images
    assert counts["launches"] > 0


def test_a_padded_record_gives_the_same_numbers_and_counts_the_rows_that_were_asked(request):
    expected, calls, *_ = answers(mechanism(), 5)
    request.getfixturevalue("recorded")
    got, counted, *_ = answers(mechanism(), 5)
    # 16 rows are multiplied in other blocks than 5: float32, a few calls.
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)
    assert counted.images == calls.images


def test_rows_under_neural_guidance_are_walked_step_by_step(recorded):
    made = mechanism(guidance="delta", strength=2.0)
    answers(made, ROWS)
    assert (
        recorded["records"] == 3
    )  # up, the residual of guided ways, and down where nothing has changed


def test_a_walk_that_cannot_be_recorded_is_called_and_said_once(recorded, monkeypatch):
    def refuse(self, function):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    made = mechanism()
    monkeypatch.setattr(Replay, "_recorded", refuse)
    with pytest.warns(CausalflowWarning, match=r"as a whole.*stream is capturing$") as said:
        first = answers(made, ROWS)
    assert len(said) == 2  # the way up, and the way down
    monkeypatch.undo()
    again, expected = answers(made, ROWS), answers(mechanism(), ROWS)
    for got, calls, *_ in (first, again):
        assert torch.equal(got, expected[0])
        assert calls.images == expected[1].images


class _NothingFromTheHost(TorchDispatchMode):
    """Refuses copies from the host to the device and mixtures of both, but of single numbers."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        hosts = [x for x in args if isinstance(x, torch.Tensor) and x.device.type == "cpu"]
        on_device = isinstance(made, torch.Tensor) and made.device.type == "meta"
        if on_device and any(x.ndim for x in hosts):
            raise AssertionError(f"{function} brings a tensor of the host to the device")
        return made


@pytest.mark.parametrize("solver", WALKED)
def test_a_walk_decides_nothing_by_values_and_fetches_nothing_from_the_host(solver):
    made = mechanism("anticausal", solver=solver, guided_solver="midpoint").to("meta")
    image, parents = rows(4)
    image, parents = image.to("meta"), {n: value.to("meta") for n, value in parents.items()}
    told = {**parents, "code.": torch.empty(4, 4, device="meta")}
    way = made.trajectory
    with torch.no_grad():
        way._up(told, image)  # what is drawn once is there before a record is made
        with _NothingFromTheHost():
            position, *offset = way._up(told, image)
            assert way._down(told, position, *offset)[0].shape == image.shape
            assert way._fresh(told, position)[0].shape == image.shape
            assert way._guided(told, parents, position)[0].shape == image.shape
        way._mask(told, told, image)
        with _NothingFromTheHost():
            (mask,) = way._mask(told, told, image)
            assert mask.shape == (4, 1, 8, 8)
            assert way._local(told, told, mask, position, *offset)[0].shape == image.shape
            assert way._local_guided(told, told, mask, position)[0].shape == image.shape


def test_accelerated_answers_on_a_cpu_are_the_plain_ones_and_the_null_intervention_is_exact():
    n = 41
    plain, made = answers(mechanism(), n)[0], mechanism()
    made.denoiser.replay = Replay(graphs=True, positions=8 * 64)
    got, _, image, same = answers(made, n)
    torch.testing.assert_close(got, plain, rtol=0, atol=1e-5)
    torch.testing.assert_close(got[same], image[same], rtol=0, atol=1e-6)
