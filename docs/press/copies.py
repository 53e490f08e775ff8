"""Copies: pages whose text stands elsewhere in the repository, with links that lead on the site."""

from __future__ import annotations

import re
from collections.abc import Iterator

from press.links import COPIES, ROOT, rewritten

__all__ = ["copies"]

_RESULTS = ROOT / "benchmarks" / "results"


def copies(repository: str) -> Iterator[tuple[str, str]]:
    """The name and the text of each page; ``repository``: the address of its files, or ""."""
    homes = dict(COPIES)
    for path in sorted(_RESULTS.rglob("*.md")):
        name = path.relative_to(_RESULTS).with_suffix("").as_posix()
        homes[path.relative_to(ROOT).as_posix()] = f"measured/{name}"
    cards = sorted((ROOT / "checkpoints").glob("*/README.md"))
    for path in cards:
        homes[path.relative_to(ROOT).as_posix()] = f"models/{path.parent.name}"
    for home, page in homes.items():
        text = (ROOT / home).read_text(encoding="utf-8")
        below = ["*", "*/*"] if page == "measured/index" else []
        if page == "project/checkpoints" and cards:
            below = ["../models/*"]
        yield page, rewritten(_headed(text, page), home, page, repository) + _contents(below)


def _headed(text: str, page: str) -> str:
    """The text below a title: a table that has none is called by its file."""
    if re.search(r"^# ", text, re.MULTILINE):
        return text
    title = page.rpartition("/")[2].replace("_", " ")
    return f"# {title.capitalize()}\n\n{text}"


def _contents(below: list[str]) -> str:
    """What the sidebar shows below a page."""
    listed = "\n".join(below)
    return f"\n```{{toctree}}\n:hidden:\n:glob:\n\n{listed}\n```\n" if below else ""
