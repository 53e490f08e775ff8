"""Likelihood: what evidence says of a variable, short of its value: a weight for each value.

Notation: l(v) >= 0 the weight of the value v, proportional to P(what was seen | v). Then

    P(q | seen)  =  sum_v l(v) P(q, v) / sum_v l(v) P(v)

which is Pearl's *virtual evidence*: only ratios of weights count, and the rest of the evidence and
the model weigh in as well, so that the posterior of v is not l. (*Jeffrey's rule*, under which the
posterior of v is what is given, whatever else is known, is another question and is not offered.)

    Levels   likely {3: 0.8, 5: 0.2}    the weights of levels, 0 of all others
             in {3, 5}                  one of these levels: the same weight each
    Span     in [60, 70], > 5, <= 2     1 within, 0 elsewhere: intervals, censored values
    Seen     a picture and a mask       1 where the pixels that are seen are these

Source: Pearl (1988), Probabilistic Reasoning in Intelligent Systems, section 2.2.2; Chan & Darwiche
(2005), On the revision of probabilistic beliefs using uncertain evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from causalflow.errors import EvidenceError, shown
from causalflow.values.column import Array, exact, is_tensor
from causalflow.values.finite import FiniteType, finite_of
from causalflow.values.image import ImageType
from causalflow.values.variable import Level, NodeType

__all__ = [
    "Levels",
    "Likelihood",
    "Seen",
    "Span",
    "above",
    "below",
    "has_likelihoods",
    "likely",
    "seen",
    "told_to_be_set",
    "virtual_notes",
    "within",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Weights of some levels.

    Attributes:
        weights: level -> weight, as pairs, in the order in which they were given; above 0, and 1
            where all are equal.
    """

    weights: tuple[tuple[Level, Fraction], ...]

    @property
    def certain(self) -> bool:
        """Whether it only says which levels are possible."""
        return len({weight for _, weight in self.weights}) == 1

    def of(self, name: str, kind: NodeType, values: Sequence[Level]) -> list[Fraction]:
        """The weight of each value of a variable.

        Args:
            name: the variable's name, for messages.
            kind: its type.
            values: levels, or codes of pictures.

        Raises:
            EvidenceError: a level that the variable does not have.
        """
        levels = finite_of(kind)
        found: dict[Level, Fraction] = {}
        for level, weight in self.weights:
            key = level if levels is None else levels.levels[_place(name, levels, level)]
            found[key] = found.get(key, Fraction(0)) + weight
        return [found.get(value, Fraction(0)) for value in values]

    def __str__(self) -> str:
        if self.certain:
            return f"in {{{', '.join(_level_text(level) for level, _ in self.weights)}}}"
        pairs = (f"{_level_text(level)}: {_number_text(w)}" for level, w in self.weights)
        return f"likely {{{', '.join(pairs)}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An interval of numbers.

    Attributes:
        low: its lower end; -inf: it has none.
        high: its upper end.
        strict: whether the ends are left out.
    """

    low: float = -math.inf
    high: float = math.inf
    strict: bool = False

    @property
    def certain(self) -> bool:
        """It says which values are possible."""
        return True

    def holds(self, numbers: Any) -> Any:
        """Whether each number is within, as an array or a tensor of truth values."""
        if self.strict:
            return (numbers > self.low) & (numbers < self.high)
        return (numbers >= self.low) & (numbers <= self.high)

    def of(self, name: str, kind: NodeType, values: Sequence[Level]) -> list[Fraction]:
        """The weight of each level of a variable whose levels are numbers.

        Raises:
            EvidenceError: they are none.
        """
        levels = finite_of(kind)
        if levels is None or levels.counts_by_position:
            which = "a picture" if levels is None else f"one of {list(values)[:8]}"
            raise EvidenceError(
                f"'{name}' is {which}, not a number: '{name} {self}' compares numbers; name "
                "levels, as in {a, b}"
            )
        numbers = dict(zip(levels.levels, levels.numbers, strict=True))
        return [Fraction(int(self.holds(numbers[value]))) for value in values]

    def __str__(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            ends = f"{_float_text(self.low)}, {_float_text(self.high)}"
            return f"in ({ends})" if self.strict else f"in [{ends}]"
        equal = "" if self.strict else "="
        if math.isfinite(self.low):
            return f">{equal} {_float_text(self.low)}"
        return f"<{equal} {_float_text(self.high)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """Pictures of which some pixels are seen.

    Attributes:
        pictures: as an image's values are given: one, or one a row.
        mask: truth values, true where a pixel is seen: shape (height, width), or with axes for
            channels and rows in front.
    """

    pictures: Any
    mask: Array

    @property
    def certain(self) -> bool:
        """It says which pictures are possible."""
        return True

    def read(self, image: ImageType, where: str) -> tuple[Array, Array]:
        """The pictures, 0 where they are not seen, and where they are: (rows, *shape) each.

        Raises:
            EvidenceError: pictures that are none of the image's, or a mask of another shape.
        """
        given = image.shaped(self.pictures, where)
        try:
            mask = np.broadcast_to(self.mask, given.shape)
        except ValueError:
            raise EvidenceError(
                f"{where}: a mask of shape {self.mask.shape} on pictures of shape {given.shape}; "
                f"expected {image.shape[1:]}, {image.shape} or a mask a row"
            ) from None
        return image.read(np.where(mask, given, 0).astype(given.dtype), where=where), mask

    def __str__(self) -> str:
        return f"seen in {self.mask.mean():.0%} of its pixels"


Likelihood: TypeAlias = Levels | Span | Seen


def likely(levels: Mapping[Any, Any] | Iterable[Any]) -> Levels:
    """Evidence that weighs the levels of a class: virtual evidence, as a sensor or an expert gives.

    Args:
        levels: level -> weight, the likelihood of what was seen if this were the level; only ratios
            count, and levels that are not named are impossible. A list: any of these, alike.

    Raises:
        EvidenceError: no levels, or a weight that is no number above 0 (0 may be said).

    Example:
        >>> print(likely({3: 0.8, 5: 0.2}), likely(["red", "green"]))
        likely {3: 0.8, 5: 0.2} in {red, green}
    """
    if isinstance(levels, str) or not isinstance(levels, Iterable):
        raise EvidenceError(f"likely({shown(levels)}): expected level -> weight, or a list")
    pairs = levels.items() if isinstance(levels, Mapping) else ((each, 1) for each in levels)
    weighed = [(_plain(level), _weight(level, weight)) for level, weight in pairs]
    kept = tuple((level, weight) for level, weight in weighed if weight)
    if not kept:
        raise EvidenceError("likely: no level has a weight above 0; the evidence is impossible")
    if len(weighed) == 1 and isinstance(levels, Mapping) and kept[0][1] != 1:
        raise EvidenceError(
            f"likely: only {shown(kept[0][0])} has a weight, and levels not named have none: that "
            "is certainty; give the others theirs, or the level as a value"
        )
    if len({weight for _, weight in kept}) == 1:
        kept = tuple((level, Fraction(1)) for level, _ in kept)
    return Levels(weights=kept)


def within(low: float, high: float) -> Span:
    """Evidence that a number lies in the interval [low, high].

    Raises:
        EvidenceError: an end that is no number, or ends in the wrong order.

    Example:
        >>> print(within(60, 70), within(60, float("inf")))
        in [60, 70] >= 60
    """
    return _span(low, high, strict=False)


def above(low: float) -> Span:
    """Evidence that a number is larger than ``low``: a value censored from the right.

    Raises:
        EvidenceError: no finite number.

    Example: ``model.counterfactual({"t": [3.1, cf.above(5)]}, do={"drug": 1})``.
    """
    return _span(low, math.inf, strict=True)


def below(high: float) -> Span:
    """Evidence that a number is smaller than ``high``: a value censored from the left.

    Raises:
        EvidenceError: no finite number.

    Example: ``model.ask("P(y | dose)", dose=cf.below(0.2))``.
    """
    return _span(-math.inf, high, strict=True)


def seen(pictures: Any, mask: Any) -> Seen:
    """Evidence by pictures of which only some pixels are seen.

    Args:
        pictures: one picture or one a row, as an image node takes them; what stands where the mask
            is false does not matter.
        mask: truth values, true where a pixel is seen: shape (height, width), (channels, height,
            width), or (rows, channels, height, width).

    Raises:
        EvidenceError: a mask that holds no truth values, or sees nothing.
    """
    array = np.asarray(mask.detach().cpu() if is_tensor(mask) else mask)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise EvidenceError("seen: the mask holds other values than true and false")
    if array.ndim < 2 or not array.any():
        raise EvidenceError(
            f"seen: a mask of shape {array.shape} with {int(array.sum())} pixels seen; expected "
            "(height, width) and some pixel that is seen"
        )
    return Seen(pictures=pictures, mask=array.astype(bool))


def has_likelihoods(given: Any) -> bool:
    """Whether what is given for a variable is a likelihood, or a column with some.

    Example:
        >>> has_likelihoods(within(1, 2)), has_likelihoods([3, above(5)]), has_likelihoods([3, 4])
        (True, True, False)
    """
    if isinstance(given, Likelihood):
        return True
    if isinstance(given, list | tuple):
        return any(isinstance(entry, Likelihood) for entry in given)
    if isinstance(given, str) or getattr(getattr(given, "dtype", None), "kind", "") != "O":
        return False
    return has_likelihoods(list(given))


def told_to_be_set(name: str, given: object) -> EvidenceError:
    """The refusal to set a variable to what is evidence."""
    said = given if isinstance(given, Likelihood) else "a column with likelihoods"
    return EvidenceError(
        f"do({name}) takes values; '{said}' is evidence, which says what was seen of it"
    )


def virtual_notes(terms: Iterable[str]) -> list[str]:
    """What an answer says that is given levels weighed unequally."""
    return [
        f"the weights of '{term}' are likelihoods of what was seen (virtual evidence): they "
        "multiply what the model and the other evidence say of it, and are not its posterior"
        for term in terms
    ]


def _span(low: float, high: float, *, strict: bool) -> Span:
    ends = [float(end) for end in (low, high) if isinstance(end, int | float | np.number)]
    if len(ends) < 2 or any(math.isnan(end) for end in ends):
        raise EvidenceError(f"an interval from {shown(low)} to {shown(high)}; expected two numbers")
    span = Span(low=ends[0], high=ends[1], strict=strict)
    infinite = math.isinf(span.low) and math.isinf(span.high)
    if span.low > span.high or (strict and span.low == span.high) or infinite:
        raise EvidenceError(f"no interval: {span.low:g} to {span.high:g}; expected low, then high")
    return span


def _weight(level: Any, weight: Any) -> Fraction:
    number = None
    if isinstance(weight, int | float | Fraction | np.number) and not isinstance(weight, bool):
        number = exact(weight)
    if number is None or number < 0:
        raise EvidenceError(
            f"likely: {shown(level)} has the weight {_weight_text(weight)}; expected a number, 0 or"
            " more"
        )
    return number


def _weight_text(weight: Any) -> str:
    return _number_text(weight) if isinstance(weight, Fraction) else shown(weight)


def _plain(level: Any) -> Level:
    bare = level.item() if isinstance(level, np.generic) or is_tensor(level) else level
    if isinstance(bare, float) and bare.is_integer():
        bare = int(bare)
    if isinstance(bare, bool) or not isinstance(bare, str | int):
        bare = int(bare) if isinstance(bare, bool) else str(bare)
    return bare


def _place(name: str, levels: FiniteType, level: Level) -> int:
    return levels.position(level, where=f"'{name}'", error=EvidenceError)


def _level_text(level: Level) -> str:
    text = str(level)
    plain = bool(text) and not any(mark.isspace() or mark in ",|()[]{}='\":<>" for mark in text)
    if isinstance(level, str) and (not plain or text.lstrip("+-").replace(".", "").isdigit()):
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return text


def _number_text(weight: Fraction) -> str:
    number = float(weight)
    return _float_text(number) if exact(number) == weight else str(weight)


def _float_text(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
