"""Bayesian networks as other programs write them: levels and probabilities as the text has them."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest

import causalflow as cf

HEAD = "network n {\n}\n"
COIN = "probability ( x ) {\n  table 0.3, 0.7;\n}\n"
AB = "variable x {\n  type discrete [ 2 ] { a, b };\n}\n"
PLAIN = (0.3, 0.7)


def named(name: str, written: str | None = None) -> str:
    shown = written or name
    return f"{HEAD}{AB.replace('x', shown, 1)}{COIN.replace('x', shown)}"


TEXTS = {  # text, the variable, its levels, its probabilities
    "bif_00": (
        HEAD + 'variable x {\n  type discrete[2] {\n    0, // "0"\n    1// "1"\n  };\n}\n' + COIN,
        ("x", (0, 1), PLAIN),
    ),
    "bif_01": (
        HEAD + "variable x {\n  type discrete[2] { no, yes// positive\n  };\n}\n" + COIN,
        ("x", ("no", "yes"), PLAIN),
    ),
    "bif_02": (
        HEAD + "variable x {\n  type discrete[2] { no, yes//\n  };\n}\n" + COIN,
        ("x", ("no", "yes"), PLAIN),
    ),
    "bif_03": (HEAD + AB + COIN.replace("0.7", "0.7/* last */"), ("x", ("a", "b"), PLAIN)),
    "bif_04": (HEAD + AB + COIN.replace("0.7", "0.7// last\n"), ("x", ("a", "b"), PLAIN)),
    "bif_05": (named("X.ray"), ("X.ray", ("a", "b"), PLAIN)),
    "bif_06": (
        named("light-on", '"light-on"').replace("a, b", '"true" "false"'),
        ("light-on", ("true", "false"), PLAIN),
    ),
    "bif_07": (named("smoker?"), ("smoker?", ("a", "b"), PLAIN)),
    "bif_08": (named("age group", '"age group"'), ("age group", ("a", "b"), PLAIN)),
    "bif_09": (named("2nd"), ("2nd", ("a", "b"), PLAIN)),
    "bif_11": (named("größe"), ("größe", ("a", "b"), PLAIN)),
    "bif_26": (
        HEAD + AB + COIN.replace("0.3", "0.30003"),
        ("x", ("a", "b"), (0.30003 / 1.00003, 0.7 / 1.00003)),
    ),
    "bif_28": (
        HEAD + "variable x {\n  type discrete [ 1 ] { only };\n}\nprobability ( x ) { table 1.0; }",
        ("x", ("only",), (1.0,)),
    ),
    "bif_latin1": (
        named("x").replace("a, b", "männlich, weiblich"),
        ("x", ("männlich", "weiblich"), PLAIN),
    ),
    "comments that hold signs": (
        "/* } ; */" + HEAD + AB.replace("a,", "a/* , z } ;*/,") + COIN.replace(",", "//;\n,"),
        ("x", ("a", "b"), PLAIN),
    ),
    "slashes that are no comments": (
        named("Asy/Patch").replace("a, b", "1/2, 3/4"),
        ("Asy/Patch", ("1/2", "3/4"), PLAIN),
    ),
    "quoted slashes": (
        named("x").replace("a, b", '"http://a" "/* b */"'),
        ("x", ("http://a", "/* b */"), PLAIN),
    ),
    "properties": (
        (HEAD + AB + COIN)
        .replace("network n {", 'network n { property author = "A; B" ;')
        .replace("};\n}", "};\n  property position = (73, 165) ;\n}")
        .replace("table", "property note = x ;\n  table"),
        ("x", ("a", "b"), PLAIN),
    ),
    "names that are words of the format": (
        named("table").replace("a, b", "default, property"),
        ("table", ("default", "property"), PLAIN),
    ),
    "odd levels": (
        named("x").replace("a, b", "<20, >=20%"),
        ("x", ("<20", ">=20%"), PLAIN),
    ),
    "no commas": (HEAD + AB.replace(",", "") + COIN.replace(",", ""), ("x", ("a", "b"), PLAIN)),
}


@pytest.mark.parametrize("which", TEXTS)
def test_levels_and_probabilities_are_those_of_the_text(which):
    text, (name, levels, law) = TEXTS[which]
    rough = pytest.warns(cf.CausalflowWarning, match="sum to 1.00003")
    with rough if which == "bif_26" else contextlib.nullcontext():
        graph = cf.loads(text)
    assert list(graph.nodes) == [name]
    node = graph.nodes[name]
    assert node.levels == levels
    ((_, found),) = node.table
    assert [float(p) for p in found] == pytest.approx(law, abs=1e-15)  # one rounding of float64
    assert sum(found) == 1
    assert cf.loads(cf.dumps(graph, "bif")) == graph


TWO = HEAD + (
    "variable x { type discrete [ 2 ] { no, yes }; }\n"
    "variable y { type discrete [ 3 ] { low, mid, high }; }\n"
    "probability ( x ) { table 1/4, 3/4; }\n"
)


@pytest.mark.parametrize(
    "block",
    [
        "( y | x ) { (no) .5, .25, .25; (yes) .1, .2, .7; }",
        "( y | x ) { default .1, .2, .7; (no) .5, .25, .25; }",
        "( y | x ) { table .5, .1, .25, .2, .25, .7; }",  # the child's levels outermost
        "( y x ) { (yes) .1 .2 .7; (no) .5 .25 .25; }",
        "( y | x ) { (yes)// comment\n .1, .2/**/, .7; (no)/* ; */.5 .25,.25; }",
    ],
)
def test_every_form_of_a_table_is_the_same_law(block):
    answer = cf.compile(cf.loads(TWO + "probability " + block)).ask("P(y | do(x=yes))")
    assert answer.table.to_dict() == {
        "low": Fraction(1, 10),
        "mid": Fraction(1, 5),
        "high": Fraction(7, 10),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + AB.replace("discrete [ 2 ]", "continuous") + COIN, "unexpected 'continuous'"),
        (HEAD + AB, "<text>:3: variable 'x' has no probability block"),
        (HEAD + AB + COIN.replace("0.7", "0.5"), "<text>:7: probability of 'x': the probabilities"),
        (HEAD + AB + COIN + COIN, "probability of 'x': declared twice"),
        (HEAD + AB + COIN.replace("0.7", "0.7, 0"), "expected 2 numbers, not 3"),
        (HEAD + AB.replace("a, b", "a, a") + COIN, "<text>:3: variable 'x': expected different"),
        (HEAD + AB + COIN.replace("0.7;", "0.7"), "<text>:8: not BIF: unexpected '}'"),
    ],
)
def test_what_is_no_network_is_refused_with_its_line(text, message):
    with pytest.raises(cf.GraphError) as caught:
        cf.loads(text)
    assert message in str(caught.value)
