"""BIF: Bayesian networks as other tools keep them, from and to graphs whose nodes have tables.

    variable x { type discrete [2] { no, yes }; }
    probability ( y | x ) { (no) 0.2, 0.8; (yes) 0.5, 0.5; }     one row a combination of levels
    probability ( y | x ) { table 0.2, 0.5, 0.8, 0.5; }          the child's levels outermost

Levels ``0, 1, ..`` become integers. A row is divided by its sum, which may miss one as that of any
table may, and as rounding its decimals explains, up to .01 (`causalflow.equations.law`). Two
properties of our own, which other tools leave alone, keep what BIF has no word for:
``property noise = gumbel;`` of a variable, and ``property exact = 1/3 2/3;`` of a block with
probabilities that are no decimals: row by row, the last parent's levels fastest. BIF has no
queries, and no edges but those into each block's child, in the order of the blocks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import prod
from typing import NoReturn

from causalflow.admg.admg import ADMG
from causalflow.equations.law import ROUGH, SHORT, divided, shown_number, warn_of_rough
from causalflow.errors import GraphError, one_of
from causalflow.formats.bif_grammar import Block, Entry, Network, Variable, parse_bif
from causalflow.formats.formats import NAME, Format
from causalflow.graph.declaration import Declaration
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Edge, Level, Node, Rows
from causalflow.graph.tree import Scalar, number
from causalflow.limits import BIF_LETTERS, TABLE_ROWS
from causalflow.names import NAME_RULE, is_name, written
from causalflow.options import Names
from causalflow.plugins import CLASS_NOISES, TABLE_NOISES

__all__ = ["BIF", "from_bif", "to_bif"]

NOISES = Names(CLASS_NOISES, TABLE_NOISES)
_WORD = re.compile(r"[A-Za-z0-9_.<>=+*-]+")
_DIGITS = 17


def from_bif(text: str, source: str = "BIF text") -> Graph:
    """The graph of a BIF text: class nodes with tables.

    Raises:
        GraphError: ``source:line:`` and the first mistake.

    Example:
        >>> text = "variable x { type discrete [2] { no, yes }; } probability (x) { table .4 .6; }"
        >>> from_bif(text).nodes["x"].table
        (((), (Fraction(2, 5), Fraction(3, 5))),)
    """
    network = parse_bif(text, source)
    reader = _Reader(network, source)
    blocks = reader.blocks()
    nodes: dict[str, Node] = {
        variable.name: Class(
            levels=reader.levels[variable.name],
            noise=reader.noise(variable),
            table=reader.rows(blocks[variable.name]),
        )
        for variable in network.variables
    }
    if reader.rough:
        warn_of_rough(reader.rough)
    edges = tuple(Edge(source=p, target=b.child) for b in network.blocks for p in b.parents)
    cycle = ADMG(nodes, ((each.source, each.target) for each in edges)).find_cycle()
    if cycle is not None:
        shown = " -> ".join(map(written, (*cycle, cycle[0])))
        where = f"probability of '{cycle[0]}'"
        reader.fail(blocks[cycle[0]].line, f"{where} is part of a cycle: {shown}")
    return Graph.of(
        Declaration(
            name=network.name or "graph",
            nodes=nodes,
            edges=edges,
            bidirected=(),
            exogenous={},
            queries=(),
        )
    )


class _Reader:
    """Checks the blocks of a text against one another."""

    def __init__(self, network: Network, source: str) -> None:
        self._network, self._source = network, source
        self.rough: list[str] = []
        if not network.variables:
            self.fail(1, "there are no variables")
        self.levels: dict[str, tuple[Level, ...]] = {}
        for variable in network.variables:
            if not is_name(variable.name):
                self.fail(variable.line, f"variable {variable.name[:40]!r}: {NAME_RULE}")
            if variable.name in self.levels:
                self.fail(variable.line, f"variable '{variable.name}' is declared twice")
            self.levels[variable.name] = self._levels(variable)

    def fail(self, line: int, message: str) -> NoReturn:
        raise GraphError(f"{self._source}:{line}: {message}")

    def _levels(self, variable: Variable) -> tuple[Level, ...]:
        texts = [text for text, _ in variable.levels]
        if not texts or len(set(texts)) < len(texts):
            what = f"expected different levels, at least one, not {texts[:9]}"
            self.fail(variable.line, f"variable '{variable.name}': {what}")
        plain = not any(quoted for _, quoted in variable.levels)
        if plain and texts == [str(k) for k in range(len(texts))]:
            return tuple(range(len(texts)))
        return tuple(texts)

    def noise(self, variable: Variable) -> str | None:
        """The property ``noise`` of a variable."""
        for text in variable.properties:
            key, _, value = map(str.strip, text.partition("="))
            if key == "noise":
                if not NOISES.allows(value):
                    what = f"unknown {value[:40]!r}; {NOISES.expected(value)}"
                    self.fail(variable.line, f"variable '{variable.name}': noise: {what}")
                return value
        return None

    def blocks(self) -> dict[str, Block]:
        """Each variable's probability block."""
        found: dict[str, Block] = {}
        for block in self._network.blocks:
            place = f"probability of '{block.child}'"
            for name in (block.child, *block.parents):
                if name not in self.levels:
                    known = one_of(name, self.levels)
                    self.fail(block.line, f"{place}: unknown variable '{name}'; {known}")
            names = [block.child, *block.parents]
            if len(set(names)) < len(names):
                self.fail(block.line, f"{place}: a variable is named twice")
            if block.child in found:
                self.fail(block.line, f"{place}: declared twice")
            found[block.child] = block
        for variable in self._network.variables:
            if variable.name not in found:
                self.fail(variable.line, f"variable '{variable.name}' has no probability block")
        return found

    def rows(self, block: Block) -> Rows:
        """The table of a block."""
        levels = [self.levels[parent] for parent in block.parents]
        if prod(map(len, levels)) > TABLE_ROWS:
            self._refuse(block, f"more than {TABLE_ROWS:,} combinations of the parents' levels")
        cells = list(product(*levels))
        found: dict[tuple[str, ...], tuple[Fraction, ...]] = {}
        default: tuple[Fraction, ...] | None = None
        for entry in block.entries:
            if entry.kind == "table":
                found |= self._flat(block, entry, cells)
            elif entry.kind == "default":
                default = self._law(block, entry, entry.numbers)
            else:
                found |= {self._cell(block, entry): self._law(block, entry, entry.numbers)}
        laws = [found.get(tuple(map(str, cell)), default) for cell in cells]
        for cell, law in zip(cells, laws, strict=True):
            if law is None:
                self._refuse(block, f"there is no row for ({', '.join(map(str, cell))})")
        known = [law for law in laws if law is not None]
        return tuple(zip(cells, self._exact(block, known), strict=True))

    def _refuse(self, block: Block, message: str, line: int | None = None) -> NoReturn:
        self.fail(line or block.line, f"probability of '{block.child}': {message}")

    def _cell(self, block: Block, entry: Entry) -> tuple[str, ...]:
        if len(entry.cell) != len(block.parents):
            count = len(block.parents)
            self._refuse(block, f"{len(entry.cell)} levels for {count} parents", entry.line)
        for level, parent in zip(entry.cell, block.parents, strict=True):
            texts = [str(each) for each in self.levels[parent]]
            if level not in texts:
                what = f"unknown level {level[:40]!r} of '{parent}'; {one_of(level, texts)}"
                self._refuse(block, what, entry.line)
        return entry.cell

    def _flat(
        self, block: Block, entry: Entry, cells: Sequence[tuple[Level, ...]]
    ) -> dict[tuple[str, ...], tuple[Fraction, ...]]:
        """The rows of a ``table``, in which the child's levels are outermost."""
        count = len(cells)
        expected, given = count * len(self.levels[block.child]), len(entry.numbers)
        if given != expected:
            self._refuse(block, f"expected {expected} numbers, not {given}", entry.line)
        return {
            tuple(map(str, cell)): self._law(block, entry, entry.numbers[place::count])
            for place, cell in enumerate(cells)
        }

    def _law(self, block: Block, entry: Entry, texts: Sequence[str]) -> tuple[Fraction, ...]:
        """A row; the sum of decimals may miss 1 as the module says, that of fractions not."""
        size = len(self.levels[block.child])
        if len(texts) != size:
            self._refuse(block, f"expected {size} numbers, not {len(texts)}", entry.line)
        law = [self._number(block, entry, text) for text in texts]
        total = sum(law, start=Fraction(0))
        digits = max(map(_decimals, texts))
        rounding = min(size * Fraction(1, 2 * 10**digits), SHORT)
        allowed = max(rounding, ROUGH) if digits else Fraction(0)
        where = f"{self._source}:{entry.line}: probability of '{block.child}': the probabilities"
        row = divided(law, where, self.rough, allowed)
        if row is None:
            shown = shown_number(total)
            self._refuse(block, f"the probabilities sum to {shown}; they must sum to 1", entry.line)
        return row

    def _number(self, block: Block, entry: Entry, text: str) -> Fraction:
        p = number(Scalar(text))
        if p is None or not 0 <= p <= 1:
            self._refuse(
                block, f"expected a probability between 0 and 1, not {text[:40]!r}", entry.line
            )
        return p

    def _exact(
        self, block: Block, laws: Sequence[tuple[Fraction, ...]]
    ) -> Iterator[tuple[Fraction, ...]]:
        """The laws as the property ``exact`` has them, if there is one."""
        size = len(self.levels[block.child])
        for text in block.properties:
            key, _, value = map(str.strip, text.partition("="))
            if key == "exact":
                given = [number(Scalar(each)) for each in value.split()]
                known = [p for p in given if p is not None]
                flat = [p for law in laws for p in law]
                if len(known) != len(flat) or len(given) != len(flat):
                    self._refuse(block, f"exact: expected {len(flat)} numbers, not {len(given)}")
                if any(abs(a - b) > Fraction(1, 10**9) for a, b in zip(known, flat, strict=True)):
                    self._refuse(block, "exact: the numbers are not those of the rows")
                laws = [tuple(known[k : k + size]) for k in range(0, len(known), size)]
                if any(sum(law) != 1 for law in laws):
                    self._refuse(block, "exact: a row does not sum to 1")
        yield from laws


def _decimals(text: str) -> int:
    """How many decimals a number is written with."""
    if "/" in text:
        return 0
    exponent = Decimal(text).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def to_bif(graph: Graph) -> str:
    """The BIF text of a graph whose nodes are classes with tables; it has no queries.

    Raises:
        GraphError: a node without a table.
    """
    for name, node in graph.nodes.items():
        if node.table is None:
            raise GraphError(f"node '{name}' has no table; BIF has class nodes with tables only")
    parts = [f"network {_written(graph.name)} {{\n}}\n"]
    parts += [_variable_text(name, node) for name, node in graph.nodes.items()]
    parts += [_block_text(graph, name) for name in graph.nodes]
    return "".join(parts)


def _variable_text(name: str, node: Node) -> str:
    named = node.type.levels or ()
    levels = ", ".join(map(_level_text, named))
    noise = f"  property noise = {node.noise};\n" if node.noise else ""
    kind = f"  type discrete [ {len(named)} ] {{ {levels} }};\n"
    return f"variable {_written(name)} {{\n{kind}{noise}}}\n"


def _block_text(graph: Graph, name: str) -> str:
    rows = graph.nodes[name].table or ()
    parents = [edge.source for edge in graph.edges if edge.target == name]
    given = f" | {', '.join(map(_written, parents))}" if parents else ""
    lines = [f"probability ( {_written(name)}{given} ) {{"]
    for cell, law in rows:
        head = f"({', '.join(map(_level_text, cell))})" if cell else "table"
        lines.append(f"  {head} {', '.join(map(_decimal_text, law))};")
    flat = [p for _, law in rows for p in law]
    if any(Fraction(_decimal_text(p)) != p for p in flat):
        lines.append(f"  property exact = {' '.join(map(str, flat))};")
    return "\n".join([*lines, "}\n"])


def _decimal_text(p: Fraction) -> str:
    """The fraction as a decimal: all of it where it ends, else with `_DIGITS` decimals."""
    ends = (k for k in range(_DIGITS + 1) if 10**k % p.denominator == 0)
    decimals = next(ends, _DIGITS)
    whole = round(p * 10**decimals)
    digits = str(whole).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _written(name: str) -> str:
    return name if _WORD.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _level_text(level: Level) -> str:
    """A level; a text that shows an integer is quoted, as integers are not."""
    if isinstance(level, int) or (_WORD.fullmatch(level) and not level.isdigit()):
        return str(level)
    return json.dumps(level, ensure_ascii=False)


BIF = Format(
    suffixes=(".bif",),
    begins=re.compile(rf"network\b\s*{NAME}\s*\{{|variable\b\s*{NAME}\s*\{{|probability\s*\("),
    read=from_bif,
    write=to_bif,
    limit=BIF_LETTERS,
)
