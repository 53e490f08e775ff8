"""Named: the quantities that have names, as text.

    TE(x -> y)   ATE, ACE        E[y[x=1] - y[x=0]]             total effect
    CATE(x -> y | z=1)           the same | z=1                 on those with z=1
    ETT(x -> y)  ATT             the same | x=1                 on the treated
    ETU(x -> y)  ATU, ATC        the same | x=0                 on the untreated
    RD(x -> y)                   P(y[x=1]=1) - P(y[x=0]=1)      risk difference
    RR(x -> y)                   P(y[x=1]=1) / P(y[x=0]=1)      risk ratio
    PN(x -> y)                   P(y[x=0]=0 | x=1, y=1)         necessity
    PS(x -> y)                   P(y[x=1]=1 | x=0, y=0)         sufficiency
    PNS(x -> y)                  P(y[x=1]=1, y[x=0]=0)          both
    CDE(x -> y; m=1)             E[y[x=1, m=1] - y[x=0, m=1]]   controlled direct effect
    NDE(x -> y; m)               E[y[x=1, m[x=0]] - y[x=0]]     natural direct effect
    NIE(x -> y; m)               E[y[x=0, m[x=1]] - y[x=0]]     natural indirect effect
    PSE(x -> y; x -> m -> y)     as NDE, along these paths      path-specific effect
    Ctf-DE(x -> y; m | x=0)      the NDE | x=0                  on those with x=0
    Ctf-IE(x -> y; m | x=0)      the NIE | x=0
    Ctf-SE(x -> y)               E[y[x=0] | x=1] - E[y | x=0]   spurious effect

``x=drug/none`` compares other levels than 1 and 0 (treated first), ``y=dead/alive`` says what
occurs and what fails in PN, PS, PNS, RD and RR. Mediators that are not named are all nodes between
x and y. Behind the bar stands who is asked about, of any quantity, as in a probability. Names and
levels that are no words are quoted: ``TE(x='very yes'/no -> y)``. Case does not matter in a name.

`causalflow.query.contrast` has the formulas and their sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NoReturn, TypeAlias

from causalflow.admg.admg import ADMG
from causalflow.errors import QueryError, one_of
from causalflow.query.combination import AnyQuery
from causalflow.query.contrast import Contrast
from causalflow.query.query import BARE, QUOTED, Query, Term, Value, literal, unknown_node, unquoted
from causalflow.query.reader import Variables, resolve

__all__ = ["ALIASES", "FORMS", "Cursor", "named_question"]

_NAME = re.compile(rf"\s*({BARE}|{QUOTED})")
_LEVEL = re.compile(rf"\s*({QUOTED}|(?:(?!->|→)[^\s,|()\[\]='\"/;])+)")
_ARROW = re.compile(r"\s*(->|→)")
_NEXT = re.compile(r"\s*(\w+|->|\S)?")


class Cursor:
    """A place in a text.

    Args:
        text: the text as the user wrote it.
        at: where reading begins.
        form: what the whole should look like, for the errors.
        variables: the names allowed, with their types; None: those of ``admg``.
        admg: the graph's; None: any name.
    """

    def __init__(
        self, text: str, at: int, form: str, variables: Variables | None, admg: ADMG | None
    ) -> None:
        self.text, self.at, self.form = text, at, form
        self.variables, self.admg = variables, admg

    def fail(self, message: str, at: int) -> NoReturn:
        """Raise the error of that place."""
        raise QueryError(f"query: {message}", self.text, at)

    def wrong(self, expected: str) -> NoReturn:
        """What stands here is not what should."""
        found = _NEXT.match(self.text, self.at)
        word = found[1] if found else None
        at = found.start(1) if found and word else len(self.text)
        shown = repr(word[:40]) if word else "the end of the query"
        words = "; words of one level are quoted: 'two words'" if (word or "")[:1].isalpha() else ""
        self.fail(f"expected {expected}, as in {self.form}; found {shown}{words}", at)

    def taken(self, pattern: re.Pattern[str]) -> str | None:
        """The pattern's group, if it comes next."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[1]

    def mark(self, mark: str) -> bool:
        """Whether the mark comes next, which is then read."""
        return self.taken(re.compile(rf"\s*({re.escape(mark)})")) is not None

    def arrow(self) -> bool:
        """Whether an arrow comes next, which is then read."""
        return self.taken(_ARROW) is not None

    def variable(self) -> str:
        """A name that the graph has."""
        word = self.taken(_NAME)
        if word is None:
            self.wrong("the name of a variable")
        name, known = unquoted(word), None if self.variables is None else [*self.variables]
        if known is None and self.admg is not None:
            known = [*self.admg.nodes]
        if known is not None and name not in known:
            self.fail(unknown_node(name, known), self.at - len(word))
        return name

    def level(self, name: str) -> Value:
        """A level that the variable has."""
        word = self.taken(_LEVEL)
        if word is None:
            self.wrong(f"a level of '{name}'")
        value = literal(word)
        if self.variables is not None:
            try:
                resolve(name, self.variables[name], value)
            except QueryError as error:
                raise QueryError(error.message, self.text, self.at - len(word)) from None
        return value


FORMS = {
    "TE": "treatment -> outcome",
    "CATE": "treatment -> outcome | covariate=level",
    "ETT": "treatment -> outcome",
    "ETU": "treatment -> outcome",
    "RD": "treatment -> outcome",
    "RR": "treatment -> outcome",
    "PN": "treatment -> outcome",
    "PS": "treatment -> outcome",
    "PNS": "treatment -> outcome",
    "CDE": "treatment -> outcome; mediator=level, ...",
    "NDE": "treatment -> outcome; mediator, ...",
    "NIE": "treatment -> outcome; mediator, ...",
    "PSE": "treatment -> outcome; treatment -> mediator -> outcome, ...",
    "Ctf-DE": "treatment -> outcome; mediator, ... | treatment=level",
    "Ctf-IE": "treatment -> outcome; mediator, ... | treatment=level",
    "Ctf-SE": "treatment -> outcome",
}
ALIASES = {"ATE": "TE", "ACE": "TE", "ATT": "ETT", "ATU": "ETU", "ATC": "ETU"}

_HEAD = re.compile(r"\s*([A-Za-z]+(?:-[A-Za-z]+)?)\s*\(")

Entry: TypeAlias = list[tuple[str, Value | None]]


def named_question(
    text: str, variables: Variables | None = None, admg: ADMG | None = None
) -> AnyQuery | None:
    """The question that a named quantity is; None for a text that does not begin as one.

    Args:
        text: such as ``"NDE(x -> y)"``.
        variables: the names allowed, with their types; None: any.
        admg: where mediators are looked up, if none are named, and the edges of a path.

    Raises:
        QueryError: it begins as a named quantity and does not go on as one.

    Example:
        >>> chain = ADMG(("x", "m", "y"), frozenset({("x", "m"), ("m", "y"), ("x", "y")}))
        >>> print(named_question("NDE(x -> y)", admg=chain))
        E[y[x=1, m[x=0]] - y[x=0]]
        >>> print(named_question("PN(x='no drug'/drug -> y=dead/alive | age=2.5)"))
        P(y[x=drug]=alive | x='no drug', y=dead, age=2.5)
    """
    head = _HEAD.match(text)
    if head is None:
        return None
    names = {name.upper(): ALIASES.get(name, name) for name in (*FORMS, *ALIASES)}
    name = names.get(head[1].upper())
    if name is None:
        expected = one_of(head[1], ["P", "E", *FORMS, *ALIASES])
        raise QueryError(f"query: unknown quantity '{head[1]}'; {expected}", text, head.start(1))
    form = f"{head[1]}({FORMS[name]})"
    return _Quantity(name, head.start(1), Cursor(text, head.end(), form, variables, admg)).asked()


class _Quantity:
    """A named quantity cut into its parts: sides; details | whom."""

    def __init__(self, name: str, start: int, cursor: Cursor) -> None:
        self.name, self.start, self.cursor = name, start, cursor
        treatment, levels = self.side()
        if not cursor.arrow():
            cursor.wrong("'->'")
        outcome, self.events = self.side()
        treated, control = levels
        self.contrast = Contrast(
            treatment=treatment, outcome=outcome, treated=treated, control=control
        )
        self.details = self.listed(";")
        self.whom = tuple(self.condition(each) for each in self.listed("|"))
        if not cursor.mark(")") or cursor.text[cursor.at :].strip():
            cursor.wrong("')' and the end")

    def fail(self, message: str) -> NoReturn:
        self.cursor.fail(message, self.start)

    def wrong(self) -> NoReturn:
        self.fail(f"expected {self.cursor.form}")

    def side(self) -> tuple[str, tuple[Value, Value]]:
        """A name, and the two levels that are compared."""
        name = self.cursor.variable()
        if not self.cursor.mark("="):
            return name, (1, 0)
        one = self.cursor.level(name)
        if not self.cursor.mark("/"):
            self.cursor.wrong(f"'/' and the level compared with, {name}=one/other")
        return name, (one, self.cursor.level(name))

    def listed(self, opening: str) -> list[Entry]:
        """What stands behind a mark, between commas; there may be nothing."""
        if not self.cursor.mark(opening) or self.cursor.text[self.cursor.at :].lstrip()[:1] in "|)":
            return []
        found = [self.entry()]
        while self.cursor.mark(","):
            found.append(self.entry())
        return found

    def entry(self) -> Entry:
        """A name with its level, or a path of names."""
        name = self.cursor.variable()
        if self.cursor.mark("="):
            return [(name, self.cursor.level(name))]
        path: Entry = [(name, None)]
        while self.cursor.arrow():
            path.append((self.cursor.variable(), None))
        return path

    def condition(self, entry: Entry) -> Term:
        if len(entry) > 1:
            self.wrong()
        return Term(name=entry[0][0], value=entry[0][1])

    def asked(self) -> AnyQuery:
        """The question, about those whom the text names."""
        if self.name == "CATE" and not self.whom:
            self.wrong()
        level = self.given() if self.name in ("Ctf-DE", "Ctf-IE") else None
        found = self.question(level)
        whom = (each for each in self.whom if level is None or each.name != self.contrast.treatment)
        return found.given(tuple(whom))

    def question(self, level: Value | None) -> AnyQuery:
        contrast = self.contrast
        match self.name:
            case "CDE":
                return contrast.controlled_direct(self.held())
            case "PSE":
                return self.along_paths()
            case "NDE" | "Ctf-DE":
                return contrast.natural_direct(self.mediators(), level)
            case "NIE" | "Ctf-IE":
                return contrast.natural_indirect(self.mediators(), level)
        if self.details:
            self.fail(f"{self.name} takes a treatment and an outcome only")
        occurs, fails = self.events
        makers: dict[str, Callable[[], AnyQuery]] = {
            "TE": contrast.total,
            "CATE": contrast.total,
            "ETT": contrast.on_the_treated,
            "ETU": contrast.on_the_untreated,
            "RD": lambda: contrast.risk_difference(occurs),
            "RR": lambda: contrast.risk_ratio(occurs),
            "PN": lambda: contrast.necessity(occurs, fails),
            "PS": lambda: contrast.sufficiency(occurs, fails),
            "PNS": lambda: contrast.necessity_and_sufficiency(occurs, fails),
            "Ctf-SE": contrast.spurious_effect,
        }
        return makers[self.name]()

    def held(self) -> dict[str, Value]:
        """The mediators of a controlled effect, with their values."""
        held = {name: value for ((name, value), *_) in self.details if value is not None}
        if not held or len(held) < len(self.details):
            self.wrong()
        return held

    def mediators(self) -> list[str]:
        """Those named; else all nodes between treatment and outcome."""
        ends = [self.contrast.treatment, self.contrast.outcome]
        if self.details:
            if any(len(each) > 1 or each[0][1] is not None for each in self.details):
                self.wrong()
            return [name for ((name, _), *_) in self.details]
        admg = self.cursor.admg
        if admg is None:
            self.fail(f"name the mediators: {self.name}(treatment -> outcome; mediator)")
        between = (admg.descendants(ends[0]) & admg.ancestors(ends[1])).difference(ends)
        if not between:
            self.fail(f"no node lies between '{ends[0]}' and '{ends[1]}'; expected a mediator")
        return [*admg.ordered(between)]

    def given(self) -> Value:
        """The treatment's level in those whom a counterfactual effect is about."""
        levels = {term.name: term.level for term in self.whom}
        level = levels.get(self.contrast.treatment) if levels else self.contrast.control
        if level is None:
            self.fail(f"expected '| {self.contrast.treatment}=level'")
        return level

    def along_paths(self) -> Query:
        if self.cursor.admg is None:
            self.fail("a path-specific effect needs the graph")
        paths = [[name for name, _ in path] for path in self.details]
        if not paths or any(len(path) < 2 for path in paths):
            self.wrong()
        edges = [pair for path in paths for pair in pairwise(path)]
        return self.contrast.path_specific(self.cursor.admg, edges)
