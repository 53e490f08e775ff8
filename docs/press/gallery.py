"""Gallery: a page for each graph file that ships: its drawing, the file, and what can be known.

Verdicts and numbers are those of ``causalflow check``: computed when the site is built.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from press.links import ROOT

__all__ = ["drawn", "gallery"]

FOLDERS = {
    "": ("Worlds with pictures, and the papers' systems", "graphs"),
    "classics": ("Classics: finite models with answers in fractions", "graphs/classics"),
    "literature": ("Literature: graphs that identification is tried on", "graphs/literature"),
}
"""What each folder of graph files holds, and how it is called."""


def gallery() -> Iterator[tuple[str, str]]:
    """The name and the text of each page."""
    yield "gallery/index", _index()
    for home, folder in FOLDERS.values():
        for path in sorted((ROOT / folder).glob("*.yaml")):
            yield _name(path), _page(path, home)


def drawn(folder: Path, kept: Path) -> None:
    """The drawing of each graph, as SVG, into ``folder``; ``kept`` has those of earlier builds."""
    import causalflow as cf

    look = hashlib.sha256()
    for source in sorted((ROOT / "causalflow" / "plot").glob("*.py")):
        look.update(source.read_bytes())
    kept.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "graphs").rglob("*.yaml")):
        key = hashlib.sha256(look.digest() + path.read_bytes()).hexdigest()[:16]
        before = kept / f"{key}.svg"
        if not before.exists():
            cf.plot_graph(cf.load(path), before, legend=False)
        target = folder / path.relative_to(ROOT / "graphs").with_suffix(".svg")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != before.read_bytes():
            shutil.copyfile(before, target)


def _name(path: Path) -> str:
    return f"gallery/{path.relative_to(ROOT / 'graphs').with_suffix('').as_posix()}"


def _index() -> str:
    parts = [
        "# Gallery",
        "Every graph file that comes with the package: its drawing, its text, and what can be "
        "known from it. `cf.load(path)` reads one from a checkout; `causalflow check "
        "graphs/*.yaml` computes the verdicts and the numbers that the pages show.",
    ]
    for home, folder in FOLDERS.values():
        paths = sorted((ROOT / folder).glob("*.yaml"))
        parts += [f"## {home}", '<div class="gallery">']
        parts += [_card(path) for path in paths]
        parts += ["</div>", "```{toctree}\n:hidden:\n"]
        parts[-1] += "\n".join(_name(path).removeprefix("gallery/") for path in paths) + "\n```"
    return "\n\n".join(parts) + "\n"


def _card(path: Path) -> str:
    """The picture of a graph and its name, one link to its page."""
    name = _name(path).removeprefix("gallery/")
    return f"[![](drawn/{name}.svg) {_title(path)}](/gallery/{name}.md)"


def _title(path: Path) -> str:
    return path.stem.replace("_", " ")


def _page(path: Path, home: str) -> str:
    from causalflow.cli.check import checked

    text = path.read_text(encoding="utf-8")
    place = path.relative_to(ROOT).as_posix()
    found = checked(str(path))
    name = _name(path).removeprefix("gallery/")
    up = "../" * name.count("/")
    parts = [
        f"# {_title(path).capitalize()}",
        _head(text),
        f"![The graph {_title(path)}, drawn]({up}drawn/{name}.svg){{.drawn}}",
        _counted(found),
        *_verdicts(found["queries"]),
        *(f"```{{note}}\n{note}\n```" for note in [*found["warnings"], *found["notes"]]),
        f"## The file\n\n`{place}`",
        f"```yaml\n{text.rstrip()}\n```",
        f"{home}. `causalflow check {place}` prints what this page shows.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(text: str) -> str:
    """The comment that the file begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return re.sub(r"([*_<])", r"\\\1", "\n".join(lines))


def _counted(found: dict[str, Any]) -> str:
    nodes, edges, hidden = (found[key] for key in ("nodes", "edges", "hidden_confounders"))
    latent = f" Never observed: {', '.join(found['latent'])}." if found["latent"] else ""
    return f"{nodes} nodes, {edges} edges, {hidden} hidden common causes.{latent}"


def _verdicts(queries: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each question of the file: the verdict, the formula and the number."""
    if not queries:
        return
    yield "## What can be known"
    for each in queries:
        lines = [f"`{each['ask']}`", f": {_verdict(each)}"]
        if each["estimand"]:
            lines.append(f"\n  ```text\n  {each['estimand']}\n  ```")
        if each["answer"] is not None:
            lines.append(f"\n  The model's answer: {_answer(each['answer'])}")
        yield "\n".join(lines)


def _verdict(each: dict[str, Any]) -> str:
    match each["verdict"]:
        case True:
            return "**identified** from what is observed:"
        case False:
            return "**not identified** from what is observed."
        case _:
            return "unknown." if each["unknown"] else "answered by the model itself."


def _answer(answer: Any) -> str:
    if isinstance(answer, dict):
        shown = ", ".join(f"{level}: {number}" for level, number in list(answer.items())[:12])
        return f"`{shown}{', ...' if len(answer) > 12 else ''}`"
    return f"`{answer}`"
