"""ADM file: a published file read as a network, its tensors alone; nothing in it is executed.

``torch.load`` with ``weights_only`` reads the archives that ``torch.save`` writes, memory-mapped
where their format allows; a pickle that would call code is refused by it. A ``.safetensors`` file
is read too. Loading is strict: the network has exactly the tensors of the file.

The `Configuration` of the network is found from the names and shapes of its tensors. Anchors give
most of it at once: the first convolution the image's channels, the time's MLP the width, the last
layer the outputs, a pool's vectors its grid. A way down of N stages has L levels of R blocks with
N = L (R + 1), and blocks that halve are named like any other; so every L that divides N is tried,
the channels and attention of each level are read where that L puts its first block, and the network
of those sizes, built without memory, has the tensors that were given or has not.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from causalflow.errors import CheckpointError, one_of
from causalflow.files import opened
from causalflow.limits import MODEL_BYTES, NETWORK_STAGES
from causalflow.pretrained.adm_layers import Configuration
from causalflow.pretrained.adm_networks import Classifier, UNet

__all__ = [
    "Shapes",
    "configuration_of",
    "differences",
    "load",
    "network_of",
    "read_tensors",
    "shapes_of",
]

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

STAGE = re.compile(r"input_blocks\.(\d{1,6})\.")
STRIDED = re.compile(r"input_blocks\.\d+\.0\.op\.weight")
ANCHORS = {
    "time_embed.0.weight": 2,
    "input_blocks.0.0.weight": 4,
    "input_blocks.1.0.in_layers.2.weight": 4,
    "input_blocks.1.0.emb_layers.1.weight": 2,
}
POSITIONS = "out.2.positional_embedding"
DIFF_SCM = ("class_embed", "encoder_kv")


def network_of(sizes: Configuration) -> UNet | Classifier:
    """The network of these sizes: a classifier if it has a grid, else a U-Net."""
    return UNet(sizes) if sizes.grid is None else Classifier(sizes)


def shapes_of(sizes: Configuration) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the network; none is allocated."""
    with torch.device("meta"):
        tensors = network_of(sizes).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def configuration_of(shapes: Shapes, *, levels: int | None = None) -> Configuration:
    """The configuration whose network has exactly these tensors, with one head everywhere.

    Args:
        shapes: the shapes of the tensors, by name.
        levels: the network's number of levels, each half the size of the one before; needed only
            where shapes fit several.

    Raises:
        CheckpointError: no network has them, or several have.
    """
    _check_kind(shapes)
    candidates = {len(sizes.widths): sizes for sizes in _candidates(shapes)}
    if levels is not None:
        candidates = {n: sizes for n, sizes in candidates.items() if n == levels}
    if not candidates:
        asked = "" if levels is None else f" of {levels} levels"
        raise CheckpointError(
            f"its {_stages(shapes)} stages on the way down are no way{asked} that guided-diffusion "
            "builds: every level has the same number of blocks"
        )
    gaps = {n: differences(shapes_of(sizes), shapes) for n, sizes in candidates.items()}
    fitting = [n for n, gap in gaps.items() if not gap]
    if len(fitting) > 1:
        raise CheckpointError(f"its shapes fit networks of {fitting} levels; give levels=")
    if not fitting:
        raise CheckpointError(_described(min(gaps.values(), key=len)))
    return candidates[fitting[0]]


def _check_kind(shapes: Shapes) -> None:
    """Refuse what is no guided-diffusion network at all.

    Raises:
        CheckpointError: the reason.
    """
    if found := sorted(name for name in shapes if name.split(".")[0] in DIFF_SCM or _kv(name)):
        raise CheckpointError(
            f"'{found[0]}' is of the U-Net that the Diff-SCM code modified, which is not that of "
            "guided-diffusion (the class enters its attention); train graphs/diff_scm_mnist.yaml "
            "in its place"
        )
    for name, axes in ANCHORS.items():
        if name not in shapes:
            raise CheckpointError(
                f"no tensor '{name}', so no guided-diffusion network; {one_of(name, _few(shapes))}"
            )
        if len(shapes[name]) != axes:
            raise CheckpointError(f"'{name}' has shape {shapes[name]}; expected {axes} axes")
    if not any(name.startswith("output_blocks.") for name in shapes) and POSITIONS not in shapes:
        raise CheckpointError(
            f"a classifier without '{POSITIONS}'; only classifiers that pool by attention are read"
        )
    if _stages(shapes) > NETWORK_STAGES:
        raise CheckpointError(f"{_stages(shapes)} stages on the way down; at most {NETWORK_STAGES}")


def _kv(name: str) -> bool:
    return "encoder_kv" in name.split(".")


def _few(shapes: Shapes) -> list[str]:
    """Some of the names, for a message."""
    return sorted(shapes)[:5]


def _stages(shapes: Shapes) -> int:
    return len({found[1] for found in map(STAGE.match, shapes) if found})


def _candidates(shapes: Shapes) -> Iterator[Configuration]:
    """What the anchors say, for every number of levels that they allow."""
    stages = _stages(shapes)
    common = _common(shapes)
    for levels in range(1, stages // 2 + 1):
        if stages % levels:
            continue
        period = stages // levels
        firsts = [f"input_blocks.{1 + level * period}." for level in range(levels)]
        widths = [shapes.get(f"{first}0.in_layers.2.weight", (0,))[0] for first in firsts]
        if all(widths):
            attention = tuple(f"{first}1.qkv.weight" in shapes for first in firsts)
            blocks = levels == 1 or not any(map(STRIDED.fullmatch, shapes))
            yield replace(
                common,
                widths=tuple(widths),
                blocks=period - 1,
                attention=attention,
                block_resampling=blocks,
            )


def _common(shapes: Shapes) -> Configuration:
    """What the anchors say whatever the number of levels; those of this one are of no meaning."""
    heard = shapes["input_blocks.1.0.emb_layers.1.weight"][0]
    channels = shapes["input_blocks.1.0.in_layers.2.weight"][0]
    positions = shapes.get(POSITIONS)
    last = "out.2.weight" if positions is None else "out.2.c_proj.weight"
    return Configuration(
        inputs=shapes["input_blocks.0.0.weight"][1],
        outputs=shapes.get(last, (0,))[0],
        width=shapes["time_embed.0.weight"][1],
        widths=(channels,),
        blocks=1,
        attention=(False,),
        scale_shift=heard == 2 * channels,
        classes=shapes.get("label_emb.weight", (None,))[0],
        grid=None if positions is None else math.isqrt(positions[-1] - 1),
        heads=1,
    )


def differences(expected: Shapes, found: Shapes) -> list[str]:
    """What tells the tensors found from those expected, one text each."""
    missing = [f"'{n}' {shape} is missing" for n, shape in expected.items() if n not in found]
    further = [f"'{n}' {shape} is unexpected" for n, shape in found.items() if n not in expected]
    other = [
        f"'{n}' has shape {found[n]}, expected {shape}"
        for n, shape in expected.items()
        if n in found and found[n] != shape
    ]
    return missing + other + further


def _described(gap: list[str]) -> str:
    more = f"; and {len(gap) - 3} more differences" if len(gap) > 3 else ""
    return f"tensors differ from the nearest guided-diffusion network: {'; '.join(gap[:3])}{more}"


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
        levels: the network's number of levels; needed only where shapes fit several.
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
