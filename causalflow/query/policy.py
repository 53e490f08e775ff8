"""Policy: what sets a variable where that is no constant: a law, a function, a shift.

    x ~ {0: 0.3, 1: 0.7}                 each level with its probability, drawn anew
    x ~ {0: 1 - z / 4, 1: z / 4}         the same given others: a mechanism in place of x's own
    x ~ normal(2 * z, 1)                 a law of `causalflow.equations.law`, its parameters given z
    x = z + 1                            a plan: a function of what else is observed
    x += 1                               a shift: a function of the value that x would have had
    x ~ pi(z), x = g(z)                  any law, any function: for identification alone

Levels count in an expression as they do in a mean: as their number, names as their position. A
policy *reads* the variables it names, in the world that it makes; x itself is its *natural* value
there, the one that x's own mechanism gives.

What a policy draws is exogenous: it depends on nothing else, and two worlds under the same policy
share the draw. Its text is canonical: two policies are one if they are written alike.

Source: Correa & Bareinboim (2020), A calculus for stochastic interventions, section 2; Pearl
(2009), section 4.2, for plans; Haneuse & Rotnitzky (2013) for shifts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from causalflow.equations.equation import Equation
from causalflow.equations.term import Binary, Name, renamed

__all__ = ["Chances", "Draw", "Function", "How", "Policy", "Untold", "Value", "bare", "policy_text"]

Value: TypeAlias = str | int | float

_SHIFTS = {"+": "+=", "-": "-=", "*": "*="}


@dataclass(frozen=True, slots=True)
class Function:
    """The value of an expression."""

    expression: Equation


@dataclass(frozen=True, slots=True)
class Chances:
    """A probability for each level, 0 for those not named; no levels: for all, in their order."""

    levels: tuple[Value, ...]
    shares: tuple[Equation, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw from a family of laws, its parameters in the family's order."""

    family: str
    parameters: tuple[Equation, ...]


@dataclass(frozen=True, slots=True)
class Untold:
    """A law, or a function, of which only the name and what it reads are known."""

    name: str
    given: tuple[str, ...]
    random: bool


How: TypeAlias = Function | Chances | Draw | Untold


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a variable is set.

    Attributes:
        variable: the variable that is set.
        how: the law or function.
    """

    variable: str
    how: How

    @property
    def expressions(self) -> tuple[Equation, ...]:
        """The expressions that it is made of."""
        match self.how:
            case Function(expression):
                return (expression,)
            case Chances(_, shares):
                return shares
            case Draw(_, parameters):
                return parameters
            case Untold():
                return ()
            case _:
                assert_never(self.how)

    @property
    def reads(self) -> tuple[str, ...]:
        """The variables that it reads, sorted; its own for the natural value."""
        if isinstance(self.how, Untold):
            return self.how.given
        return tuple(sorted(frozenset().union(*(each.names for each in self.expressions))))

    @property
    def is_natural(self) -> bool:
        """Whether it reads the value that its variable would have had."""
        return self.variable in self.reads

    @property
    def is_random(self) -> bool:
        """Whether it draws."""
        return not isinstance(self.how, Function) and not (
            isinstance(self.how, Untold) and not self.how.random
        )

    @property
    def is_idle(self) -> bool:
        """Whether it leaves the variable as it is: x = x."""
        how = self.how
        return isinstance(how, Function) and how.expression.components == (Name(self.variable),)

    def __str__(self) -> str:
        name = bare(self.variable)
        match self.how:
            case Function(expression):
                return name + _function_text(self.variable, expression)
            case Chances((), shares):
                return f"{name} ~ {{p: [{', '.join(map(str, shares))}]}}"
            case Chances(levels, shares):
                each = (f"{_level(k)}: {share}" for k, share in zip(levels, shares, strict=True))
                return f"{name} ~ {{{', '.join(each)}}}"
            case Draw(family, parameters):
                return f"{name} ~ {family}({', '.join(map(str, parameters))})"
            case Untold(called, given, random):
                return f"{name} {'~' if random else '='} {called}({', '.join(map(bare, given))})"
            case _:
                assert_never(self.how)


def policy_text(policy: Policy, own: str, shown: Mapping[str, str]) -> str:
    """The policy in a formula, with other texts for its variable and for what it reads.

    Example:
        >>> from causalflow.equations.equation import parse_equation
        >>> plan = Policy(variable="x", how=Function(parse_equation("x + z")))
        >>> policy_text(plan, "x'", {"x": "x", "z": "1"})
        "x' = x + 1"
    """
    blanks = {name: f"_{place}_policy_" for place, name in enumerate(policy.reads)}
    renamed = [_renamed(each, blanks) for each in policy.expressions]
    match policy.how:
        case Function():
            text = f"= {renamed[0]}"
        case Chances(levels, _):
            text = str(replace(policy, how=Chances(levels, tuple(renamed))))
            text = text[text.index("~ {") :]
        case Draw(family, _):
            text = f"~ {family}({', '.join(map(str, renamed))})"
        case Untold(name, given, random):
            text = f"{'~' if random else '='} {name}({', '.join(blanks[read] for read in given)})"
    for name, blank in blanks.items():
        text = text.replace(blank, shown[name])
    return f"{own} {text}"


def _renamed(equation: Equation, names: Mapping[str, str]) -> Equation:
    return Equation(tuple(renamed(each, names) for each in equation.components))


def _function_text(variable: str, expression: Equation) -> str:
    """`` += 1`` of x + 1; in brackets what would else be read as a level."""
    (term,) = expression.components
    if isinstance(term, Binary) and term.operator in _SHIFTS and term.left == Name(variable):
        return f" {_SHIFTS[term.operator]} {Equation((term.right,))}"
    text = str(expression)
    return f" = {text}" if re.search(r"[\s(]", text) else f" = ({text})"


def bare(name: str) -> str:
    """A name as a question writes it."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else _quoted(name)


def _level(value: Value) -> str:
    is_word = isinstance(value, str) and re.fullmatch(r"[^\W\d]\w*", value)
    return str(value) if is_word or not isinstance(value, str) else _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
