"""Formulas in MathML say what their text says, name by name and factor by factor."""

import re
from pathlib import Path

import pytest
from mathml_reader import elements, read

import causalflow as cf
from causalflow.symbolic.question import question, question_latex
from causalflow.symbolic.render import to_mathml, to_text
from causalflow.symbolic.style import MATHML, TEXT, latex_name, pieces

GRAPHS = sorted((Path(__file__).parents[2] / "graphs").rglob("*.yaml"))
ASKED = [
    ("x -> m -> y; x <-> y", "P(y | do(x))"),
    ("x -> y", "P(y=yes | do(x=no))"),
    ("a_b -> x_1 -> y; a_b -> y", "P(y | do(x_1))"),
    ("w -> z -> x -> y; w <-> x; w <-> y", "P(y | do(x))"),
    ("z -> x -> y; z -> y", "E[y | do(x ~ {0: 1 - z / 4, 1: z / 4})]"),
    ("z -> x -> y; z -> y", "P(y | do(x += 1))"),
    ("z -> x -> y; z -> y", "P(y | do(x ~ law(z)))"),
    ("z -> x -> y; z -> y", "E[y | do(x=1)] - 1/2*E[y | do(x=0)]"),
    ("z -> x -> y; z -> y", "P(y=1 | do(x=1)) / P(y=1 | do(x=0))"),
    ("x -> m -> y; x -> y", "NDE(x -> y)"),
    ('"<b>" -> x; "<b>" -> y; x -> y', "P(y | do(x))"),
]


FRACTION = re.compile(r"\((\[[^()]*(?:\([^()]*\)[^()]*)*\]/\[[^()]*(?:\([^()]*\)[^()]*)*\])\)")


def plain(text):
    """A text form without blanks and quotes, nor brackets around a fraction, v_2 written as v2."""
    bare = FRACTION.sub(r"\1", text.replace(" ", "").replace("'<b>'", "<b>"))
    return re.sub(r"(?<![^\W_])([^\W\d_])_([0-9]+)(?!\w)", r"\1\2", bare)


def alike(mathml, text):
    return read(mathml) == plain(text)


@pytest.mark.parametrize(("edges", "asked"), ASKED)
def test_a_formula_reads_back_as_its_text(edges, asked):
    verdict = cf.identify(cf.Graph(edges=edges.split("; ")), asked)
    assert verdict.identifiable
    assert alike(to_mathml(verdict.estimand), to_text(verdict.estimand))


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_every_estimand_of_a_shipped_graph_reads_back_as_its_text(path):
    graph = cf.load(path)
    for check in graph.queries:
        try:
            verdict = cf.identify(graph, check.ask)
        except cf.QueryError:
            continue
        if verdict.estimand is not None:
            assert alike(to_mathml(verdict.estimand), to_text(verdict.estimand))
        assert elements(verdict.mathml())


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_every_question_of_a_shipped_graph_is_written_as_it_is_read(path):
    graph = cf.load(path)
    for check in graph.queries:
        query = cf.parse_query(check.ask, graph)
        if " / " not in str(query):
            assert question(query, TEXT).replace("* ", "*") == str(query).replace("*", " ")
        assert elements(" ".join(pieces(question(query, MATHML))))


def test_factors_are_elements_of_their_own_and_a_fraction_is_one():
    front = cf.identify(cf.Graph(edges=["x -> m -> y", "x <-> y"]), "P(y | do(x))")
    assert list(map(read, (f"{each}" for each in split(to_mathml(front.estimand))))) == [
        "sum_mP(m|x)",
        "sum_x'P(y|m,x')",
        "P(x')",
    ]
    napkin = cf.identify(cf.Graph(edges=["w -> z -> x -> y", "w <-> x", "w <-> y"]), "P(y | do(x))")
    assert len(split(to_mathml(napkin.estimand))) == 1


def split(mathml):
    return re.findall(r"<math .*?</math>", mathml)


def test_a_long_factor_is_cut_at_its_commas_and_reads_back_as_its_text():
    edges = ["blood_pressure, stage_of_disease, age, smoking_habit -> death", "age -> drug"]
    graph = cf.Graph(edges=[*edges, "drug -> death"])
    estimand = cf.identify(graph, "P(death | do(drug))").estimand
    parts = split(to_mathml(estimand))
    assert len(parts) > to_text(estimand).count(" P(") + 3
    assert max(len(read(part)) for part in parts if "munder" not in part) <= 24
    assert alike(to_mathml(estimand), to_text(estimand))


def test_a_factor_and_a_sum_of_long_names_are_cut_behind_each_of_them():
    causes = ["systolic_blood_pressure_morning", "genetic_predisposition_unknown"]
    drug, death = "treatment_with_beta_blockers", "survival_after_five_years"
    edges = [f"{each} -> {end}" for each in causes for end in (drug, death)]
    verdict = cf.identify(
        cf.Graph(edges=[*edges, f"{drug} -> {death}"]), f"P({death} | do({drug}))"
    )
    parts = split(verdict.mathml())
    assert read(parts[0]) == f"P({death}|"
    assert read(parts[1]) == f"do({drug}))"
    assert parts[2].count("<mtr>") == 2
    assert max(len(read(part)) for part in parts if "munder" not in part) <= 34
    assert alike(to_mathml(verdict.estimand), to_text(verdict.estimand))


def test_a_world_is_parted_from_its_variable_only_where_that_is_long():
    short = cf.parse_query("P(health[dose=0]=0, health[dose=1]=1 | dose=1, health=1, x=2)")
    long = cf.parse_query("P(survival_after_five_years[dose=0]=0 | survival_after_five_years=1)")
    ends = [[read(each)[-1] for each in pieces(question(q, MATHML))] for q in (short, long)]
    assert ends == [[",", "|", ",", ",", ")"], ["[", "|", ")"]]


def test_a_name_is_set_in_one_way_in_a_question_and_in_its_answer():
    verdict = cf.identify(
        cf.Graph(edges=["blood_pressure -> x_1 -> y", "blood_pressure -> y"]), "P(y | do(x_1))"
    )
    assert verdict.latex() == (
        r"P(y \mid \mathrm{do}(x_{1})) = \sum_{\mathrm{blood\_pressure}} "
        r"P(y \mid \mathrm{blood\_pressure}, x_{1})\, P(\mathrm{blood\_pressure})"
    )
    assert verdict.proof.latex().startswith(
        "\\begin{align*}\n& P(y \\mid \\mathrm{do}(x_{1})) \\\\"
    )


@pytest.mark.parametrize(
    ("asked", "latex"),
    [
        (
            "P(y=yes | do(x_1=no), z2)",
            r"P(y=\mathrm{yes} \mid \mathrm{do}(x_{1}=\mathrm{no}), z_{2})",
        ),
        ("P(y[x=1, m[x=0]] | x=0)", r"P(y[x=1, m[x=0]] \mid x=0)"),
        ("P(y[x=1, m[]])", "P(y[x=1, m[]])"),
        ("E[y[x=1] - 1/2*y[x=0]]", "E[y[x=1] - 1/2 y[x=0]]"),
        (
            "P(y=1 | do(x=1)) / P(y=1 | do(x=0))",
            r"\frac{P(y=1 \mid \mathrm{do}(x=1))}{P(y=1 \mid \mathrm{do}(x=0))}",
        ),
        (
            "P(y | do(x_1 ~ {0: 1 - z_2, 1: z_2}))",
            r"P(y \mid \mathrm{do}(x_{1} \sim \{0: 1 - z_{2}, 1: z_{2}\}))",
        ),
        ("P(y | age in [60, 70])", r"P(y \mid \mathrm{age}\ \mathrm{in}\ [60, 70])"),
    ],
)
def test_a_question_in_latex(asked, latex):
    assert question_latex(cf.parse_query(asked)) == latex


def test_names_that_differ_are_not_set_alike():
    assert latex_name("x_") != latex_name("x")


def test_what_a_name_holds_is_no_markup():
    graph = cf.Graph(edges=['"<script>" -> "a & b"'])
    shown = cf.identify(graph, "P('a & b' | do('<script>'))").mathml()
    assert "<script>" not in shown
    assert read(shown) == "P(a&b|do(<script>))=P(a&b|<script>)"
