from __future__ import annotations

from fractions import Fraction

import pytest

from causalflow.symbolic.expression import (
    ONE,
    ZERO,
    Event,
    Index,
    Linear,
    Probability,
    Product,
    Ratio,
    Sum,
    probability,
)
from causalflow.symbolic.render import to_latex, to_sympy, to_text

X = Index("x")
CASES = [
    (ONE, "1", "1"),
    (ZERO, "0", "0"),
    (probability("y", "z", "x"), "P(y | do(x), z)", r"P(y \mid \mathrm{do}(x), z)"),
    (probability(["v10", "v2"]), "P(v2, v10)", r"P(v_{2}, v_{10})"),
    (probability(["blood type"]), "P('blood type')", r"P(\mathrm{blood\ type})"),
    (
        Probability((Event("y", "high"),), (Event("x", 1),)),
        "P(y=high | x=1)",
        r"P(y=\mathrm{high} \mid x=1)",
    ),
    (
        Ratio(probability("y"), Sum((X,), probability("x"))),
        "[P(y)] / [sum_x P(x)]",
        r"\frac{P(y)}{\sum_{x} P(x)}",
    ),
    (
        Product((probability("x"), Ratio(probability("y"), probability("z")))),
        "P(x) ([P(y)] / [P(z)])",
        r"P(x)\, \frac{P(y)}{P(z)}",
    ),
    (
        Product(
            (
                Linear(
                    ((Fraction(2), Event("y", Index("y"))), (Fraction(-1), Event("z", Index("z"))))
                ),
                probability("yz"),
            )
        ),
        "(2 y - z) P(y, z)",
        r"(2 y - z)\, P(y, z)",
    ),
]


@pytest.mark.parametrize(("formula", "text", "latex"), CASES)
def test_formula_reads_as_written(formula, text, latex):
    assert to_text(formula) == text
    assert to_latex(formula) == latex


def test_sympy_form_keeps_the_structure():
    formula = Ratio(Product((probability("y", "x"), probability("z"))), probability("z", "x"))
    found = to_sympy(formula)
    assert str(found) == "P(y | x)*P(z)/P(z | x)"
    total = to_sympy(Sum((X,), Product((probability("y", "x"), probability("x")))))
    assert str(total) == "Sum(P(x)*P(y | x), x)"


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("β", r"\beta"),
        ("Ω_1", r"\Omega_{1}"),
        ("x_α", r"x_{\alpha}"),
        ("größe", r"\text{größe}"),
        ("é1", r"\text{é}_{1}"),
        ("薬", r"\text{薬}"),
        ("naïve_T", r"\text{naïve\_T}"),
        ("a^b", r"\text{a\textasciicircum{}b}"),
        ("αβ_x", r"\text{$\alpha$$\beta$\_x}"),
        ("warm up %", r"\mathrm{warm\ up\ \%}"),
        ("x'", r"\mathrm{x'}"),
    ],
)
def test_letters_that_mathematics_lacks_are_commands_or_text_in_latex(name, latex):
    assert to_latex(probability([name])) == f"P({latex})"
