"""A distillation that is stopped and begun again ends as one that was not."""

from __future__ import annotations

import os
import signal

import pytest
import torch

import causalflow as cf
from causalflow.errors import CheckpointError
from causalflow.mechanisms.image.editor import Student, another
from causalflow.training.fit import FitInterrupted

GRAPH = """
graph: few
nodes:
  size:  {type: continuous}
  kind:  {type: class, levels: 2}
  image: {type: image, shape: [1, 4, 4], diffusion: {width: 8, multipliers: [1], code: 4, grain: 1}}
edges:
  - size, kind -> image: neural
"""
OPTIONS = {"steps": 6, "batch_size": 8, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def rows():
    random = torch.Generator().manual_seed(0)
    size = torch.rand(24, generator=random, dtype=torch.float64)
    image = torch.rand(24, 1, 4, 4, generator=random) * size.float().view(-1, 1, 1, 1)
    return {"size": size, "kind": torch.randint(0, 2, (24,), generator=random), "image": image}


@pytest.fixture(scope="module")
def model(rows):
    made = cf.compile(cf.loads(GRAPH))
    made.fit(rows, **OPTIONS)
    return made


def test_a_distillation_that_was_stopped_ends_as_one_that_was_not(
    model, rows, tmp_path, monkeypatch
):
    whole = model.distill(rows, 4, **OPTIONS).scm.state_dict()
    path, loss, done = tmp_path / "d", Student.loss, []

    def stopping(self, *args):
        done.append(1)
        if len(done) == 4:  # one look at two rows, then steps
            os.kill(os.getpid(), signal.SIGINT)
        return loss(self, *args)

    monkeypatch.setattr(Student, "loss", stopping)
    with pytest.raises(FitInterrupted, match="after step 3 of 6"):
        model.distill(rows, 4, checkpoint=path, **OPTIONS)
    monkeypatch.undo()
    for wrong in ({"calls": 6}, {"teacher": cf.Sampling(solver="alf", steps=4)}):
        with pytest.raises(CheckpointError, match="belongs to a fit with"):
            model.distill(rows, checkpoint=path, **wrong, **OPTIONS)
    resumed = model.distill(rows, 4, checkpoint=path, **OPTIONS).scm.state_dict()
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_the_shipped_network_is_left_as_it_was(model, rows):
    before = {name: value.clone() for name, value in model.scm.state_dict().items()}
    other = model.distill(rows, 4, **OPTIONS)
    after, copied = model.scm.state_dict(), other.scm.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(torch.equal(value, copied[name]) for name, value in before.items())
    own = {name for name in copied if name not in before}
    assert own
    assert all("editor." in name for name in own)


def test_every_row_is_asked_for_another_value_of_one_parent_at_least():
    random = torch.Generator().manual_seed(0)
    parents = {name: torch.arange(400) for name in "abc"}
    asked = another(parents, 400, random)
    moved = torch.stack([asked[name] != parents[name] for name in "abc"])
    given = torch.stack([asked[name] for name in "abc"])
    assert moved.any(dim=0).float().mean() > 0.98  # a permutation leaves one row in 400 in place
    # Of one other row each: the values that moved are the same number.
    assert all(len(set(given[moved[:, k], k].tolist())) <= 1 for k in range(400))
    # Each parent moves in (7 + .5) / 15 or so of rows; 5 standard errors.
    assert torch.all((moved.float().mean(dim=1) - 0.54).abs() < 0.13)
