"""CausalCircuit: the reader against files made here, and the look-alike against its equations."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from causalflow.data.sets.causal_circuit import LABELS, causal_circuit, draw_circuit
from causalflow.errors import DataError

SIZE = 32
PAIRS = 3


def jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, format="JPEG", quality=95)
    return file.getvalue()


def plain(number: int) -> np.ndarray:
    """A picture of one colour that tells its number."""
    return np.full((64, 64, 3), (10 * number, 100, 200), dtype=np.uint8)


def padded(pictures: list[bytes]) -> np.ndarray:
    length = max(map(len, pictures)) + 7
    rows = [np.frombuffer(each.ljust(length, b"\0"), dtype=np.uint8) for each in pictures]
    return np.stack(rows).reshape(PAIRS, 2, length)


def encoded(form: str, first: int) -> np.ndarray:
    pixels = [plain(first + k) for k in range(2 * PAIRS)]
    pictures = [jpeg(each) for each in pixels]
    if form == "pixels":
        return np.stack(pixels).reshape(PAIRS, 2, 64, 64, 3)
    if form == "padded":
        return padded(pictures)
    kind = object if form == "objects" else bytes
    return np.array(pictures, dtype=kind).reshape(PAIRS, 2)


def write(folder, name: str, form: str = "bytes", first: int = 0, **changed) -> np.ndarray:
    """A file as published but for its size; its latents are returned."""
    latents = np.random.default_rng(first).random((PAIRS, 2, 4))
    fields = {"original_latents": latents, "imgs": encoded(form, first), "pressed": np.zeros(2)}
    np.savez(folder / name, **{**fields, **changed})
    return latents


def looks_like(image: torch.Tensor, number: int) -> bool:
    wanted = torch.tensor([10 * number, 100, 200])[:, None, None]
    return bool((image.int() - wanted).abs().max() <= 3)  # what JPEG loses of a plain picture


@pytest.mark.parametrize("form", ["bytes", "padded", "pixels"])
def test_the_first_of_each_pair_is_read_in_the_order_of_the_graph(tmp_path, form):
    latents = write(tmp_path, "train-0.npz", form)
    data = causal_circuit("train", SIZE, folder=tmp_path, workers=1)
    assert not data.synthetic
    for name, column in (("red", 0), ("green", 1), ("blue", 2), ("arm", 3)):
        assert np.array_equal(data.labels[name], latents[:, 0, column])
    assert data.images.shape == (PAIRS, 3, SIZE, SIZE)
    assert all(looks_like(image, 2 * k) for k, image in enumerate(data.images))
    assert len(data.frame) == PAIRS


def test_files_are_read_in_the_order_of_their_numbers_and_no_more_than_asked(tmp_path, monkeypatch):
    (tmp_path / "causal_circuit").mkdir()
    for number in (10, 2, 0):
        write(tmp_path / "causal_circuit", f"train-{number}.npz", first=number)
    write(tmp_path / "causal_circuit", "val.npz", first=7)
    monkeypatch.setenv("CAUSALFLOW_DATA", str(tmp_path))
    data = causal_circuit("train", SIZE, n=7, workers=1)
    shown = [0, 2, 4, 2, 4, 6, 10]
    assert all(map(looks_like, data.images, shown))
    assert len(causal_circuit("validation", SIZE, workers=1)) == PAIRS
    with pytest.raises(DataError, match="9 rows; 10 asked for"):
        causal_circuit("train", SIZE, n=10, workers=1)


def test_python_objects_are_refused_with_the_way_out(tmp_path):
    write(tmp_path, "test.npz", "objects")
    with pytest.raises(DataError, match=r"array of Python objects.*dtype=bytes"):
        causal_circuit("test", SIZE, folder=tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"original_latents": np.zeros((PAIRS, 4))}, r"of shape \(3, 4\); expected floats of"),
        ({"original_latents": np.zeros((PAIRS, 2, 4), int)}, "is int64 of shape"),
        ({"imgs": np.zeros((PAIRS, 2), dtype=np.uint8)}, "'imgs' is uint8 of shape"),
        ({"imgs": np.array([[b"GIF89a"] * 2] * PAIRS)}, "a picture that cannot be decoded"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, changed, message):
    write(tmp_path, "train-0.npz", **changed)
    with pytest.raises(DataError, match=message):
        causal_circuit("train", SIZE, folder=tmp_path, workers=1)


def test_what_is_no_archive_or_lacks_a_field_is_refused(tmp_path):
    np.savez(tmp_path / "train-0.npz", imgs=np.zeros(1))
    with pytest.raises(DataError, match=r"no array 'original_latents'; expected one of \['imgs'\]"):
        causal_circuit("train", SIZE, folder=tmp_path)
    (tmp_path / "test.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"test\.npz: no readable \.npz file"):
        causal_circuit("test", SIZE, folder=tmp_path)
    with pytest.raises(DataError, match=r"no file val\.npz or val-0\.npz.*synthetic=True"):
        causal_circuit("validation", SIZE, folder=tmp_path)


def test_published_pictures_have_no_true_counterfactual(tmp_path):
    write(tmp_path, "train.npz")
    data = causal_circuit("train", SIZE, folder=tmp_path, workers=1)
    with pytest.raises(DataError, match="no true counterfactual of published pictures"):
        data.true_counterfactual([0], {"arm": 0.5})


@pytest.fixture(scope="module")
def drawn():
    return causal_circuit("train", 16, n=4000, synthetic=True)


def test_a_light_of_the_look_alike_has_the_median_that_its_button_gives(drawn):
    bell = np.exp(-(((drawn.labels["arm"] - 0.25) / 0.1) ** 2))
    above = drawn.labels["blue"] > 0.2 + 0.6 * bell
    assert abs(above.mean() - 0.5) < 5 * 0.5 / 4000**0.5  # five standard errors
    assert np.array_equal(above, drawn.exogenous["u_blue"] > 0)


def test_a_light_of_the_look_alike_is_spread_nearly_as_the_beta_law():
    arm = np.full(4000, 0.05)  # no button: v = .2, and Beta(1, 4) has deviation .163
    data = causal_circuit("test", 16, n=4000, synthetic=True)
    blue = data.true_counterfactual(range(4000), {"arm": arm})["blue"].numpy()
    assert blue.std() == pytest.approx(0.163, rel=0.15)


def test_lamps_light_the_red_one_and_an_effect_leaves_its_causes(drawn):
    rows = range(50)
    lit = drawn.true_counterfactual(rows, {"blue": 0.99, "green": 0.99})
    dark = drawn.true_counterfactual(rows, {"blue": 0.01, "green": 0.01})
    arm = drawn.labels["arm"][:50]
    assert (lit["red"] >= dark["red"]).all()
    assert (lit["red"] > dark["red"] + 0.1)[torch.from_numpy(abs(arm - 0.85) > 0.2)].all()
    red = drawn.true_counterfactual(rows, {"red": 0.5})
    for name in ("arm", "blue", "green"):
        assert np.array_equal(red[name], drawn.labels[name][:50])


def test_a_picture_shows_each_label_and_nothing_else():
    base = dict.fromkeys(LABELS, np.array([0.3]))
    still = draw_circuit(**base, size=SIZE)[0].astype(int)
    moved = {}
    for name in LABELS:
        other = draw_circuit(**{**base, name: np.array([0.8])}, size=SIZE)[0]
        moved[name] = (other != still).any(0)
    assert all(changed.any() for changed in moved.values())
    assert not (sum(changed.astype(int) for changed in moved.values()) > 1).any()
    bright = draw_circuit(**{**base, "red": np.array([0.8])}, size=SIZE)[0]
    assert bright[0].sum() > still[0].sum()
