"""Typed: the places that ask of which type a node is, by the class of its type.

A place is, read from the syntax tree, one of

    isinstance(node, Class)    issubclass(kind, Class | Image)    also with a tuple of classes
    type(node) is Class        type(node) == Class, `is not`, `!=`, `in`
    case Class(levels=k):      a class pattern, alone or within another
    if node.type.shape:        axes as a truth, of `node.type` or of `kind`: `NodeType.scalar` and
                               `NodeType.pictured` say which of two things is meant

where a class is one that stands for a type of nodes (`NODE_TYPES`), imported from this package or
defined in the file. A file that defines such a class is the type's own and may ask; so may a file
that declares types to a registry (`REGISTRIES`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from house.source import PACKAGE, modules

__all__ = ["Place", "askers"]

NODE_TYPES = frozenset(
    {"Symbol", "Class", "Continuous", "Image", "Count"}
    | {"Untyped", "FiniteType", "RealType", "ImageType", "CountType"}
)
REGISTRIES = frozenset({"plugins.py"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a type is asked for.

    Attributes:
        file: relative to the package.
        line: from 1.
        text: of the question.
    """

    file: str
    line: int
    text: str


def askers(root: Path) -> list[Place]:
    """The places of the package at `root`, the types' own files and registries aside."""
    found = []
    for path in modules(root).values():
        file = path.relative_to(root / PACKAGE).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own = any(isinstance(n, ast.ClassDef) and n.name in NODE_TYPES for n in ast.walk(tree))
        if not own and path.name not in REGISTRIES:
            found += [Place(file, node.lineno, ast.unparse(node)) for node in _asking(tree)]
    return found


def _asking(tree: ast.Module) -> Iterator[ast.expr | ast.MatchClass]:
    """Questions by the classes that the file takes from the package."""
    known = _known(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                if _names(classes) & known:
                    yield node
            case ast.Compare(left=left, comparators=[right]) if _is_type(left) or _is_type(right):
                if (_names(left) | _names(right)) & known:
                    yield node
            case ast.MatchClass(cls=cls) if _names(cls) & known:
                yield node
            case _:
                yield from filter(_is_axes, _truths(node))


def _truths(node: ast.AST) -> list[ast.expr]:
    """The expressions that `node` asks whether they are true."""
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            return [test]
        case ast.UnaryOp(op=ast.Not(), operand=asked):
            return [asked]
        case ast.BoolOp(values=asked) | ast.comprehension(ifs=asked):
            return asked
        case ast.Call(func=ast.Name(id="bool"), args=asked):
            return asked
        case _:
            return []


def _is_axes(expression: ast.expr) -> bool:
    """Whether it is the axes of a type's values."""
    match expression:
        case ast.Attribute(value=ast.Attribute(attr="type") | ast.Name(id="kind"), attr="shape"):
            return True
        case _:
            return False


def _known(tree: ast.Module) -> set[str]:
    """How the file can name the classes of `NODE_TYPES`: alone, or in a module of the package."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_own(node):
            for alias in node.names:
                name = alias.asname or alias.name
                own = {name} if alias.name in NODE_TYPES else {f"{name}.{t}" for t in NODE_TYPES}
                found |= own
    return found


def _is_own(statement: ast.ImportFrom) -> bool:
    return bool(statement.level) or (statement.module or "").split(".")[0] == PACKAGE


def _names(expression: ast.expr) -> set[str]:
    """The names in an expression, dotted ones in full and by their beginnings."""
    return {
        ast.unparse(node)
        for node in ast.walk(expression)
        if isinstance(node, ast.Name | ast.Attribute)
    }


def _is_type(expression: ast.expr) -> bool:
    """Whether it is `type(...)`."""
    return (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Name)
        and expression.func.id == "type"
    )
