import pickle
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalflow.errors import QueryError
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.limits import QUERY_LETTERS
from causalflow.query.parse import parse_distribution, parse_query
from causalflow.query.query import Intervention, Kind, Query, Term

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"


def world(**settings):
    return tuple(Intervention(variable=name, value=value) for name, value in settings.items())


def term(name, value=None, **settings):
    return Term(name=name, subscript=world(**settings), value=value)


GOLDEN = {
    "P(y | do(x=1), z)": Query(
        outcomes=(term("y"),), conditions=(term("z"),), do=world(x=1)
    ),
    "P(y, w=0 | do(x=red, v), z=1)": Query(
        outcomes=(term("y"), term("w", 0)),
        conditions=(term("z", 1),),
        do=world(x="red", v=None),
    ),
    "P(y[x=1] | x=0, y=0)": Query(
        outcomes=(term("y", x=1),), conditions=(term("x", 0), term("y", 0))
    ),
    "P(y[x=1, m[x=0]])": Query(outcomes=(term("y", x=1, m=term("m", x=0)),)),
    "P(y[x=1, m[]])": Query(outcomes=(term("y", x=1, m=term("m")),)),
    "P(y[w[m[x]]])": Query(outcomes=(term("y", w=term("w", m=term("m", x=None))),)),
    "P(y[x=1]=1, y[x=0]=0)": Query(outcomes=(term("y", 1, x=1), term("y", 0, x=0))),
    "P(bar[color=red]=present | image, bar=absent)": Query(
        outcomes=(term("bar", "present", color="red"),),
        conditions=(term("image"), term("bar", "absent")),
    ),
    "P(y[x])": Query(outcomes=(term("y", x=None),)),
    "P(y=-1.5 | z='two words', w='1', v='it\\'s')": Query(
        outcomes=(term("y", -1.5),),
        conditions=(term("z", "two words"), term("w", "1"), term("v", "it's")),
    ),
    "P(age=50-60 | 'odd name'=<5%, do=1, P, E=e)": Query(
        outcomes=(term("age", "50-60"),),
        conditions=(
            term("odd name", "<5%"), term("do", 1), term("P"), term("E", "e"),
        ),
    ),
    "E[y[x=1] - y[x=0] | z=1]": Query(
        kind=Kind.EXPECTATION,
        outcomes=(term("y", x=1), term("y", x=0)),
        conditions=(term("z", 1),),
        coefficients=(Fraction(1), Fraction(-1)),
    ),
    "E[-2*y + 1/3*w | do(x=1)]": Query(
        kind=Kind.EXPECTATION,
        outcomes=(term("y"), term("w")),
        do=world(x=1),
        coefficients=(Fraction(-2), Fraction(1, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", GOLDEN)
def test_canonical_text_is_read_as_written_and_written_as_read(text):
    assert parse_query(text) == GOLDEN[text]
    assert str(GOLDEN[text]) == text


@pytest.mark.parametrize(
    ("loose", "canonical"),
    [
        ("P(y|do(x=1),z)", "P(y | do(x=1), z)"),
        (" P ( y | z , do ( x ), do(w=2) ) ", "P(y | do(x, w=2), z)"),
        ("P(y[m[x=0],x=+1])", "P(y[x=1, m[x=0]])"),
        ('P(y="two words")', "P(y='two words')"),
        ("P('y'='red')", "P(y=red)"),
        ("P(y=007, z=.5, w=1e3)", "P(y=7, z=0.5, w=1000.0)"),
        ("E[0.5*y - 2/4*z]", "E[1/2*y - 1/2*z]"),
        ("P(y |\n do(x),\tz)", "P(y | do(x), z)"),
        ("P(größe | do(α=1))", "P(größe | do(α=1))"),
    ],
)
def test_loose_writing_has_one_canonical_form(loose, canonical):
    assert str(parse_query(loose)) == canonical


def test_equal_worlds_are_equal_terms_in_any_order():
    assert parse_query("P(y[a=1, b=2])") == parse_query("P(y[b=2, a=1])")


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        ("P(y, w=0 | do(x=red, v), z)", ("y", "z", "v")),
        ("P(y[x=1] | y)", ("y[x=1]", "y")),
        ("P(y[x=1] | x=0, y=0)", ("y",)),
        ("P(y[x, m[w]] | z=0)", ("y", "x", "w")),
        ("P(y[x=1, m[]])", ("y",)),
        ("P(y[x], z[x])", ("y", "z", "x")),
        ("E[y[x] - y[x=0] | z]", ("z", "x")),
        ("P(y=1 | do(x=0))", ()),
    ],
)
def test_free_variables_are_the_axes_of_the_answer(text, axes):
    assert parse_query(text).free_variables == axes


@pytest.mark.parametrize(
    ("text", "rung"),
    [
        ("P(y | z)", "observational"),
        ("P(y | do(x), z)", "interventional"),
        ("P(y[x=1] | z[x=1])", "interventional"),
        ("P(y[x=1] | z)", "counterfactual"),
        ("P(y[x=1], x[x=1])", "counterfactual"),
        ("P(y[x=1, m[x=0]])", "counterfactual"),
        ("E[y[x=1] - y[x=0]]", "counterfactual"),
    ],
)
def test_rung_of_the_ladder_is_told_by_the_worlds(text, rung):
    query = parse_query(text)
    assert query.is_interventional == (rung == "interventional")
    assert query.is_counterfactual == (rung == "counterfactual")


def test_do_and_subscripts_are_two_forms_of_one_question():
    query = parse_query("P(y | do(x=1, w), z=0)")
    assert str(query.counterfactual_form()) == "P(y[w, x=1] | z[w, x=1]=0)"
    back = query.counterfactual_form().interventional_form()
    assert str(back) == "P(y | do(w, x=1), z=0)"
    with pytest.raises(QueryError, match="no form with do"):
        parse_query("P(y[x=1] | y)").interventional_form()


def test_worlds_come_after_those_nested_in_them():
    query = parse_query("P(y[x=1, m[x=0]] | z, y[x=0])")
    x0, x1 = world(x=0), (*world(x=1), Intervention(variable="m", value=term("m", x=0)))
    assert query.worlds == (x0, x1, ())
    assert query.variables == {"x", "y", "z", "m"}


def test_distributions_of_data_are_single_world_and_free(graph):
    assert str(parse_distribution("P(y, z | do(x))")) == "P(y, z | do(x))"
    assert str(parse_distribution("P(v | do(color=1))", graph)) == (
        "P(digit, image, height, code | do(color=red))"
    )
    for wrong in ("P(y=1)", "P(y[x=1] | y)", "E[y]"):
        with pytest.raises(QueryError, match="data"):
            parse_distribution(wrong)


@pytest.fixture(scope="module")
def graph():
    return Graph(
        nodes={
            "digit": {"type": "class", "levels": 10},
            "color": {"type": "class", "levels": ["green", "red"]},
            "image": {"type": "image", "shape": [3, 28, 28]},
            "height": {"type": "continuous", "support": [0, 300], "unit": "cm"},
            "code": {"type": "image", "shape": [1, 2, 2], "levels": 2},
        },
        edges=["digit -> color", "color, digit -> image", "digit -> height", "digit -> code"],
    )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("P(color=1 | do(digit=3))", "P(color=red | do(digit=3))"),
        ("P(color=red | digit='3')", "P(color=red | digit=3)"),
        ("P(image[color=0] | image, height=170)", "P(image[color=green] | image, height=170.0)"),
        ("P(code[digit=3]=15)", "P(code[digit=3]=15)"),
    ],
)
def test_levels_are_resolved_against_the_graph(graph, text, canonical):
    assert str(parse_query(text, graph)) == canonical


def test_symbolic_graphs_take_any_level_and_exogenous_variables_can_be_asked_about():
    symbolic = Graph(edges=["x -> y"])
    assert str(parse_query("P(y | do(x=warm))", symbolic)) == "P(y | do(x=warm))"
    explicit = Graph(
        nodes={"x": {"type": "class", "levels": 2, "equation": "u"}},
        exogenous={"u": {"p": [0.5, 0.5]}},
    )
    assert str(parse_query("P(u | x=1)", explicit)) == "P(u | x=1)"
    with pytest.raises(QueryError, match="exogenous variable 'u' cannot be set"):
        parse_query("P(x | do(u=1))", explicit)


@pytest.mark.parametrize("path", sorted(GRAPHS.glob("*.yaml")), ids=lambda path: path.stem)
def test_queries_of_the_graph_files_are_read_with_their_graphs(path):
    graph = load(path)
    for check in graph.queries:
        query = parse_query(check.ask, graph)
        assert parse_query(str(query), graph) == query


MISTAKES = """
P(digit | do(colour=1))
             ^ unknown node 'colour'; expected one of ['digit', 'color', 'image', 'height', 'code']; did you mean 'color'?
P(color=rad)
        ^ node 'color': unknown level 'rad'; expected one of ['green', 'red'] or an index 0..1; did you mean 'red'?
P(color | do(digit=10))
                   ^ node 'digit': unknown level '10'; expected one of ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
P(color | digit=-1)
                ^ node 'digit': unknown level '-1'; expected one of ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
P(color | image=1)
                ^ image node 'image' takes no value in a query; name it alone
P(color | code=16)
               ^ image node 'code' is given 16; expected its code, 0 to 15
P(color | height=tall)
                 ^ node 'height': not a number: 'tall'
P(color | height=301)
                 ^ node 'height': value 301 is outside its support; expected 0 <= value <= 300
P(color | height=1e400)
                 ^ the number 1e400 is too large
P()
  ^ expected a variable; found ')'
P(color
       ^ expected '=', '[', ',', '|' or ')'; found the end of the query
P(color | )
          ^ expected a variable or 'do('; found ')'
P(color | do(digit)
                   ^ expected ',' or ')'; found the end of the query
P(color=)
        ^ expected a level or number; found ')'
P(color==1)
        ^ expected a level or number; found '='
P(color; digit)
       ^ expected '=', '[', ',', '|' or ')'; found ';'; events are separated by commas
P(color) P(digit)
         ^ expected the end of the query; found 'P('
P(color) + digit
           ^ expected a question here; a combination is P(...) - P(...), 1/2*E[...] + E[...], or P(...) / P(...)
P(color) - P(digit=12)
                   ^ node 'digit': unknown level '12'; expected one of ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
P(color) / 0
           ^ division by zero
P(odd name)
      ^ expected '=', '[', ',', '|' or ')'; found 'name'; a name or level of several words is quoted: 'two words'
P(color{digit})
       ^ expected '=', '[', ',', '|' or ')'; found '{'; the world of a term stands in brackets: y[x=1]
P(color, do(digit=1))
           ^ expected '=', '[', ',', '|' or ')'; found '('; do(...) stands behind the bar: P(y | do(x=1))
P(height ≠ 2)
         ^ expected '=', '[', ',', '|' or ')'; found '≠'; an event is y=1, y in {0, 1}, or of a number y > 5, y in [5, 6]
P('color)
  ^ expected a variable; found a quote that is not closed; a quote in a name wants a backslash, or the other quotes: "it's"
E{digit}
^ expected 'P(' or 'E['; found 'E'; a question is P(y | do(x=1)), E[y | do(x=1)] or a name such as ATE(x -> y)
color | do(digit)
^ expected 'P(' or 'E['; found 'color'; a question is P(y | do(x=1)), E[y | do(x=1)] or a name such as ATE(x -> y)
E[digit=1]
  ^ an expectation is of variables; give 'digit' no value
E[2 digit]
    ^ expected '*' or '/'; found 'digit'
E[1/0*digit]
  ^ division by zero
P(color, color)
         ^ 'color' appears twice
P(color=red, color=green)
             ^ 'color' has two values, color=red and color=green
P(color | digit=1, digit=2)
                   ^ 'digit' has two values, digit=1 and digit=2
P(color | color=red)
          ^ 'color' is both an outcome and a condition
P(color | do(digit=1), digit=1)
                       ^ 'digit' is set by do(...) and cannot be a condition
P(color | do(color=red))
  ^ 'color' is set by do(...) and cannot be an outcome
P(color | do(digit=1, digit=2))
                      ^ 'digit' is set twice
P(color[digit=1, digit=2])
                 ^ 'digit' is set twice
P(color[digit=1] | do(height))
  ^ do(...) already applies to 'color[digit=1]'; use one of do(...) and subscripts
P(color | do(height[digit=1]))
             ^ do(...) takes no nested term 'height[digit=1]'; write y[height[digit=1]]
P(color[])
  ^ 'color[]' sets nothing; write 'color'
P(color[digit[height=1]=3])
        ^ 'digit' is set to its value in another world; give no other
P(color[digit] | digit)
                 ^ 'digit' is free as a value and as an intervention; give one a level
"""  # noqa: E501


def mistakes():
    lines = MISTAKES.strip().splitlines()
    for text, expected in zip(lines[::2], lines[1::2], strict=True):
        position = expected.index("^")
        yield pytest.param(text, position, expected[position + 2 :], id=text)


@pytest.mark.parametrize(("text", "position", "message"), list(mistakes()))
def test_mistakes_are_named_and_pointed_at(graph, text, position, message):
    with pytest.raises(QueryError) as caught:
        parse_query(text, graph)
    assert caught.value.message == f"query: {message}"
    assert (caught.value.text, caught.value.position) == (text, position)
    line = str(caught.value)
    assert line.startswith(f"query: {message} (at letter {position + 1}: '")
    assert f"{text[max(0, position - 30) : position]}⟨here⟩{text[position : position + 30]}" in line


def test_the_place_is_shown_in_one_line_when_the_text_has_line_breaks():
    with pytest.raises(QueryError) as caught:
        parse_query("P(y |\n\tz z)")
    assert str(caught.value).endswith(r"(at letter 10: 'P(y |\n\tz ⟨here⟩z)')")


def test_size_and_depth_are_limited_before_anything_is_read():
    nested = "y[" * 20 + "x=1" + "]" * 20
    assert str(parse_query(f"P({nested})")) == f"P({nested})"
    assert str(parse_query(f"E[{nested}]")) == f"E[{nested}]"
    with pytest.raises(QueryError, match="deeper than 20"):
        parse_query(f"P(y[{nested}])")
    with pytest.raises(QueryError, match="100,001 characters"):
        parse_query("P(" + "y" * (QUERY_LETTERS - 1))
    with pytest.raises(QueryError, match="given NoneType"):
        parse_query(None)


def test_an_error_survives_pickling_and_stays_one_line_without_a_place():
    with pytest.raises(QueryError) as caught:
        parse_query("P()")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert str(QueryError("one line")) == "one line"


NAMES = st.sampled_from(["a", "b", "c", "x1", "do", "P", "E", "größe", "odd name", "it's", "7up"])
VALUES = st.one_of(
    st.none(),
    st.integers(-99, 99),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6),
)


def interventions(nested):
    plain = st.builds(lambda n, v: Intervention(variable=n, value=v), NAMES, VALUES)
    return plain | nested.map(lambda t: Intervention(variable=t.name, value=t))


def terms(nested):
    subscripts = st.lists(
        interventions(nested), max_size=3, unique_by=lambda each: each.variable
    ).map(tuple)
    return st.builds(lambda n, s: Term(name=n, subscript=s), NAMES, subscripts)


NESTED = st.recursive(terms(st.nothing()), terms, max_leaves=4)


@st.composite
def queries(draw):
    kind = draw(st.sampled_from(Kind))
    chosen = draw(st.lists(NESTED, min_size=1, max_size=4, unique=True))
    asked = draw(st.integers(1, len(chosen)))
    outcomes, conditions = chosen[:asked], chosen[asked:]
    valued = [Term(name=t.name, subscript=t.subscript, value=draw(VALUES)) for t in conditions]
    if kind is Kind.PROBABILITY:
        outcomes = [Term(name=t.name, subscript=t.subscript, value=draw(VALUES)) for t in outcomes]
    coefficients = draw(st.lists(st.fractions(), min_size=asked, max_size=asked))
    return Query(
        kind=kind,
        outcomes=tuple(outcomes),
        conditions=tuple(valued),
        coefficients=tuple(coefficients) if kind is Kind.EXPECTATION else (),
    )


@given(queries())
def test_every_query_is_read_back_from_its_text(query):
    try:
        again = parse_query(str(query))
    except QueryError as error:  # the only nonsense that the strategy makes
        assert "is free as a value" in str(error) or "longer than" in str(error)
    else:
        assert again == query
        assert str(again) == str(query)


@given(st.text(alphabet=st.sampled_from(list("PEyx01do()[]=|,'\"\\ -+*/.\n<é")), max_size=40))
def test_random_text_is_a_query_or_a_query_error(text):
    check_only_query_errors(text)


@given(st.sampled_from(list(GOLDEN)), st.lists(st.tuples(st.integers(0, 60), st.text(max_size=2))))
def test_damaged_queries_are_queries_or_query_errors(text, damages):
    for place, inserted in damages[:4]:
        text = text[:place] + inserted + text[place + 1 :]
    check_only_query_errors(text)


def check_only_query_errors(text):
    try:
        query = parse_query(text)
    except QueryError as error:
        assert "\n" not in error.message
        assert error.position is None or 0 <= error.position <= len(text)
    else:
        assert parse_query(str(query)) == query
