"""Enclosures: the meaning of every operator and function of an equation on enclosures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from causalflow.mechanisms.branches import (
    at_most,
    bits,
    both,
    equal,
    floor_divide,
    larger,
    less,
    negation,
    smaller,
    steps,
    where,
)
from causalflow.mechanisms.curves import (
    absolute,
    cos,
    divide,
    exp,
    hump,
    log,
    logit,
    power,
    rising,
    sin,
    sqrt,
    tan,
)
from causalflow.mechanisms.enclosure import Enclosure, add, enclosed, multiply, negate
from causalflow.mechanisms.operations import TORCH

__all__ = ["ENCLOSURES"]

_FUNCTIONS: Mapping[str, Callable[..., Enclosure]] = {
    "+": add,
    "-": lambda a, b: add(a, negate(b)),
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": lambda a, b: add(a, negate(multiply(b, floor_divide(a, b)))),
    "**": power,
    "negate": negate,
    "<": less,
    "<=": at_most,
    ">": lambda a, b: less(b, a),
    ">=": lambda a, b: at_most(b, a),
    "==": equal,
    "!=": lambda a, b: negation(equal(a, b)),
    "and": both,
    "or": lambda a, b: negation(both(negation(a), negation(b))),
    "not": negation,
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "tanh": rising(torch.tanh, hump(lambda x: 1 - x.tanh() ** 2)),
    "sigmoid": rising(torch.sigmoid, hump(lambda x: x.sigmoid() * (-x).sigmoid())),
    "logit": logit,
    "abs": absolute,
    "floor": steps(torch.floor),
    "round": steps(torch.round),
    "min": lambda *parts: functools.reduce(smaller, parts),
    "max": lambda *parts: functools.reduce(larger, parts),
    "where": where,
    "clip": lambda value, low, high: smaller(larger(value, low), high),
    **{operator: bits(operator) for operator in ("&", "|", "^", "~", "<<", ">>")},
}


def _either(name: str) -> Callable[..., Any]:
    """The operation on enclosures where one is given, else on numbers."""

    def apply(*values: Any) -> Any:
        if any(isinstance(value, Enclosure) for value in values):
            return _FUNCTIONS[name](*map(enclosed, values))
        return TORCH[name](*values)

    return apply


ENCLOSURES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: _either(name) for name in TORCH}
)
"""The meaning of every operator and function on enclosures, with the keys of ``OPERATIONS``."""
