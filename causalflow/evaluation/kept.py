"""Kept: the weights of a fitted judge, in the cache by the digest of all that they follow from.

The digest is of the network as it was drawn, the pictures and labels, the passes and batches, and
torch's version: another tool judged on the same real pictures finds its judges there. A file that
is no such network's is fitted anew; where the cache cannot be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from causalflow.data.arrays import cache_folder
from causalflow.files import whole_file

__all__ = ["kept_or_fitted"]


def kept_or_fitted(
    network: nn.Module, fit: Callable[[], None], about: str, seen: Sequence[Tensor], *, worth: bool
) -> None:
    """Give a network its weights: those that are kept, else those that ``fit`` gives it.

    Args:
        network: as it was drawn; its weights are replaced.
        fit: fits it.
        about: how it is fitted, in words.
        seen: what it is fitted to.
        worth: whether its weights are looked for, and kept.
    """
    if not worth:
        fit()
        return
    path = cache_folder() / "judges" / f"{_digest(network, about, seen)}.safetensors"
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError):
        fit()
        weights = {name: each.cpu().contiguous() for name, each in network.state_dict().items()}
        with contextlib.suppress(OSError), whole_file(path) as part:
            save_file(weights, part)


def _digest(network: nn.Module, about: str, seen: Sequence[Tensor]) -> str:
    """The first half of the SHA-256 digest, in hexadecimal digits."""
    found = hashlib.sha256(f"{torch.__version__} {about} {network}".encode())
    for tensor in (*network.state_dict().values(), *seen):
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:32]
