"""Know: what follows from the graph alone, as one types and clicks.

    know   {text, roles, query, data} -> the verdict with its formula, its steps one by one, the
           file's own questions, and what textbooks read off the graph: adjustment sets,
           instruments, front doors, independences, and the paths from treatments to
           outcomes, open or blocked; and of which effect, where the question is about more

Whatever is said of the graph is the engine's own sentence. Lists are cut at `MOST`, and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, TypeVar

from causalflow.app.asked import Asked, asked_of, hidden_in, own_questions
from causalflow.app.handler import Handler, Session
from causalflow.design.adjustment import adjustment_formula, adjustment_sets, is_adjustment_set
from causalflow.design.front_door import front_door_sets
from causalflow.design.independences import implied_independences
from causalflow.design.instruments import Instrument, instruments
from causalflow.design.paths import GraphPath, paths
from causalflow.errors import CausalflowError
from causalflow.graph.compilable import untyped
from causalflow.graph.graph import Graph
from causalflow.identify.hedge import Hedge
from causalflow.identify.identify import identify
from causalflow.identify.verdict import Verdict
from causalflow.names import quoted_unless_word
from causalflow.proof.proof import Line, Step
from causalflow.query.query import Kind, Query
from causalflow.symbolic.question import question
from causalflow.symbolic.render import formula, to_mathml
from causalflow.symbolic.style import MATHML, pieces

__all__ = ["HANDLERS", "MOST"]

MOST = 24
"""Sets, statements or paths of one kind that are listed."""
INSTRUMENT_NODES = 60
"""Variables among which instruments are looked for: a second; of a hundred it takes ten."""
SETS_A_PAIR = 2
"""Separating sets of each pair of nodes that are independent."""

_SHOWN = ("treatments", "outcomes", "given", "adjusted")
Found = TypeVar("Found")
Reply = dict[str, Any]


def know(request: Mapping[str, Any], session: Session) -> Reply:
    """The verdict on the question that roles or a query put, and what the graph implies."""
    asked = asked_of(request, session)
    roles = {role: list(getattr(asked, role)) for role in _SHOWN}
    judged = _judged(asked, request.get("data") or "observational")
    own = own_questions(asked.graph, hidden_in(request))
    return {"roles": roles, "queries": own, **judged, **_design(asked)}


def _judged(asked: Asked, data: Any) -> Reply:
    """The verdict; of no question nothing."""
    if asked.query is None:
        return {"question": None, "identifiable": None, "badge": "none", "steps": [], "proof": []}
    verdict = identify(asked.seen, asked.query, data)
    hedge = verdict.nearest_hedge
    return {
        "question": str(verdict.query),
        "identifiable": verdict.identifiable,
        "badge": _BADGES[verdict.identifiable],
        "said": "identifiable" if verdict else verdict.said,
        "data": list(verdict.data),
        "mathml": verdict.mathml(),
        "latex": verdict.latex(),
        "plain": verdict.text(),
        "python": _python(asked, verdict, data),
        "reasons": list(map(str, verdict.witness or filter(None, [verdict.hedge]))),
        "notes": _notes(verdict),
        "warnings": list(verdict.warnings),
        "assumptions": list(verdict.assumptions),
        "short": [str(each) for each in verdict.short_answers],
        "hedge": None if hedge is None else _hedge(hedge),
        "steps": [_step(each) for each in verdict.derivation],
        "proof": _proof(verdict),
    }


_BADGES = {True: "identified", False: "not identified", None: "unknown"}


def _notes(verdict: Verdict) -> list[str]:
    same = ", ".join(verdict.constant_in)
    return [
        *([f"the same for every value of {same}"] if same else []),
        *filter(None, [verdict.note]),
    ]


def _hedge(hedge: Hedge) -> Reply:
    return {
        "forest": sorted(hedge.forest),
        "inner": sorted(hedge.inner),
        "roots": sorted(hedge.roots),
        "edges": sorted(map(list, hedge.edges)),
    }


def _step(step: Step) -> Reply:
    """A line of the algorithm; in its drawing the variables that it speaks of."""
    parts = [part if isinstance(part, tuple) else (part,) for part in step.sets]
    names = [each for part in parts for each in part if isinstance(each, frozenset)]
    named = frozenset().union(*names)
    equation = step.equation(MATHML)
    return {
        "rule": step.rule,
        "text": step.because,
        "mathml": " ".join(pieces(equation)) if equation else "",
        "graph": {"removed_in": [], "removed_out": [], "nodes": sorted(named)},
    }


def _proof(verdict: Verdict) -> list[Reply]:
    """The lines of the proof by the do-calculus, the question first; none where there is none."""
    proof = verdict.proof
    if not proof:
        return []
    start = " ".join(pieces(question(verdict.query, MATHML)))
    nothing: Reply = {"removed_in": [], "removed_out": [], "nodes": []}
    first = {"rule": "question", "text": "", "mathml": start, "graph": nothing}
    return [first, *map(_line, proof.lines)]


def _line(line: Line) -> Reply:
    """A line; its drawing is the graph in which the separation holds that it rests on."""
    uses = line.uses
    into, out_of = (frozenset().union(*sides) for sides in _cuts(uses))
    moved = frozenset().union(*(use.moved | use.before.outcomes for use in uses))
    return {
        "rule": line.reason,
        "text": "; ".join(str(use).split(", as ", 1)[1] for use in uses),
        "mathml": " ".join(pieces(f"<mo>=</mo>{formula(line.formula, MATHML)}")),
        "graph": {
            "removed_in": sorted(into),
            "removed_out": sorted(out_of),
            "nodes": sorted(moved),
        },
    }


def _cuts(uses: Sequence[Any]) -> tuple[list[frozenset[str]], list[frozenset[str]]]:
    return [use.into for use in uses], [use.out_of for use in uses]


def _python(asked: Asked, verdict: Verdict, data: Any) -> str:
    """Lines that give the same verdict."""
    known = "" if data == "observational" else f", {data!r}"
    lines = ["import causalflow as cf", "", f"graph = {_made(asked)}"]
    lines.append(f"verdict = cf.identify(graph, {str(verdict.query)!r}{known})")
    return "\n".join([*lines, "print(verdict.text(explain=True))", ""])


def _made(asked: Asked) -> str:
    """What makes the graph: of typed nodes its file, as it is saved from the page."""
    if isinstance(asked.seen, Graph) and len(untyped(asked.seen)) < len(asked.seen.nodes):
        return f"cf.load({asked.file!r})"
    nodes, edges = list(asked.admg.nodes), list(asked.admg.edge_strings())
    return f"cf.Graph(\n    nodes={nodes!r},\n    edges={edges!r},\n)"


def _design(asked: Asked) -> Reply:
    """What textbooks read off the graph."""
    x, y, seen = asked.treatments, asked.outcomes, asked.seen
    implied = _listed(lambda: implied_independences(seen, most=SETS_A_PAIR), str)
    if not x or not y or set(x) & set(y):
        return {"independences": implied, "adjustment": None, "paths": None}
    return {
        "independences": implied,
        "effect": _effect(asked),
        "adjustment": _listed(lambda: adjustment_sets(seen, x, y), sorted),
        "adjusted": _adjusted(asked),
        "front_doors": _listed(lambda: front_door_sets(seen, x, y), sorted),
        "instruments": _instruments(asked),
        "paths": _listed(lambda: _paths(asked), _path),
    }


def _effect(asked: Asked) -> str:
    """The effect that sets are of, where the question is about more; else nothing."""
    query = asked.query
    if query is None or (isinstance(query, Query) and _is_effect(query, set(asked.treatments))):
        return ""
    names = [
        ", ".join(map(quoted_unless_word, each)) for each in (asked.outcomes, asked.treatments)
    ]
    return f"P({names[0]} | do({names[1]}))"


def _is_effect(query: Query, treatments: set[str]) -> bool:
    """Whether the question is about what the treatments do to all: its law, or its mean."""
    worlds = [{each.variable for each in term.subscript} for term in query.outcomes]
    if query.conditions:
        return False
    means = query.kind is Kind.EXPECTATION and all(world == treatments for world in worlds)
    return means or not any(worlds)


def _listed(find: Callable[[], Iterable[Found]], show: Callable[[Found], Any]) -> Reply:
    """The first of what is found, as they are shown, and what is said of the rest."""
    found: list[Any] = []
    more = ""
    try:
        for each in find():
            if len(found) == MOST:
                more = f"the first {MOST} are shown"
                break
            found.append(show(each))
    except CausalflowError as error:
        more = str(error)
    return {"found": found, "more": more}


def _adjusted(asked: Asked) -> Reply:
    """Whether the effect is what adjusting for the nodes that are held fixed gives."""
    x, y, z = asked.treatments, asked.outcomes, asked.adjusted
    if not is_adjustment_set(asked.seen, x, y, z):
        return {"names": list(z), "valid": False, "mathml": ""}
    shown = to_mathml(adjustment_formula(x, y, frozenset(z)))
    return {"names": list(z), "valid": True, "mathml": shown}


def _instruments(asked: Asked) -> Reply:
    """The instruments of one treatment and one outcome, where the graph is not too large."""
    x, y = asked.treatments, asked.outcomes
    if len(x) != 1 or len(y) != 1:
        return {"found": [], "more": "of one treatment and one outcome only"}
    if len(asked.admg.nodes) > INSTRUMENT_NODES:
        more = f"cf.instruments(graph, {x[0]!r}, {y[0]!r}) lists them in Python; here they are"
        return {"found": [], "more": f"{more} looked for among {INSTRUMENT_NODES} variables"}
    return _listed(lambda: instruments(asked.seen, x[0], y[0]), _instrument)


def _instrument(found: Instrument) -> Reply:
    return {"variable": found.variable, "given": sorted(found.given)}


def _paths(asked: Asked) -> Iterator[GraphPath]:
    """The paths of every pair, given what is known and what is adjusted for."""
    for one, other in product(asked.treatments, asked.outcomes):
        yield from paths(asked.seen, one, other, (*asked.given, *asked.adjusted))


def _path(found: GraphPath) -> Reply:
    return {
        "nodes": list(found.nodes),
        "marks": list(found.marks),
        "open": found.is_open,
        "causal": found.is_causal,
        "back_door": found.is_back_door,
        "text": str(found),
    }


HANDLERS: dict[str, Handler] = {"know": Handler(know)}
