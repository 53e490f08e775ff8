"""Named: the quantities that have names, as text.

    TE(x -> y)                  total effect             CDE(x -> y; m=1)       controlled direct
    ETT(x -> y)                 on the treated           NDE(x -> y; m)         natural direct
    PN(x -> y)                  necessity                NIE(x -> y; m)         natural indirect
    PS(x -> y)                  sufficiency              PSE(x -> y; x -> m -> y)  path-specific
    PNS(x -> y)                 both                     Ctf-DE(x -> y; m | x=0)   on those with x=0
                                                         Ctf-IE(x -> y; m | x=0)

Mediators that are not named are all nodes between x and y. ``x=drug/none`` compares other levels
than 1 and 0 (treated first), ``y=dead/alive`` says what occurs and what fails in PN, PS and PNS.
`causalflow.query.contrast` has their formulas; this module writes the text out in full, which is
then read like any other question.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from causalflow.errors import QueryError, one_of
from causalflow.graph.admg import ADMG
from causalflow.query.contrast import Contrast
from causalflow.query.query import NAME, WORD, Query, Value

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["NAMED", "written_out"]

NAMED = ("TE", "ETT", "PN", "PS", "PNS", "CDE", "NDE", "NIE", "PSE", "Ctf-DE", "Ctf-IE", "Ctf-SE")

_LEVEL = WORD.replace("=", "=/;>")
_HEAD = re.compile(r"\s*([A-Za-z]+(?:-[A-Za-z]+)?)\s*\((.*)\)\s*", re.DOTALL)
_SIDE = re.compile(rf"({NAME})(?:\s*=\s*({_LEVEL})\s*/\s*({_LEVEL}))?")
_SETTING = re.compile(rf"({NAME})\s*=\s*({_LEVEL})")


def written_out(text: str, graph: Graph | ADMG | None = None) -> str:
    """A named quantity as the question it is; any other text as it is.

    Args:
        text: such as ``"NDE(x -> y)"``.
        graph: where mediators are looked up, if none are named, and the edges of a path.

    Raises:
        QueryError: it begins as a named quantity and does not go on as one.

    Example:
        >>> chain = ADMG(("x", "m", "y"), frozenset({("x", "m"), ("m", "y"), ("x", "y")}))
        >>> written_out("NDE(x -> y)", chain)
        'E[y[x=1, m[x=0]] - y[x=0]]'
        >>> written_out("PN(x=drug/none -> y=dead/alive)")
        'P(y[x=none]=alive | x=drug, y=dead)'
        >>> written_out("P(y | do(x))")
        'P(y | do(x))'
    """
    found = _HEAD.fullmatch(text) if isinstance(text, str) else None
    if found is None or found[1] in ("P", "E"):
        return text
    if found[1] not in NAMED:
        expected = one_of(found[1], ["P", *NAMED])
        raise QueryError(f"query: unknown quantity '{found[1]}'; {expected}", text, 0)
    admg = graph if graph is None or isinstance(graph, ADMG) else graph.admg
    return str(_Named(text, found[1], found[2], admg).query())


class _Named:
    """A named quantity cut into its parts: sides; details | whom."""

    def __init__(self, text: str, name: str, inside: str, admg: ADMG | None) -> None:
        self.text, self.name, self.admg = text, name, admg
        inside, _, self.whom = inside.partition("|")
        sides, _, self.details = inside.partition(";")
        cause, _, effect = sides.partition("->")
        one, other = _SIDE.fullmatch(cause.strip()), _SIDE.fullmatch(effect.strip())
        if one is None or other is None:
            self.fail(f"expected {name}(treatment -> outcome)")
        self.contrast = Contrast(
            treatment=one[1], outcome=other[1], treated=_level(one[2], 1), control=_level(one[3], 0)
        )
        self.occurs, self.fails = _level(other[2], 1), _level(other[3], 0)
        for end in (one[1], other[1]):
            self.check(end)

    def fail(self, message: str) -> NoReturn:
        raise QueryError(f"query: {message}", self.text, self.text.index(self.name))

    def check(self, name: str) -> None:
        if self.admg is not None and name not in self.admg.nodes:
            self.fail(f"unknown node '{name}'; {one_of(name, self.admg.nodes)}")

    def query(self) -> Query:
        """The question."""
        match self.name:
            case "TE" | "ETT" | "PN" | "PS" | "PNS" | "Ctf-SE":
                return self.plain()
            case "CDE":
                return self.contrast.controlled_direct(self.held())
            case "PSE":
                return self.along_paths()
            case "NDE" | "Ctf-DE":
                return self.contrast.natural_direct(self.mediators(), self.given())
            case _:
                return self.contrast.natural_indirect(self.mediators(), self.given())

    def plain(self) -> Query:
        if self.details.strip() or self.whom.strip():
            self.fail(f"{self.name} takes a treatment and an outcome only")
        match self.name:
            case "TE":
                return self.contrast.total()
            case "ETT":
                return self.contrast.on_the_treated()
            case "PN":
                return self.contrast.necessity(self.occurs, self.fails)
            case "PS":
                return self.contrast.sufficiency(self.occurs, self.fails)
            case "PNS":
                return self.contrast.necessity_and_sufficiency(self.occurs, self.fails)
            case _:
                one, other = self.contrast.spurious()
                self.fail(f"Ctf-SE is the difference of two questions, {one} and {other}")

    def held(self) -> dict[str, Value]:
        """The mediators of a controlled effect, with their values."""
        found = [_SETTING.fullmatch(each.strip()) for each in self.details.split(",")]
        held = {each[1]: _level(each[2], 0) for each in found if each is not None}
        if len(held) < len(found) or self.whom.strip():
            self.fail("expected CDE(treatment -> outcome; mediator=level, ...)")
        return held

    def mediators(self) -> list[str]:
        """Those named; else all nodes between treatment and outcome."""
        if named := [each.strip() for each in self.details.split(",") if each.strip()]:
            for each in named:
                self.check(each)
            return named
        if self.admg is None:
            self.fail(f"name the mediators: {self.name}(treatment -> outcome; mediator)")
        ends = {self.contrast.treatment, self.contrast.outcome}
        after = self.admg.descendants(self.contrast.treatment)
        between = (after & self.admg.ancestors(self.contrast.outcome)) - ends
        if not between:
            self.fail(
                f"no node lies between '{self.contrast.treatment}' and"
                f" '{self.contrast.outcome}'; expected a mediator"
            )
        return [*self.admg.ordered(between)]

    def given(self) -> Value | None:
        """The treatment's level in those whom the effect is about."""
        if not self.whom.strip():
            return self.contrast.control if self.name.startswith("Ctf") else None
        found = _SETTING.fullmatch(self.whom.strip())
        if found is None or found[1] != self.contrast.treatment:
            self.fail(f"expected '| {self.contrast.treatment}=level'")
        return _level(found[2], 0)

    def along_paths(self) -> Query:
        if self.admg is None:
            self.fail("a path-specific effect needs the graph")
        paths = [[node.strip() for node in path.split("->")] for path in self.details.split(",")]
        if any(len(path) < 2 for path in paths) or self.whom.strip():
            self.fail("expected PSE(treatment -> outcome; treatment -> mediator -> outcome, ...)")
        for node in (node for path in paths for node in path):
            self.check(node)
        edges = [pair for path in paths for pair in pairwise(path)]
        return self.contrast.path_specific(self.admg, edges)


def _level(text: str | None, default: int) -> Value:
    """A level as the query language reads it: a whole number, or a name."""
    if text is None:
        return default
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else text
