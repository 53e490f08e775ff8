from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import GraphError
from causalflow.formats.formats import load, loads
from causalflow.graph.graph import Graph
from causalflow.graph.node import Anticausal, Class, Continuous, Family, Finite, Image, Symbol
from causalflow.graph.node_reader import _READERS
from causalflow.graph.tree import field_names
from causalflow.limits import GRAPH_BYTES

MALFORMED = Path(__file__).parent / "malformed"
EXPECTED = [
    row.split("\t") for row in (MALFORMED / "expected.tsv").read_text(encoding="utf-8").splitlines()
]

VALID = """\
graph: everything
exogenous:
  u: {p: [0.4, 3/5]}
  v: {type: gamma, shape: 10, rate: 5}
  w: normal
nodes:
  digit: {type: class, levels: 10}
  color: {type: class, levels: [green, red], noise: monotone}
  y:     {type: class, levels: 2, equation: "u ^ 1"}
  t:     {type: continuous, support: positive, unit: px, equation: 0.5 + v}
  on:
    type: continuous
    support: [0, inf]
    equation: >
      64 + 191 * sigmoid(2 * (t - 2.5) + 0.5 * w)
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 16, multipliers: [1, 2]}}
edges:
  - digit -> color
  - digit <-> color
  - digit, y -> image
  - color -> image: {kind: anticausal, scale: 2}
queries:
  - {ask: "P(color | do(digit=3))", identifiable: false, answer: {green: 1/4, red: 0.75}}
"""


def test_the_corpus_is_complete() -> None:
    assert {name for name, _, _ in EXPECTED} == {path.name for path in MALFORMED.glob("*.yaml")}
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize(("name", "line", "message"), EXPECTED, ids=[row[0] for row in EXPECTED])
def test_a_malformed_file_gives_its_one_line_error(name: str, line: str, message: str) -> None:
    path = MALFORMED / name
    with pytest.raises(GraphError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:{line}: {message}"


def test_a_file_becomes_the_typed_objects_of_the_schema() -> None:
    graph = loads(VALID)
    assert graph.name == "everything"
    assert list(graph.nodes) == ["digit", "color", "y", "t", "on", "image"]
    assert graph.nodes["digit"] == Class(levels=tuple(range(10)))
    assert graph.nodes["color"] == Class(levels=("green", "red"), noise="monotone")
    on = graph.nodes["on"]
    assert isinstance(on, Continuous)
    assert on.support == (0, float("inf"))
    assert str(on.equation) == "64 + 191 * sigmoid(2 * (t - 2.5) + 0.5 * w)"
    image = graph.nodes["image"]
    assert isinstance(image, Image)
    assert (image.shape, image.diffusion.width, image.diffusion.multipliers) == (
        (3, 8, 8),
        16,
        (1, 2),
    )
    assert graph.exogenous["u"] == Finite(p=(Fraction(2, 5), Fraction(3, 5)))
    assert graph.exogenous["v"] == Family(name="gamma", parameters=(("shape", 10), ("rate", 5)))
    assert graph.exogenous["w"] == Family(name="normal", parameters=(("mean", 0), ("std", 1)))
    assert graph.kind("color", "image") == Anticausal(scale=2)
    assert graph.parents("on") == {"t"}
    assert graph.exogenous_parents("on") == ("w",)
    query = graph.queries[0]
    assert (query.identifiable, query.line) == (False, 23)
    assert query.answer == (("green", Fraction(1, 4)), ("red", Fraction(3, 4)))


def test_yaml_12_words_are_plain_names() -> None:
    graph = loads("edges: [y -> no, on -> off, yes -> n, null -> true]")
    assert list(graph.nodes) == ["y", "no", "on", "off", "yes", "n", "null", "true"]
    assert set(graph.nodes.values()) == {Symbol()}


def test_bernoulli_with_a_number_is_a_finite_variable() -> None:
    graph = loads("exogenous: {b: {type: bernoulli, p: 0.3}, c: {levels: 4}}\nnodes: [x]")
    assert graph.exogenous["b"] == Finite(p=(Fraction(7, 10), Fraction(3, 10)))
    assert graph.exogenous["c"] == Finite(p=(Fraction(1, 4),) * 4)


def test_rounded_probabilities_are_made_exact() -> None:
    third = Graph(nodes=["x"], exogenous={"u": {"p": [1 / 3, 2 / 3]}}).exogenous["u"]
    assert isinstance(third, Finite)
    assert sum(third.p) == 1


def test_a_missing_file_a_folder_and_a_huge_file_are_graph_errors(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(GraphError, match="cannot be read: a directory"):
        load(tmp_path)
    with pytest.raises(GraphError, match=r"cannot be read: .*null"):
        load("a\0b")
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * (GRAPH_BYTES + 1))
    with pytest.raises(GraphError, match=r"huge\.yaml:1: the file is larger than 1 MiB"):
        load(huge)
    with pytest.raises(GraphError, match="<text>:1: the file is larger than 1 MiB"):
        loads("é" * (GRAPH_BYTES // 2 + 1))


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + VALID.encode())
    assert load(path) == loads(VALID)


def test_python_arguments_meet_the_same_checks_without_a_line() -> None:
    with pytest.raises(GraphError) as caught:
        Graph(nodes={"x": {"type": "class", "levels": 2, "nois": "gumbel"}})
    assert str(caught.value).startswith("node 'x': unknown field 'nois'; expected one of ['type',")
    with pytest.raises(
        GraphError, match="cannot read an object of type set; expected dictionaries"
    ):
        Graph(nodes={"x": {"type": "class", "levels": {"a", "b"}}})
    with pytest.raises(GraphError, match="edge 'a -> b': unknown kind 'nerual'"):
        Graph(edges=["a -> b: nerual"])
    with pytest.raises(GraphError, match="lone surrogate"):
        Graph(edges=["a -> b"], name="\ud800")


def test_python_and_yaml_say_the_same() -> None:
    from_python = Graph(
        name="two",
        nodes={
            "x": {"type": "class", "levels": ["0", "b"]},
            "i": {"type": "image", "shape": (1, 2, 1), "levels": 2, "equation": ["x", "x ^ u"]},
            "j": {"type": "image", "shape": (1, 2, 2)},
        },
        exogenous={"u": {"p": [0.5, Fraction(1, 2)]}},
        edges=["x -> j: {kind: anticausal, scale: 0.5}"],
    )
    from_yaml = loads(
        "graph: two\nexogenous: {u: {levels: 2}}\nnodes:\n  x: {type: class, levels: ['0', b]}\n"
        "  i: {type: image, shape: [1, 2, 1], levels: 2, equation: [x, x ^ u]}\n"
        "  j: {type: image, shape: [1, 2, 2]}\nedges: [{x -> j: {kind: anticausal, scale: 1/2}}]\n"
    )
    assert from_python == from_yaml


def test_arrays_and_ranges_are_lists() -> None:
    graph = Graph(
        nodes={
            "x": {"type": "class", "levels": range(3), "equation": "u"},
            "i": {"type": "image", "shape": np.array([1, 2, 2])},
        },
        exogenous={"u": {"p": np.array([0.5, 0.25, 0.25])}},
        queries=[{"ask": "P(x)", "identifiable": np.bool_(True)}],
    )
    assert graph == loads(
        "exogenous: {u: {p: [1/2, 1/4, 1/4]}}\n"
        "nodes: {x: {type: class, levels: 3, equation: u}, i: {type: image, shape: [1, 2, 2]}}\n"
        "queries: [{ask: P(x), identifiable: true}]\n"
    )


def test_an_answer_over_several_variables_is_nested_in_their_order() -> None:
    answer = "{red: {0: 1/4}, green: {0: 1/4, 1: 1/2}}"
    (query,) = loads(f"edges: [a -> b]\nqueries: [{{ask: 'P(a, b)', answer: {answer}}}]").queries
    assert query.answer == (
        (("red", 0), Fraction(1, 4)),
        (("green", 0), Fraction(1, 4)),
        (("green", 1), Fraction(1, 2)),
    )
    with pytest.raises(GraphError, match="mappings are not all nested alike"):
        Graph(nodes=["x"], queries=[{"ask": "P(x)", "answer": {1: 0.5, 0: {1: 0.5}}}])


def test_keys_that_read_alike_are_refused_in_python_too() -> None:
    with pytest.raises(GraphError, match="duplicate key '1'"):
        Graph(nodes=["x"], queries=[{"ask": "P(x)", "answer": {1: 0.5, "1": 0.5}}])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "levels", "p", "shape", "x", "equation", "support", "kind"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON, JSON, JSON, JSON)
@settings(deadline=None, max_examples=200)
def test_any_python_arguments_are_a_graph_or_a_graph_error(
    nodes: object, edges: object, exogenous: object, queries: object
) -> None:
    arguments = {"nodes": nodes, "edges": edges, "exogenous": exogenous, "queries": queries}
    for part, value in arguments.items():
        for wrapped in (value, [value], {"x": value}, {"x": {"type": "class", "levels": value}}):
            try:
                Graph(**{"edges": ["a -> b"], part: wrapped})  # type: ignore[arg-type]
            except GraphError as error:
                assert len(str(error).splitlines()) == 1


def test_every_field_of_a_node_has_a_reader() -> None:
    for kind, readers in _READERS.items():
        assert set(field_names(kind)) == set(readers)


def test_the_reader_imports_no_torch_sympy_or_scipy() -> None:
    code = (
        "import causalflow.formats.formats as r, sys; r.loads('edges: [x -> y]').to_yaml();"
        "slow = {'torch', 'sympy', 'scipy', 'networkx', 'matplotlib'} & set(sys.modules);"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
