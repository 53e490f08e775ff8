"""Indirect: designs whose effect no covariates adjust for; laws and truths as in `designs`.

h is a hidden cause, u of two treatments' designs too; z an instrument, m a mediator.
"""

from __future__ import annotations

import numpy as np

from benchmarks.effects.designs import ATE, Columns, Design, logistic

__all__ = ["INDIRECT"]


def _front(random: np.random.Generator, rows: int) -> Columns:
    h, r, e = random.normal(size=(3, rows))
    x = (random.random(rows) < logistic(h)).astype(int)
    m = x + r
    return {"x": x, "m": m, "y": m + h + e}


def _curved_front(random: np.random.Generator, rows: int) -> Columns:
    h, c, r, e = random.normal(size=(4, rows))
    x = (random.random(rows) < logistic(h + 0.5 * c)).astype(int)
    m = x * (1 + 0.5 * c) + np.cos(c) + r
    return {"x": x, "m": m, "y": m + 0.3 * m**2 + h + c + e, "c": c}


def _instrument(random: np.random.Generator, rows: int) -> Columns:
    z, h, r, e = random.normal(size=(4, rows))
    x = 0.7 * z + h + r
    return {"z": z, "x": x, "y": 0.5 * x + h + e}


def _weak(random: np.random.Generator, rows: int) -> Columns:
    z, h, r, e = random.normal(size=(4, rows))
    x = 0.08 * z + h + r
    return {"z": z, "x": x, "y": 0.5 * x + h + e}


def _compliers(random: np.random.Generator, rows: int) -> Columns:
    w, h, e = random.normal(size=(3, rows))
    z = (random.random(rows) < logistic(w)).astype(int)
    x = (h + z > 0.5).astype(int)
    return {"w": w, "z": z, "x": x, "y": 2 * x + h + np.sin(2 * w) + e}


def _mediated(random: np.random.Generator, rows: int) -> Columns:
    w, r, e = random.normal(size=(3, rows))
    x = (random.random(rows) < logistic(0.7 * w)).astype(int)
    m = x + w + r
    return {"w": w, "x": x, "m": m, "y": x + m + 0.5 * x * m + np.cos(w) + e}


def _twice(random: np.random.Generator, rows: int) -> Columns:
    h, w, r, e = random.normal(size=(4, rows))
    a = (random.random(rows) < logistic(0.5 * w)).astype(int)
    m = a + 0.5 * w + h + r
    b = (random.random(rows) < logistic(0.5 * m - 0.5 * a)).astype(int)
    return {"w": w, "a": a, "m": m, "b": b, "y": a + b + 0.5 * m + w + h + e}


_FRONT = ("x -> m -> y", "x <-> y")
_COVARIATE = ("c -> x", "c -> m", "c -> y")
_MEDIATED = ("w -> x", "w -> m", "w -> y", "x -> m -> y", "x -> y")
_INSTRUMENT = ("z -> x -> y", "x <-> y")

INDIRECT = (
    Design(
        name="front door",
        edges=_FRONT,
        query=ATE,
        truth=1.0,
        draw=_front,
        equations="x = B(s(h)), m = x + r, y = m + h + e",
        treatment="x",
        way="front door",
    ),
    Design(
        name="front door, curved",
        edges=(*_FRONT, *_COVARIATE),
        query=ATE,
        # E of m is 1 more; of m^2, with m = x (1 + c/2) + cos c + r, (1 + c/2)^2 + 2 cos c more.
        truth=float(1 + 0.3 * (1.25 + 2 * np.exp(-0.5))),
        draw=_curved_front,
        equations="x = B(s(h + c/2)), m = x (1 + c/2) + cos c + r, y = m + .3 m^2 + h + c + e",
    ),
    Design(
        name="instrument",
        edges=_INSTRUMENT,
        query=ATE,
        truth=0.5,
        draw=_instrument,
        equations="x = .7 z + h + r, y = x/2 + h + e",
        treatment="x",
        way="instrument",
        options={"method": "instrument"},
    ),
    Design(
        name="instrument, weak",
        edges=_INSTRUMENT,
        query=ATE,
        truth=0.5,
        draw=_weak,
        equations="x = .08 z + h + r, y = x/2 + h + e",
        treatment="x",
        way="instrument",
        options={"method": "instrument"},
    ),
    Design(
        name="compliers",
        edges=(*_INSTRUMENT, "w -> z", "w -> y"),
        query=ATE,
        truth=2.0,
        draw=_compliers,
        equations="z = B(s(w)), x = 1 where h + z > 1/2, y = 2 x + h + sin 2w + e",
        options={"method": "instrument"},
    ),
    Design(
        name="direct (NDE)",
        edges=_MEDIATED,
        query="NDE(x -> y; m)",
        truth=1.0,
        draw=_mediated,
        equations="x = B(s(.7 w)), m = x + w + r, y = x + m + x m/2 + cos w + e",
    ),
    Design(
        name="indirect (NIE)",
        edges=_MEDIATED,
        query="NIE(x -> y; m)",
        truth=1.0,
        draw=_mediated,
        equations="as before",
    ),
    Design(
        name="two treatments",
        edges=(
            "w -> a",
            "w -> m",
            "w -> y",
            "a -> m -> b",
            "a -> b",
            "a -> y",
            "b -> y",
            "m -> y",
            "m <-> y",
        ),
        query="E[y[a=1, b=1] - y[a=0, b=0]]",
        truth=2.5,
        draw=_twice,
        equations="a = B(s(w/2)), m = a + w/2 + h + r, b = B(s(m/2 - a/2)),"
        " y = a + b + m/2 + w + h + e",
    ),
)
