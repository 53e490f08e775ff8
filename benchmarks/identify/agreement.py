"""Agreement: what each contestant says of a case, and who is right, by numbers.

Every formula is evaluated on P(v) of random models with latents and held against the truth of
these models by enumeration; every refusal of ours is a hedge, checked by definition. Oracles and
truth are those of the tests, which share no code with identification.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

import numpy as np

from benchmarks.identify.cases import oracles
from benchmarks.identify.peers import CONTESTANTS, Case, Contestant, Unable
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.symbolic.evaluate import evaluate
from causalflow.symbolic.expression import Expression

EXACT = 1e-9
MODELS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one contestant says of one case.

    Attributes:
        case: the graph's name.
        edges: the graph.
        query: the question.
        contestant: who.
        said: "yes", "no", "crash" or "not asked" (it has no such question).
        error: largest distance of its formula from the truth over models, if it gives one.
        ours: whether causalflow says yes.
        note: the exception's type and message, or our hedge.
    """

    case: str
    edges: str
    query: str
    contestant: str
    said: str
    error: float | None
    ours: bool
    note: str = ""

    @property
    def differs(self) -> bool:
        """Whether it crashes, gives the other verdict or a wrong formula."""
        if self.said == "not asked":
            return False
        wrong = self.error is not None and not self.error < EXACT
        return wrong or self.said != ("yes" if self.ours else "no")

    def explanation(self, own: Finding) -> str:
        """Who is right, by numbers."""
        truth = (
            f"causalflow's formula equals the truth to {own.error:.0e}"
            if own.ours
            else f"not identifiable: {own.note}"
        )
        if self.said == "crash":
            return f"it raises {self.note}; {truth}"
        if self.error is not None and not self.error < EXACT:
            return f"its formula is off by {self.error:.3g}; {truth}"
        return f"it says {self.said}; {truth}"


def compare(cases: Iterable[Case], seed: int = 0) -> Iterator[dict[str, Finding]]:
    """For each case, contestant -> finding, ours first."""
    oracles()
    from finite_models import latent_model  # type: ignore[import-not-found]

    generator = np.random.default_rng(seed)
    for case in cases:
        arcs = [frozenset(pair) for pair in case.bidirected]
        models = [latent_model(generator, case.nodes, case.directed, arcs) for _ in range(MODELS)]
        ours = False
        found = {}
        for name, contestant in CONTESTANTS.items():
            finding = _finding(case, name, contestant, models, ours)
            ours = finding.ours
            found[name] = finding
        yield found


def _finding(case: Case, name: str, contestant: Contestant, models: Any, ours: bool) -> Finding:
    said, error, note = "not asked", None, ""
    try:
        with redirect_stdout(StringIO()):
            answer = contestant.answer(contestant.prepare(case), case)
            verdict, formula = contestant.verdict(answer), contestant.formula(answer)
    except Unable:
        pass
    except Exception as problem:
        said, note = "crash", f"{type(problem).__name__}: {str(problem).splitlines()[0][:80]}"
    else:
        said = "yes" if verdict else "no"
        error = None if formula is None else _error(formula, case, models)
        if name == "causalflow":
            ours, note = verdict, "" if verdict else _checked_hedge(case, answer)
    edges = ", ".join(case.edges)
    return Finding(
        case=case.name,
        edges=edges,
        query=case.query,
        contestant=name,
        said=said,
        error=error,
        ours=ours,
        note=note,
    )


def _error(formula: Expression, case: Case, models: Any) -> float:
    """Largest distance between a formula and the truth; a formula may be constant in a variable."""
    sides = (case.outcomes, case.treatments, case.conditions)
    axes = [*case.outcomes, *case.conditions, *case.treatments]
    gaps = []
    for model in models:
        table = evaluate(formula, Table(model.names, model.joint()))
        table = table.at({axis: 0 for axis in table.axes if axis not in axes})
        present = [axis for axis in axes if axis in table.axes]
        missing = [place for place, axis in enumerate(axes) if axis not in table.axes]
        values = np.expand_dims(table.to_numpy(present), missing)
        gaps.append(np.abs(values - model.truth(*sides)).max())
    return float(max(gaps))


def _checked_hedge(case: Case, verdict: Any) -> str:
    from two_models import is_hedge  # type: ignore[import-not-found]

    hedge = verdict.hedge
    admg = Graph(nodes=list(case.nodes), edges=case.edges).admg
    if not is_hedge(admg, hedge):
        raise AssertionError(f"{case.query} on {case.edges}: {hedge} is no hedge")
    forest, inner = (", ".join(sorted(names)) for names in (hedge.forest, hedge.inner))
    return f"hedge {{{forest}}} over {{{inner}}}, checked by definition"


def summary(results: Iterable[dict[str, Finding]]) -> list[dict[str, Any]]:
    """A row for each contestant: how often it was asked, crashed, differed, was wrong."""
    results = [*results]
    rows = []
    for name in CONTESTANTS:
        found = [each[name] for each in results]
        asked = [each for each in found if each.said != "not asked"]
        crashed = [each for each in asked if each.said == "crash"]
        formulas = [each.error for each in asked if each.error is not None]
        answered = [each for each in asked if each.said != "crash"]
        rows.append(
            {
                "contestant": name,
                "asked": len(asked),
                "crashes": len(crashed),
                "other verdict": sum((e.said == "yes") != e.ours for e in answered),
                "formulas": len(formulas),
                "wrong formulas": sum(not error < EXACT for error in formulas),
            }
        )
    return rows


def disagreements(results: Iterable[dict[str, Finding]]) -> list[dict[str, Any]]:
    """Every finding that differs, with the reason."""
    return [
        {**asdict(finding), "explanation": finding.explanation(each["causalflow"])}
        for each in results
        for finding in each.values()
        if finding.differs
    ]
