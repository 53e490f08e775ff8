"""Imputation: gaps of numbers, or among numbers and classes, drawn by the model that they are for.

Stochastic expectation-maximisation: fit the laws to completed rows, draw the gaps from their
posterior under those laws (`causalflow.model.missing.chain`), `ROUNDS` times. The gaps that the
last rounds drew make as many completed tables, to which everything is fitted at last, all of them
together.

With a share F of the information missing the start is forgotten at a rate F a round, and the
estimate from one completed table has F / (1 + F) more variance than that of greatest likelihood;
from m tables about an m-th of it.

Tables are put together in blocks of `BLOCK` rows, so that copies of a row stand at places that are
equal modulo `BLOCK`: a choice by rows that are held out holds out all copies of a row.

Source: Celeux & Diebolt (1985), The SEM algorithm; Nielsen (2000), The stochastic EM algorithm:
estimation and asymptotic results; Rubin (1987), Multiple imputation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from causalflow.data.frame import Frame
from causalflow.errors import DataError
from causalflow.frozen import Frozen
from causalflow.mechanisms.mechanism import labelled
from causalflow.model.missing.chain import Chain
from causalflow.model.missing.gaps import Joined
from causalflow.model.scm import StructuralModel
from causalflow.training.progress import stage

__all__ = ["OVER", "Completed", "completions", "first_copy"]

OVER = "as half of the minutes was over"
"""What a fit says whose empty cells the clock left half filled."""

ROUNDS, SWEEPS = 12, 3
"""Fits, and sweeps of the chain after each."""
TABLES = 5
MOST_ROWS = 200_000
"""Rows of all completed tables together, beyond which there are fewer of them."""
BLOCK = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Rows without gaps.

    Attributes:
        frame: the rows with their gaps filled, so many times over.
        note: what a fit to them rests on, if fewer rounds than are due were taken; else "".
    """

    frame: Frame
    note: str = ""


def completions(
    scm: StructuralModel,
    parts: Sequence[Joined],
    frame: Frame,
    refit: Callable[[Frame], None],
    generator: torch.Generator,
    tables: int,
    late: Callable[[], bool],
    *,
    shown: bool = False,
) -> Completed:
    """The rows with their gaps filled, so many times over.

    Args:
        scm: the model, whose laws are fitted on the way.
        parts: the laws that gaps join, and which rows count.
        frame: all rows.
        refit: fits the laws of the parts to completed rows.
        generator: draws.
        tables: the most completed tables.
        late: whether to end with the next of them.
        shown: whether to show a bar.
    """
    columns = frame.labels()
    hidden = {name: torch.zeros(len(frame), dtype=torch.int64) for name in scm.latents}
    chains = [Chain(scm=scm, unknown=part.open, laws=part.names) for part in parts]
    gaps = {name: _open(name, part, columns) for part in parts for name in part.open}
    values = {**hidden, **_borrowed(columns, gaps, generator)}
    kept: list[Frame] = []
    count = max(1, min(tables, MOST_ROWS // len(frame)))
    rounds = stage(range(1, ROUNDS + 1), ROUNDS, "filling empty cells", "round", shown=shown)
    for done in rounds:
        whole = _with(frame, values, gaps)
        refit(whole)
        for chain in chains:
            values = chain.swept(values, gaps, generator, SWEEPS)
        over = late()
        if done > ROUNDS - count or over:
            kept.append(_with(frame, values, gaps))
        if over:
            rounds.close()
            break
    return Completed(frame=_stacked(kept), note=_cut_short(done))


def _cut_short(rounds: int) -> str:
    """What is to be said of so many rounds."""
    if rounds == ROUNDS:
        return ""
    return (
        f"empty cells were filled in {rounds} of {ROUNDS} rounds, {OVER}: "
        "what fills them may still resemble the rows at large; fit with more minutes, or none"
    )


def first_copy(rows: int, copies: int) -> Tensor:
    """Which rows of so many that come in copies are of the first one: bool, shape (rows,)."""
    whole = rows // copies // BLOCK * BLOCK * copies
    found = torch.arange(rows) % (BLOCK * copies) < BLOCK
    found[whole:] = torch.arange(rows - whole) < (rows - whole) // copies
    return found


def _open(name: str, part: Joined, columns: Mapping[str, Tensor]) -> Tensor:
    """Where a variable is to be drawn."""
    return part.usable & ~labelled(columns[name]) if name in columns else part.usable


def _borrowed(
    columns: Mapping[str, Tensor], gaps: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """The columns with a value of another row in every gap: where the chain begins.

    Raises:
        DataError: a column without any value.
    """
    found = dict(columns)
    for name, gap in gaps.items():
        if name in columns:
            known = columns[name][labelled(columns[name])]
            if not len(known):
                raise DataError(f"node '{name}': every row is missing; leave it out of the graph")
            places = torch.randint(len(known), (int(gap.sum()),), generator=generator)
            found[name] = columns[name].index_put((gap.nonzero()[:, 0],), known[places])
    return found


def _with(frame: Frame, values: Mapping[str, Tensor], gaps: Mapping[str, Tensor]) -> Frame:
    filled = {name: values[name] for name in gaps if name in frame.columns}
    return replace(frame, columns=Frozen({**frame.columns, **filled}))


def _stacked(frames: Sequence[Frame]) -> Frame:
    """All rows of all frames, block by block of each in turn."""
    n, first = len(frames[0]), frames[0]
    blocks = torch.arange(n).split(BLOCK)
    order = torch.cat([k * n + block for block in blocks for k in range(len(frames))])

    def together(columns: Sequence[Any]) -> Tensor:
        return torch.cat(list(columns))[order]

    return replace(
        first,
        columns=Frozen({n: together([f.columns[n] for f in frames]) for n in first.columns}),
        regimes=Frozen({n: together([f.regimes[n] for f in frames]) for n in first.regimes}),
    )
