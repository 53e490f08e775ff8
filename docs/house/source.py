"""Source: the package's files, and which of them imports which, read without running any.

Import(source, target)      a module of the package, and a module that it imports (at its head
                            or late, in a function; or for types only, under TYPE_CHECKING)
folder                      what a module stands in: `causalflow.graph.admg` -> `graph`; of a
                            module that stands alone its own name, of the face `__init__`
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx as nx

__all__ = [
    "TORCH",
    "Import",
    "circles",
    "double_names",
    "folder",
    "imports",
    "lines",
    "modules",
    "single_importers",
]

PACKAGE = "causalflow"
TORCH = frozenset({"torch", "torchvision", "zuko", "lightning_fabric", "lightning", "pyro"})
"""What the lower half of the package never imports, not even late."""
NAMED = re.compile(rf"({PACKAGE}(?:\.\w+)+)(?::\w+)?")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, and the line that says so.

    Attributes:
        source: the module that imports.
        target: the module that is imported, of any package.
        place: file, line and text of the statement.
        typing: under `if TYPE_CHECKING:`, so never run.
    """

    source: str
    target: str
    place: str
    typing: bool


def folder(module: str) -> str:
    """`causalflow.graph.admg` -> `graph`; the package's own `__init__` is the public face."""
    return [*module.split("."), "__init__"][1]


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package at `root`, by its dotted name."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(paths: Iterable[Path]) -> int:
    """How many lines the files have together."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def imports(root: Path) -> list[Import]:
    """Every import of every module of the package at `root`."""
    known = modules(root)
    found = []
    for module, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for statement, typing in _statements(tree):
            place = f"{path.relative_to(root)}:{statement.lineno}: {ast.unparse(statement)}"
            for target in _targets(statement, module, path.name == "__init__.py", known):
                found.append(Import(module, target, place, typing))
    return found


def _statements(
    tree: ast.AST, typing: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Import statements at any depth, and whether only a type checker reads them."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, typing
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.body:
                yield from _statements(ast.Module([statement], []), True)
            for statement in child.orelse:
                yield from _statements(ast.Module([statement], []), typing)
        else:
            yield from _statements(child, typing)


def _targets(
    statement: ast.Import | ast.ImportFrom, module: str, is_package: bool, known: Iterable[str]
) -> list[str]:
    """What a statement imports: modules, not the names within them."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    base = statement.module or ""
    if statement.level:
        parents = module.split(".")[: None if is_package else -1]
        kept = parents[: len(parents) - statement.level + 1]
        base = ".".join([*kept, *([base] if base else [])])
    inside = [f"{base}.{alias.name}" for alias in statement.names]
    found = [name if name in known else base for name in inside]
    return list(dict.fromkeys(found))


def circles(found: Iterable[Import], *, typing: bool) -> list[list[str]]:
    """Sets of modules that import one another in a circle.

    Args:
        found: the imports; late ones count.
        typing: whether those for types count.
    """
    graph = nx.DiGraph((each.source, each.target) for each in found if typing or not each.typing)
    groups = nx.strongly_connected_components(graph)
    return sorted(sorted(group) for group in groups if len(group) > 1)


def single_importers(root: Path) -> list[str]:
    """Modules, package faces aside, that one module of the package names, and no other.

    An import names a module, and so does a text such as ``"causalflow.graph.admg:ADMG"``, by which
    it is loaded late.
    """
    known = modules(root)
    named = {(each.target, each.source) for each in imports(root) if each.target in known}
    named |= {
        (text, module) for module, path in known.items() for text in _texts(path) & set(known)
    }
    counts = Counter(target for target, source in named if target != source)
    return sorted(
        name for name, n in counts.items() if n == 1 and known[name].name != "__init__.py"
    )


def _texts(path: Path) -> set[str]:
    """The modules that the texts of a file name."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    matches = (NAMED.fullmatch(text) for text in texts if isinstance(text, str))
    return {match[1] for match in matches if match}


def double_names(root: Path) -> list[str]:
    """Names that several files of the package have, package faces aside."""
    counts = Counter(path.stem for path in modules(root).values() if path.stem != "__init__")
    return sorted(name for name, n in counts.items() if n > 1)
