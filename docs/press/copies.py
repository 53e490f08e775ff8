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
    for home, page in homes.items():
        text = (ROOT / home).read_text(encoding="utf-8")
        yield page, rewritten(_headed(text, page), home, page, repository) + _contents(page)


def _headed(text: str, page: str) -> str:
    """The text below a title: a table that has none is called by its file."""
    if re.search(r"^# ", text, re.MULTILINE):
        return text
    title = page.rpartition("/")[2].replace("_", " ")
    return f"# {title.capitalize()}\n\n{text}"


def _contents(page: str) -> str:
    """What the sidebar shows below a page."""
    if page != "measured/index":
        return ""
    return "\n```{toctree}\n:hidden:\n:glob:\n\n*\npapers/*\n```\n"
