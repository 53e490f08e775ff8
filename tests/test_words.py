"""The words of the package: a module is named for its noun, and what a text names exists."""

import ast
import importlib
import re
import unicodedata
from pathlib import Path

import pytest

from causalflow.plugins import REGISTRIES

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "causalflow").rglob("*.py"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "checkpoints" / "README.md",
]
PLAIN = {
    "causalflow/__main__.py": "``python -m causalflow``",
    "causalflow/cli/__init__.py": "The command line",
    "causalflow/nn/__init__.py": "Networks",
    "causalflow/plot/__init__.py": "Pictures",
    "causalflow/pretrained/__init__.py": "Networks trained elsewhere",
    "causalflow/query/__init__.py": "Causal questions",
}
"""Files that begin with the plain word for a name which is short, or Python's own."""
NAME = re.compile(r"(?<!`)`{1,2}(causalflow(?:\.\w+)+)`{1,2}(?!`)")
FILE = re.compile(r"(?<![\w/.:-])(?:[\w.-]+/)+[\w.-]+\.(?:py|md|svg|yaml|json)\b")
MADE = re.compile(r"<!-- [a-z].*?<!-- end -->", re.DOTALL)
BUILT = {"gallery", "reference", "project", "measured"}
"""Folders of the site that `docs/press` writes; `inspect_site` follows the links into them."""
GROUPS = {f"causalflow.{each.group}" for each in REGISTRIES.values() if each.group}


def letters(text):
    """Its letters and digits in lower case, without accents: "Front door" is front_door."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", text).lower())


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def begins_with_its_name(path, text):
    """Whether the words before the first colon begin or end with the file's name.

    The last letter is free, for a plural, or the noun of a verb ("derive": "Derivation").
    """
    name = letters(path.parent.name if path.stem == "__init__" else path.stem)
    stem = name[:-1] if len(name) > 4 else name
    head = letters(re.split(r"[:,.(]", text, maxsplit=1)[0])
    return head.startswith(stem) or head.endswith((name, f"{name}s"))


def exists(name):
    """Whether a dotted name is a module, or an attribute or a field of what one holds."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if not hasattr(found, part):
                return part in fields
            found = getattr(found, part)
        return True
    return False


def unreleased(path):
    """The text of a page; of the changelog, the part that is not released."""
    text = path.read_text("utf-8")
    return text.split("\n## ")[1] if path.name == "CHANGELOG.md" else text


def label(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_a_module_begins_with_the_name_of_its_file(path):
    text = docstring(path)
    plain = PLAIN.get(label(path))
    if plain:
        assert text.startswith(plain)
        assert not begins_with_its_name(path, text), "no exception any more: take it off the list"
    else:
        assert begins_with_its_name(path, text), text.splitlines()[:1]


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("front_door.py", "Front door: for which sets", True),
        ("frechet.py", "Fréchet distance: how far", True),
        ("derive.py", "Derivation: the way of ID", True),
        ("mechanism.py", "Image mechanism: x = f(pa, u)", True),
        ("derive.py", "Prove: the derivation of ID", False),
        ("solver.py", "What a solver is, and its use", False),
    ],
)
def test_the_rule_of_names_tells_them_apart(name, text, kept):
    assert begins_with_its_name(Path(name), text) is kept


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_an_argument_is_said_by_a_noun(path):
    fragments = re.findall(
        r"^ {8,}[\w`*]+(?:, [\w`*]+)*: of .*$", path.read_text("utf-8"), re.MULTILINE
    )
    assert fragments == []


@pytest.mark.parametrize("path", [*MODULES, *PAGES], ids=label)
def test_what_a_text_names_exists(path):
    names = set(NAME.findall(unreleased(path))) - GROUPS
    assert [name for name in sorted(names) if not exists(name)] == []


@pytest.mark.parametrize("path", PAGES, ids=label)
def test_files_that_a_page_names_exist(path):
    text = MADE.sub("", unreleased(path))
    named = {name for name in FILE.findall(text) if "NAME" not in name}
    named = {name for name in named if name.split("/")[0] not in BUILT}
    bases = (ROOT, ROOT / "causalflow", path.parent)
    missing = [name for name in sorted(named) if not any((base / name).exists() for base in bases)]
    assert missing == []


def test_a_name_that_is_gone_is_found_out():
    assert exists("causalflow.files.opened")
    assert exists("causalflow.graph.node.Image")
    assert not exists("causalflow.metrics.circuit")
    assert not exists("causalflow.files.nothing")
