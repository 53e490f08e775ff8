"""Page: the measured parts of `docs/architecture.md`, between markers that the text keeps.

<!-- table -->      before, after and aim of every measure
<!-- folders -->    a line a folder: what it is (its face's first sentence), what it takes
<!-- trip: NAME -->    the files of a trip in order, each with the first line of its docstring
<!-- end -->        closes each
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from house.drawing import FACE, GROUND, House
from house.measures import Measures, Row
from house.source import PACKAGE

__all__ = ["parts", "rewritten"]

SECTION = re.compile(r"<!-- (?P<name>[^>]+?) -->\n.*?<!-- end -->", re.DOTALL)
LISTED = 50
"""A longer trip is told by folder."""


def rewritten(page: str, told: Mapping[str, str]) -> str:
    """The page with the text of every marked part renewed.

    Raises:
        KeyError: the page marks a part that there is not.
    """
    return SECTION.sub(
        lambda m: f"<!-- {m['name']} -->\n{told[m['name']].strip()}\n<!-- end -->", page
    )


def parts(root: Path, table: Sequence[Row], after: Measures, home: House) -> dict[str, str]:
    """The text of every part, by the name of its marker."""
    trips = {f"trip: {name}": _trip(root, files) for name, files in after["trips"].items()}
    listed = {"folders": _folders(root, home), "files": _files(root, home)}
    return {"table": _table(table), **listed, **trips}


def _table(table: Sequence[Row]) -> str:
    lines = ["| | before | after | aim |", "|---|---:|---:|---:|"]
    for row in table:
        numbers = (_number(each) for each in (row.before, row.after, row.aim))
        lines.append(f"| {row.what} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:.2g}" if value < 1 else f"{value:.1f}"
    )


def _folders(root: Path, home: House) -> str:
    """The folders from the highest floor down."""
    lines = ["| | what it is | files, lines | takes |", "|---|---|---:|---|"]
    for name in _downward(home):
        size = f"{len(home.files[name])}, {sum(n for _, n in home.files[name]):,}"
        takes = sorted({b for a, b in home.takes if a == name} - FACE - {GROUND})
        lines.append(f"| `{name}` | {_face(root, name, home)} | {size} | {', '.join(takes)} |")
    return "\n".join(lines)


def _downward(home: House) -> list[str]:
    floors = home.floors
    return sorted(home.files, key=lambda name: (-floors[name], name))


def _files(root: Path, home: House) -> str:
    """The files of the folders, from the highest floor down."""
    package, told = root / PACKAGE, []
    for name in _downward(home):
        if (package / name).is_dir():
            told += ["", f"**{name}/**", ""]
            paths = sorted((package / name).rglob("*.py"))
            told += [
                f"* `{path.relative_to(package / name).as_posix()}`: {_sentence(path)}"
                for path in paths
                if path.name != "__init__.py"
            ]
    return "\n".join(told)


def _face(root: Path, name: str, home: House) -> str:
    """The first sentence of a folder's face, or of a module that stands alone."""
    if name == GROUND:
        alone = ", ".join(f"`{file}`" for file, _ in home.files[name])
        return f"What knows nothing of causality, and every folder may take: {alone}."
    package = root / PACKAGE
    face = package / name / "__init__.py"
    return _sentence(face if face.exists() else package / f"{name}.py")


def _sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line, up to its first full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0].replace("|", "\\|")


def _trip(root: Path, files: Sequence[str]) -> str:
    if len(files) <= LISTED:
        told = (f"`{file}`: {_sentence(root / PACKAGE / file)}" for file in files)
        return "\n".join(f"{number}. {line}" for number, line in enumerate(told, 1))
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(str(Path(file).parent), []).append(Path(file).stem)
    return "\n".join(
        f"{number}. {'' if folder == '.' else f'`{folder}/` '}{', '.join(stems)}"
        for number, (folder, stems) in enumerate(groups.items(), 1)
    )
