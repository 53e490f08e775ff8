"""Hostile graph files and declarations: lines 1, 4, 5, 6, 7 and 8 of the list."""

from __future__ import annotations

from pathlib import Path

import causalflow as cf
from tests.hostile.hostile_runner import Case

__all__ = ["CASES", "yaml_case"]


def yaml_case(line: int, name: str, text: str | bytes, *more: tuple[str, ...], **given: object) -> Case:
    """A graph file ``g.yaml``, through `cf.load` and `causalflow check`, and other commands."""

    def make() -> None:
        Path("g.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    commands = (("check", "g.yaml"), *more)
    return Case(line, name, make=make, python=lambda: cf.load("g.yaml"), commands=commands, **given)


def _names(letter: str, count: int, first: int = 0) -> list[str]:
    return [f"{letter}{i}" for i in range(first, first + count)]


def _products(arrow: str, lines: int = 190, width: int = 100) -> list[str]:
    """Edge entries that make 10,000 edges each, all different."""
    return [
        f"{', '.join(_names('a', width, width * (i % 14)))} {arrow} {', '.join(_names('b', width, width * (i // 14)))}"
        for i in range(lines)
    ]


def _file(edges: list[str]) -> str:
    return "edges:\n" + "".join(f"  - '{edge}'\n" for edge in edges)


def _chain(groups: int, width: int) -> str:
    return " -> ".join(", ".join(_names(f"g{i}_", width)) for i in range(groups))


ALIASES = "nodes:\n  x0: &a0 [z, z, z, z, z, z, z, z, z]\n" + "".join(
    f"  x{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
TWO = "nodes: {{x: {{type: class, levels: {0}}}, y: {{type: class, levels: {0}}}}}\nedges: [x -> y]\n"
LEVELS = "nodes: {{x: {{type: class, levels: {0}}}}}\n"
WIDE = (
    "nodes:\n"
    + "".join(f"  p{i}: {{type: class, levels: 100}}\n" for i in range(6))
    + "  y: {type: class, levels: 2%s}\nedges: [p0, p1, p2, p3, p4, p5 -> y]\n"
)
IMAGE = "nodes: {{i: {{type: image, shape: {0}}}, x: {{type: class, levels: 2}}}}\nedges: [x -> i]\n"

FIT = ("fit", "g.yaml", "--data", "rows.csv", "--no-progress", "-o", "m.safetensors")


def _with_rows(case: Case, text: str) -> Case:
    def make() -> None:
        case.make()
        Path("rows.csv").write_text(text)

    return Case(
        case.line,
        case.name,
        make=make,
        commands=(FIT, ("describe", "g.yaml")),
        python=lambda: cf.compile(cf.load("g.yaml")),
        answer=case.answer,
    )


CASES = [
    yaml_case(1, "1.9 million edges from groups", _file(_products("->")), ("identify", "g.yaml", "P(b1 | do(a1))")),
    yaml_case(1, "1.9 million bidirected edges", _file(_products("<->"))),
    yaml_case(1, "the same edges with a kind each", _file([f"{e}: neural" for e in _products("->")])),
    yaml_case(1, "a chain of groups in each entry", _file([_chain(40, 45).replace("g", f"h{i}_") for i in range(60)])),
    Case(1, "edges from groups, in Python", python=lambda: cf.Graph(edges=_products("->"))),
    Case(1, "2,000,000 edges one by one, in Python", python=lambda: cf.Graph(edges=(f"a{i} -> b{i}" for i in range(2_000_000)))),
    Case(1, "2,000,000 edges as a list, in Python", python=lambda: cf.Graph(edges=[f"a{i} -> b{i}" for i in range(2_000_000)])),
    yaml_case(5, "levels: 1000000", LEVELS.format(1_000_000), ("describe", "g.yaml"), ("ask", "g.yaml", "P(x)")),
    yaml_case(5, "levels: 1e9", LEVELS.format("1e9"), ("describe", "g.yaml")),
    yaml_case(5, "levels: 10**30", LEVELS.format(10**30)),
    yaml_case(5, "two classes of 900,000 levels", TWO.format(900_000), ("describe", "g.yaml")),
    yaml_case(5, "200,000 names of levels", LEVELS.format("[" + ", ".join(_names("l", 110_000)) + "]")),
    Case(
        5,
        "200,000 names of levels, in Python",
        python=lambda: cf.compile(cf.Graph(nodes={"x": {"type": "class", "levels": _names("l", 200_000)}})),
    ),
    Case(5, "levels as a range of 10**9, in Python", python=lambda: cf.Graph(nodes={"x": {"type": "class", "levels": range(10**9)}})),
    yaml_case(5, "10**12 rows of parents, a table", WIDE % ", table: uniform"),
    yaml_case(5, "10**12 rows of parents, noise: response", WIDE % ", noise: response", ("describe", "g.yaml"), answer=True),
    Case(
        5,
        "10**12 rows of parents, a table, in Python",
        python=lambda: cf.Graph(
            nodes={**{n: {"type": "class", "levels": 10_000} for n in "abc"}, "y": {"type": "class", "levels": 2, "table": "uniform"}},
            edges=["a, b, c -> y"],
        ),
    ),
    yaml_case(
        5,
        "an exogenous variable of 10**6 levels",
        "exogenous: {u: {levels: 1000000}}\nnodes: {x: {type: class, levels: 2, equation: u > 3}}\n",
    ),
    yaml_case(
        5,
        "20 exogenous variables of 1000 levels",
        "exogenous: {"
        + ", ".join(f"u{i}: {{levels: 1000}}" for i in range(20))
        + "}\nnodes: {x: {type: class, levels: 2, equation: '"
        + " + ".join(_names("u", 20))
        + " > 3'}}\n",
        ("ask", "g.yaml", "P(x)"),
        ("enumerate", "g.yaml"),
        answer=True,
    ),
    yaml_case(6, "an image of 3 x 100000 x 100000", IMAGE.format("[3, 100000, 100000]"), ("describe", "g.yaml")),
    yaml_case(6, "an image of 10**40 channels", IMAGE.format(f"[{10**40}, 8, 8]")),
    yaml_case(6, "an image of 67 million pixels", IMAGE.format("[1, 8192, 8192]"), ("describe", "g.yaml"), answer=True),
    yaml_case(
        6,
        "an image of 67 million channels",
        IMAGE.format("[67108864, 1, 1]"),
        ("describe", "g.yaml"),
        answer=True,  # a declaration takes no memory; what compiles it refuses
    ),
    yaml_case(
        6,
        "a U-Net of width 10000",
        "nodes: {i: {type: image, shape: [3, 64, 64], diffusion: {width: 10000, multipliers: [1000, 1000, 1000]}}}\n",
        ("describe", "g.yaml"),
        answer=True,
    ),
    yaml_case(
        6,
        "a U-Net of 100,000 levels",
        "nodes: {i: {type: image, shape: [3, 64, 64], diffusion: {multipliers: [" + ", ".join(["1"] * 100_000) + "]}}}\n",
        ("describe", "g.yaml"),
    ),
    yaml_case(
        6,
        "a U-Net of 1000 blocks",
        "nodes: {i: {type: image, shape: [3, 64, 64], diffusion: {blocks: 1000, multipliers: [1, 1, 1, 1, 1, 1, 1]}}}\n",
        ("describe", "g.yaml"),
    ),
    yaml_case(
        6,
        "an equation of an image of 2 pixels and 10**9 levels",
        "nodes: {i: {type: image, shape: [1, 1, 2], levels: 1000000, equation: ['1', '0']}}\n",
        ("ask", "g.yaml", "P(i)"),
        answer=True,
    ),
    yaml_case(7, "an alias bomb", ALIASES),
    yaml_case(7, "100,000 brackets", "nodes: " + "[" * 100_000 + "]" * 100_000),
    yaml_case(7, "100,000 braces", "nodes: " + "{a: " * 100_000),
    yaml_case(7, "100,000 block levels", "".join(f"{' ' * min(i, 900)}a{i}:\n" for i in range(1_000))),
    yaml_case(7, "a key of 1 MB", "nodes: {" + "k" * 1_000_000 + ": {type: class, levels: 2}}\n"),
    yaml_case(7, "a section of 1 MB", "s" * 1_000_000 + ": 1\n"),
    yaml_case(7, "a complex key of 1 MB", "? " + "k" * 900_000 + "\n: 1\n"),
    yaml_case(7, "a tag that names a Python object", "nodes: !!python/object/apply:os.system ['touch RAN-tag']\n"),
    yaml_case(7, "a tag of one's own", "nodes: !Graph {x: 1}\n"),
    yaml_case(7, "an escape beyond Unicode", 'graph: "\\Uffffffff"\n'),
    yaml_case(7, "a directive", "%YAML 99999999999999999999.1\n---\nnodes: [x]\n"),
    yaml_case(7, "null characters", b"nodes: [x\0y]\n"),
    yaml_case(7, "UTF-16", "nodes: [x]\n".encode("utf-16")),
    yaml_case(7, "a file of nothing", ""),
    yaml_case(7, "1 MB of newlines", "\n" * 1_000_000),
    yaml_case(7, "1 MB of quotes", "'" * 1_000_000),
    yaml_case(7, "1 MB of a text that is never closed", 'graph: "' + "x" * 1_000_000),
    yaml_case(7, "1 MB of dashes", "- " * 500_000),
    yaml_case(7, "a million keys", "nodes:\n" + "".join(f"  {i}:\n" for i in range(110_000))),
    yaml_case(7, "33,000 nodes", "nodes: [" + ", ".join(_names("n", 120_000)) + "]\n", answer=True),
    yaml_case(8, "an edge of 1 MB", "edges: ['" + " -> ".join(_names("n", 80_000)) + "']\n"),
    yaml_case(
        8,
        "a chain of 1 MB, an edge an entry",
        "edges:\n" + "".join(f"- n{i} -> n{i + 1}\n" for i in range(50_000)),
        ("identify", "g.yaml", "P(n3 | do(n1))"),
        answer=True,
    ),
    yaml_case(8, "the chain backwards", "edges:\n" + "".join(f"- n{i} -> n{i + 1}\n" for i in reversed(range(50_000))), answer=True),
    yaml_case(8, "a cycle of 1 MB", "edges:\n" + "".join(f"- n{i} -> n{(i + 1) % 50_000}\n" for i in range(50_000))),
    yaml_case(
        8,
        "bidirected chain of 1 MB",
        "edges:\n" + "".join(f"- n{i} <-> n{i + 1}\n" for i in range(45_000)),
        ("identify", "g.yaml", "P(n3 | do(n1))"),
        answer=True,
    ),
    yaml_case(8, "a node's name of 1 MB", "nodes: [" + "n" * 1_000_000 + "]\n"),
    yaml_case(8, "a name with a newline", 'nodes: ["a\\nb"]\n'),
    yaml_case(8, "a name with bidi marks and an escape", 'nodes: ["a\\u202eb\\u001b[31m"]\n'),
    yaml_case(8, "a name that is a path", "nodes: [../../etc/passwd]\n", answer=True),
    yaml_case(8, "a name with a null character", 'nodes: ["a\\0b"]\n'),
    yaml_case(8, "an edge between spaces of 1 MB", "edges: ['a " + " " * 900_000 + "-> b']\n"),
    yaml_case(8, "a note of 1 MB in a query", "nodes: [x, y]\nqueries: [{ask: '" + "P(" * 200_000 + "', identifiable: true}]\n"),
    yaml_case(8, "20,000 queries", "edges: [x -> y]\nqueries:\n" + "".join("- P(y | do(x), z)\n" for _ in range(20_000))),
    Case(8, "a name of 1 MB, in Python", python=lambda: cf.Graph(nodes=["n" * 10**6])),
    Case(8, "a name of bidi marks, in Python", python=lambda: cf.Graph(nodes=["a\u202eb\x1b[0m\n"])),
    Case(8, "a lone surrogate, in Python", python=lambda: cf.Graph(nodes=["\udcff"])),
    Case(8, "nested lists, in Python", python=lambda: cf.Graph(nodes=_nested(100_000))),
    Case(8, "an edge that is itself, in Python", python=lambda: cf.Graph(edges=_itself())),
    Case(8, "an edge of objects, in Python", python=lambda: cf.Graph(edges=[object()])),
    Case(8, "nodes of numbers, in Python", python=lambda: cf.Graph(nodes=7)),
    Case(8, "an integer of 5,000 digits as levels, in Python", python=lambda: cf.Graph(nodes={"x": {"type": "class", "levels": 10**5000}})),
    Case(8, "an infinite number as levels, in Python", python=lambda: cf.Graph(nodes={"x": {"type": "class", "levels": float("inf")}})),
    Case(8, "a text of 1 MB to loads", python=lambda: cf.loads("x" * 10**6)),
    Case(8, "bytes to loads", python=lambda: cf.loads(b"nodes: [x]")),
    Case(8, "None to load", python=lambda: cf.load(None)),
    Case(8, "a number to load", python=lambda: cf.load(3)),
    Case(8, "a path with a null character", python=lambda: cf.load("a\0b.yaml"), commands=(("check", "a\udcff.yaml"),)),
    Case(8, "a path of 100,000 letters", python=lambda: cf.load("a" * 100_000), commands=(("check", "a" * 100_000),)),
]


def _nested(depth: int) -> list:
    whole: list = []
    for _ in range(depth):
        whole = [whole]
    return whole


def _itself() -> list:
    whole: list = []
    whole.append(whole)
    return whole
