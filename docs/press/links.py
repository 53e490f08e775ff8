"""Links: where a link of the repository leads on the site.

Texts are written for whoever reads them in the repository, where links are relative paths. On the
site such a path is the page made of that file, where there is one; else the file in the repository,
if its address is known (``repository``), and plain words if not.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

__all__ = ["COPIES", "ROOT", "page_of", "rewritten"]

ROOT = Path(__file__).resolve().parents[2]
COPIES = {
    "CHANGELOG.md": "project/changelog",
    "CODE_OF_CONDUCT.md": "project/code_of_conduct",
    "CONTRIBUTING.md": "project/contributing",
    "SECURITY.md": "project/security",
    "checkpoints/README.md": "project/checkpoints",
    "benchmarks/README.md": "measured/index",
    "benchmarks/nets/README.md": "measured/nets",
}
"""Texts that stand elsewhere in the repository, and the page that each becomes."""
_PLACES = {"README.md": "index", "graphs": "gallery/index", "tutorials": "learn/index"}
_RULES = (
    (re.compile(r"docs/(.+)\.md"), r"\1", ".md"),
    (re.compile(r"benchmarks/results/(.+)\.md"), r"measured/\1", ".md"),
    (re.compile(r"checkpoints/(\w+)/README\.md"), r"models/\1", ".md"),
    (re.compile(r"graphs/(.+)\.yaml"), r"gallery/\1", ".md"),
    (re.compile(r"tutorials/(\d.+)\.py"), r"learn/\1", ".ipynb"),
)
_LINK = re.compile(
    r"(?P<code>^(?P<fence>```|~~~).*?^(?P=fence)[ ]*$|`[^`]+`)"
    r"|(?P<mark>!?)\[(?P<words>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)


def page_of(path: str) -> str | None:
    """The page of a file of the repository, as a path from ``docs/``; None where it has none."""
    path = path.rstrip("/")
    for names in (COPIES, _PLACES):
        if path in names:
            return f"{names[path]}.md"
    for pattern, name, suffix in _RULES:
        if pattern.fullmatch(path):
            return pattern.sub(name, path) + suffix
    return None


def rewritten(text: str, home: str, page: str, repository: str = "") -> str:
    """A Markdown text whose relative links lead where they should from a page of the site.

    Args:
        text: as it stands in the repository; what is in code stays.
        home: its file, as a path from the root of the repository.
        page: the name of the page that shows it.
        repository: the address under which a file of the repository is found, or "".
    """
    folder = posixpath.dirname(home)
    depth = posixpath.dirname(f"docs/{page}")

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if match["code"] or re.match(r"[a-z]+:|#|/", target):
            return match[0]
        path, mark, anchor = target.partition("#")
        full = posixpath.normpath(posixpath.join(folder, path))
        if match["mark"]:
            return f"![{match['words']}]({posixpath.relpath(full, depth)})"
        if found := page_of(full):
            return f"[{match['words']}](/{found}{mark}{anchor})"
        return f"[{match['words']}]({repository}/{full})" if repository else match["words"]

    return _LINK.sub(link, text)
