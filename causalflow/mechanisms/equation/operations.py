"""Operations: the meaning of every operator and function of an equation on torch tensors.

The same rules as `causalflow.equations.equation.NUMPY`: booleans and integers count as int64,
everything else as float64; the bit operators want integers; a function outside its domain gives nan
or inf. Python numbers are converted before they meet a tensor, since torch would read 0.5 beside an
int64 tensor as float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import GraphError

__all__ = ["TORCH"]


def _number(value: Any) -> Tensor:
    """Booleans and integers as int64, everything else as float64."""
    tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=_dtype(value))
    return tensor.double() if tensor.is_floating_point() else tensor.long()


def _dtype(value: Any) -> torch.dtype:
    return torch.float64 if isinstance(value, float) else torch.int64


def _integer(value: Any, operator: str) -> Tensor:
    tensor = _number(value)
    if not tensor.is_floating_point():
        return tensor
    if bool(((tensor != tensor.floor()) | (tensor.abs() >= 2.0**63)).any()):
        raise GraphError(f"operator '{operator}' needs integers or booleans; the values are real")
    return tensor.long()


def _numbers(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *values: function(*map(_number, values))


def _reals(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *values: function(*(_number(value).double() for value in values))


def _bits(operator: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *values: function(*(_integer(value, operator) for value in values))


def _shift(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def apply(value: Tensor, count: Tensor) -> Tensor:
        if bool(((count < 0) | (count > 62)).any()):
            raise GraphError("operators '<<' and '>>' shift by 0 to 62 places")
        return function(value, count)

    return apply


def _whole_division(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Division with the floating-point result nan or inf where an integer divisor is 0."""
    return lambda a, b: function(a, b) if bool((b != 0).all()) else function(a.double(), b.double())


def _remainder(a: Tensor, b: Tensor) -> Tensor:
    """The remainder with the divisor's sign, also where it is zero: 1 / (0.0 % -2) is -inf."""
    rest = torch.remainder(a, b)
    if not rest.is_floating_point():
        return rest
    return torch.where(rest == 0, torch.copysign(rest, b), rest)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    """Exact on integers whose power is an integer of 64 bits."""
    real = torch.pow(base.double(), exponent.double())
    whole = not (base.is_floating_point() or exponent.is_floating_point())
    if whole and bool((exponent >= 0).all()) and bool((real.abs() < 2.0**63).all()):
        return torch.pow(base, exponent)
    return real


def _unchanged_if_whole(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """floor and round, which leave integers as they are."""
    return lambda value: function(value) if value.is_floating_point() else value


def _extreme(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda *values: functools.reduce(function, values)


def _clip(value: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(value, low), high)


_NUMBERS: Mapping[str, Callable[..., Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "//": _whole_division(torch.floor_divide),
    "%": _whole_division(_remainder),
    "**": _power,
    "negate": torch.neg,
    "<": torch.lt,
    "<=": torch.le,
    ">": torch.gt,
    ">=": torch.ge,
    "==": torch.eq,
    "!=": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "abs": torch.abs,
    "floor": _unchanged_if_whole(torch.floor),
    "round": _unchanged_if_whole(torch.round),
    "min": _extreme(torch.minimum),
    "max": _extreme(torch.maximum),
    "where": lambda condition, a, b: torch.where(condition != 0, a, b),
    "clip": _clip,
}
_REALS: Mapping[str, Callable[..., Tensor]] = {
    "/": torch.true_divide,
    **{name: getattr(torch, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh")},
    "sigmoid": torch.sigmoid,
    "logit": lambda value: torch.log(value) - torch.log1p(-value),
}
_BITS: Mapping[str, Callable[..., Tensor]] = {
    "&": torch.bitwise_and,
    "|": torch.bitwise_or,
    "^": torch.bitwise_xor,
    "~": torch.bitwise_not,
    "<<": _shift(torch.bitwise_left_shift),
    ">>": _shift(torch.bitwise_right_shift),
}
TORCH: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {name: _numbers(function) for name, function in _NUMBERS.items()}
    | {name: _reals(function) for name, function in _REALS.items()}
    | {name: _bits(name, function) for name, function in _BITS.items()}
)
"""The meaning of every operator and function on torch tensors, with the keys of ``OPERATIONS``."""
