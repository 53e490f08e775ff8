from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import GraphError
from causalflow.graph.edges import parse_links, split_kind
from causalflow.graph.graph import Graph


@pytest.mark.parametrize(
    ("text", "directed", "bidirected"),
    [
        ("a -> b", {"a>b"}, set()),
        ("a,b->c", {"a>c", "b>c"}, set()),
        ("a -> b, c", {"a>b", "a>c"}, set()),
        ("a -> b -> c", {"a>b", "b>c"}, set()),
        ("a <- b", {"b>a"}, set()),
        ("a <-> b", set(), {"a>b"}),
        ("  a\t<->b ->c ", {"b>c"}, {"a>b"}),
        ("a <- b -> c <-> d", {"b>a", "b>c"}, {"c>d"}),
        ("_1, A2 -> x_y", {"_1>x_y", "A2>x_y"}, set()),
    ],
)
def test_edge_strings_mean_what_they_show(
    text: str, directed: set[str], bidirected: set[str]
) -> None:
    links = parse_links(text)
    assert {f"{a}>{b}" for a, b in links.directed} == directed
    assert {f"{a}>{b}" for a, b in links.bidirected} == bidirected


@given(st.text(max_size=40) | st.text("ab1_,-<> :{}", max_size=40))
@settings(deadline=None, max_examples=500)
def test_any_edge_string_is_an_edge_or_a_graph_error(text: str) -> None:
    try:
        links = parse_links(split_kind(text)[0])
    except GraphError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert links.directed or links.bidirected
    try:
        Graph(edges=[text])
    except GraphError as error:
        assert len(str(error).splitlines()) == 1


def test_a_hostile_edge_string_meets_a_limit() -> None:
    with pytest.raises(GraphError, match="at most 10000 are allowed"):
        parse_links("a -> " * 5000 + "b")
    names = ",".join(f"a{i}" for i in range(200))
    with pytest.raises(GraphError, match="one entry makes 40,000 edges"):
        parse_links(f"{names} -> {names}")
