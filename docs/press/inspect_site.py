"""Inspect site: every link of the built pages leads to a page and a place in it that exist.

    python docs/press/inspect_site.py docs/_build/html

Also nothing is fetched from elsewhere: a page's scripts, styles and pictures are the site's own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["faults"]


@dataclass(slots=True, kw_only=True)
class _Found:
    """What a page has: the places that can be linked to, its links, what it loads."""

    places: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = _Found()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found.places |= {given[key] or "" for key in ("id", "name") if key in given}
        if tag == "a" and given.get("href"):
            self.found.links.add(given["href"] or "")
        elif tag == "link" and "canonical" not in (given.get("rel") or ""):
            self.found.loaded.add(given.get("href") or "")
        elif tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.found.loaded.add(given["src"] or "")


def faults(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere, and for each thing fetched from elsewhere."""
    site = site.resolve()
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    for path, found in pages.items():
        name = path.relative_to(site).as_posix()
        for link in sorted(found.links | found.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in found.loaded and parts.scheme != "data":
                    yield f"{name}: fetches {link}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name}: {link}: no such file"
            elif link in found.links and not _has(pages.get(target), unquote(parts.fragment)):
                yield f"{name}: {link}: no such place"


def _has(page: _Found | None, place: str) -> bool:
    """Whether a page has a place; a file that is no page is not asked."""
    return page is None or not place or place in page.places


def _read(path: Path) -> _Found:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.found


def main(site: str) -> None:
    """Print the faults; exit with 1 if there is one."""
    found = list(faults(Path(site)))
    print("\n".join(found) if found else f"{site}: every link leads somewhere")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
