"""Causal questions in the forms that users write: each means what textbooks say, everywhere.

Right values are closed forms: sums over the rows of small tables, coefficients of linear equations,
the multivariate normal. Exact answers are compared to 1e-12; simulated ones to 5 of the standard
errors that they state.
"""

import itertools
import json
import math
import random

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

LINEAR = """
graph: l
exogenous: {ux: {type: normal}, um: {type: normal}, uy: {type: normal}}
nodes:
  x: {type: continuous, equation: ux}
  m: {type: continuous, equation: 0.5*x + um}
  y: {type: continuous, equation: 2*x + 3*m + uy}
"""
GAUSSIAN = """
graph: lg
exogenous: {uz: {type: normal}, ux: {type: normal}, uy: {type: normal}}
nodes:
  z: {type: continuous, equation: uz}
  x: {type: continuous, equation: 0.8*z + ux}
  y: {type: continuous, equation: 2*x - 1.5*z + uy}
"""
SPACED = """
nodes:
  x: {type: class, levels: [no, 'very yes'], table: [0.4, 0.6]}
  y: {type: class, levels: [no, yes], table: {no: [0.7, 0.3], 'very yes': [0.2, 0.8]}}
edges: [x -> y]
"""
# z -> x, z -> y, x -> y with P(z), P(x=1 | z), P(y=1 | x, z)
P_Z = (0.3, 0.7)
P_X = {0: 0.2, 1: 0.6}
P_Y = {(0, 0): 0.1, (0, 1): 0.5, (1, 0): 0.4, (1, 1): 0.9}
CONFOUNDED = {
    "nodes": {
        "z": {"type": "class", "levels": 2, "table": list(P_Z)},
        "x": {
            "type": "class",
            "levels": 2,
            "table": {z: [1 - p, p] for z, p in P_X.items()},
        },
        "y": {
            "type": "class",
            "levels": 2,
            "table": {z: {x: [1 - P_Y[x, z], P_Y[x, z]] for x in (0, 1)} for z in (0, 1)},
        },
    },
    "edges": ["z -> x", "z -> y", "x -> y"],
}


def shares(x=None):
    """P(z), or P(z | x)."""
    weights = [p * (1 if x is None else (P_X[z] if x else 1 - P_X[z])) for z, p in enumerate(P_Z)]
    return [w / sum(weights) for w in weights]


def risk(x, among=None, z=None):
    """P(y = 1) had x been set, among all, those with x = among, or those with z."""
    if z is not None:
        return P_Y[x, z]
    return sum(share * P_Y[x, z] for z, share in enumerate(shares(among)))


def mean(x):
    """E[y | x]."""
    return risk(x, among=x)


DIFFERENCE = risk(1) - risk(0)
FORMS = {
    "TE(x -> y)": DIFFERENCE,
    "ATE(x -> y)": DIFFERENCE,
    "ace( x=1/0 → y )": DIFFERENCE,
    "ATE(x=0/1 -> y)": -DIFFERENCE,
    "RD(x -> y)": DIFFERENCE,
    "RD(x -> y=0/1)": -DIFFERENCE,
    "RR(x -> y)": risk(1) / risk(0),
    "CATE(x -> y | z=1)": risk(1, z=1) - risk(0, z=1),
    "ATE(x -> y | z=0)": risk(1, z=0) - risk(0, z=0),
    "ATT(x -> y)": risk(1, 1) - risk(0, 1),
    "ETT(x -> y)": risk(1, 1) - risk(0, 1),
    "ATC(x -> y)": risk(1, 0) - risk(0, 0),
    "ATU(x -> y)": risk(1, 0) - risk(0, 0),
    "ETU(x -> y)": risk(1, 0) - risk(0, 0),
    "Ctf-SE(x -> y)": risk(0, 1) - risk(0, 0),
    "E[y|do(x=1)] - E[y|do(x=0)]": DIFFERENCE,
    "E(y | do(x=1)) - E(y | do(x=0))": DIFFERENCE,
    "e[y | DO(x=1)]-e[y | Do(x=0)]": DIFFERENCE,
    "E[y[x=1]] - E[y[x=0]]": DIFFERENCE,
    "2*E[y | do(x=1)] - 1/2*E[y | do(x=0)]": 2 * risk(1) - risk(0) / 2,
    "E[y | x=1] - E[y | x=0]": mean(1) - mean(0),
    "P(y=1 | do(x=1)) - P(y=1 | do(x=0))": DIFFERENCE,
    "Pr(y=1 | do(x=1)) / p(y=1 | do(x=0))": risk(1) / risk(0),
    "(P(y=1 | do(x=1)) - P(y=1 | do(x=0))) / P(y=1 | do(x=1))": DIFFERENCE / risk(1),
    "P(y=1 | x=1) - P(y=1 | do(x=1))": mean(1) - risk(1),
    "P(y=1 | do(x=1))/2 + 0.5 P(y=1 | do(x=0))": (risk(1) + risk(0)) / 2,
    "-P(y=1 | do(x=1)) + E[y | do(x=1)] + P(x=1)": sum(p * P_X[z] for z, p in enumerate(P_Z)),
    "(E[y | do(x=0)] - E[y | do(x=1)]) / (P(y=1 | do(x=0)) - P(y=1 | do(x=1)))": 1.0,
    "E[y | do(x=1), z=1] - E[y | do(x=0), z=1]": risk(1, z=1) - risk(0, z=1),
}


@pytest.fixture(scope="module")
def graph():
    return cf.Graph(**CONFOUNDED)


@pytest.fixture(scope="module")
def model(graph):
    return cf.compile(graph)


@pytest.fixture(scope="module")
def joint():
    """P(z, x, y)."""
    cells = {
        (z, x, y): P_Z[z] * (P_X[z] if x else 1 - P_X[z]) * (P_Y[x, z] if y else 1 - P_Y[x, z])
        for z, x, y in itertools.product((0, 1), repeat=3)
    }
    return cf.Table.from_dict(["z", "x", "y"], cells, dict.fromkeys("zxy", (0, 1)))


@pytest.mark.parametrize(("text", "value"), FORMS.items())
def test_every_form_has_the_textbook_value_when_a_model_is_asked(model, text, value):
    answer = model.ask(text)
    assert answer.route == "exact"
    assert float(answer.value) == pytest.approx(value, abs=1e-12)


def test_every_form_is_identified_and_its_estimand_has_the_value(graph, joint):
    for text, value in FORMS.items():
        verdict = cf.identify(graph, text)
        assert verdict.identifiable, text
        assert float(verdict.evaluate(joint).values) == pytest.approx(value, abs=1e-12), text


def test_every_form_is_bounded_by_its_value_where_data_determine_it(graph, joint):
    for text, value in FORMS.items():
        found = cf.bounds(graph, text, joint)
        assert found.kind == "point", text
        assert (found.low, found.high) == pytest.approx((value, value), abs=1e-9), text


def test_every_form_is_estimated_from_rows_with_an_interval(graph, joint):
    counts = np.random.default_rng(0).multinomial(20_000, joint.to_numpy().ravel())
    cells = [dict(zip("zxy", cell, strict=True)) for cell in joint.cells()]
    rows = pd.DataFrame([cell for cell, n in zip(cells, counts, strict=True) for _ in range(n)])
    for text in (
        "ATE(x -> y)",
        "RR(x -> y)",
        "P(y=1 | x=1) - P(y=1 | do(x=1))",
        "RD(x -> y=0/1)",
        "(E[y | do(x=0)] - E[y | do(x=1)]) / (P(y=1 | do(x=0)) - P(y=1 | do(x=1)))",
    ):
        found = cf.identify(graph, text).estimate(rows, resamples=50)
        low, high = float(found.low.values), float(found.high.values)
        # 20,000 rows: half-widths of .01 to .1; the truth is within two of them but for 1 in 10^4
        assert low < high < low + 0.4
        assert low - (high - low) / 2 < FORMS[text] < high + (high - low) / 2


def test_every_form_is_read_by_the_command_line_and_checked_in_graph_files(cli, tmp_path):
    path = tmp_path / "g.yaml"
    asked = [{"ask": text, "identifiable": True} for text in FORMS]
    path.write_text(json.dumps({**CONFOUNDED, "queries": asked}))
    ran = cli("check", path)
    assert (ran.code, ran.err) == (0, "")
    for text in ("RR(x -> y)", "E[y|do(x=1)] - E[y|do(x=0)]", "P(y=1 | x=1) - P(y=1 | do(x=1))"):
        found = json.loads(cli("ask", path, text, "--json").out)
        assert found["table"][0]["value"] == pytest.approx(FORMS[text], abs=1e-12)
        assert cli("identify", path, text, "--explain", "--proof").code == 0
        assert json.loads(cli("identify", path, text, "--json").out)["identifiable"]
    assert "not identifiable" not in cli("draw", path, "--query", "RR(x -> y)").out


def test_a_wrong_declared_answer_of_a_combination_is_noticed(cli, tmp_path):
    path = tmp_path / "g.yaml"
    asked = [{"ask": "RD(x -> y)", "answer": 0.5}]
    path.write_text(json.dumps({**CONFOUNDED, "queries": asked}))
    ran = cli("check", path)
    assert ran.code == 2
    assert "RD(x -> y) is declared to be 1/2; it is" in ran.err


def test_free_variables_and_evidence_of_the_parts_are_shared(model):
    found = model.ask("P(y | do(x=1)) - P(y | do(x=0))")
    assert found.table.axes == ("y",)
    assert found.table.to_dict()[1] == pytest.approx(DIFFERENCE, abs=1e-12)
    found = model.ask("P(y=1 | do(x=1)) - P(y=1 | do(x=0))", z=1)
    assert float(found.value) == pytest.approx(risk(1, z=1) - risk(0, z=1), abs=1e-12)
    found = model.ask("P(y=1 | do(x), z) - P(y=1 | do(x=0))", x=1, z=[0, 1, 1])
    expected = [risk(1, z=z) - risk(0) for z in (0, 1, 1)]
    assert found.value.astype(float) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(cf.QueryError, match="'q' is known, but no variable"):
        model.ask("P(y=1 | z) - P(y=0)", q=1)


def test_what_is_not_identifiable_in_one_part_is_not_in_the_whole():
    bow = cf.Graph(edges=["x -> y", "x <-> y", "z -> y"])
    for text in ("P(y=1 | do(x=1)) - P(y=1)", "P(y=1) / P(y=1 | do(x=1))", "RD(x -> y)"):
        verdict = cf.identify(bow, text)
        assert verdict.identifiable is False
        assert verdict.estimand is None
        assert "not identifiable" in str(verdict)
    assert cf.identify(bow, "P(y=1 | do(z=1)) - P(y=1)").identifiable
    for text in ("P(y=1 | do(x=1)) + P(y=0 | do(x=1))", "RR(x -> y)"):
        assert cf.identify(bow, text).identifiable is None  # the first is 1


def test_the_risk_difference_of_a_bow_has_the_sharp_bounds_of_its_width():
    joint = cf.Table(["x", "y"], [[0.3, 0.2], [0.1, 0.4]])
    bow = cf.Graph(edges=["x -> y", "x <-> y"])
    # P(y=1 | do(x=1)) in [.4, .9] and P(y=1 | do(x=0)) in [.2, .7], each by its own response
    for text in ("RD(x -> y)", "P(y=1 | do(x=1)) - P(y=1 | do(x=0))", "TE(x -> y)"):
        found = cf.bounds(bow, text, joint)
        assert (found.low, found.high) == pytest.approx((-0.3, 0.7), abs=1e-9)
        assert found.kind == "sharp"
    ratio = cf.bounds(bow, "RR(x -> y)", joint)
    assert (ratio.low, ratio.high) == pytest.approx((0.4 / 0.7, 0.9 / 0.2), abs=1e-9)
    assert ratio.kind == "outer"


def test_a_ratio_whose_divisor_is_0_is_refused():
    nodes = {
        "x": {"type": "class", "levels": 2, "table": [0.5, 0.5]},
        "y": {"type": "class", "levels": 2, "table": {0: [1, 0], 1: [1, 0]}},
    }
    graph = cf.Graph(nodes=nodes, edges=["x -> y"])
    with pytest.raises(cf.CausalflowError, match="divided by is 0"):
        cf.compile(graph).ask("RR(x -> y)")
    joint = cf.Table(["x", "y"], [[0.5, 0], [0.5, 0]])
    with pytest.raises(cf.CausalflowError, match="is 0"):
        cf.identify(graph, "RR(x -> y)").evaluate(joint)
    with pytest.raises(cf.CausalflowError, match="may be 0"):
        cf.bounds(graph, "RR(x -> y)", joint)


@pytest.mark.parametrize(
    ("graph", "query", "value"),
    [
        (LINEAR, "TE(x=2.5/-1 -> y)", 12.25),
        (LINEAR, "CDE(x -> y; m=0.5)", 2.0),
        (LINEAR, "ETT(x=1.5/0.5 -> y)", 3.5),
        (LINEAR, "TE(x=25e-1/-1e0 -> y)", 12.25),
        (LINEAR, "CDE(x=.5/-.5 -> y; m=-1.25e-3)", 2.0),
        (LINEAR, "NDE(x=2/-0.5 -> y; m)", 5.0),
        (LINEAR, "NIE(x=2/-0.5 -> y; m)", 3.75),
        (LINEAR, "E[y | do(x=2.5)] - E[y | do(x=-1)]", 12.25),
    ],
)
def test_decimals_and_signs_reach_linear_models_unchanged(graph, query, value):
    answer = cf.compile(cf.loads(graph)).ask(query)
    assert answer.value == pytest.approx(value, abs=max(1e-6, 5 * answer.error))
    assert answer.error < 0.02


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("E[y | x=1]", 2 - 1.5 * 0.8 / 1.64),
        ("E[z | y=2]", 2 * 0.1 / (0.1**2 + 2**2 + 1)),
        ("E[y[x=1] | x=0, y=2]", 4.0),
        ("ETT(x -> y)", 2.0),
    ],
)
def test_conditions_on_part_of_a_gaussian_are_answered_right_or_refused(query, value):
    model = cf.compile(cf.loads(GAUSSIAN))
    try:
        answer = model.ask(query)
    except cf.CausalflowError as error:
        assert "\n" not in str(error)
    else:
        assert answer.value == pytest.approx(value, abs=max(1e-6, 5 * answer.error))


def test_combinations_are_simulated_where_a_model_is_not_finite():
    model = cf.compile(
        cf.loads(
            LINEAR.replace(
                "nodes:", "nodes:\n  c: {type: class, levels: 2, equation: ux > 0.5}"
            ).replace("l\n", "l2\n", 1)
        )
    )
    tail = 0.5 * math.erfc(0.5 / math.sqrt(2))  # P(ux > 0.5)
    for text, value in {
        "P(c=1) / P(c=0)": tail / (1 - tail),
        "P(c=1) - 1/2*P(c=0)": tail - (1 - tail) / 2,
        "E[y | x=1] - E[y | do(x=0)]": 3.5,
    }.items():
        answer = model.ask(text, draws=20_000)
        assert 0 < answer.error < 0.1
        assert answer.value == pytest.approx(value, abs=5 * answer.error), text


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("TE(x='very yes'/no -> y)", 0.5),
        ('TE(x="very yes"/no -> y)', 0.5),
        ("ETT(x='very yes'/no -> y)", 0.5),
        ("TE(x=no/'very yes' -> y)", -0.5),
        ("P(y=yes | x='very yes')", 0.8),
        ("P(y=yes | do(x='very yes')) - P(y=yes | do(x=no))", 0.5),
        ("PNS(x='very yes'/no -> y=yes/no)", None),
    ],
)
def test_levels_of_several_words_are_quoted_either_way(query, value):
    model = cf.compile(cf.loads(SPACED))
    if value is None:  # tables leave it open, which is no matter of quotes
        with pytest.raises(cf.QueryError, match="noise"):
            model.ask(query)
    else:
        assert float(model.ask(query).value) == pytest.approx(value, abs=1e-12)


LETTERS = " /,->=|()[]'\"\\;*+.1aé→ß0e"


def words(generator, most=6):
    """A name or level of letters that mean something in a question."""
    size = generator.randint(1, most)
    return "".join(generator.choice(LETTERS) for _ in range(size)).strip() or "a"


def quoted(text, generator):
    mark = generator.choice("'\"")
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


def test_levels_of_any_letters_are_asked_about_in_quotes():
    generator = random.Random(5)
    for _ in range(12):
        levels = ["a" + words(generator), words(generator) + "b"]
        p = generator.randint(1, 9) / 10
        table = {levels[0]: [1 - p, p], levels[1]: [p, 1 - p]}
        nodes = {
            "dose": {"type": "class", "levels": levels, "table": [0.5, 0.5]},
            "y": {"type": "class", "levels": 2, "table": table},
        }
        graph = cf.Graph(nodes=nodes, edges=["dose -> y"])
        one, other = (quoted(level, generator) for level in levels)
        for text in (
            f"TE(dose={one}/{other} -> y)",
            f"E[y | do(dose={one})] - E[y | do(dose={other})]",
            f"P(y=1 | dose={one}) - P(y=1 | dose={other})",
        ):
            value = float(cf.compile(graph).ask(text).value)
            assert value == pytest.approx(2 * p - 1, abs=1e-12), text


def random_term(generator, depth=2):
    name = quoted(words(generator), generator)
    inside = []
    while depth and generator.random() < 0.3:
        inside.append(
            f"{quoted(words(generator), generator)}={random_value(generator)}"
            if generator.random() < 0.7
            else random_term(generator, depth - 1)
        )
    return f"{name}[{', '.join(inside)}]" if inside else name


def random_value(generator):
    return generator.choice(
        [
            quoted(words(generator), generator),
            repr(generator.uniform(-5, 5)),
            repr(generator.uniform(0, 1) * 10.0 ** generator.randint(-30, 30)),
            str(generator.randint(-10, 10)),
            "plain",
        ]
    )


def random_question(generator):
    def terms(most):
        return [random_term(generator) for _ in range(generator.randint(1, most))]

    given = [f"{term}={random_value(generator)}" for term in terms(3)]
    behind = f" | {', '.join(given)}" if generator.random() < 0.6 else ""
    if generator.random() < 0.5:
        events = [t + generator.choice(["", f"={random_value(generator)}"]) for t in terms(3)]
        return f"P({', '.join(events)}{behind})"
    sums = " ".join(
        f"{generator.choice('+-')} {generator.choice(['', '2*', '1/3*'])}{t}" for t in terms(3)
    )
    return f"E[{sums.removeprefix('+ ')}{behind}]"


def test_what_is_printed_is_read_back_as_the_same_question():
    generator, read = random.Random(7), 0
    for _ in range(400):
        parts = [random_question(generator) for _ in range(generator.choice([1, 1, 2, 3]))]
        text = generator.choice([" - ", " + ", " + 1/2*"]).join(parts)
        if len(parts) == 2 and generator.random() < 0.5:
            text = " / ".join(parts)
        try:
            query = cf.parse_query(text)
        except cf.QueryError as error:  # the same name twice in one question, and the like
            assert "\n" not in str(error)
            continue
        assert cf.parse_query(str(query)) == query
        read += 1
    assert read > 200


def test_two_hundred_pieces_of_evidence_are_read_and_answered():
    count = 200
    nodes = {"d": {"type": "class", "levels": 2, "table": [0.9, 0.1]}}
    for i in range(count):
        table = {0: [0.6, 0.4], 1: [0.5, 0.5]}
        nodes[f"symptom_{i}"] = {"type": "class", "levels": 2, "table": table}
    graph = cf.Graph(nodes=nodes, edges=[f"d -> symptom_{i}" for i in range(count)])
    seen = [i % 3 == 0 for i in range(count)]
    text = f"P(d=1 | {', '.join(f'symptom_{i}={int(s)}' for i, s in enumerate(seen))})"
    assert len(text) > 2_000
    odds = math.log(0.1 / 0.9) + sum(math.log(0.5 / (0.4 if s else 0.6)) for s in seen)
    answer = float(cf.compile(graph).ask(text).value)
    assert answer == pytest.approx(1 / (1 + math.exp(-odds)), rel=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "P(y | x=1" + ", z" * 400_000 + ")",
        "P(" + "y[" * 10_000 + "]" * 10_000 + ")",
        "P(" + "(" * 10_000 + ")" * 10_000 + ")",
        "(" * 10_000 + "P(y)" + ")" * 10_000,
        "TE(" + "x[" * 10_000 + " -> y)",
        "P(y=" + "9" * 5_000 + ")",
        "9" * 5_000 + "*P(y)",
        "E[" + "9" * 5_000 + "*y]",
        "P(" + "\\'" * 40_000,
        "'" * 90_001,
        "P(y) - " * 10_000,
        "E" * 90_000 + "[",
        "P(y | do(x=" + "1e" * 40_000 + "))",
        "\x00P(y)\n",
    ],
    ids=range(14),
)
def test_questions_beyond_all_measure_are_refused_in_one_line(graph, text):
    with pytest.raises(cf.QueryError) as caught:
        cf.parse_query(text, graph)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("P(y_{x})", "y[x=1]"),
        ("P(y{x=1})", "y[x=1]"),
        ("P(y, do(x=1))", "P(y | do(x=1))"),
        ("P(y | x=1 and z=1)", "commas"),
        ("P(y | x=1; z=1)", "commas"),
        ("TE(x, y)", "TE(treatment -> outcome)"),
        ("TE(x=1 -> y)", "one/other"),
        ("TE(x=1 1/0 -> y)", "'/'"),
        ("CATE(x -> y)", "CATE(treatment -> outcome | covariate=level)"),
        ("CDE(x -> y; z)", "mediator=level"),
        ("LATE(x -> y)", "ATE"),
        ("y | do(x=1)", "P(y | do(x=1))"),
        ("1 - P(y=1)", "P(...) - P(...)"),
        ("P(y) - P(x) / P(z)", "(A - B) / C"),
    ],
)
def test_a_wrong_form_is_told_the_right_one(graph, text, right):
    with pytest.raises(cf.QueryError) as caught:
        cf.parse_query(text, graph)
    assert right in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_set_to_another_is_a_policy_and_to_a_quoted_name_a_level():
    graph = cf.Graph(edges=["z -> x", "z -> y", "x -> y"])
    policy = str(cf.identify(graph, "P(y | do(x = z))"))
    assert policy == "P(y | do(x = (z))) = sum_{x, z} P(y | x, z) [x = z] P(z)"
    level = cf.parse_query("P(y | do(x = 'z'))", graph)
    assert level.do[0].value == "z"
    assert not level.policies
    assert cf.identify(graph, level).identifiable


def test_an_event_of_numbers_is_read_and_identification_says_who_answers_it(graph):
    assert str(cf.parse_query("P(y > 1)", graph)) == "P(y > 1)"
    with pytest.raises(cf.QueryError, match=r"ask for P\(y\), of which the answer is"):
        cf.identify(graph, "P(y > 1)")
