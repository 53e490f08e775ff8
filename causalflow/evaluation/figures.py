"""Figures: the pictures and plots of a report; nothing is shown, no state is kept.

worlds         a column a row of the data: factual, decoded, and each counterfactual with its truth
effectiveness  shares as points with their 95 % interval, beside the judge on real pictures and
               pictures left as they are
readings       what a judge reads against what was to be read, for numbers
cycles         the error of the null intervention, applied again and again
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from causalflow.evaluation.axioms import composition
from causalflow.evaluation.bench import Bench, Measure
from causalflow.evaluation.task import Columns
from causalflow.graph.graph import Graph
from causalflow.plot.graph import plot_graph
from causalflow.plot.images import ASKED, asked, image_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["captions", "figures"]

COLUMNS = 8
_INK, _FAINT, _GRID = "#1f2328", "#656d76", "#d8dee4"
_MADE, _REAL, _LEFT = "#0969da", "#1a7f37", "#bc4c00"


def figures(bench: Bench, measures: Sequence[Measure]) -> Iterator[tuple[str, str, Figure]]:
    """Every figure: its title, what it shows, and the picture."""
    drawn = plot_graph(bench.graph)
    assert not isinstance(drawn, Path)
    yield "Graph", "What the model was told.", drawn
    if bench.worlds.decoded is None:
        yield from _strips(bench)
    else:
        yield (
            "Counterfactuals",
            "A column is one picture, kept from the judges. Below each picture, the labels of its "
            f"world, {ASKED}; the null intervention without the residual shows what the model "
            "itself draws.",
            _worlds(bench, bench.worlds.decoded),
        )
    if shares := [each for each in measures if _is_share(each)]:
        yield (
            "Effectiveness, classes",
            "Share of pictures that a judge reads as they should be, with the 95 % interval; the "
            f"judge on {bench.subject.kind} pictures, and pictures left as they are.",
            _shares(shares, bench.subject.kind),
        )
    if numbers := _read_numbers(bench):
        yield (
            "Effectiveness, numbers",
            "What is read off each counterfactual picture against its value in that world; on the "
            "line, it is right.",
            _scatters(numbers),
        )
    if bench.worlds.cycles:
        yield (
            "Composition",
            "Mean distance per pixel to the factual picture after each null intervention, of the "
            f"first {len(bench.worlds.cycles[True][0])} rows.",
            _cycles(bench),
        )


def _strips(bench: Bench) -> Iterator[tuple[str, str, Figure]]:
    """The first pictures of each intervention: factual, counterfactual, and what is known more."""
    image, kept = bench.image, bench.worlds.kept
    for outcome in bench.worlds.outcomes:
        own, query = bench.at(outcome), outcome.action.query
        rows, truth = slice(0, COLUMNS), bench.truth(outcome)
        shown = {"factual": own.pictures[rows], query: outcome.world[image][rows]}
        if truth is not None:
            shown[f"true\n{query}"] = truth[image][rows]
        if kept is not None:
            shown["do()"] = (kept if outcome.rows is None else kept[outcome.rows])[rows]
        if outcome.returned is not None:
            shown["undone"] = outcome.returned[rows]
        worlds = {"factual": own.subject.rows, query: outcome.world}
        texts = {
            name: captions(bench.graph, {n: v[rows] for n, v in world.items()})
            for name, world in worlds.items()
        }
        texts[query] = asked(texts[query])
        about = f"A column is one picture. Below each, the labels of its world, {ASKED}."
        yield f"Counterfactuals, {query}", about, image_grid(shown, texts)


def _worlds(bench: Bench, decoded: Tensor) -> Figure:
    graph, image, rows = bench.graph, bench.image, slice(0, COLUMNS)
    factual = {name: values[rows] for name, values in bench.subject.rows.items()}
    shown: dict[str, Tensor] = {"factual": factual[image]}
    texts = {"factual": captions(graph, factual)}
    shown["do()\nno residual"] = decoded[rows]
    for outcome in bench.worlds.outcomes:
        query = outcome.action.query
        shown[query] = outcome.world[image][rows]
        own = captions(graph, {n: v[rows] for n, v in outcome.world.items()})
        texts[query] = asked(own)
        if truth := bench.truths.get(query):
            shown[f"true\n{query}"] = truth[image][rows]
    return image_grid(shown, texts)


def captions(graph: Graph, world: Columns) -> list[str]:
    """One short text a row: ``7 red present``."""
    columns = [_texts(graph, name, world[name]) for name in graph.nodes if name in world]
    lines = zip(*(column for column in columns if column), strict=True)
    return [" ".join(line) for line in lines]


def _texts(graph: Graph, name: str, values: Tensor) -> list[str]:
    kind = graph.nodes[name].type
    if not kind.scalar:
        return []
    if kind.levels is not None:
        return [str(level) for level in kind.names(values.cpu().numpy())]
    return [f"{value:.3g}" for value in values.tolist()]


def _is_share(measure: Measure) -> bool:
    return measure.score.unit == "share" and measure.name in ("effectiveness", "kept")


def _shares(measures: Sequence[Measure], kind: str) -> Figure:
    figure, axes = _canvas(7.2, 0.6 + 0.34 * len(measures))
    for row, each in enumerate(measures):
        low, high = each.score.interval
        axes.plot([low, high], [row, row], color=_MADE, linewidth=2, solid_capstyle="butt")
        axes.plot(each.score.value, row, "o", color=_MADE, label=_once("counterfactual", row))
        for score, sign, color, label in (
            (each.floor, "|", _REAL, f"{kind} pictures"),
            (each.baseline, "x", _LEFT, "left as it is"),
        ):
            if score is not None:
                axes.plot(
                    score.value, row, sign, color=color, label=_once(label, row), markersize=9
                )
    names = [f"{each.query}: {each.detail}" for each in measures]
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.set(xlim=(-0.03, 1.03), ylim=(len(measures) - 0.4, -0.6), xlabel="share of pictures")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, frameon=False, fontsize=8.5)
    return figure


def _once(label: str, row: int) -> str:
    """A label of the legend, given by the first row alone."""
    return label if row == 0 else "_"


def _read_numbers(bench: Bench) -> list[tuple[str, str, Tensor, Tensor]]:
    """Title, unit, what was to be read, and what was, of each action and number."""
    return [
        (f"{o.action.query}: {name}", judge.unit, o.world[name], judge.read(o.world[bench.image]))
        for o in bench.worlds.outcomes
        for name, judge in bench.judges.items()
        if not judge.is_class and name in o.world
    ]


def _scatters(numbers: Sequence[tuple[str, str, Tensor, Tensor]]) -> Figure:
    wide = min(3, len(numbers))
    high = -(-len(numbers) // wide)
    figure, first = _canvas(2.9 * wide, 2.8 * high)
    first.remove()
    for place, (title, unit, wanted, read) in enumerate(numbers, start=1):
        axes = figure.add_subplot(high, wide, place)
        _styled(axes)
        ends = [float(wanted.min()), float(wanted.max())]
        axes.plot(ends, ends, color=_FAINT, linewidth=1)
        axes.plot(wanted, read, ".", color=_MADE, markersize=4, alpha=0.6)
        axes.set_title(title, fontsize=9, color=_INK)
        axes.set_xlabel(f"in the world [{unit}]", fontsize=8, color=_FAINT)
        axes.set_ylabel("read", fontsize=8, color=_FAINT)
    return figure


def _cycles(bench: Bench) -> Figure:
    figure, axes = _canvas(5.2, 2.8)
    for residual, color in ((False, _LEFT), (True, _MADE)):
        after = bench.worlds.cycles[residual]
        errors = [composition(bench.pictures[: len(each)], each) for each in after]
        label = "with residual" if residual else "without residual"
        spread = [each.interval[1] - each.value for each in errors]
        axes.errorbar(
            range(1, len(errors) + 1),
            [each.value for each in errors],
            yerr=spread,
            fmt=".-",
            color=color,
            label=label,
            capsize=2,
            linewidth=1.2,
        )
    axes.set(xlabel="cycles", ylabel="grey levels of 255")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8.5)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _styled(axes)
    return figure, axes


def _styled(axes: Any) -> None:
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5, colors=_FAINT, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
