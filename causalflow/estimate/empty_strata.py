"""Empty strata: a formula's value, as a range, where data lack a stratum that it conditions on.

A formula is made of laws P(o | g) of outcomes o given conditions g; a *stratum* is one value of g.
Where a stratum has no rows, its law may be any distribution over o. The formula's value is then a
linear form in these unknown laws (`causalflow.estimate.linear_form`), of which the ends are
told.

Sums are taken inside, one index after another, so that what sums to one does so whatever the law:
a difference of means keeps only the unknowns of each mean. A formula that is linear in the unknown
laws gets its exact ends; one that multiplies them gets ends that may be wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from causalflow.errors import DataError
from causalflow.estimate.laws import DRAW, Laws
from causalflow.estimate.linear_form import (
    LinearForm,
    added,
    divided,
    multiplied,
    scaled,
    summed,
)
from causalflow.estimate.unknowns import Array, Unknowns
from causalflow.limits import PLAN_CELLS
from causalflow.symbolic.evaluate import chosen_table, number_of
from causalflow.symbolic.expression import (
    Chosen,
    Event,
    Expression,
    Index,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Zero,
)
from causalflow.symbolic.render import to_text
from causalflow.symbolic.simplify import factors_of
from causalflow.values.finite import finite

__all__ = ["form_of", "range_of"]


def form_of(
    expression: Expression, laws: Laws, numbers: Mapping[frozenset[str], Array]
) -> tuple[LinearForm, Unknowns]:
    """The formula as a form over its free indices and `DRAW`, and the unknown laws in it.

    Args:
        expression: its bound indices differ from each other and from the free ones
            (`causalflow.symbolic.substitute.without_shadows`).
        laws: the conditional distributions that the formula is made of.
        numbers: for each set of conditions, draws of its law P(o | g), shape (draw, values of g,
            values of o).

    Raises:
        DataError: an experiment, or an expectation of levels that are no numbers.
        CausalflowError: too many cells at once.
    """
    unknowns = laws.unknowns()
    form = _Formula(laws, numbers, unknowns).form(expression)
    draws = len(next(iter(numbers.values()))) if numbers else 1
    if DRAW not in form.axes:
        ones = LinearForm(axes=(DRAW,), constant=np.ones(draws))
        form = multiplied(ones, form, unknowns)
    return form, unknowns


@dataclass(frozen=True, slots=True)
class _Formula:
    laws: Laws
    numbers: Mapping[frozenset[str], Array]
    unknowns: Unknowns

    def form(self, node: Expression) -> LinearForm:
        match node:
            case Probability():
                return self._probability(node)
            case Sum() | Product():
                return self._sum_product(node)
            case Ratio():
                above, below = self.form(node.numerator), self.form(node.denominator)
                name = f"{to_text(node.denominator)} is 0"
                ends = range_of(node, self.laws)
                return divided(above, below, ends, self.unknowns, name)
            case Chosen():
                return self._chosen(node)
            case Linear():
                return self._added([self._term(c, event) for c, event in node.terms])
            case Weighted():
                return self._added([scaled(self.form(each), float(c)) for c, each in node.terms])
            case One():
                return LinearForm(axes=(), constant=np.ones(()))
            case Zero():
                return LinearForm(axes=(), constant=np.zeros(()))

    def _added(self, forms: Sequence[LinearForm]) -> LinearForm:
        total = forms[0]
        for each in forms[1:]:
            total = added(total, each, self.unknowns)
        return total

    def _sum_product(self, node: Sum | Product) -> LinearForm:
        """The sum over the products; for a linear combination that of each of its terms."""
        over = list(node.over) if isinstance(node, Sum) else []
        factors = factors_of(node.body) if isinstance(node, Sum) else node.factors
        linear = [factor for factor in factors if isinstance(factor, Linear)]
        forms = [self.form(factor) for factor in factors if not isinstance(factor, Linear)]
        if not linear:
            return self._eliminated(forms, over)
        first, *more = linear
        forms += [self.form(each) for each in more]
        terms = [self._term(c, event) for c, event in first.terms]
        return self._added([self._eliminated([term, *forms], over) for term in terms])

    def _eliminated(self, forms: Sequence[LinearForm], over: Sequence[Index]) -> LinearForm:
        left, waiting = list(forms), list(over)
        while waiting:
            index = min(waiting, key=lambda each: self._cost(left, str(each)))
            waiting.remove(index)
            axis = str(index)
            inside = [form for form in left if axis in form.axes]
            left = [form for form in left if axis not in form.axes]
            if inside:
                left.append(summed(self._product(inside), axis, self.unknowns))
            else:
                count = len(self.laws.levels[index.name])
                left.append(LinearForm(axes=(), constant=np.array(float(count))))
        return self._product(left)

    def _cost(self, forms: Sequence[LinearForm], axis: str) -> int:
        return prod(_sizes([form for form in forms if axis in form.axes]).values())

    def _product(self, forms: Sequence[LinearForm]) -> LinearForm:
        if (cells := prod(_sizes(forms).values())) > PLAN_CELLS:
            raise DataError(
                f"estimate: the formula needs {cells:,} numbers at once; at most {PLAN_CELLS:,} are"
                " handled: merge levels, or ask about fewer variables"
            )
        total, *others = sorted(forms, key=lambda form: form.constant.size)
        for each in others:
            total = multiplied(total, each, self.unknowns)
        return total

    def _probability(self, node: Probability) -> LinearForm:
        """The family's law with every event's value: variables that have several must agree."""
        if node.do:
            raise DataError(
                f"estimate: {to_text(node)} needs an experiment; rows are given of P(v)"
            )
        key = frozenset(event.name for event in node.given)
        form = self.laws.families[key].form(self.numbers[key], node)
        for name in dict.fromkeys(event.name for event in node.events):
            values = dict.fromkeys(e.value for e in node.events if e.name == name)
            form = self._at(form, name, [*values])
        return form

    def _at(self, form: LinearForm, name: str, values: Sequence[object]) -> LinearForm:
        levels, axis = self.laws.levels[name], f"={name}"
        indices = [str(value) for value in values if isinstance(value, Index)]
        read = finite(levels).position
        where = f"estimate: '{name}'"
        places = {read(v, where=where, error=DataError) for v in values if not isinstance(v, Index)}
        if len(places) > 1:
            return scaled(form.taken(axis, 0), 0.0)
        if places:
            place = places.pop()
            form = form.taken(axis, place)
            mark = np.zeros(len(levels))
            mark[place] = 1.0
            same = [LinearForm(axes=(each,), constant=mark) for each in indices]
        else:
            first, *others = indices
            form = form.renamed(axis, first)
            same = [LinearForm(axes=(first, each), constant=np.eye(len(levels))) for each in others]
        for each in same:
            form = multiplied(form, each, self.unknowns)
        return form

    def _chosen(self, node: Chosen) -> LinearForm:
        table = chosen_table(node, self.laws.levels)
        return LinearForm(axes=table.axes, constant=table.to_numpy().astype(np.float64))

    def _term(self, coefficient: Fraction, event: Event) -> LinearForm:
        axes = (str(event.value),) if isinstance(event.value, Index) else ()
        return LinearForm(axes=axes, constant=_numbers(coefficient, event, self.laws))


def range_of(node: Expression, laws: Laws) -> tuple[float, float]:
    """Between what a formula lies: a probability, a mean, a sum of such, or any ratio of sums."""
    if isinstance(node, Weighted):
        ends = [[float(c) * end for end in range_of(each, laws)] for c, each in node.terms]
        return sum(map(min, ends)), sum(map(max, ends))
    if isinstance(node, Ratio) and Weighted in (type(node.numerator), type(node.denominator)):
        return -np.inf, np.inf
    terms = [term for linear in _linears(node) for term in linear.terms]
    found = [_numbers(coefficient, event, laws) for coefficient, event in terms]
    if not found:
        return 0.0, 1.0
    return sum(float(each.min()) for each in found), sum(float(each.max()) for each in found)


def _numbers(coefficient: Fraction, event: Event, laws: Laws) -> Array:
    """The values that a term of a linear combination takes: one, or one for each level."""
    if not isinstance(event.value, Index):
        return np.array(float(coefficient * number_of(event.value, laws.levels[event.name])))
    levels = laws.levels[event.value.name]
    return np.array([float(coefficient * number) for number in finite(levels).numbers])


def _sizes(forms: Sequence[LinearForm]) -> dict[str, int]:
    pairs = (zip(form.axes, form.constant.shape, strict=True) for form in forms)
    return {axis: size for each in pairs for axis, size in each}


def _linears(node: Expression) -> list[Linear]:
    match node:
        case Linear():
            return [node]
        case Sum():
            return _linears(node.body)
        case Product():
            return [each for factor in node.factors for each in _linears(factor)]
        case Ratio():
            return _linears(node.numerator)
        case Probability() | Chosen() | One() | Zero() | Weighted():
            return []
