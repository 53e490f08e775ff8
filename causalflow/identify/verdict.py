"""Verdict: the answer to "can this be known from these data?", with its reasons.

Either a formula (the estimand) and its derivation; or the witness that there is none: a hedge for a
question about one world, a factor of the counterfactual for several, two models that agree on the
data; or neither, and whether the data tell the answer is unknown. `Verdict.evaluate` turns data
into the answer's table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.design.formulas import ShortAnswer, short_answers
from causalflow.display import html_of
from causalflow.effects.ask import Ask
from causalflow.errors import DataError, QueryError
from causalflow.estimate.plug_in import Answers, Estimate, unsettled
from causalflow.factors.contraction import with_mass_one
from causalflow.factors.table import Table, with_declared_levels
from causalflow.graph.node import Level, levels_of
from causalflow.identify.hedge import Hedge
from causalflow.proof.proof import Proof, Step
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.distributions import POSITIVITY
from causalflow.query.parse import parse_distribution
from causalflow.symbolic.evaluate import Data, evaluate
from causalflow.symbolic.expression import ZERO, Expression, Index, conditions
from causalflow.symbolic.latex import latex_words
from causalflow.symbolic.parts import variables
from causalflow.symbolic.question import question
from causalflow.symbolic.render import formula, to_text
from causalflow.symbolic.style import LATEX, MATHML, pieces
from causalflow.values.dataframe import Tabular, columns_of

if TYPE_CHECKING:
    from causalflow.effects.effect import Effect
    from causalflow.graph.graph import Graph

__all__ = ["Verdict", "positivity"]

BOUNDS = (
    "every variable is finite: bounds(graph, query, table) tells how far data narrow the answer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a graph and a kind of data say about a query; true when it is identifiable.

    Attributes:
        query: the question.
        identifiable: whether every model of the graph with the same data gives the same answer;
            None: unknown, as no formula was found and nothing proves that there is none.
        estimand: the answer as a formula of the data, if there is one.
        data: the distributions that are known, such as ``("P(v)", "P(v | do(z))")``.
        hedge: why not, for a question about one world.
        witness: why not, in general: a hedge for each source of data, a factor of the
            counterfactual that no data tell, or two models with the same data.
        note: why it is unknown; or for which numbers of levels it holds, if not for all.
        derivation: the steps that lead to the estimand or the witness.
        assumptions: what must be true for the verdict to hold.
        warnings: where the assumptions fail by the graph's own equations
            (`causalflow.identify.positivity`).
        indices: the estimand's index for each of the query's free variables; by default the
            variable's own.
        graph: the algebra of the graph that the question was put to.
        declared: the graph itself, if it was more than its algebra.
        prove: makes the proof, when it is asked for.
    """

    query: AnyQuery
    identifiable: bool | None
    estimand: Expression | None = None
    data: tuple[str, ...] = ("P(v)",)
    hedge: Hedge | None = None
    witness: tuple[object, ...] = ()
    note: str = ""
    derivation: tuple[Step, ...] = ()
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    indices: tuple[Index, ...] | None = None
    graph: ADMG | None = field(default=None, compare=False, repr=False)
    declared: Graph | None = field(default=None, compare=False, repr=False)
    prove: Callable[[], Proof] | None = field(default=None, compare=False, repr=False)

    def __bool__(self) -> bool:
        return self.identifiable is True

    @property
    def is_impossible(self) -> bool:
        """Whether the question is about an event that cannot be: its probability is 0."""
        return self.estimand == ZERO

    @property
    def nearest_hedge(self) -> Hedge | None:
        """A hedge that forbids the answer, of the question itself or of a factor of it."""
        if self.hedge is not None:
            return self.hedge
        factors = (getattr(each, "hedges", ()) for each in self.witness)
        return next((hedge for hedges in factors for hedge in hedges), None)

    @property
    def levels(self) -> Mapping[str, tuple[Level, ...]]:
        """The declared levels of each variable that has finitely many."""
        nodes = {} if self.declared is None else self.declared.nodes
        return levels_of(nodes)

    @property
    def proof(self) -> Proof:
        """The answer by rules 1-3 of the do-calculus, made when asked for; false if there is none.

        Example:
            >>> from causalflow.graph.graph import Graph
            >>> from causalflow.identify.identify import identify
            >>> graph = Graph(edges=["z -> x -> y", "z -> y"])
            >>> for line in identify(graph, "P(y | do(x))").proof.lines:
            ...     print(f"{line.reason}: {line.formula}")
            sum over z: sum_z P(y, z | do(x))
            chain rule: sum_z P(y | do(x), z) P(z | do(x))
            rule 3: sum_z P(y | do(x), z) P(z)
            rule 2: sum_z P(y | x, z) P(z)
        """
        if self.estimand is None:
            return Proof(question=str(self.query), missing=f"{self.said} from {self._known}")
        if self.prove is None:
            reason = "the question is about several worlds; its derivation shows the steps"
            return Proof(question=str(self.query), missing=reason)
        return self.prove()

    @property
    def short_answers(self) -> tuple[ShortAnswer, ...]:
        """Answers from P(v) that textbooks have a name for, fewest variables first; a few of each.

        Example:
            >>> from causalflow.graph.graph import Graph
            >>> from causalflow.identify.identify import identify
            >>> graph = Graph(edges=["z -> x -> y", "z -> y"])
            >>> print(*identify(graph, "P(y | do(x))").short_answers, sep="; ")
            back door {z}: sum_z P(y | x, z) P(z)
        """
        if self.graph is None or "P(v)" not in self.data or isinstance(self.query, Combination):
            return ()
        if self.query.policies:
            return ()
        found = short_answers(self.graph, self.query)
        return tuple(each for each in found if each.estimand is not None or not self.identifiable)

    @property
    def axes(self) -> Mapping[str, str]:
        """The estimand's free indices as text -> the axes of the answer."""
        pairs = zip(self._indices, self.query.free_variables, strict=True)
        return {str(index): axis for index, axis in pairs}

    @property
    def _indices(self) -> tuple[Index, ...]:
        return self.indices or tuple(map(Index, self.query.free_variables))

    @property
    def constant_in(self) -> tuple[str, ...]:
        """Variables that the estimand mentions and does not depend on, if the graph is true.

        Example: the napkin's first variable. A formula may be evaluated at any value of theirs.
        """
        if self.estimand is None:
            return ()
        return tuple(sorted({str(index) for index in self.estimand.free} - self.axes.keys()))

    def evaluate(self, data: Data) -> Table:
        """The answer: a table over the query's free variables, in their order.

        Where the estimand is constant in a variable, the variable's most frequent level is taken. A
        variable of the query that is in no table has its declared levels, else 0 and 1. In a mean
        levels that are names count as their positions, as declared, else in the table.

        Args:
            data: the table of P(v), or a table for each distribution:
                ``{"P(v)": ..., "P(v | do(z))": ...}``, z among its axes.

        Raises:
            QueryError: the query is not identifiable.
            DataError: the data lack a variable that the estimand needs; or P(v) has no mass where
                the estimand conditions, and the answer depends on it.
        """
        if self.estimand is None:
            raise QueryError(f"evaluate: {self.query} is {self.said} from {self._known}")
        data = self._read(data)
        self._check_support(data)
        table = evaluate(self.estimand, data)
        tables = tuple(data.values())
        extra = [axis for axis in table.axes if axis not in self.axes]
        table = table.at({axis: _most_frequent(axis, tables) for axis in extra})
        for index, axis in self.axes.items():
            if index not in table.axes:
                name = index.rstrip("'")
                levels = self.levels.get(axis) or _levels(name, tables)
                table = table.product(_ones(index, levels))
        renamed = table.rename({old: new for old, new in self.axes.items() if old != new})
        return renamed.transpose(self.query.free_variables)

    def _check_support(self, data: Mapping[str, Table]) -> None:
        """Refuse P(v) whose zeros leave the answer open."""
        joint = data.get("P(v)")
        if joint is None or len(data) > 1 or self.estimand is None or joint.values.all():
            return
        names = {index.name for index in self._indices} | variables(self.estimand)
        if not names <= set(joint.axes):
            return
        answers = Answers.of(self._indices, self.query.free_variables, self.constant_in, joint)
        if zeros := unsettled(self.estimand, joint.to_float(), answers):
            raise DataError(
                f"evaluate: {zeros[0]}, and {self.query} depends on it there;"
                " bounds(graph, query, table) tells how far the table narrows it"
            )

    def _read(self, data: Data) -> dict[str, Table]:
        """The tables with the levels that are declared, each distribution with sum one."""
        named = {"P(v)": data} if isinstance(data, Table) else data
        found = {}
        for text, table in named.items():
            query = parse_distribution(text)
            known = {each.variable for each in query.do} | {each.name for each in query.conditions}
            given = tuple(axis for axis in table.axes if axis in known)
            levels = with_declared_levels(table, self.levels, DataError)
            found[text] = with_mass_one(levels, given, f"evaluate: {text}")
        return found

    def estimate(
        self,
        rows: Tabular,
        *,
        levels: Mapping[str, Sequence[Level]] | None = None,
        method: str = "auto",
        learners: object = "auto",
        folds: int = 5,
        at: Mapping[str, Sequence[float]] | None = None,
        resamples: int = 400,
        confidence: float = 0.95,
        generator: np.random.Generator | int | None = None,
    ) -> Estimate | Effect:
        """The answer from rows, with its sampling error.

        Where every column that the formula needs is finite, rows are counted (`Estimate`): where it
        conditions on a stratum without rows, the answer is an interval that names it. Where one is
        a number, learners that have not seen a row predict it (`Effect`). Rows with a gap in a
        column that is needed are left out, with a warning.

        Args:
            rows: variable -> its value in each row; a data frame of any library, or a mapping.
            levels: variable -> its levels; by default as the graph declares, else those that occur.
            method: "plug in", which counts; a name of `causalflow.effects.estimation.PLANNERS`;
                "auto": it is counted where it can be, else the first that answers is taken.
            learners: "auto", names of `causalflow.effects.nuisance.learners.LEARNERS`, or
                estimators of scikit-learn's form, of which the best by cross-validated loss is
                taken; or a mapping of "outcome", "treatment" and "effect" (given conditions) to
                such.
            folds: how many parts the rows are cut into for learners.
            at: variable -> the values at which a free number is wanted.
            resamples: how many laws are drawn for the sampling error of what is counted.
            confidence: the share of samples whose intervals hold the truth.
            generator: draws, and shuffles the rows: numpy's, or a seed, by default 0.

        Raises:
            QueryError: the query is not identifiable, or no method answers it.
            DataError: a column that the estimand needs is missing or has a value that is no level;
                the estimand needs an experiment; or the mean of names whose order nobody has
                declared.
        """
        from causalflow.effects.estimation import estimate_of

        ask = Ask(
            query=self.query,
            graph=self.graph,
            estimand=self.estimand,
            indices=self._indices,
            constant_in=self.constant_in,
            nodes={} if self.declared is None else self.declared.nodes,
            assumptions=self.assumptions,
            refusal=f"{self.query} is {self.said} from {self._known}",
        )
        return estimate_of(
            ask,
            columns_of(rows, "estimate"),
            levels=levels or {},
            method=method,
            learners=learners,
            folds=folds,
            at=at or {},
            resamples=resamples,
            confidence=confidence,
            generator=generator,
        )

    def text(self, *, explain: bool = False, proof: bool = False) -> str:
        """The verdict as text.

        Args:
            explain: add the derivation, the assumptions, and the short answers.
            proof: add the do-calculus proof.
        """
        return "\n".join(
            [
                *self._lines(),
                *(self._explanation() if explain else []),
                *(self._proof_lines() if proof else []),
            ]
        )

    def latex(self) -> str:
        """The query and its estimand, or the statement that there is none."""
        query = question(self.query, LATEX)
        if self.estimand is None:
            return rf"{query} \quad \text{{{self.said} from {latex_words(self._known)}}}"
        return LATEX.both(query, formula(self.estimand, LATEX))

    def mathml(self) -> str:
        """The query and its estimand if there is one: an element ``<math>`` for each factor.

        Example:
            >>> from causalflow.graph.graph import Graph
            >>> from causalflow.identify.identify import identify
            >>> identify(Graph(edges=["x -> y", "x <-> y"]), "P(y)").mathml().count("<math")
            2
        """
        asked = question(self.query, MATHML)
        if self.estimand is not None:
            asked = MATHML.both(asked, formula(self.estimand, MATHML))
        return " ".join(pieces(asked))

    def derivation_latex(self) -> str:
        """The derivation as a numbered list."""
        items = "\n".join(rf"  \item {step.latex()}" for step in self.derivation)
        return f"\\begin{{enumerate}}\n{items}\n\\end{{enumerate}}"

    def _repr_html_(self) -> str:
        return html_of(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Verdict({self.text()!r})"

    @property
    def _known(self) -> str:
        return ", ".join(self.data)

    @property
    def said(self) -> str:
        """What the verdict is in words, where there is no estimand."""
        return "not identifiable" if self.identifiable is False else "not known to be identifiable"

    def _lines(self) -> list[str]:
        if self.estimand is None:
            reasons = [*(self.witness or filter(None, [self.hedge])), *filter(None, [self.note])]
            start = f"{self.query} is {self.said} from {self._known}"
            is_finite = self.declared is not None and len(self.levels) == len(self.declared.nodes)
            advice = [f"  {BOUNDS}"] if is_finite and not self.query.policies else []
            shown = (*reasons, *(f"warning: {each}" for each in self.warnings))
            return [start, *(f"  {each}" for each in shown), *advice]
        lines = [f"{self.query} = {to_text(self.estimand)}"]
        if self.constant_in:
            lines.append(f"  (the same for every value of {', '.join(self.constant_in)})")
        lines += [f"  ({self.note})"] if self.note else []
        return [*lines, *(f"  warning: {each}" for each in self.warnings)]

    def _explanation(self) -> Iterator[str]:
        yield from (f"  {number}. {step}" for number, step in enumerate(self.derivation, 1))
        yield from (f"  Assumes: {each}" for each in self.assumptions)
        yield from (f"  Also: {each}" for each in self.short_answers)

    def _proof_lines(self) -> Iterator[str]:
        proof = self.proof
        yield f"Proof: {proof}" if proof else str(proof)
        if proof and proof.formula != self.estimand:
            yield "  (the last line is another form of the estimand)"


def positivity(estimand: Expression | None) -> tuple[str, ...]:
    """What an estimand assumes of P(v), if there is one and it conditions on something."""
    return (POSITIVITY,) if estimand is not None and conditions(estimand) else ()


def _levels(name: str, tables: tuple[Table, ...]) -> tuple[Level, ...]:
    """The levels that the data have; 0 and 1 for a variable of which nothing is known."""
    return next((table.levels[name] for table in tables if name in table.axes), (0, 1))


def _ones(axis: str, levels: tuple[Level, ...]) -> Table:
    """The function that is 1 at every level."""
    return Table.from_dict([axis], dict.fromkeys(levels, 1), {axis: levels})


def _most_frequent(axis: str, tables: tuple[Table, ...]) -> Level:
    """The likeliest level of a variable in the first table that has it."""
    name = axis.rstrip("'")
    counts = next(table.marginal(name) for table in tables if name in table.axes)
    return counts.levels[name][int(counts.to_numpy().argmax())]
