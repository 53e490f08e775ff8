"""Page: an evaluation as one HTML file that needs nothing else, and as files on disk.

Pictures are inside the page, no script runs, nothing is fetched; it follows the reader's light or
dark setting and can be printed. Two files are written, both or neither:

    report.json    every number, with its interval, count and unit
    report.html    the page
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalflow.errors import DataError
from causalflow.evaluation.bench import COUNTED, INTERVALS, Bench, Measure
from causalflow.evaluation.figures import figures
from causalflow.evaluation.score import Score
from causalflow.files import alone, remove_leftovers, whole_folder, written
from causalflow.plugins import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FILES",
    "check_folder",
    "columns",
    "interval",
    "number",
    "page",
    "plain_page",
    "write_report",
]


def columns(measures: Sequence[Measure], kind: str) -> dict[str, list[Any]]:
    """The numbers as a table, header -> cells; "-" where nothing is to be compared.

    Args:
        measures: the numbers.
        kind: what the factual pictures are: "real", or "drawn" by the model.
    """
    return {
        "query": [each.query for each in measures],
        "measure": [each.title for each in measures],
        "value": [number(each.score) for each in measures],
        "95 % interval": [interval(each.score) for each in measures],
        f"{kind} images": [number(each.floor) for each in measures],
        "left as it is": [number(each.baseline) for each in measures],
        "images": [each.score.count for each in measures],
        "unit": [each.score.unit for each in measures],
    }


def number(score: Score | None) -> str:
    """The value, four digits long.

    Example:
        >>> number(Score(value=0.98765, interval=(0.9, 1.0), count=9, unit="share")), number(None)
        ('0.9877', '-')
    """
    return "-" if score is None else f"{score.value:.4g}"


def interval(score: Score) -> str:
    """The interval, three digits each; "exact" of what is counted.

    Example:
        >>> interval(Score(value=0.98, interval=(0.9, 1.0), count=9, unit="share"))
        '0.9 to 1'
    """
    low, high = score.interval
    if score.unit == COUNTED:
        return "exact"
    return "unknown" if low == -high == -float("inf") else f"{low:.3g} to {high:.3g}"


FILES = ("report.json", "report.html")
_DPI = 130
_STYLE = """
:root { color-scheme: light dark;
  --ink: #1f2328; --faint: #656d76; --line: #d8dee4; --ground: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --ground: #151b23; }
}
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
  background: var(--ground); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; font-family: ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; color: var(--faint); }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { background: #fff; max-width: 100%; border-radius: 4px; }
figcaption, p.about { color: var(--faint); font-size: .88rem; }
"""


def page(
    title: str, about: str, rests_on: Sequence[str], bench: Bench, measures: Sequence[Measure]
) -> str:
    """The whole page.

    Args:
        title: its heading.
        about: how the model was asked, in a line.
        rests_on: what the numbers rest on, in sentences.
        bench: what was measured, its worlds pictured.
        measures: the numbers.
    """
    return _whole(title, _body(title, about, rests_on, bench, measures))


def plain_page(
    title: str,
    about: str,
    rests_on: Sequence[str],
    pictures: Iterable[tuple[str, str, Figure]],
    text: str,
) -> str:
    """A page of pictures and of text in columns.

    Args:
        title: its heading.
        about: what was measured, in a line.
        rests_on: what the numbers rest on, in sentences.
        pictures: heading, caption and figure of each.
        text: the numbers, as lines in columns.
    """
    shown = (
        f"<h2>{escape(h)}</h2>{_figure(h, caption, figure)}" for h, caption, figure in pictures
    )
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="about">{escape(about)}</p>',
        _list(rests_on),
        *shown,
        "<h2>Numbers</h2>",
        f"<pre>{escape(text)}</pre>",
    ]
    return _whole(title, body)


def _whole(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _body(
    title: str, about: str, rests_on: Sequence[str], bench: Bench, measures: Sequence[Measure]
) -> Iterator[str]:
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="about">{escape(about)}</p>'
    yield _list(rests_on)
    for heading, caption, figure in figures(bench, measures):
        yield f"<h2>{escape(heading)}</h2>"
        yield _figure(heading, caption, figure)
    kind = bench.subject.kind
    yield "<h2>Numbers</h2>"
    yield (
        '<p class="about">Beside each number: its central 95 % interval; the same reading on '
        f"{kind} pictures (what the judge, or the number of pictures, allows); of pictures "
        "left as they are (what doing nothing would get); and the difference to that of the same "
        f"pictures, with its paired interval. {INTERVALS.capitalize()}.</p>"
    )
    yield from _tables(measures, kind)
    yield "<h2>Judges</h2>"
    yield _judges(bench)
    if bench.notes:
        yield "<h2>Not measured</h2>"
        yield _list(bench.notes)
    yield "<h2>Definitions</h2>"
    yield from _definitions(measures)


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _figure(title: str, about: str, figure: Figure) -> str:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI, metadata={"Software": None})
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{escape(title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(about)}</figcaption></figure>"
    )


def _tables(measures: Sequence[Measure], kind: str) -> Iterator[str]:
    """One table an intervention."""
    for query in dict.fromkeys(each.query for each in measures):
        yield f"<h3>{escape(query)}</h3>"
        shown = columns([each for each in measures if each.query == query], kind)
        del shown["query"]
        images, unit = shown.pop("images"), shown.pop("unit")
        shown["difference"] = [
            _difference(each.difference) for each in measures if each.query == query
        ]
        shown |= {"images": [f"{count:,}" for count in images], "unit": unit}
        yield _table([*shown], [*zip(*shown.values(), strict=True)], numbers=6)


def _difference(score: Score | None) -> str:
    return "-" if score is None else f"{number(score)} ({interval(score)})"


def _judges(bench: Bench) -> str:
    lines = []
    for name, judge in bench.judges.items():
        floor = bench.floors.get(name)
        shown = ("-", "-") if floor is None else (interval(floor), f"{floor.count:,}")
        lines.append((name, number(floor), *shown, judge.unit, judge.how))
    head = (
        "node",
        f"on {bench.subject.kind} images",
        "95 % interval",
        "images",
        "unit",
        "how it reads",
    )
    return _table(head, lines, numbers=3)


def _table(head: Sequence[str], lines: Sequence[Sequence[Any]], numbers: int) -> str:
    """A table; after its first column, so many are of numbers."""
    rows = [_row("th", head, numbers), *(_row("td", line, numbers) for line in lines)]
    return "<table>\n" + "\n".join(rows) + "\n</table>"


def _row(kind: str, cells: Sequence[Any], numbers: int) -> str:
    kinds = [' class="number"' if 1 <= at <= numbers else "" for at in range(len(cells))]
    opened = (f"<{kind}{each}>" for each in kinds)
    parts = zip(opened, map(escape, cells), strict=True)
    return f"<tr>{''.join(f'{tag}{cell}</{kind}>' for tag, cell in parts)}</tr>"


def _definitions(measures: Sequence[Measure]) -> Iterator[str]:
    yield "<dl>"
    for name in dict.fromkeys(each.name for each in measures):
        yield f"<dt>{escape(name)}</dt><dd>{escape(METRICS.get(name).definition)}</dd>"
    yield "</dl>"


def check_folder(folder: Path) -> None:
    """Refuse, before the work, a folder that cannot become a report.

    Raises:
        DataError: it is a file, holds anything but a report, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: a file; expected the name of a folder for the report")
    others = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    if foreign := [name for name in others if name not in FILES]:
        raise DataError(f"{folder}: holds '{foreign[0]}', which is no report; give a new folder")
    above = next(each for each in folder.absolute().parents if each.exists())
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise DataError(f"{folder}: cannot be written: '{above}' is no folder to write to")


def write_report(folder: Path, record: Mapping[str, Any], text: str) -> list[Path]:
    """Write both files; a report that is there already is replaced.

    Args:
        folder: the report's folder.
        record: the numbers, for the JSON file.
        text: the text of the page.

    Raises:
        DataError: the folder cannot be written.
    """
    check_folder(folder)
    numbers = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    with alone(folder, DataError), written(folder, DataError):
        remove_leftovers(folder)
        with whole_folder(folder) as part:
            for name, content in zip(FILES, (numbers, text), strict=True):
                (part / name).write_text(content, encoding="utf-8")
    return [folder / name for name in FILES]
