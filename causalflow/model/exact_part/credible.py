"""Credible: the interval of an answer by counted tables, as far as the counts leave it open.

Notation: n_k how many rows had level k under one combination of a node's parents. With Jeffreys'
prior the row of its table has the posterior

    p ~ Dirichlet(n_1 + 1/2, ..., n_K + 1/2)

all rows of all tables independent of one another. Tables are drawn, the question is answered by
all of them in one contraction (`causalflow.exact.inference`), and the interval is the middle share
of the answers, widened to the answer itself where that lies outside: a level that never occurred.

Only the tables are uncertain here. That the graph is right, and how noise enters, is assumed.

Source: Spiegelhalter & Lauritzen (1990), Sequential updating of conditional probabilities; Brown,
Cai & DasGupta (2001), Interval estimation for a binomial proportion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from causalflow.errors import CausalflowError
from causalflow.exact.finite_question import answer
from causalflow.exact.inference import Inference
from causalflow.exact.prepared import Prepared
from causalflow.factors.array import Values
from causalflow.factors.table import Table
from causalflow.model.exact_part.finite_part import FinitePart
from causalflow.model.scm import StructuralModel
from causalflow.query.answer import Answer, Interval, combined_answer
from causalflow.query.known import Known, KnownParts
from causalflow.values.column import rank

__all__ = ["DRAWS", "with_interval"]

DRAWS = 10_000
"""Draws of the tables: an end is then off by some 1 % of the interval's width."""
CELLS = 2**22
"""The most cells of all tables' draws at a time."""
ROWS = 1_000
PRIOR = 0.5


def with_interval(
    part: FinitePart,
    question: object,
    given: Mapping[str, Any],
    found: Answer,
    share: float,
    generator: torch.Generator,
) -> Answer:
    """The answer with its credible interval.

    Args:
        part: the tables, of which all that were fitted and are needed have counts.
        question: the question as it was prepared, if it was.
        given: name -> a value, or one a row.
        found: the answer without it.
        share: the probability of the interval, between 0 and 1.
        generator: draws the tables.

    Raises:
        CausalflowError: no share of one, an answer that is not one of tables, a table that is not
            of counts, too many rows, or too wide a question.
    """
    if not (isinstance(share, float) and 0 < share < 1):
        raise CausalflowError(f"ask: interval={share!r}; expected a number between 0 and 1")
    if found.route != "exact" or not isinstance(question, Prepared):
        raise CausalflowError(
            f"ask: {found.query}: interval={share} needs an answer by counted tables, of "
            "class nodes that listen to classes alone, without draws=..."
        )
    random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    return _with_interval(part, question.known, given, found, share, random)


def _with_interval(
    part: FinitePart,
    known: Known | KnownParts,
    given: Mapping[str, Any],
    found: Answer,
    share: float,
    random: np.random.Generator,
) -> Answer:
    parts = known.parts.values() if isinstance(known, KnownParts) else [known]
    needed = frozenset().union(*(part.needed(each.query) for each in parts))
    names = sorted(needed & part.scm.learned)
    _check(part.scm, names)
    if not names:
        ends = (found.table, found.table)
    else:
        rows = [_quantiles(part, known, each, names, share, random) for each in _rows(found, given)]
        ends = _tables(found, rows)
    note = (
        f"{100 * share:g} % credible interval from the counts behind the tables (Jeffreys' prior)"
    )
    if any(not part.scm.tables[name].is_counted for name in names):
        note += (
            "; cells that were empty in the data count as if they had been seen: it is too narrow"
        )
    interval = Interval(low=ends[0], high=ends[1], share=share)
    return replace(found, interval=interval, notes=(*found.notes, note))


def _check(scm: StructuralModel, names: Iterable[str]) -> None:
    for name in names:
        hidden = [parent for parent in scm.parents(name) if parent in scm.latents]
        why = f"it listens to the hidden cause '{hidden[0]}'" if hidden else "its file keeps none"
        if hidden or scm.tables[name].counts is None:
            raise CausalflowError(
                f"interval: the table of '{name}' is not of counts: {why}; an interval needs the "
                "rows behind each table"
            )


def _rows(found: Answer, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is given in each row of the answer, or to its only one."""
    if not found.rows:
        yield dict(given)
        return
    count = len(found.table.levels[found.table.axes[0]])
    if count > ROWS:
        raise CausalflowError(f"interval: {count:,} rows; at most {ROWS:,} at once")
    columns = {name: list(v) for name, v in given.items() if rank(v) > 0}
    for row in range(count):
        yield {**given, **{name: column[row] for name, column in columns.items()}}


def _quantiles(
    part: FinitePart,
    known: Known | KnownParts,
    given: Mapping[str, Any],
    names: Iterable[str],
    share: float,
    random: np.random.Generator,
) -> tuple[Values, Values]:
    """The ends of the interval of one row, over the axes of its answer."""
    counts = {name: _counts(part, name) for name in names}
    step = max(1, min(DRAWS, CELLS // sum(each.size for each in counts.values())))
    answers = []
    for start in range(0, DRAWS, step):
        size = min(step, DRAWS - start)
        drawn = {name: _drawn(each, size, random) for name, each in counts.items()}
        answers.append(_answered(part, known, given, drawn))
    every = np.concatenate(answers)
    low, high = np.quantile(every, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return low, high


def _answered(
    part: FinitePart,
    known: Known | KnownParts,
    given: Mapping[str, Any],
    drawn: Mapping[str, Values],
) -> Values:
    """The answer by each draw of the tables, the draws' axis first."""
    wider, known = part.exact.with_policies(known)
    inference = Inference(wider.inference.structure, "float", drawn=drawn)
    if isinstance(known, Known):
        return answer(inference, known.query, known.bound(given)).table.values
    answers = {
        query: answer(inference, each.query, each.bound(each.own(given)))
        for query, each in known.parts.items()
    }
    return combined_answer(known.query, answers).table.values


def _counts(part: FinitePart, name: str) -> Values:
    """The counts of a table, its rows in the order of the exact model."""
    table, structure = part.scm.tables[name], part.exact.inference.structure
    assert table.counts is not None
    assert table.strides is not None
    place = np.zeros((), dtype=np.int64)
    for parent in structure.parents[name]:
        levels = len(structure.domain(parent).levels)
        place = place[..., None] + table.strides[parent] * np.arange(levels)
    return np.asarray(table.counts.cpu().numpy()[place.reshape(-1)])


def _drawn(counts: Values, size: int, random: np.random.Generator) -> Values:
    """Draws of a table from its posterior, (draws, combinations, levels)."""
    weights = random.standard_gamma(counts + PRIOR, size=(size, *counts.shape))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _tables(found: Answer, rows: list[tuple[Values, Values]]) -> tuple[Table, Table]:
    """The ends as tables like that of the answer, which lies between them."""
    table = found.table.to_float()
    ends = [np.stack(each) if found.rows else each[0] for each in zip(*rows, strict=True)]
    low, high = np.fmin(ends[0], table.values), np.fmax(ends[1], table.values)
    return Table.of(table.axes, low, table.levels), Table.of(table.axes, high, table.levels)
