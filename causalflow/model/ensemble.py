"""Ensemble: a model fitted again to halves of its rows, by which the error of its fit shows.

Notation: t(R) what the model that is fitted to the rows R answers; n rows in all; H a random half
of them, drawn without replacement. For an answer whose variance goes with one over the rows,

    Var_H t(H) = (1 - 1/2) Var t of n/2 rows = 1/2 * 2 Var t(R) = Var t(R),

the factor (1 - 1/2) being that of a sample from a finite population. So the spread of the answers
of a few members is that of the answer itself over other rows of as many persons. No row is in a
half twice: in a bootstrap sample it would be, and copies look like values that many persons share.

A member begins where the model began, and is fitted as the model was; what the model took from
elsewhere (nodes that were not fitted, equations, tables) it has too.

Source: McCarthy (1969), Pseudo-replication: half samples; Politis, Romano & Wolf (1999),
Subsampling, section 2.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from causalflow.data.frame import Frame
from causalflow.errors import DataError, EvidenceError
from causalflow.model.construction import CompileOptions, Parts, structural_model
from causalflow.model.evidence import check_names
from causalflow.model.likelihood import Trainee, fitted_rows
from causalflow.model.scm import StructuralModel
from causalflow.training.options import Fit
from causalflow.training.progress import followed, stage
from causalflow.training.state import MEMBER, generator

__all__ = ["FEWEST_ROWS", "check_members", "members"]

FEWEST_ROWS = 20
"""Of a fit that has members."""


def check_members(scm: StructuralModel, options: Fit) -> None:
    """Refuse members of models with images, which would take many times the hours of the fit.

    Raises:
        EvidenceError: the graph has an image.
    """
    pictured = [name for name, kind in scm.types.items() if kind.pictured]
    if pictured:
        raise EvidenceError(
            f"fit: members={options.members} of a graph with the image '{pictured[0]}'; expected 0:"
            " members are of tables"
        )


def members(
    scm: StructuralModel,
    compiled: CompileOptions,
    parts: Parts,
    data: Any,
    nodes: Iterable[str] | None,
    options: Fit,
    end: float,
) -> tuple[StructuralModel, ...]:
    """Models that were fitted to random halves of the rows.

    Args:
        scm: the fitted model.
        compiled: the options it was compiled with.
        parts: the user's own modules in it.
        data: the rows of the fit, or what stands for them.
        nodes: what was fitted; None: all.
        options: those of the fit; ``members`` says how many.
        end: the time, as `time.monotonic` tells it, after which no further one begins.

    Raises:
        DataError: fewer than `FEWEST_ROWS` rows.
    """
    wanted = scm.order if nodes is None else check_names(scm.graph, nodes)
    frame = Frame.read(data, scm.graph.subgraph(Trainee(scm, wanted).columns))
    if len(frame) < FEWEST_ROWS:
        raise DataError(
            f"fit: members={options.members} of {len(frame)} rows; expected {FEWEST_ROWS} at least"
        )
    silent = replace(options, log=None, logger=None, progress=False)
    alone = replace(silent, checkpoint=None, held_out=0.0, members=0)
    found = []
    every = range(options.members)
    for k in stage(every, len(every), "fitting members", "member", shown=options.progress):
        if time.monotonic() >= end:
            break
        order = torch.randperm(len(frame), generator=generator("cpu", options.seed, MEMBER, k))
        half = frame.part(order[: len(frame) // 2].sort().values)
        member, part = _begun(scm, compiled, parts, wanted)
        with followed(None):
            report, _, completed = fitted_rows(member, part, half, _within(alone, end))
        member.to(report.device).eval()
        if not report.stopped and not completed.note:
            found.append(member)
    return tuple(found)


def _begun(
    scm: StructuralModel, compiled: CompileOptions, parts: Parts, wanted: Iterable[str]
) -> tuple[StructuralModel, Trainee]:
    """The model as it was compiled, but for what was not fitted; and what is to be."""
    begun = structural_model(scm.graph, compiled, parts)
    part = Trainee(begun, wanted)
    fitted = {name for district in part.districts for name in district.latents} | set(part.nodes)
    for name in (*scm.order, *scm.root_names):
        if name not in fitted:
            read = scm.root if name in scm.root_names else scm.module
            own = begun.root if name in begun.root_names else begun.module
            own(name).load_state_dict(read(name).state_dict())
    return begun, part


def _within(options: Fit, end: float) -> Fit:
    """The options, with the minutes that are left."""
    if not options.minutes:
        return options
    return replace(options, minutes=max(end - time.monotonic(), 0.0) / 60 + 1e-6)
