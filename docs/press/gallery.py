"""Gallery: a page for each graph file that ships: its drawing, the file, and what can be known.

Verdicts and numbers are those of ``causalflow check``: computed when the site is built.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from press.links import ROOT

if TYPE_CHECKING:
    from causalflow import Answer, Graph, Verdict
    from causalflow.exact.verification import Verification

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
    import causalflow as cf
    from causalflow.exact.verification import verify
    from causalflow.identify.positivity import overlaps
    from causalflow.shipped import checkpoint_for, checkpoint_names, checkpoint_path

    text = path.read_text(encoding="utf-8")
    place = path.relative_to(ROOT).as_posix()
    graph = cf.load(path)
    name = _name(path).removeprefix("gallery/")
    up = "../" * name.count("/")
    pictures = any(node.type.shape for node in graph.nodes.values())
    fitted = checkpoint_for(graph) if pictures else None
    known = [each for each in checkpoint_names() if checkpoint_path(each) == fitted]
    asked = [_asked(each) for each in verify(graph)]
    parts = [
        f"# {_title(path).capitalize()}",
        _head(text),
        f"![The graph {_title(path)}, drawn]({up}drawn/{name}.svg){{.drawn}}",
        _counted(graph),
        *(f'A fitted model ships for it: `cf.from_pretrained("{each}")`.' for each in known),
        *(f"```{{warning}}\nPositivity fails: {each}\n```" for each in overlaps(graph)),
        asked and "## What can be known",
        *asked,
        f"## The file\n\n`{place}`",
        f"```yaml\n{text.rstrip()}\n```",
        f"{home}. `causalflow check {place}` prints the verdicts and numbers of this page.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(text: str) -> str:
    """The comment that the file begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    parts = "\n".join(lines).split("`")
    parts[::2] = [re.sub(r"([*_<\[$])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _counted(graph: Graph) -> str:
    hidden = len(graph.admg.bidirected)
    said = f"{_number(len(graph.nodes), 'node')}, {_number(len(graph.edges), 'edge')}"
    if hidden:
        said += f", {_number(hidden, 'hidden common cause')}"
    latent = f" Never observed: {', '.join(graph.latent)}." if graph.latent else ""
    return f"{said}.{latent}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _asked(each: Verification) -> str:
    """A question of the file: the verdict, the formula and the model's number."""
    verdict, answer = each.verdict, each.answer
    lines = [f"### `{each.check.ask}`", _said(verdict)]
    if verdict is not None and verdict.estimand is not None:
        lines.append(f'<p class="formula">{verdict.mathml()}</p>')
    elif verdict is not None:
        lines.append(f"```text\n{verdict}\n```")
    if answer is not None:
        lines.append(f"By the model itself: {_answer(answer)}")
    return "\n\n".join(lines + [f"*{each}*" for each in each.warnings])


def _said(verdict: Verdict | None) -> str:
    match None if verdict is None else verdict.identifiable:
        case True:
            return "**Identified** from what is observed:"
        case False:
            return "**Not identified** from what is observed."
        case _:
            return "Answered by the model itself." if verdict is None else "Unknown."


def _answer(answer: Answer) -> str:
    if answer.value is not None:
        return f"`{answer.value}`"
    cells = [f"{level}: {number}" for level, number in answer.table.to_dict().items()]
    return f"`{', '.join(cells[:12])}{', ...' if len(cells) > 12 else ''}`"
