"""Press: the Sphinx extension that makes pages, and resolves links and types."""

from __future__ import annotations

import ast
import builtins
import dataclasses
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment

from press import mathml
from press.copies import copies
from press.gallery import drawn, gallery
from press.links import ROOT, rewritten
from press.reference import reference
from press.tutorials import tutorials

__all__ = ["setup"]

_SHORT = {"np": "numpy", "pd": "pandas"}
"""Packages that annotations call by another name."""
_MADE = ("gallery", "reference", "project", "measured", "models")
"""The folders that hold made pages alone."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the press to a build."""
    app.add_config_value("repository", "", "html", str)
    app.add_config_value("run_tutorials", True, "", bool)
    app.connect("builder-inited", _make)
    app.connect("source-read", _links)
    app.connect("missing-reference", _type)
    app.connect("autodoc-process-docstring", _sentence, priority=100)
    app.connect("autodoc-process-signature", _readable)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    mathml.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _make(app: Sphinx) -> None:
    """Write every made page; one that is as before is left alone, and not read again."""
    folder = Path(app.srcdir)
    repository, run = app.config.repository, app.config.run_tutorials
    pages = chain(gallery(), reference(), copies(repository))
    made = {folder / f"{name}.md": text for name, text in pages}
    made |= {folder / f"{name}.ipynb": text for name, text in tutorials(repository, run)}
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for part in _MADE:
        for path in (folder / part).rglob("*.md"):
            if path not in made:
                path.unlink()
    drawn(folder / "gallery" / "drawn", folder / "_build" / "drawn")


def _links(app: Sphinx, name: str, source: list[str]) -> None:
    """Links of a page that is written by hand lead where they should on the site."""
    if Path(app.env.doc2path(name)).suffix == ".md":
        source[0] = rewritten(source[0], f"docs/{name}.md", name, app.config.repository)


def _sentence(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    r"""A property is said by a sentence, whose colon does not part a type from what it is.

    A backslash at the end of a line is nothing in a page; napoleon reads types in first lines only.
    """
    if what in ("property", "attribute") and lines:
        lines.insert(0, "\\")


def _readable(
    app: Sphinx, what: str, name: str, thing: object, options: object, given: str | None, back: str
) -> tuple[str | None, str] | None:
    """A class of options takes its fields; a default that is made anew each time is dots."""
    if isinstance(thing, type) and dataclasses.is_dataclass(thing) and "**given" in (given or ""):
        fields = [
            f"{each.name}: {each.type} = {each.default!r}" for each in dataclasses.fields(thing)
        ]
        return f"(*, {', '.join(fields)})", back
    return (given.replace("<factory>", "..."), back) if given and "<factory>" in given else None


def _type(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Node | None:
    """A type of a signature: a link where it is public, plain where it exists, else a warning."""
    import causalflow as cf

    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    name = target.rpartition(".")[2]
    public = cf._PLACES.get(name)
    if public is not None and target in (name, f"{public}.{name}", f"cf.{name}"):
        domain = env.domains.python_domain
        full = f"causalflow.{name}"
        return domain.resolve_xref(
            env, node["refdoc"], app.builder, "obj", full, _named(node, full), content
        )
    return content if _exists(target) else None


def _named(node: pending_xref, target: str) -> pending_xref:
    copy = node.copy()
    copy["reftarget"] = target
    return copy


def _exists(target: str) -> bool:
    """Whether a name is one of Python, of an installed package, or of a module of the package."""
    target = target.partition("[")[0]
    if "." not in target:
        return hasattr(builtins, target) or target in _imported()
    first, _, rest = target.partition(".")
    module, _, name = f"{_SHORT.get(first, first)}.{rest}".rpartition(".")
    try:
        return hasattr(import_module(module), name)
    except ImportError:
        return _exists(module) if "." in module else False


@cache
def _imported() -> frozenset[str]:
    """Every name that a module of the package imports or defines: annotations are made of them."""
    found: set[str] = set()
    for path in (ROOT / "causalflow").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom() | ast.Import():
                    found |= {each.asname or each.name for each in node.names}
                case ast.ClassDef() | ast.FunctionDef():
                    found.add(node.name)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    found.add(name)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    found.add(name)
    return frozenset(found)
