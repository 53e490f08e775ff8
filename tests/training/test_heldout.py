"""Held-out rows: a fit that learns its rows by heart ends where others are told best."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from causalflow.errors import CheckpointError, DataError
from causalflow.training import fit as fit_module
from causalflow.training.fit import Fit, FitInterrupted, fit
from causalflow.training.heldout import parted
from causalflow.training.loop import optimise

ROWS = 40
OPTIONS = Fit(
    steps=400,
    batch_size=10,
    learning_rate=0.02,
    warmup=0,
    schedule="constant",
    ema=0.0,
    held_out=0.25,
    held_every=10,
    patience=4,
    device="cpu",
    progress=False,
)


class Data:
    """y = x + noise: one column that helps, and a number of each row by which it can be known."""

    def __init__(self, rows=ROWS):
        draws = torch.Generator().manual_seed(0)
        self.x = torch.randn(rows, generator=draws)
        self.y = self.x + 0.5 * torch.randn(rows, generator=draws)
        self.row = torch.arange(rows)

    def __len__(self):
        return len(self.x)

    def rows(self, indices):
        return {name: column[indices] for name, column in self.labels().items()}

    def labels(self):
        return {"x": self.x, "y": self.y, "row": self.row}


class Memory(nn.Module):
    """Learns a slope, slowly, and something of every row; of one that it has not seen it guesses.

    A row that was held out is told the mean of what was learned of the others: as they are
    learned by heart, that guess drifts away from 0, which is the best.
    """

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(()))
        self.drift = nn.Parameter(torch.zeros(()))

    def calibrate(self, columns, generator):
        """Nothing."""

    def loss(self, batch, generator):
        error = batch["y"] - self.slope * batch["x"]
        if self.training:
            return {"y": (self.drift - 3).square() + error.square()}
        return {"y": (self.drift - 1).square() + error.square()}


def fitted(options=OPTIONS, model=None):
    model = model or Memory()
    return model, fit(model, Data(), options)


def test_the_fit_ends_where_held_out_rows_say_and_holds_the_best_weights(tmp_path):
    """Training pulls the drift to 3; the held-out loss is least where it passes 1."""
    options = replace(OPTIONS, log=tmp_path / "log", log_every=10)
    model, report = fitted(options)
    assert 0.7 < float(model.drift.detach()) < 1.3
    assert report.steps == report.best_step + OPTIONS.patience * OPTIONS.held_every < 400
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()[1:]]
    told = {line["step"]: line["held_out"] for line in lines}
    assert min(told, key=told.get) == report.best_step
    assert told[report.best_step] == pytest.approx(report.held_out, abs=1e-6)
    assert max(told) == report.steps
    _, whole = fitted(replace(OPTIONS, patience=0))
    assert (whole.steps, whole.best_step) == (400, report.best_step)
    assert whole.held_out == report.held_out


def test_without_held_out_rows_nothing_is_told_of_them():
    model, report = fitted(replace(OPTIONS, held_out=0.0))
    assert (report.steps, report.held_out, report.best_step) == (400, None, None)
    assert float(model.drift.detach()) > 2.5


def test_held_out_rows_are_never_trained_on_and_no_row_is_lost():
    seen, data = [], Data()

    class Watched(Memory):
        def loss(self, batch, generator):
            seen.append((self.training, batch["row"]))
            return super().loss(batch, generator)

    fit(Watched(), data, replace(OPTIONS, patience=0, steps=40))
    trained = torch.cat([rows for training, rows in seen if training]).unique()
    judged = torch.cat([rows for training, rows in seen[1:] if not training]).unique()
    assert len(judged) == 10
    assert torch.equal(torch.cat([trained, judged]).sort().values, torch.arange(ROWS))
    first, held = parted(data, OPTIONS)
    again, _ = parted(data, replace(OPTIONS, seed=1))
    assert (len(first), len(held)) == (30, 10)
    assert not torch.equal(first.labels()["row"], again.labels()["row"])


def test_a_look_changes_nothing_of_the_steps():
    plain, _ = fitted(replace(OPTIONS, patience=0, held_every=400, steps=50))
    looked, _ = fitted(replace(OPTIONS, patience=0, held_every=1, steps=50))
    assert torch.equal(plain.slope, looked.slope)


@pytest.mark.parametrize("when", [5, 10, 35, 60])
def test_a_stopped_fit_goes_on_to_the_same_end(tmp_path, when, monkeypatch):
    options = replace(OPTIONS, checkpoint=tmp_path / "part", checkpoint_every=0.0)
    wanted, whole = fitted()

    def stopping(run, frame, stop, *rest):
        for step in optimise(run, frame, stop, *rest):
            yield replace(step, stopped=step.done == when)

    monkeypatch.setattr(fit_module, "optimise", stopping)
    with pytest.raises(FitInterrupted):
        fitted(options)
    monkeypatch.undo()
    model, report = fitted(options)
    assert report.resumed_from == when
    assert (report.steps, report.held_out) == (whole.steps, whole.held_out)
    assert report.best_step == whole.best_step
    assert torch.equal(model.drift, wanted.drift)
    assert torch.equal(model.slope, wanted.slope)
    over, again = fitted(options)
    assert (again.resumed_from, again.steps) == (whole.steps, whole.steps)
    assert torch.equal(over.drift, wanted.drift)
    with pytest.raises(CheckpointError, match="held_every=10, now held_every=20"):
        fitted(replace(options, held_every=20))


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_share_that_leaves_nothing_to_train_on_or_to_hold_out_is_a_mistake(share):
    with pytest.raises(DataError, match=r"held_out=.* of 40 rows"):
        fitted(replace(OPTIONS, held_out=share))
