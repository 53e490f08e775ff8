"""The classics: textbook models with tables, whose files state the exact answers."""

from fractions import Fraction
from pathlib import Path

import pytest
from finite_models import explicit

from causalflow.exact.model import ExactModel
from causalflow.exact.verification import verify
from causalflow.formats.formats import load, loads
from causalflow.identify.identify import identify
from causalflow.query.parse import parse_query

FILES = sorted((Path(__file__).resolve().parents[2] / "graphs" / "classics").glob("*.yaml"))
GRAPHS = {path.stem: load(path) for path in FILES}
MODELS = {name: ExactModel(graph) for name, graph in GRAPHS.items()}
QUERIES = [(name, check) for name, graph in GRAPHS.items() for check in graph.queries]
IDS = [f"{name}: {check.ask}" for name, check in QUERIES]

PUBLISHED = {  # decimals as the sources print them
    ("kidney_stones", "P(success=yes | do(treatment=A))"): 0.8325,
    ("kidney_stones", "P(success=yes | do(treatment=B))"): 0.7789,
    ("smoking_tar", "P(cancer=yes | do(smoking=yes))"): 0.4525,
    ("smoking_tar", "P(cancer=yes | do(smoking=no))"): 0.4975,
    ("chest_clinic", "P(either=yes)"): 0.0648,
    ("chest_clinic", "P(xray=yes)"): 0.1103,
    ("sprinkler", "P(rain=yes | wet=yes)"): 0.7079,
    ("mediation", "E[cure[drug=1] - cure[drug=0]]"): 0.46,
    ("mediation", "E[cure[drug=1, enzyme[drug=0]] - cure[drug=0]]"): 0.32,
    ("berkeley", "P(admitted=yes | gender=male)"): 0.4452,
    ("berkeley", "P(admitted=yes | gender=female)"): 0.3035,
}


def test_there_are_ten_classics_and_every_query_has_its_answer():
    assert len(FILES) >= 10
    assert all(check.answer is not None for _, check in QUERIES)


@pytest.mark.parametrize(("name", "check"), QUERIES, ids=IDS)
def test_the_exact_model_gives_the_answer_of_the_file(name, check):
    answer = MODELS[name].ask(check.ask)
    assert answer.table.is_exact
    if isinstance(check.answer, tuple):
        assert answer.table.to_dict() == dict(check.answer)
    else:
        assert answer.value == check.answer


def small(name):
    """Whether the noises of the tables can be written out."""
    nodes = GRAPHS[name].nodes.values()
    return name != "berkeley" and sum(node.table is not None for node in nodes) <= 6


@pytest.mark.parametrize(
    ("name", "check"),
    [q for q in QUERIES if small(q[0])],
    ids=[i for q, i in zip(QUERIES, IDS, strict=True) if small(q[0])],
)
def test_enumeration_of_all_noises_gives_the_answer_of_the_file(name, check):
    graph = GRAPHS[name]
    query = parse_query(check.ask, graph)
    found = explicit(graph, noise="monotone").cells(query)
    if isinstance(check.answer, tuple):
        axes = [graph.nodes[term.name].levels for term in query.free_terms]
        named = {
            tuple(a[k] for a, k in zip(axes, cell, strict=True)): p for cell, p in found.items()
        }
        assert named == {
            cell if isinstance(cell, tuple) else (cell,): p for cell, p in check.answer if p
        }
    else:
        assert found.get((), Fraction(0)) == check.answer


@pytest.mark.parametrize(("key", "decimals"), PUBLISHED.items(), ids=map(str, PUBLISHED))
def test_answers_are_those_that_the_sources_print(key, decimals):
    (answer,) = (check.answer for name, check in QUERIES if (name, check.ask) == key)
    assert round(float(answer), 4) == decimals


def test_identifiability_is_as_the_files_say():
    said = [(name, check) for name, check in QUERIES if check.identifiable is not None]
    asked = [(n, c) for n, c in said if not parse_query(c.ask, GRAPHS[n]).is_counterfactual]
    assert len(asked) >= 4
    for name, check in asked:
        assert identify(GRAPHS[name], check.ask).identifiable == check.identifiable, check.ask


COINS = """
nodes:
  a: {type: class, levels: 2, table: [1/3, 2/3]}
  b: {type: class, levels: 2, table: [1/2, 1/2]}
queries:
  - {ask: "P(a, b)", answer: {1: {0: 1/3, 1: 1/3}, 0: {0: 1/6, 1: 1/6}}}
  - {ask: "P(a, b)", answer: {0: {0: 1/3}}}
  - {ask: "P(a, b)", answer: {0: 1/3, 1: 2/3}}
"""


def test_a_wrong_answer_over_two_variables_is_told_cell_by_cell():
    right, wrong, flat = (each.errors for each in verify(loads(COINS)))
    found = "it is (0, 0): 1/6, (0, 1): 1/6, (1, 0): 1/3, (1, 1): 1/3"
    assert right == ()
    assert wrong == (f"query: P(a, b) is declared to be (0, 0): 1/3; {found}",)
    assert flat == (f"query: P(a, b) is declared to be 0: 1/3, 1: 2/3; {found}",)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_files_survive_reading_and_writing(name):
    assert loads(GRAPHS[name].to_yaml()) == GRAPHS[name]


def test_the_direct_effect_at_berkeley_is_the_mean_over_the_departments_of_men():
    men = {"A": (512, 825), "B": (353, 560), "C": (120, 325), "D": (138, 417), "E": (53, 191)}
    men["F"] = (22, 373)
    women = {"A": (89, 108), "B": (17, 25), "C": (202, 593), "D": (131, 375), "E": (94, 393)}
    women["F"] = (24, 341)
    by_hand = sum(
        Fraction(men[d][1], 2691) * (Fraction(*women[d]) - Fraction(*men[d])) for d in men
    )
    (answer,) = (check.answer for check in GRAPHS["berkeley"].queries if check.ask.startswith("E"))
    assert answer == by_hand
