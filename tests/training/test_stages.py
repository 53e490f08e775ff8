"""Stages of a fit: when they begin, what is still in each, and that a kill does not show."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from causalflow.training.fit import Fit, FitInterrupted, fit
from causalflow.training.stages import Staged, stage_at

QUIET = Fit(steps=20, batch_size=4, warmup=2, progress=False, device="cpu", learning_rate=0.1)


class Rows:
    def __len__(self):
        return 16

    def rows(self, indices):
        return {"x": torch.linspace(-1, 1, 16)[indices]}

    def labels(self):
        return {"x": torch.linspace(-1, 1, 16)}


class Halves(nn.Module):
    """The first half learns to the milestone, the second from there on, both to the same end."""

    milestones = (0.4,)

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
        self.share, self.told, self.at_milestone = 0.0, [], []

    def calibrate(self, columns, generator):
        pass

    def reach(self, share):
        if share and not self.share:
            self.at_milestone.append(self.first.detach().clone())
        self.share = share
        self.told.append(share)

    def loss(self, batch, generator):
        noise = torch.randn(len(batch["x"]), 3, generator=generator)
        learns = self.second if self.share else self.first
        return {"x": (learns - 1 - 0.3 * noise).square().mean(dim=1)}


def test_the_stages_part_the_steps():
    stages = [stage_at(step, 20, (0.4, 0.7)) for step in range(20)]
    assert [s.share for s in stages] == [0.0] * 8 + [0.4] * 6 + [0.7] * 6
    assert [(s.first, s.steps) for s in (stages[0], *stages[8::6])] == [(0, 8), (8, 6), (14, 6)]
    assert stage_at(3, 20) == stage_at(3, 20, ())
    assert isinstance(Halves(), Staged)


def test_a_milestone_begins_with_averaged_weights_and_what_is_done_stays():
    model = Halves()
    fit(model, Rows(), QUIET)
    assert model.told == [0.0] * 8 + [0.4] * 12
    assert torch.equal(model.first, model.at_milestone[0])
    alone = Halves()
    alone.milestones = ()
    fit(alone, Rows(), dataclasses.replace(QUIET, steps=8))
    assert torch.equal(alone.first, model.first)
    assert (model.second > 0.3).all()


def test_the_average_begins_anew_with_its_stage():
    class Late(Halves):
        milestones = (0.9,)

    model, alone = Late(), Late()
    fit(model, Rows(), dataclasses.replace(QUIET, steps=100, ema=0.9999))
    alone.milestones, alone.share = (), 0.9
    alone.reach = lambda share: None
    fit(alone, Rows(), dataclasses.replace(QUIET, steps=10, ema=0.9999))
    assert torch.allclose(model.second.mean(), alone.second.mean(), atol=0.1)


@pytest.mark.parametrize("killed", [5, 8, 9, 15])
def test_a_fit_that_is_killed_on_either_side_of_a_milestone_ends_the_same(tmp_path, killed):
    whole = Halves()
    fit(whole, Rows(), QUIET)

    class Killed(Halves):
        def loss(self, batch, generator):
            if len(self.told) == killed + 1:
                raise KeyboardInterrupt
            return super().loss(batch, generator)

    kept = dataclasses.replace(QUIET, checkpoint=tmp_path / "kept", checkpoint_every=0.0)
    broken, going_on = Killed(), Halves()
    with pytest.raises((KeyboardInterrupt, FitInterrupted)):
        fit(broken, Rows(), kept)
    report = fit(going_on, Rows(), kept)
    assert report.resumed_from == killed
    assert torch.equal(going_on.first, whole.first)
    assert torch.equal(going_on.second, whole.second)
