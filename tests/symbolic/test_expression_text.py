from __future__ import annotations

from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.symbolic.render import to_latex, to_text


def test_an_estimand_prints_as_its_formula_and_shows_as_latex_in_a_notebook():
    estimand = identify(Graph(edges=["z -> x -> y", "z -> y"]), "P(y | do(x))").estimand
    assert str(estimand) == f"{estimand}" == to_text(estimand) == "sum_z P(y | x, z) P(z)"
    assert estimand._repr_latex_() == f"$\\displaystyle {to_latex(estimand)}$"
    assert repr(estimand).startswith("Sum(")
