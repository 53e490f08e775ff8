"""What the losses of a stage take of every row: computed once, the same as in the step, or not."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import causalflow as cf
from causalflow.mechanisms.image.canvas import LatentCanvas
from causalflow.training import precomputed
from causalflow.training.fit import Fit, fit
from causalflow.training.precomputed import Precomputing
from causalflow.training.stages import Stage

QUIET = Fit(steps=24, batch_size=4, warmup=2, progress=False, device="cpu")
ROWS = 10


class Rows:
    def __len__(self):
        return ROWS

    def rows(self, indices):
        return {"x": torch.arange(1.0, ROWS + 1)[indices]}

    def labels(self):
        return self.rows(torch.arange(ROWS))


class Squares(nn.Module):
    """Its loss takes the squares of its rows, which it knows from the milestone on."""

    milestones = (0.25,)

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.share, self.asked, self.taken = 0.0, [], []

    def calibrate(self, columns, generator):
        pass

    def reach(self, share):
        self.share = share

    def precomputed(self, batch):
        self.asked.append((self.share, len(batch["x"])))
        return {"square": batch["x"].square()} if self.share else {}

    def loss(self, batch, generator):
        if self.training:
            self.taken.append("square" in batch)
        square = batch.get("square", batch["x"].square())
        assert torch.equal(square, batch["x"].square())
        return {"x": (self.weight - square / 100).square()}


def test_every_row_is_computed_once_in_its_stage_and_stands_beside_its_batch():
    model = Squares()
    assert isinstance(model, Precomputing)
    fit(model, Rows(), dataclasses.replace(QUIET, accumulate=2))
    assert model.asked == [(0.25, ROWS)]  # the first stage sees a row 2.4 times
    taken = model.taken[-2 * 24 :]
    assert taken == [False] * 2 * 6 + [True] * 2 * 18


def test_what_is_not_seen_often_or_too_large_is_not_kept(monkeypatch):
    stage = Stage(share=0.25, first=0, steps=8)
    model = Squares()
    model.reach(0.25)

    def columns(of=model, batch_size=4):
        return precomputed.precomputed(of, Rows(), stage, batch_size, dict)

    assert set(columns()) == {"square"}
    assert not columns(batch_size=3)  # 2.4 times a row
    assert not columns(of=nn.Identity())
    monkeypatch.setattr(precomputed, "MOST_BYTES", 4 * ROWS)
    assert columns()
    monkeypatch.setattr(precomputed, "MOST_BYTES", 4 * ROWS - 1)
    assert not columns()


def test_rows_pass_by_portions(monkeypatch):
    monkeypatch.setattr(precomputed, "PORTION", 4)
    model = Squares()
    model.reach(0.25)
    stage = Stage(share=0.25, first=0, steps=8)
    found = precomputed.precomputed(model, Rows(), stage, 4, dict)
    assert [rows for _, rows in model.asked] == [4, 4, 2]
    assert torch.equal(found["square"], torch.arange(1.0, ROWS + 1).square())


@pytest.mark.parametrize("fails", [False, True])
def test_the_thread_that_reads_rows_has_no_helpers_and_leaves_the_others_theirs(fails):
    read = []

    class Watched(Rows):
        def rows(self, indices):
            own = threading.current_thread() is threading.main_thread()
            read.append((own, torch.get_num_threads()))
            if fails and not own:
                raise OSError("gone")
            return super().rows(indices)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(OSError, match="gone") if fails else contextlib.nullcontext():
            fit(Squares(), Watched(), QUIET)
        assert torch.get_num_threads() == 2
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_num_threads(before)
    assert set(read) == {(True, 2), (False, 1)}


NODES = {
    "shift": {"type": "continuous", "noise": "auto"},
    "light": {"type": "continuous", "noise": "auto"},
    "image": {
        "type": "image",
        "shape": (1, 12, 16),
        "latent": cf.Latent(factor=4, channels=2, width=4, share=0.4),
    },
}
OPTIONS = cf.Diffusion(width=4, depth=1, predictor_width=4, steps=2)


def pictures(odd=0.5):
    """Sixteen rows; in one the image was set, to something ``odd``."""
    random = np.random.default_rng(0)
    shift, light = random.normal(size=(2, 16))
    image = random.random((16, 1, 12, 16)).astype(np.float32)
    image[3], light[3] = odd, 10 * odd
    return {"shift": shift, "light": light, "image": image, "do(image)": np.arange(16) == 3}


def fitted(monkeypatch, seen=precomputed.LEAST_SEEN, odd=0.5, **options):
    """The fit's losses; the rows, and the threads, of each run of the encoder."""
    calls, threads = [], []
    encoded = LatentCanvas._encoded

    def counted(canvas, image):
        calls.append(len(image))
        threads.append(torch.get_num_threads())
        return encoded(canvas, image)

    with monkeypatch.context() as patch:
        patch.setattr(precomputed, "LEAST_SEEN", seen)
        patch.setattr(precomputed, "PORTION", 5)
        patch.setattr(LatentCanvas, "_encoded", counted)
        torch.manual_seed(0)
        graph = cf.Graph(nodes=NODES, edges=["shift -> image", "light -> image"])
        model = cf.compile(graph, image=dataclasses.replace(OPTIONS, **options))
        report = model.fit(
            pictures(odd), steps=20, batch_size=8, progress=False, device="cpu", precision="32-true"
        )
    return report.losses, calls, threads


def test_the_latents_of_pictures_are_kept_while_the_encoder_stays_as_it_is(monkeypatch):
    kept, few, _ = fitted(monkeypatch)
    again, many, _ = fitted(monkeypatch, seen=10**9)
    assert kept.keys() == again.keys()
    assert all(abs(kept[name] - again[name]) < 1e-3 * abs(again[name]) for name in kept)
    assert len(many) - len(few) == 12 - 4  # the steps from the milestone on, for four portions


def test_pictures_that_are_augmented_are_encoded_as_they_are_seen(monkeypatch):
    _, few, _ = fitted(monkeypatch, augment_shift=1)
    _, many, _ = fitted(monkeypatch, seen=10**9, augment_shift=1)
    assert len(few) == len(many)


@pytest.mark.parametrize("seen", [0, 10**9])
def test_a_picture_that_was_set_is_no_part_of_what_is_learned(monkeypatch, seen):
    one, other = (
        {n: loss for n, loss in fitted(monkeypatch, seen, odd)[0].items() if "image" in n}
        for odd in (0.2, 0.9)
    )
    assert len(one) == 2
    assert one == other


def test_networks_of_pictures_have_all_threads_whatever_was_fitted_before(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _, _, threads = fitted(monkeypatch)
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {2}
