"""Peers where no covariates adjust: DoWhy's front door and instruments, EconML's `OrthoIV`.

DoWhy's are its two-stage regressions, given the graph; they tell no interval unless rows are drawn
anew a hundred times, which is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from benchmarks.effects.designs import Columns, Design
from benchmarks.effects.peers import PEERS, Answer, as_dowhy_expects

__all__ = ["PEERS_BY_WAY"]

_METHODS = {
    "front door": "frontdoor.two_stage_regression",
    "instrument": "iv.instrumental_variable",
}


def dowhy(design: Design, columns: Columns) -> Answer:
    """The effect of a unit of the treatment by a two-stage regression, without an interval."""
    from dowhy import CausalModel

    as_dowhy_expects()
    model = CausalModel(
        pd.DataFrame(columns),
        treatment=design.treatment,
        outcome="y",
        graph="digraph {" + " ".join(map(_arrows, design.edges)) + "}",
    )
    estimate = model.estimate_effect(
        model.identify_effect(proceed_when_unidentifiable=True),
        method_name=_METHODS[design.way],
    )
    return float(estimate.value), float("nan"), float("nan")


def _arrows(edge: str) -> str:
    """An edge in DOT; a hidden cause as the node U."""
    ends = [each.strip() for each in edge.split("<->")]
    if len(ends) == 2:
        return " ".join(f"U -> {each};" for each in ends)
    return f"{edge};"


def econml(design: Design, columns: Columns) -> Answer:
    """The effect of a unit of the treatment, by an instrument."""
    from econml.iv.dml import OrthoIV

    rows = len(columns["y"])
    model = OrthoIV(cv=5, random_state=0).fit(
        columns["y"], columns[design.treatment], Z=columns["z"], W=np.zeros((rows, 1))
    )
    ends = model.const_marginal_ate_interval(alpha=0.05)
    found = (model.const_marginal_ate(), *ends)
    return tuple(float(np.ravel(each)[0]) for each in found)  # type: ignore[return-value]


PEERS_BY_WAY: Mapping[str, Mapping[str, Callable[[Design, Columns], Answer]]] = {
    "back door": PEERS,
    "front door": {"DoWhy": dowhy},
    "instrument": {"EconML": econml, "DoWhy": dowhy},
}
