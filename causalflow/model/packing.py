"""Packing: the weights of a model's file in 16 or 8 bits, a half or a quarter of its bytes.

Notation: W a weight, a float32 tensor of two dimensions or more with at least `LEAST` numbers; w_k
its row k (an output of its layer), s_k a float32 number a row, q_k whole numbers from -127 to 127.

    16 bits    W rounded to float16, 11 bits of each number's own
    8 bits     w_k = s_k q_k,    s_k = max |w_k| / 127

so that no number is off by more than 2^-11 of itself, or half of s_k. In a file q stands under the
weight's name, s under that name and `SCALE`. Everything else is kept as it is: what is small, and
what is no weight (counts, ends of supports, scales of standardised values).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from causalflow.errors import CheckpointError

__all__ = ["BITS", "LEAST", "packed", "unpacked"]

BITS = (32, 16, 8)
LEAST = 1024
SCALE = "~scale"
_LARGEST = 127


def packed(tensors: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """The tensors of a file whose weights have so many bits.

    Raises:
        CheckpointError: another number of bits than 32, 16 and 8, or a weight beyond float16.
    """
    if bits not in BITS:
        raise CheckpointError(f"save: bits={bits}; expected one of {sorted(BITS)}")
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if bits == 32 or not _is_weight(tensor):
            found[name] = tensor
        elif bits == 16:
            found[name] = _half(name, tensor)
        else:
            found[name], found[name + SCALE] = _in_bytes(tensor)
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model, of what `packed` made; weights are float32."""
    return {
        name: _whole(tensor, tensors.get(name + SCALE))
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }


def _is_weight(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.ndim > 1 and tensor.numel() >= LEAST


def _half(name: str, weight: Tensor) -> Tensor:
    half = weight.half()
    if not bool(half.isfinite().all()):
        raise CheckpointError(f"save: weight '{name}' does not fit in 16 bits; save with bits=32")
    return half


def _in_bytes(weight: Tensor) -> tuple[Tensor, Tensor]:
    """q, of the weight's shape, and s, (rows,)."""
    scale = weight.flatten(1).abs().amax(1) / _LARGEST
    rows = _as_rows(scale.clamp_min(torch.finfo(scale.dtype).tiny), weight)
    return (weight / rows).round().clamp(-_LARGEST, _LARGEST).to(torch.int8), scale


def _whole(tensor: Tensor, scale: Tensor | None) -> Tensor:
    if scale is not None:
        return tensor.float() * _as_rows(scale, tensor)
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _as_rows(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.reshape(-1, *[1] * (weight.ndim - 1))
