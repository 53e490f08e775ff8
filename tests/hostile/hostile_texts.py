"""Hostile texts: DOT, dagitty, BIF, GML and queries; lines 2, 3, 4, 8, 9 and 10 of the list."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import causalflow as cf
from tests.hostile.hostile_runner import Case

__all__ = ["CASES"]


def _dot(text: str) -> object:
    from causalflow.formats.dot import from_dot

    return from_dot(text)


def _dagitty(text: str) -> object:
    from causalflow.formats.dagitty import from_dagitty

    return from_dagitty(text)


def _text(line: int, name: str, read: Callable[[str], object], text: str, **given: object) -> Case:
    return Case(line, name, python=lambda: read(text), **given)


def _bif(name: str, text: str, **given: object) -> Case:
    return Case(
        9,
        name,
        make=lambda: Path("g.bif").write_text(text) and None,
        python=lambda: cf.load("g.bif"),
        commands=(("check", "g.bif"),),
        **given,
    )


def _packed() -> None:
    Path("g.bif.gz").write_bytes(gzip.compress(b" " * (1 << 30), compresslevel=9))


def _names(letter: str, count: int) -> str:
    return " ".join(f"{letter}{i}" for i in range(count))


GROUPS = "digraph { {%s} -> {%s} }" % (_names("a", 1400), _names("b", 1400))
NESTED = "digraph { " + "{" * 40 + _names("a", 50) + "}" * 40 + " -> " + _names("b", 1) + " }"
REPEATED = "digraph { " + " -> ".join("{%s}" % _names(f"g{i}_", 90) for i in range(60)) + " }"
LATENT = "dag { u [latent] " + " ".join(f"u -> x{i}" for i in range(3000)) + " }"
LATENTS = "dag { " + " ".join(f"l{i} [latent] l{i} -> x{i} " + (f"l{i} -> l{i + 1}" if i < 2999 else "") for i in range(3000)) + " }"
HEAD = "network n { }\nvariable x { type discrete [ 2 ] { a, b }; }\n"
PARENTS = "".join(f"variable p{i} {{ type discrete [ 2 ] {{ a, b }}; }}\n" for i in range(10_000))

QUERY = cf.Graph(edges=["x -> m -> y", "x <-> y"], nodes={n: {"type": "class", "levels": 2} for n in "xmy"})


def _query(name: str, text: str, **given: object) -> Case:
    def make() -> None:
        Path("g.yaml").write_text("edges: [x -> m -> y, x <-> y]\n")

    short = len(text) < 100_000  # beyond, the system itself refuses the command line
    commands = (("identify", "g.yaml", text), ("draw", "g.yaml", "--query", text)) if short else ()
    return Case(8, name, make=make, python=lambda: cf.identify(QUERY, text), commands=commands, **given)


CASES = [
    _text(2, "DOT: products of groups", _dot, GROUPS),
    _text(2, "DOT: the same, undirected by dir=both", _dot, GROUPS.replace("} }", "} [dir=both] }")),
    _text(2, "DOT: groups in a chain", _dot, REPEATED),
    _text(2, "DOT: nested groups", _dot, NESTED, answer=True),
    _text(2, "DOT: 20,000 nested subgraphs", _dot, "digraph { " + "subgraph { " * 20_000 + "a" + " }" * 20_000 + " }", answer=True),
    _text(2, "dagitty: products of groups", _dagitty, GROUPS.replace("digraph", "dag")),
    _text(2, "dagitty: groups in a chain", _dagitty, REPEATED.replace("digraph", "dag")),
    _text(3, "dagitty: a latent with 3,000 children", _dagitty, LATENT),
    _text(4, "dagitty: a chain of 3,000 latents", _dagitty, LATENTS),
    _text(10, "DOT: an attribute of 1 MB", _dot, 'digraph { a [label="%s"] a -> b }' % ("x" * 990_000), answer=True),
    _text(10, "DOT: an attribute's name of 1 MB", _dot, "digraph { a [%s=1] a -> b }" % ("x" * 990_000), answer=True),
    _text(10, "DOT: an unclosed quote", _dot, 'digraph { a -> "b }'),
    _text(10, "DOT: an unclosed quote of 1 MB", _dot, 'digraph { a -> "' + "b" * 990_000),
    _text(10, "DOT: an unclosed comment", _dot, "digraph { a -> b /* " + "*" * 900_000),
    _text(10, "DOT: a node's name of 1 MB", _dot, "digraph { a -> " + "b" * 990_000 + " }"),
    _text(10, "DOT: 1 MB of backslashes", _dot, 'digraph { a -> "' + "\\" * 990_000 + '" }'),
    _text(10, "DOT: more than 1 MB", _dot, "digraph { a -> b }" + " " * 1_000_000),
    _text(10, "dagitty: an unclosed bracket", _dagitty, "dag { a [latent a -> b }"),
    _bif("BIF: discrete [ 1000000000 ]", HEAD.replace("[ 2 ]", "[ 1000000000 ]")),
    _bif("BIF: 10**9 levels and a table", HEAD.replace("[ 2 ]", "[ 1000000000 ]") + "probability ( x ) { table 0.5, 0.5; }\n"),
    _bif(
        "BIF: 10,000 parents in one table",
        HEAD + PARENTS + "probability ( x | " + ", ".join(f"p{i}" for i in range(10_000)) + " ) { table 0.5, 0.5; }\n",
    ),
    _bif("BIF: a row of another length", HEAD + "probability ( x ) { table 0.5, 0.25, 0.25; }\n"),
    _bif("BIF: nan in a table", HEAD + "probability ( x ) { table nan, 0.5; }\n"),
    _bif("BIF: 5,000 digits in a table", HEAD + "probability ( x ) { table 0.%s, 0.5; }\n" % ("5" * 5000)),
    _bif("BIF: 10**5000 levels", HEAD.replace("[ 2 ]", "[ 1%s ]" % ("0" * 5000))),
    _bif("BIF: a property of 1 MB that does not end", HEAD + "network m { property " + "x" * 1_000_000),
    _bif("BIF: 100,000 braces", HEAD + "{" * 100_000),
    _bif("BIF: nothing", ""),
    Case(9, "BIF: 1 GB in 1 MB", make=_packed, python=lambda: cf.load("g.bif.gz"), commands=(("check", "g.bif.gz"),)),
    Case(
        9,
        "BIF: a truncated archive",
        make=lambda: Path("g.bif.gz").write_bytes(gzip.compress(HEAD.encode() * 99)[:60]),
        python=lambda: cf.load("g.bif.gz"),
        commands=(("check", "g.bif.gz"),),
    ),
    Case(
        9,
        "BIF: no archive",
        make=lambda: Path("g.bif.gz").write_bytes(b"no archive"),
        python=lambda: cf.load("g.bif.gz"),
        commands=(("check", "g.bif.gz"),),
    ),
    _query("a query of 1 MB", "P(y | do(x), " + "m, " * 300_000 + "x)"),
    _query("a query of 60 kB", "P(y | do(x), " + "m, " * 20_000 + "x)"),
    _query("a query with 10,000 brackets", "P(" * 10_000),
    _query("a query with nested worlds", "P(y" + "[x" * 10_000),
    _query("a query with a newline and an escape", "P(y | do(z\n\x1b[31m\u202e))"),
    _query("a query of 5,000 digits", "P(y=" + "1" * 5000 + " | do(x=1))"),
    _query("a query of an infinite number", "P(y=1e999 | do(x=1))"),
    _query("a query of nothing", ""),
    _query("a query of quotes", "P(y='" + "a" * 1500 + ")"),
    _query("a query that ends in a backslash", "P(y='\\"),
    _query("a query of other letters", "P(ў | do(х))"),
    _query("a power of numbers in a query", "E[y * 10**10**10]"),
    Case(8, "None as a query", python=lambda: cf.identify(QUERY, None)),
    Case(8, "bytes as a query", python=lambda: cf.identify(QUERY, b"P(y)")),
    Case(8, "1,000 distributions as data", python=lambda: cf.identify(QUERY, "P(y | do(x))", data=["P(y)"] * 1000)),
    Case(8, "a number as data", python=lambda: cf.identify(QUERY, "P(y | do(x))", data=3)),
    Case(8, "no graph", python=lambda: cf.identify("x -> y", "P(y | do(x))")),
]
