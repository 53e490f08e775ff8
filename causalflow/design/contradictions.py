"""Contradictions: what a graph implies, held against rows that may contradict it.

Each statement is tested by itself (`causalflow.dependence.dependence`). By Holm's correction, m
statements in the order of their p-values p_1 <= p_2 <= ... have the adjusted ones

    a_k = max over j <= k of min(1, (m - j + 1) p_j)

and those with a_k <= level contradict the graph: if it is right, the chance of any at all is at
most the level. Where none does, the rows do not speak against the graph; they cannot speak for it,
as all graphs that imply the same statements pass alike.

Source: Holm (1979), A simple sequentially rejective multiple test procedure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causalflow.dependence.dependence import Columns, Method, check_method
from causalflow.dependence.finding import Finding
from causalflow.design.independence import Independence
from causalflow.errors import DataError
from causalflow.graph.indicator import with_indicators
from causalflow.graph.node import Node
from causalflow.limits import INDEPENDENCES

__all__ = ["IndependenceTest", "IndependenceTests", "tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependenceTest:
    """One statement and what the rows say of it.

    Attributes:
        independence: the statement.
        p: how often independent columns would look as dependent or more; from 0 to 1.
        adjusted: p, corrected for the number of statements.
        strength: how dependent they are, from 0 to 1: a correlation, or Cramer's V of levels.
        rows: how many rows were compared.
        method: "strata", "residuals" or "correlation".
        contradicted: whether the rows contradict the statement at the level of the test.
    """

    independence: Independence
    p: float
    adjusted: float
    strength: float
    rows: int
    method: str
    contradicted: bool

    def __str__(self) -> str:
        said = "contradicted" if self.contradicted else "not contradicted"
        return (
            f"{self.independence}: {said}, p = {self.p:.3g} (adjusted {self.adjusted:.3g}),"
            f" strength {self.strength:.2f}, {self.rows:,} rows"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependenceTests:
    """All statements that were tested, the least likely first; printed as a table.

    Attributes:
        tests: one for each statement.
        untested: the statements that the rows cannot tell of, with the reason.
        level: the chance of a false alarm, at most, if the graph is right.
        rows: how many rows were given; a test leaves out those with a gap in its columns.
    """

    tests: tuple[IndependenceTest, ...]
    untested: tuple[tuple[Independence, str], ...]
    level: float
    rows: int

    @property
    def contradicted(self) -> tuple[IndependenceTest, ...]:
        """The statements that the rows contradict."""
        return tuple(each for each in self.tests if each.contradicted)

    def __len__(self) -> int:
        return len(self.tests)

    def __iter__(self) -> Iterator[IndependenceTest]:
        return iter(self.tests)

    def __str__(self) -> str:
        count = len(self.tests)
        noun = "independence" if count == 1 else "independences"
        head = (
            f"{count} {noun} that the graph implies, {self.rows:,} rows:"
            f" {len(self.contradicted)} contradicted (level {self.level:g}, Holm)"
        )
        skipped = [f"not tested: {each}: {reason}" for each, reason in self.untested]
        return "\n".join([head, *self._table(), *skipped, *self._notes()])

    def _table(self) -> list[str]:
        """Aligned lines; a contradicted statement is marked."""
        if not self.tests:
            return []
        rows = [("", "statement", "p", "adjusted", "strength", "rows", "by")]
        for each in self.tests:
            numbers = (f"{each.p:.3g}", f"{each.adjusted:.3g}", f"{each.strength:.2f}")
            mark = "!" if each.contradicted else ""
            rows.append((mark, str(each.independence), *numbers, f"{each.rows:,}", each.method))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(
                cell.rjust(width) if 2 <= place < 6 else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]

    def _notes(self) -> list[str]:
        notes = ["note: no contradiction is no proof: other graphs imply the same statements"]
        if any(each.rows < self.rows for each in self.tests):
            notes.append(
                "note: fewer rows than given: those without gaps in the columns of a test, which is"
                " right where cells are missing completely at random, and at most as many as needed"
            )
        return notes if self.tests else []


def tested(
    statements: Iterable[Independence],
    table: Mapping[str, Any],
    nodes: Mapping[str, Node],
    *,
    level: float,
    method: Method,
) -> IndependenceTests:
    """The statements held against the columns of a table.

    Raises:
        DataError: a level outside 0 to 1, no such method, too many statements, or columns that
            `causalflow.dependence.dependence.Columns` refuses.
    """
    check_method(method)
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise DataError(f"test: level={level!r}; expected a number between 0 and 1")
    listed, untested = _listed(statements, nodes)
    names = dict.fromkeys(n for each in listed for n in (each.x, each.y, *sorted(each.given)))
    columns = Columns.read(with_indicators(table, nodes), names, nodes)
    found: list[tuple[Independence, Finding]] = []
    for each in listed:
        outcome = columns.test(each.x, each.y, each.given, method)
        if isinstance(outcome, str):
            untested.append((each, outcome))
        else:
            found.append((each, outcome))
    tests = tuple(_corrected(found, level))
    return IndependenceTests(tests=tests, untested=tuple(untested), level=level, rows=columns.rows)


def _listed(
    statements: Iterable[Independence], nodes: Mapping[str, Node]
) -> tuple[list[Independence], list[tuple[Independence, str]]]:
    """The statements to be tested, in the order in which they share regressions; the others."""
    tests: list[Independence] = []
    others: list[tuple[Independence, str]] = []
    for each in statements:
        if len(tests) == INDEPENDENCES:
            raise DataError(
                f"test: the graph implies more than {INDEPENDENCES:,} independences;"
                " implied_independences(graph, most=1) has one for each pair"
            )
        names = (each.x, each.y, *sorted(each.given))
        wide = [n for n in names if n in nodes and not nodes[n].type.scalar and nodes[n].type.word]
        if wide:
            others.append((each, f"'{wide[0]}' is {nodes[wide[0]].type.predicate}"))
        else:
            tests.append(each)
    return sorted(tests, key=lambda each: sorted(each.given)), others


def _corrected(
    found: Sequence[tuple[Independence, Finding]], level: float
) -> Iterator[IndependenceTest]:
    """The tests by p-value, with Holm's correction."""
    least, count = 0.0, len(found)
    for place, (statement, each) in enumerate(sorted(found, key=lambda pair: pair[1].p)):
        least = max(least, min(1.0, (count - place) * each.p))
        yield IndependenceTest(
            independence=statement,
            p=each.p,
            adjusted=least,
            strength=each.strength,
            rows=each.rows,
            method=each.method,
            contradicted=least <= level,
        )
