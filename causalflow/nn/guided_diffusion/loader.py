"""Loader: a published file as a network; its tensors are read, and nothing in it is executed.

``torch.load`` with ``weights_only`` reads the archives that ``torch.save`` writes, memory-mapped
where their format allows; a pickle that would call code is refused by it. A ``.safetensors`` file
is read too. Loading is strict: the network has exactly the tensors of the file.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from causalflow.errors import CheckpointError, one_of
from causalflow.files import opened
from causalflow.limits import MODEL_BYTES
from causalflow.nn.guided_diffusion.classifier import Classifier
from causalflow.nn.guided_diffusion.shapes import configuration_of, network_of
from causalflow.nn.guided_diffusion.unet import UNet

__all__ = ["load", "read_tensors"]

ARCHIVE = b"PK\x03\x04"
PICKLE = b"\x80"
OLD_FILE = b"\x80\x02"
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
DAMAGED = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    struct.error,
    SafetensorError,
    zipfile.BadZipFile,
)


def load(
    path: str | Path,
    *,
    head_channels: int = 64,
    heads: int | None = None,
    legacy_attention: bool = True,
    levels: int | None = None,
    dtype: torch.dtype = torch.float32,
    sha256: str | None = None,
) -> UNet | Classifier:
    """The network in a file, on the CPU, in evaluation mode, its weights fixed.

    Args:
        path: a file of ``torch.save`` or safetensors, a flat state dict.
        head_channels: channels of a head of attention.
        heads: heads of every attention, in place of ``head_channels``.
        legacy_attention: the order of q, k and v in the U-Net.
        levels: of the ladder; only where shapes fit several.
        dtype: precision of the convolutions; all else computes in float32.
        sha256: what the file's digest must be; None: it is not verified.

    Raises:
        CheckpointError: the file is missing, damaged, no state dict or of another network, ...
    """
    if dtype not in DTYPES:
        allowed = one_of(dtype, DTYPES)
        raise CheckpointError(f"{path}: dtype={dtype} of a network; {allowed}")
    tensors = read_tensors(path, sha256=sha256)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    try:
        sizes = replace(
            configuration_of(shapes, levels=levels),
            head_channels=head_channels,
            heads=heads,
            legacy_attention=legacy_attention,
        )
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    with torch.device("meta"):
        network = network_of(sizes)
    # The tensors of the file become the weights: nothing is copied that has the right precision.
    whole = torch.float64 if dtype == torch.float64 else torch.float32
    stored = {name: tensor.detach().to(whole) for name, tensor in tensors.items()}
    network.load_state_dict(stored, strict=True, assign=True)
    return network.convert(dtype).requires_grad_(False).eval()


def read_tensors(path: str | Path, *, sha256: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file by name, memory-mapped where its format allows.

    Raises:
        CheckpointError: the file is missing, too large, damaged, has another digest, or holds
            anything but tensors of real numbers by name.
    """
    path = Path(path)
    start, size = _check_file(path)
    if sha256 is not None:
        _check_digest(path, sha256)
    try:
        if start == ARCHIVE:
            _check_archive(path, size)
        content = _content(path, start)
    except pickle.UnpicklingError:
        raise _defect(
            path, "holds more than tensors, which could run code; it is refused, nothing was run"
        ) from None
    except DAMAGED as error:
        if isinstance(error, CheckpointError):
            raise
        raise _defect(path, f"damaged, or no file of torch.save ({_line(error)})") from None
    tensors = _checked(path, content)
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if claimed > size:
        raise _defect(path, f"tensors of {claimed:,} bytes in a file of {size:,}")
    return tensors


def _content(path: Path, start: bytes) -> object:
    if start.startswith(PICKLE) and not start.startswith(OLD_FILE):
        raise pickle.UnpicklingError("of a protocol that torch.save does not write")
    if start != ARCHIVE and not start.startswith(OLD_FILE):
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=start == ARCHIVE)


def _check_file(path: Path) -> tuple[bytes, int]:
    """The first bytes and the size."""
    with opened(path, CheckpointError, limit=MODEL_BYTES) as file:
        start = file.read(4)
        return start, file.seek(0, os.SEEK_END)


def _check_archive(path: Path, size: int) -> None:
    """Refuse an archive that grows when it is read."""
    with zipfile.ZipFile(path) as archive:
        grown = sum(entry.file_size for entry in archive.infolist())
    if grown > size:
        raise _defect(
            path, f"an archive of {size:,} bytes holds {grown:,}; torch.save stores plain"
        )


def _check_digest(path: Path, sha256: str) -> None:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise _defect(path, f"sha256={sha256!r}; expected 64 hexadecimal digits")
    with opened(path, CheckpointError, limit=MODEL_BYTES) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise _defect(path, f"its sha256 is {found}; expected {sha256.lower()}")


def _checked(path: Path, content: object) -> dict[str, Tensor]:
    """The content, if it is tensors of real numbers by name."""
    if not isinstance(content, Mapping):
        given = type(content).__name__
        raise _defect(path, f"holds a {given}; expected a state dict, tensors by name")
    for name, value in content.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            given = type(value).__name__
            raise _defect(
                path, f"its {name!r} is a {given}; expected a flat state dict, tensors by name"
            )
        if value.dtype not in DTYPES or value.layout != torch.strided:
            raise _defect(path, f"tensor '{name}' is of {value.dtype}; {one_of(0, DTYPES)}")
    return dict(content)


def _defect(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path}: {what}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
