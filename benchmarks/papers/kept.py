"""Kept: tensors that a run writes to a file, so that the same command goes on with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from causalflow.files import whole_file

__all__ = ["write_tensors"]


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a whole file or none; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        save_file({name: each.cpu().contiguous() for name, each in tensors.items()}, temporary)
