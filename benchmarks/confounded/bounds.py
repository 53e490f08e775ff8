"""Bounds: what the graph and the law of rows leave open of a question, by linear programs.

With x a treatment of k levels and c what the picture shows (a cell of its attributes), every way to
respond is r = (r_1 .. r_k): the cell under each level. What no rows tell is the law q of r together
with x:

    bow          q(s, x, r), s what x does not move; rows tell
                 P(s, x, c) = sum_{r: r_x = c} q(s, x, r)
    instrument   q(t, r), t the level of x under each level of z, which is drawn by lot; rows tell
                 P(x, c | z) = sum_{t: t_z = x} sum_{r: r_x = c} q(t, r)

Where x has hidden causes in common with s, and the picture reads s (the four pixels: y), its
responses are independent of s, but r stands for those at one s alone; any laws of r at each s are
those of one law of responses to both. So q is free but for what rows tell, and the ends of
P(c[x=v] | e) are those of a linear program, divided by P(e).

Sources: Balke & Pearl (1997), Bounds on treatment effects from studies with imperfect compliance;
Manski (1990), Nonparametric bounds on treatment effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from benchmarks.confounded.questions import Case, Question

__all__ = ["bounds"]

World = dict[str, int]
Type = tuple[World, tuple[int, ...], tuple[World, ...]]
"""What x does not move, x for each level of z (or the one), and the cell under each level of x."""


def bounds(case: Case, question: Question, rows: Any) -> tuple[float, float]:
    """The least and the largest P(event[do] | given) of all models with the true law of rows.

    Args:
        case: the treatment, and what it does not move or is moved by.
        question: whose ``do`` is of the treatment alone.
        rows: of `cf.data.confounded`; their law is asked, and no row.
    """
    own = (case.treatment, case.instrument, *case.strata)
    shown = sorted({*question.event, *question.given} - set(own))
    types = _types(case, shown, rows)
    lots = [{case.instrument: z} for z in range(2)] if case.instrument else [{}]
    chances = rows.law([case.instrument]).values if case.instrument else np.ones(1)
    weight, matrix, told, seen = np.zeros(len(types)), [], [], 0.0
    for z, (lot, chance) in enumerate(zip(lots, chances, strict=True)):
        worlds = [_world(case, each, z) | lot for each in types]
        law = _observed(sorted(worlds[0]), rows)
        for world, p in law:
            if lot.items() <= world.items():
                matrix.append([float(each == world) for each in worlds])
                told.append(p / chance)
                seen += p * (question.given.items() <= world.items())
        would = (responses[question.do[case.treatment]] for _, _, responses in types)
        meets = [question.event.items() <= each.items() for each in would]
        weight += chance * np.array(
            [question.given.items() <= w.items() and m for w, m in zip(worlds, meets, strict=True)]
        )
    low, high = (_least(sign * weight, np.array(matrix), np.array(told)) * sign for sign in (1, -1))
    return low / seen, high / seen


def _types(case: Case, shown: list[str], rows: Any) -> list[Type]:
    k = rows.law([case.treatment]).values.size
    cells, strata = _cells(shown, rows), _cells(case.strata, rows)
    ways = list(product(range(k), repeat=2 if case.instrument else 1))
    return list(product(strata, ways, product(cells, repeat=k)))


def _cells(names: Any, rows: Any) -> list[World]:
    sizes = rows.law(list(names)).values.shape if names else ()
    return [dict(zip(names, cell, strict=True)) for cell in np.ndindex(*sizes)]


def _world(case: Case, each: Type, z: int) -> World:
    fixed, way, responses = each
    return fixed | {case.treatment: way[z]} | responses[way[z]]


def _observed(names: list[str], rows: Any) -> list[tuple[World, float]]:
    law: NDArray[np.float64] = rows.law(names).values
    return [(dict(zip(names, cell, strict=True)), float(p)) for cell, p in np.ndenumerate(law)]


def _least(
    weight: NDArray[np.float64], matrix: NDArray[np.float64], told: NDArray[np.float64]
) -> float:
    found: Mapping[str, Any] = linprog(weight, A_eq=matrix, b_eq=told, method="highs")
    if found["status"]:
        raise ValueError(f"the linear program has no answer: {found['message']}")
    return float(found["fun"])
