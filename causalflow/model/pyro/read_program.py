"""Read program: a Pyro program of finite and linear normal sites, as a graph with their mechanisms.

A program is a black box: it can be run with sites held at values of ours, and then tells the law of
the next one. A *parent* of a site is an earlier one whose value, changed alone, changes its law, in
some of `BASES` settings of all others. What the law is in its parents is then read off:

    Categorical, Bernoulli    of classes alone: a table, by running every combination
    Normal                    a + sum_p w_p p, by running zeros and ones; its scale one number
    deterministic             of classes alone, whole numbers from 0: a table of zeros and ones;
                              else a line

and what was read is held against the program in `CHECKS` further settings, drawn at random. A site
that is something else, or does not agree, is refused by name, never approximated.

All sites stand in one plate, or in none; every row of a plate has the same laws. What is observed
in the program is a node like any other: data are no part of a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, NoReturn, TypeAlias

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor

from causalflow.equations.equation import parse_equation
from causalflow.equations.term import Name, term_text
from causalflow.errors import GraphError
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Continuous, Exogenous, Family, Node, Rows
from causalflow.limits import CATEGORICAL_ROWS
from causalflow.mechanisms.categorical import rounded_law
from causalflow.model.pyro.laws import CertainLaw
from causalflow.model.pyro.sites import FOLLOWS
from causalflow.names import written

__all__ = ["read_program"]

BASES, CHECKS = 8, 20
TOLERANCE = 1e-5
"""Relative error of a law: programs compute in float32."""
DENOMINATOR = 1000
NEAR = 1e-7
"""A probability this near to a fraction of at most this denominator is written as it."""
NUMBER = 0
"""The levels of a number."""

Settings: TypeAlias = Mapping[str, Tensor]
"""Site -> the value that it is held at, shape (rows,)."""


def read_program(
    program: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any], name: str
) -> Graph:
    """The graph of a program's sites, with a table or an equation for each.

    Raises:
        GraphError: a site that is neither finite nor a line with normal noise; it is named.
    """
    with torch.no_grad():
        reader = _Reader(lambda: program(*arguments, **keywords))
        for site in reader.sites:
            reader.read(site)
    edges = [
        f"{written(parent)} -> {written(site)}"
        for site, parents in reader.parents.items()
        if reader.nodes[site].table is not None
        for parent in parents
    ]
    return Graph(nodes=reader.nodes, edges=edges, exogenous=reader.exogenous, name=name)


class _Reader:
    """Sites read one after the other.

    Attributes:
        sites: the sites in the order in which they run.
        noises: node -> the site of its noise, which follows from it, in a program of this package.
        types: site -> the type of its tensor.
        levels: site that was read -> number of levels; `NUMBER`.
        parents, nodes, exogenous: what was read.
    """

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run
        found = _run(run)
        self.noises = {s["infer"][FOLLOWS]: n for n, s in found.items() if FOLLOWS in s["infer"]}
        self.sites = [name for name, site in found.items() if FOLLOWS not in site["infer"]]
        if not self.sites:
            raise GraphError("from_pyro: the program has no sites")
        shapes = {name: _shape(name, found[name]) for name in self.sites}
        self.types = {name: found[name]["value"].dtype for name in self.sites}
        self.shape = shapes[self.sites[0]]
        for name, shape in shapes.items():
            if shape != self.shape:
                _refuse(
                    name,
                    f"has the shape {tuple(shape)} and '{self.sites[0]}' {tuple(self.shape)}; "
                    "expected all sites in one plate, or in none",
                )
        self.random = torch.Generator().manual_seed(0)
        self.levels: dict[str, int] = {}
        self.parents: dict[str, list[str]] = {}
        self.nodes: dict[str, Node] = {}
        self.exogenous: dict[str, Exogenous] = {}

    def read(self, name: str) -> None:
        """The node of a site, of which all earlier ones were read."""
        start = self._drawn()
        law = self._law(name, start)
        self.parents[name] = self._moving(name, law)
        classes = all(self.levels[p] for p in self.parents[name])
        if law.kind is Kind.FINITE or (law.is_whole and classes):
            self._table(name, law)
        else:
            self._line(name, law)

    def _drawn(self) -> dict[str, Tensor]:
        """A setting of all sites that were read, at random."""
        return {name: self._value(levels) for name, levels in self.levels.items()}

    def _value(self, levels: int) -> Tensor:
        n = self.shape.numel()
        if levels:
            return torch.randint(levels, (n,), generator=self.random)
        return torch.randn(n, generator=self.random, dtype=torch.float64)

    def _law(self, name: str, settings: Settings) -> _Law:
        """The law of a site with others held."""
        own = {n: value.to(self.types[n]) for n, value in settings.items()}
        held = {n: v.view(self.shape) if self.shape else v[0] for n, v in own.items()}
        found = _run(pyro.condition(self.run, held))
        there = {n for n, site in found.items() if FOLLOWS not in site["infer"]}
        for other in sorted(there.symmetric_difference(self.sites)):
            _refuse(other, "is there for some values of others only; expected it in every run")
        return _Law.of(name, found[name], self.shape.numel())

    def _moving(self, name: str, law: _Law) -> list[str]:
        """The sites that change its law."""
        found = set()
        for _ in range(BASES):
            base = self._drawn()
            told = self._law(name, base)
            for other, levels in self.levels.items():
                moved = base[other] + 1
                changed = {**base, other: moved % levels if levels else moved}
                if other not in found and self._law(name, changed).differs(told.numbers):
                    found.add(other)
        return [other for other in self.levels if other in found]

    def _at(self, settings: Mapping[str, float]) -> dict[str, Tensor]:
        """All sites that were read at 0, but for some."""
        n = self.shape.numel()
        dtypes = {other: torch.int64 if k else torch.float64 for other, k in self.levels.items()}
        return {
            other: torch.full((n,), settings.get(other, 0), dtype=dtype)
            for other, dtype in dtypes.items()
        }

    def _table(self, name: str, law: _Law) -> None:
        """A class node by the law in every combination of its parents."""
        parents = self.parents[name]
        if number := next((p for p in parents if not self.levels[p]), None):
            _refuse(name, f"depends on the number '{number}'; expected one that classes decide")
        sizes = [range(self.levels[parent]) for parent in parents]
        if prod(map(len, sizes)) > CATEGORICAL_ROWS:
            _refuse(name, f"has more than {CATEGORICAL_ROWS:,} combinations of its parents' levels")
        laws = {
            cell: self._law(name, self._at(dict(zip(parents, cell, strict=True)))).numbers[0]
            for cell in product(*sizes)
        }
        values = {cell: int(each[0]) for cell, each in laws.items()} if law.is_certain else {}
        if law.is_certain:
            if min(values.values()) < 0:
                _refuse(name, f"takes the value {min(values.values())}; expected 0, 1, ...")
            unit = torch.eye(1 + max(values.values()), dtype=torch.float64)
            laws = {cell: unit[value] for cell, value in values.items()}
        self.levels[name] = count = len(next(iter(laws.values())))
        rows: Rows = tuple((cell, _fractions(p.tolist())) for cell, p in laws.items())
        self.nodes[name] = Class(levels=tuple(range(count)), table=rows)
        told = torch.stack(list(laws.values()))

        def expected(settings: Settings) -> Tensor:
            place = torch.zeros(self.shape.numel(), dtype=torch.int64)
            for parent in parents:
                place = place * self.levels[parent] + settings[parent]
            return told[place].argmax(1, keepdim=True).double() if law.is_certain else told[place]

        self._check(name, expected, f"its probabilities are no table of {parents}")

    def _line(self, name: str, law: _Law) -> None:
        """A number by its line."""
        parents = self.parents[name]
        start = self._law(name, self._at({})).numbers[0]
        ones = {p: self._law(name, self._at({p: 1})).numbers[0] for p in parents}
        weights = {p: at[0] - start[0] for p, at in ones.items()}
        own = self.noises.get(name, _free(f"u_{name}", self.sites))
        terms = [(law.number(start[0]), ""), *((law.number(w), p) for p, w in weights.items())]
        if law.is_normal:
            self.exogenous[own] = Family(
                name="normal", parameters=(("mean", 0.0), ("std", law.number(start[1])))
            )
            terms.append((1.0, own))
        text = _sum(terms)
        self.levels[name] = NUMBER
        self.nodes[name] = Continuous(equation=parse_equation(text))

        def expected(settings: Settings) -> Tensor:
            rows = start.expand(self.shape.numel(), -1).clone()
            for parent, weight in weights.items():
                rows[:, 0] += weight * settings[parent].double()
            return rows

        what = "it is no line, with one scale," if law.is_normal else "it is no line"
        self._check(name, expected, f"{what} of {parents}")

    def _check(self, name: str, expected: Callable[[Settings], Tensor], refusal: str) -> None:
        """Hold what was read against the program.

        Raises:
            GraphError: they differ.
        """
        for _ in range(CHECKS):
            settings = {other: v for other, v in self._drawn().items() if other != name}
            if self._law(name, settings).differs(expected(settings)):
                _refuse(name, f"cannot be written: {refusal}")


class Kind(Enum):
    """What a site is."""

    FINITE = auto()
    NORMAL = auto()
    CERTAIN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Law:
    """What a site's law is in some setting of the others.

    Attributes:
        kind: what it is.
        numbers: probabilities of the levels; mean and scale; or the value: shape (rows, numbers).
        is_whole: whether it is certain, and of whole numbers.
        single: whether it was computed in float32.
    """

    kind: Kind
    numbers: Tensor
    is_whole: bool
    single: bool

    @classmethod
    def of(cls, name: str, site: Any, rows: int) -> _Law:
        """The law that a run shows."""
        law = site["fn"]
        while isinstance(law, dist.MaskedDistribution | dist.Independent):
            law = law.base_dist
        match law:
            case dist.Categorical():
                kind, numbers = Kind.FINITE, law.probs.expand(rows, -1)
            case dist.Bernoulli():
                share = law.probs.expand(rows)
                kind, numbers = Kind.FINITE, torch.stack([1 - share, share], dim=-1)
            case dist.Normal():
                both = law.loc.expand(rows), law.scale.expand(rows)
                kind, numbers = Kind.NORMAL, torch.stack(both, dim=-1)
            case dist.Delta() | CertainLaw():
                kind, numbers = Kind.CERTAIN, site["value"].expand(rows)[:, None]
            case _:
                _refuse(
                    name,
                    f"is {type(law).__name__}; expected Categorical, Bernoulli, Normal or "
                    "deterministic",
                )
        return cls(
            kind=kind,
            numbers=numbers.double(),
            is_whole=kind is Kind.CERTAIN and not numbers.is_floating_point(),
            single=numbers.dtype != torch.float64,
        )

    @property
    def is_certain(self) -> bool:
        """Whether the site follows from others."""
        return self.kind is Kind.CERTAIN

    @property
    def is_normal(self) -> bool:
        """Whether it is a normal number."""
        return self.kind is Kind.NORMAL

    def differs(self, numbers: Tensor) -> bool:
        """Whether the law is another, beyond rounding."""
        if self.numbers.shape != numbers.shape:
            return True
        apart = (self.numbers - numbers).abs()
        return not bool((apart <= TOLERANCE * (1 + numbers.abs())).all())

    def number(self, value: Tensor) -> float:
        """A number of the law, with the digits that it has."""
        return float(f"{float(value):.{6 if self.single else 12}g}")


def _run(program: Callable[[], Any]) -> dict[str, Any]:
    """The sites of a run that are variables, in their order.

    Raises:
        GraphError: the program fails.
    """
    try:
        nodes = poutine.trace(program).get_trace().nodes
    except Exception as problem:
        said = str(problem).strip().split("\n")[0]
        raise GraphError(
            f"from_pyro: the program fails: {type(problem).__name__}: {said}"
        ) from None
    return {
        name: site
        for name, site in nodes.items()
        if site["type"] == "sample" and hasattr(site["fn"], "event_dim")
    }


def _shape(name: str, site: Any) -> torch.Size:
    shape: torch.Size = site["value"].shape
    own = 0 if site["infer"].get("_deterministic") else site["fn"].event_dim
    if own or len(shape) > 1:
        _refuse(
            name,
            f"has the shape {tuple(shape)}; expected one value, or one for each row of a plate",
        )
    return shape


def _fractions(law: Sequence[float]) -> tuple[Fraction, ...]:
    """Probabilities as short fractions where they are some, else to their last digit."""
    short = tuple(Fraction(p).limit_denominator(DENOMINATOR) for p in law)
    if sum(short) == 1 and all(abs(a - b) < NEAR for a, b in zip(short, law, strict=True)):
        return short
    return rounded_law([p / sum(law) for p in law])


def _sum(terms: Sequence[tuple[float, str]]) -> str:
    """A sum as text: factors and the variables that they multiply, none of a constant.

    Example:
        >>> _sum([(3.0, ""), (-0.5, "x"), (1.0, "u")])
        '3 - 0.5 * x + u'
    """
    text = ""
    for factor, name in terms:
        if factor == 0:
            continue
        size = f"{abs(factor):.12g}"
        part = size if not name else term_text(Name(name))
        part = f"{size} * {part}" if name and abs(factor) != 1 else part
        sign = " - " if factor < 0 else " + "
        text += sign + part if text else ("-" if factor < 0 else "") + part
    return text or "0"


def _free(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _refuse(name: str, what: str) -> NoReturn:
    raise GraphError(f"from_pyro: site '{name}' {what}")
