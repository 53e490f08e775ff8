"""Tests in this folder use what a user can import, so that they outlive every rebuilding."""

import ast
from pathlib import Path

import pytest

import causalflow as cf

FILES = sorted(Path(__file__).parent.glob("*.py"))
NAMES = {*cf.__all__, "__all__", "__version__"}


def inner(tree: ast.AST) -> list[str]:
    """Imports of the package's modules, and names of `cf` that it does not export."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                found += [alias.name for alias in aliases if alias.name.startswith("causalflow.")]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "causalflow":
                found.append(module)
            case ast.Attribute(value=ast.Name(id="cf"), attr=name) if name not in NAMES:
                found.append(f"cf.{name}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_public_test_imports_no_submodule(path):
    assert inner(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    ["import causalflow.graph", "from causalflow.errors import one_of", "cf.graph", "cf.one_of"],
)
def test_a_submodule_would_be_seen(text):
    assert inner(ast.parse(text)) != []
