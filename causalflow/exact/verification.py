"""Verification: the questions that a graph file answers itself, held against the engines.

identifiable: true     the verdict of `causalflow.identify.identify` from P(v)
answer: 6/19           the answer of `causalflow.exact.model.ExactModel`, where the graph is finite

A declared answer is a number, or numbers by level (`causalflow.graph.checks`); levels that are left
out have probability 0.

Where an estimand conditions on cells that a finite model never fills (`missing_support`), P(v) does
not tell the answer, however identifiable the graph makes it (positivity).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from causalflow.errors import CausalflowError
from causalflow.exact.model import ExactModel
from causalflow.factors.table import Number, Table
from causalflow.graph.checks import QueryCheck
from causalflow.graph.graph import Graph
from causalflow.graph.node import Node
from causalflow.identify.identify import identify
from causalflow.identify.verdict import Verdict
from causalflow.limits import SUPPORT_CELLS
from causalflow.query.answer import Answer
from causalflow.query.parse import parse_query
from causalflow.symbolic.evaluate import empty_cells
from causalflow.symbolic.parts import variables
from causalflow.values.column import GAP
from causalflow.values.finite import FiniteType, Level, finite

__all__ = ["Verification", "missing_support", "verify"]


def missing_support(model: ExactModel, verdict: Verdict) -> tuple[str, ...]:
    """A sentence for each denominator of the estimand that is zero somewhere.

    Nothing is said of estimands over many variables, or from experiments.

    Example:
        >>> from causalflow.formats.formats import loads
        >>> from causalflow.identify.identify import identify
        >>> graph = loads('''
        ... exogenous: {u: {p: [1/2, 1/2]}}
        ... nodes:
        ...   z: {type: class, levels: 2, equation: u}
        ...   x: {type: class, levels: 2, equation: z}
        ...   y: {type: class, levels: 2, equation: x & z}
        ... ''')
        >>> missing_support(ExactModel(graph), identify(graph, "P(y | do(x))"))
        ('P(x, z) is 0 at x=0, z=1; x=1, z=0',)
    """
    if verdict.estimand is None or verdict.data != ("P(v)",):
        return ()
    names = sorted(variables(verdict.estimand))
    if math.prod(_levels(model.graph.nodes[name]) for name in names) > SUPPORT_CELLS:
        return ()
    try:
        joint = model.joint(names)
    except CausalflowError:  # too wide a question for exact inference
        return ()
    return empty_cells(verdict.estimand, joint)


def _levels(node: Node) -> float:
    if node.type.levels is not None:
        return len(node.type.levels)
    depth = node.type.depth
    return math.inf if depth is None else float(depth) ** math.prod(node.type.shape)


ROUNDING = 1e-9
"""How far a declared number may be from an answer that is not a fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A question of a file, and what became of it.

    Attributes:
        check: what the file declares.
        verdict: what identification from P(v) says; None: the question is not one that
            identification decides.
        answer: what the exact model says; None: the file declares no number, or is no finite model.
        errors: what is wrong, a line each (a place in the query is pointed at in further lines).
        warnings: where the model leaves cells empty that the estimand conditions on, and where the
            graph's own equations leave a learned node without data.
    """

    check: QueryCheck
    verdict: Verdict | None = None
    answer: Answer | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def verify(graph: Graph) -> Iterator[Verification]:
    """Each of the file's questions, verified."""
    model = ExactModel(graph) if graph.queries and ExactModel.supports(graph) else None
    return (_verified(graph, model, each) for each in graph.queries)


def _is_number(check: QueryCheck) -> bool:
    return check.answer is not None and not isinstance(check.answer, str)


def _verified(graph: Graph, model: ExactModel | None, check: QueryCheck) -> Verification:
    try:
        query = parse_query(check.ask, graph)
    except CausalflowError as error:
        return Verification(check=check, errors=(str(error),))
    verdict, answer, errors = None, None, []
    try:
        verdict = identify(graph, query)
        errors += _verdict_errors(check, verdict)
    except CausalflowError as error:
        errors += [] if check.identifiable is None else [str(error)]
    if model is not None and _is_number(check):
        try:
            answer = model.ask(query)
            errors += _answer_errors(check, answer.table)
        except CausalflowError as error:
            errors.append(str(error))
    return Verification(
        check=check,
        verdict=verdict,
        answer=answer,
        errors=tuple(errors),
        warnings=_warnings(model, verdict),
    )


def _warnings(model: ExactModel | None, verdict: Verdict | None) -> tuple[str, ...]:
    if verdict is None:
        return ()
    empty = missing_support(model, verdict) if model else ()
    unknown = [f"not verified: {verdict.note}"] if verdict.identifiable is None else []
    return (*verdict.warnings, *unknown, *(f"positivity fails: {each}" for each in empty))


def _verdict_errors(check: QueryCheck, verdict: Verdict) -> list[str]:
    if None in (check.identifiable, verdict.identifiable):
        return []
    if check.identifiable == verdict.identifiable:
        return []
    declared = f"query: {verdict.query} is declared identifiable: {str(check.identifiable).lower()}"
    found = " ".join(verdict.text().split())
    return [f"{declared}, but {found}"]


def _answer_errors(check: QueryCheck, table: Table) -> list[str]:
    """How a declared answer differs from the answer."""
    declared = _declared(check, [finite(table.levels[axis]) for axis in table.axes])
    found = {
        tuple(map(str, cell)): value
        for cell, value in zip(table.cells(), table.values.ravel().tolist(), strict=True)
    }
    cells = found.keys() | declared.keys()
    same = all(_equal(declared.get(cell, Fraction(0)), found.get(cell, 0)) for cell in cells)
    if same and all(len(cell) == len(table.axes) for cell in declared):
        return []
    return [f"query: {check.ask} is declared to be {_shown(declared)}; it is {_shown(found)}"]


def _declared(check: QueryCheck, axes: Sequence[FiniteType]) -> dict[tuple[str, ...], Fraction]:
    """The declared numbers by cell; a key that is no level stays as it is written."""
    assert check.answer is not None
    assert not isinstance(check.answer, str)
    if isinstance(check.answer, Fraction):
        return {(): check.answer}
    cells = ((cell if isinstance(cell, tuple) else (cell,), n) for cell, n in check.answer)
    return {
        tuple(map(_level, cell, axes)) if len(cell) == len(axes) else tuple(map(str, cell)): number
        for cell, number in cells
    }


def _level(key: Level, axis: FiniteType) -> str:
    place = axis.find(key)
    return str(key if place is None or place == GAP else axis.levels[place])


def _shown(cells: Mapping[tuple[str, ...], Number]) -> str:
    names = (f"({', '.join(cell)})" if len(cell) > 1 else "".join(cell) for cell in cells)
    texts = zip(names, map(str, cells.values()), strict=True)
    return ", ".join(": ".join(filter(None, pair)) for pair in texts)


def _equal(declared: Fraction, found: Number) -> bool:
    if isinstance(found, float):
        return abs(float(declared) - found) <= ROUNDING
    return declared == found
