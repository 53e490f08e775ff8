"""Designs: graphs with laws of their variables, from which rows are drawn and the truth is known.

Covariates are w, v, ...; x or d is the treatment, y the outcome; e standard normal noise; B(p) is
one with probability p; s the logistic function. The truth is a closed form, or an integral over a
normal covariate by Gauss-Hermite quadrature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Columns = dict[str, Any]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A law of rows and a question of which the answer is known.

    Attributes:
        name: what is hard about it.
        edges: the graph.
        query: the question.
        truth: its answer.
        draw: (generator, rows) -> columns.
        treatment: for peers; "": none of them is asked.
        levels: the two treatments that peers compare.
        way: how peers are to answer it: "back door", "front door" or "instrument".
        options: what `Verdict.estimate` is given beside the rows.
        equations: the law, in short.
    """

    name: str
    edges: tuple[str, ...]
    query: str
    truth: float
    draw: Callable[[np.random.Generator, int], Columns]
    equations: str
    treatment: str = ""
    levels: tuple[float, float] = (0, 1)
    way: str = "back door"
    options: Mapping[str, Any] = field(default_factory=dict)


def logistic(number: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-number)))


def integral(function: Callable[[Array], Array]) -> float:
    """The mean of a function of a standard normal variable."""
    return float(WEIGHTS @ function(NODES))


def _adjusted(*covariates: str, treatment: str = "x") -> tuple[str, ...]:
    pairs = [(name, f"{name} -> {treatment}", f"{name} -> y") for name in covariates]
    return (f"{treatment} -> y", *(edge for _, *edges in pairs for edge in edges))


def _linear(random: np.random.Generator, rows: int) -> Columns:
    w, v, u, e = random.normal(size=(4, rows))
    x = (random.random(rows) < logistic(0.5 * w - 0.5 * v)).astype(int)
    return {"w": w, "v": v, "u": u, "x": x, "y": x + w + 0.5 * v - u + e}


def _nonlinear(random: np.random.Generator, rows: int) -> Columns:
    w, v, u = random.uniform(-2, 2, size=(3, rows))
    x = (random.random(rows) < logistic(np.sin(2 * w) + 0.5 * v**2 - 0.7)).astype(int)
    y = x * (1 + w) + 2 * np.sin(2 * w) + v**2 + w * u + random.normal(size=rows)
    return {"w": w, "v": v, "u": u, "x": x, "y": y}


def _gaps(random: np.random.Generator, rows: int) -> Columns:
    columns = _nonlinear(random, rows)
    for name in ("w", "v", "u"):
        columns[name] = np.where(random.random(rows) < 0.1, np.nan, columns[name])
    return columns


def _levels(random: np.random.Generator, rows: int) -> Columns:
    w, v, e = random.normal(size=(3, rows))
    shares = np.exp(np.stack([np.zeros(rows), 0.7 * w, 0.7 * v]))
    x = (random.random(rows) > np.cumsum(shares / shares.sum(axis=0), axis=0)).sum(axis=0)
    return {"w": w, "v": v, "x": x, "y": 0.5 * x**2 + x * w + np.cos(v) + w + e}


def _treated(random: np.random.Generator, rows: int) -> Columns:
    w, v, e = random.normal(size=(3, rows))
    x = (random.random(rows) < logistic(w)).astype(int)
    return {"w": w, "v": v, "x": x, "y": x * w + np.abs(w) + v + e}


def _dose(random: np.random.Generator, rows: int) -> Columns:
    w, v, r, e = random.normal(size=(4, rows))
    d = 0.5 * w + 0.5 * v + r
    return {"w": w, "v": v, "d": d, "y": np.sin(d) + w + 0.5 * v**2 + e}


def _moderated(random: np.random.Generator, rows: int) -> Columns:
    w, e = random.normal(size=(2, rows))
    d = 0.5 * w + random.gamma(4.0, 0.5, rows) - 2
    return {"w": w, "d": d, "y": d * (1 + 0.5 * w) + 0.3 * d**2 + w + e}


def _overlap(random: np.random.Generator, rows: int) -> Columns:
    w, v, e = random.normal(size=(3, rows))
    x = (random.random(rows) < logistic(1.7 * w)).astype(int)
    return {"w": w, "v": v, "x": x, "y": x + w + v + e}


def _chance(w: Array, x: float | Array) -> Array:
    return logistic(0.8 * x - 0.5 + np.sin(1.5 * w))


def _binary(random: np.random.Generator, rows: int) -> Columns:
    w = random.normal(size=rows)
    x = (random.random(rows) < logistic(w)).astype(int)
    return {"w": w, "x": x, "y": (random.random(rows) < _chance(w, x)).astype(int)}


def _conditional(random: np.random.Generator, rows: int) -> Columns:
    w, v, e = random.normal(size=(3, rows))
    x = (random.random(rows) < logistic(0.5 * w - 0.5 * v)).astype(int)
    return {"w": w, "v": v, "x": x, "y": x * (1 + np.sin(w)) + w * v + e}


MANY = tuple(f"w{k}" for k in range(12))


def _many(random: np.random.Generator, rows: int) -> Columns:
    w = random.normal(size=(12, rows))
    x = (random.random(rows) < logistic(0.4 * w[:6].sum(axis=0))).astype(int)
    y = x * (1 + 0.5 * w[0]) + w[3:9].sum(axis=0) + w[3] ** 2 + random.normal(size=rows)
    return {**dict(zip(MANY, w, strict=True)), "x": x, "y": y}


ATE = "E[y[x=1] - y[x=0]]"

ADJUSTED = (
    Design(
        name="linear",
        edges=(*_adjusted("w", "v"), "u -> y"),
        query=ATE,
        truth=1.0,
        draw=_linear,
        equations="x = B(s(w/2 - v/2)), y = x + w + v/2 - u + e",
        treatment="x",
    ),
    Design(
        name="non-linear",
        edges=(*_adjusted("w", "v"), "u -> y"),
        query=ATE,
        truth=1.0,
        draw=_nonlinear,
        equations="x = B(s(sin 2w + v^2/2 - .7)), y = x (1 + w) + 2 sin 2w + v^2 + w u + e",
        treatment="x",
    ),
    Design(
        name="missing cells",
        edges=(*_adjusted("w", "v"), "u -> y"),
        query=ATE,
        truth=1.0,
        draw=_gaps,
        equations="as before; a tenth of the cells of w, v and u are empty, completely at random",
    ),
    Design(
        name="three levels",
        edges=_adjusted("w", "v"),
        query="E[y[x=2] - y[x=0]]",
        truth=2.0,
        draw=_levels,
        equations="P(x) = softmax(0, .7 w, .7 v), y = x^2/2 + x w + cos v + w + e",
        treatment="x",
        levels=(0, 2),
    ),
    Design(
        name="treated (ETT)",
        edges=(*_adjusted("w"), "v -> y"),
        query="ETT(x -> y)",
        truth=2 * integral(lambda w: w * logistic(w)),
        draw=_treated,
        equations="x = B(s(w)), y = x w + |w| + v + e",
    ),
    Design(
        name="dose",
        edges=_adjusted("w", "v", treatment="d"),
        query="E[y[d=1] - y[d=0]]",
        truth=float(np.sin(1)),
        draw=_dose,
        equations="d = w/2 + v/2 + r, y = sin d + w + v^2/2 + e",
        treatment="d",
    ),
    Design(
        name="dose, moderated",
        edges=_adjusted("w", treatment="d"),
        query="E[y | do(d=0.5)]",
        truth=0.575,
        draw=_moderated,
        equations="d = w/2 + Gamma(4, 1/2) - 2, y = d (1 + w/2) + .3 d^2 + w + e",
    ),
    Design(
        name="poor overlap",
        edges=(*_adjusted("w"), "v -> y"),
        query=ATE,
        truth=1.0,
        draw=_overlap,
        equations="x = B(s(1.7 w)), y = x + w + v + e",
        treatment="x",
    ),
    Design(
        name="binary outcome",
        edges=_adjusted("w"),
        query="P(y=1 | do(x=1)) - P(y=1 | do(x=0))",
        truth=integral(lambda w: _chance(w, 1.0) - _chance(w, 0.0)),
        draw=_binary,
        equations="x = B(s(w)), y = B(s(.8 x - .5 + sin 1.5 w))",
        treatment="x",
    ),
    Design(
        name="conditional",
        edges=_adjusted("w", "v"),
        query="E[y[x=1] - y[x=0] | w=1]",
        truth=float(1 + np.sin(1)),
        draw=_conditional,
        equations="x = B(s(w/2 - v/2)), y = x (1 + sin w) + w v + e",
    ),
    Design(
        name="twelve covariates",
        edges=_adjusted(*MANY),
        query=ATE,
        truth=1.0,
        draw=_many,
        equations="x = B(s(.4 (w0 + ... + w5))), y = x (1 + w0/2) + w3 + ... + w8 + w3^2 + e",
        treatment="x",
    ),
)
