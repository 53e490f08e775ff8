"""Graph texts that would flood memory or time: each ends in one short line of error."""

from __future__ import annotations

import gzip

import pytest

import causalflow as cf

LEFT = " ".join(f"a{k}" for k in range(1_400))
RIGHT = " ".join(f"b{k}" for k in range(1_400))
NESTED = "".join(f"{{ x{k} -> " for k in range(2_000)) + "y" + "}" * 2_000
BIF = "variable x { type discrete [ 2 ] { a, b }; }\n"
PARENTS = [f"p{k}" for k in range(10_000)]
TABLES = "".join(
    f"variable {p} {{ type discrete [2] {{ a b }}; }} probability ({p}) {{ table .5 .5; }}\n"
    for p in PARENTS
)
MANY = "<text>: more than 100,000 edges"
SHAPE = "expected 'kind { a -> b; a [key=value] }'"
TEXTS = {
    "product in dot": (f"digraph {{ {{{LEFT}}} -> {{{RIGHT}}} }}", MANY),
    "product in dagitty": (f"dag {{ {{{LEFT}}} <-> {{{RIGHT}}} }}", MANY),
    "chain of products": (f"dag {{ {' -> '.join(['{a b c d e f g h i j}'] * 2_000)} }}", MANY),
    "nested groups": (f"digraph {{ {NESTED} }}", MANY),
    "nested groups beside empty ones": (
        f"digraph {{ {''.join(f'{{}} -> {{a{k} ' for k in range(2_000))} {'}' * 2_000} }}",
        MANY,
    ),
    "latent node of 3,000 children": (
        f"dag {{ U [latent] {' '.join(f'U -> c{k}' for k in range(3_000))} }}",
        "latent: the latent nodes would leave 4,498,500 edges or more; at most 100,000 are allowed",
    ),
    "chain of 3,000 latent nodes": (
        f"dag {{ {' '.join(f'L{k} [u] L{k} -> L{k + 1} L{k} -> o{k}' for k in range(3_000))} }}",
        "edges or more; at most 100,000 are allowed",
    ),
    "a hundred thousand nodes": (
        f"digraph {{ {' -> '.join(f'v{k}' for k in range(95_000))} }}",
        "<text>: more than 20,000 nodes",
    ),
    "text beyond the limit": (f"dag {{ {'x ' * 500_000} }}", "a graph text may have 1000000 at"),
    "quotes without an end in yaml": (
        f"edges:\n  - 'x -> \"{chr(92) + chr(34)}{(chr(92) + chr(34)) * 250_000}'",
        "an edge of 500008 characters; at most 10000 are allowed",
    ),
    "quote without an end": (f'dag {{ "{"a" * 900_000} }}', "unexpected '\"aaaaaaaaaaaaaaaaaaa'"),
    "brackets without an end": (f"dag {{ a [{'b,' * 100_000} }}", "unexpected '}'"),
    "braces without an end": (f"dag {{ {'{' * 50_000}", "the text ends too early"),
    "comment without an end": (f"dag {{ /*{'/* ' * 300_000} }}", "<text>:1:7: unexpected '/*"),
    "html without an end": (f"digraph {{ a [label=<{'<' * 900_000}", SHAPE),
    "name of a megabyte": (f"dag {{ {'a' * 900_000} -> b }}", "an edge of 900005 characters"),
    "gml in a million lists": (f"graph [ directed 1 {'a [ ' * 200_000}", "nested too deeply"),
    "gml number": (f"graph [ node [ id {'9' * 5_000} ] ]", "<text>: not GML: Exceeds the limit"),
    "gml name": (f'graph [ directed 1 node [ id 0 label "{"x" * 900_000}" ] ]', "a name is 1 to"),
    "gml edge to nowhere": (
        'graph [ directed 1 node [ id 0 label "a" ] edge [ source 0 target 7 ] ]',
        "<text>: not GML: edge #0 has undefined target 7",
    ),
    "gml without an end": ('graph [ node [ id 0 label "a ] ]', "<text>: not GML: "),
    "announced levels": (
        BIF.replace("[ 2 ]", "[ 1000000000 ]"),
        "<text>:1: variable 'x': 1000000000 levels are announced, 2 are listed",
    ),
    "ten thousand parents": (
        f"{TABLES}{BIF}probability ( x | {', '.join(PARENTS)} ) {{ default .5 .5; }}",
        "probability of 'x': more than 1,048,576 combinations of the parents' levels",
    ),
    "huge exponents": (
        f"{BIF}probability (x) {{ table 1e-999999999 1e9999; }}",
        "expected a probability between 0 and 1, not '1e-999999999'",
    ),
    "digits": (f"{BIF}probability (x) {{ table 0.{'1' * 100_000} 1; }}", "not '0.111111111111"),
    "bif comment without an end": (
        f"network n {{}} /*{'/* ' * 300_000}",
        "not BIF: unexpected '/'",
    ),
    "bif beyond the limit": (f"{BIF}//{'x' * (1 << 23)}", "<text>: larger than 8 MiB"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_flood_ends_in_one_short_line(name):
    text, message = TEXTS[name]
    with pytest.raises(cf.CausalflowError) as caught:
        cf.loads(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_a_packed_file_is_unpacked_no_further_than_a_graph_may_be_long(tmp_path, cli):
    (tmp_path / "bomb.bif.gz").write_bytes(gzip.compress(b"//" + bytes(1 << 26)))
    ran = cli("check", "bomb.bif.gz")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "bomb.bif.gz:1: the file is larger than 8 MiB\n"


def test_a_long_chain_is_read_in_one_pass():
    """A second look at the text for each edge would take hours here, and end in a timeout."""
    names = [f"v{k}" for k in range(8_000)]
    graph = cf.loads(f"digraph {{ {' -> '.join(names)} }}")
    assert list(graph.nodes) == names
    assert len(graph.edges) == len(names) - 1


def test_latin_letters_are_refused_with_the_encoding_that_is_read(tmp_path):
    text = f"{BIF}probability (x) {{ table .3 .7; }}".replace("{ a, b }", "{ männlich, weiblich }")
    (tmp_path / "x.bif").write_bytes(text.encode("latin-1"))
    with pytest.raises(cf.GraphError) as caught:
        cf.load(tmp_path / "x.bif")
    assert str(caught.value).endswith("x.bif:1: byte 0xe4 is not UTF-8; save the file as UTF-8")
    (tmp_path / "x.bif").write_text(text, encoding="utf-8")
    assert cf.load(tmp_path / "x.bif").nodes["x"].levels == ("männlich", "weiblich")


def test_a_model_where_a_graph_is_expected_is_told_so(tmp_path):
    cf.compile(cf.loads("graph: g\nnodes: {a: {type: class, levels: 2}}\n")).save(
        tmp_path / "m.safetensors"
    )
    with pytest.raises(cf.GraphError, match="a model file, not a graph"):
        cf.load(tmp_path / "m.safetensors")
