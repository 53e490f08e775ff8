"""Versions: the published site has a folder for each, and a first page that leads to the newest.

    python docs/press/versions.py BUILT PUBLISHED VERSION

puts a built site into ``PUBLISHED/VERSION`` (``latest`` for the main branch, ``0.2.0`` for a
release), and writes the two pages that know all versions: ``index.html`` and ``versions.html``.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from pathlib import Path

__all__ = ["publish"]

_NAME = re.compile(r"latest|\d+\.\d+\.\d+(?:[a-z]+\d+)?")
_PAGE = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    "<title>causalflow: {title}</title>\n{head}<h1>causalflow</h1>\n{body}\n</html>\n"
)


def publish(built: Path, published: Path, version: str) -> None:
    """Put a built site among the published ones.

    Raises:
        ValueError: the version is neither "latest" nor three numbers.
    """
    if not _NAME.fullmatch(version):
        raise ValueError(f"version '{version}': expected 'latest' or three numbers, as in 0.2.0")
    target = published / version
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(built, target)
    names = sorted(
        (path.name for path in published.iterdir() if _NAME.fullmatch(path.name)), key=_age
    )
    first = next((name for name in names if name != "latest"), "latest")
    moved = f'<meta http-equiv="refresh" content="0; url={first}/index.html">\n'
    links = "\n".join(
        f'<li><a href="{name}/index.html">{html.escape(name)}</a></li>' for name in names
    )
    to = f'<p><a href="{first}/index.html">Documentation</a></p>'
    pages = {
        "index.html": _PAGE.format(title="documentation", head=moved, body=to),
        "versions.html": _PAGE.format(title="versions", head="", body=f"<ul>\n{links}\n</ul>"),
        ".nojekyll": "",
    }
    for name, text in pages.items():
        (published / name).write_text(text, encoding="utf-8")


def _age(name: str) -> tuple[int, ...]:
    """Sorts "latest" first, then the newest release."""
    return () if name == "latest" else tuple(-int(each) for each in re.findall(r"\d+", name)[:3])


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
