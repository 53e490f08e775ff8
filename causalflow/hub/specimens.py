"""Specimens: the pictures of a model's folder, each with what it shows and what that rests on.

graph.png            the graph
samples.png          pictures that the model draws, with the labels that they were drawn under
counterfactual.png   pictures, and what they would have been: the first ones of an evaluation,
                     else those of samples.png under one intervention
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalflow.errors import SupportWarning
from causalflow.evaluation.evaluation import Evaluation
from causalflow.evaluation.figures import captions, figures
from causalflow.evaluation.table_report import TableReport
from causalflow.graph.node import images_of
from causalflow.model.model import Model
from causalflow.model.world import World
from causalflow.model.world_verdicts import counterfactual_verdict
from causalflow.plot.graph import plot_graph
from causalflow.plot.images import ASKED, asked, image_grid, save_figure

__all__ = ["MOST_SPECIMENS", "Specimen", "draw_specimens"]

MOST_SPECIMENS = 3
SHOWN = 8
DPI = 110
NEAR = 0.8
"""How far up its range a number is set, for the reader to see what it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A picture of a folder.

    Attributes:
        file: its name.
        about: what it shows, in one line.
        asked: the question that it answers; "": none.
        rests_on: what the answer rests on, in sentences.
    """

    file: str
    about: str
    asked: str = ""
    rests_on: tuple[str, ...] = ()


def draw_specimens(
    model: Model,
    folder: Path,
    found: Evaluation | TableReport | None,
    do: Mapping[str, object] | None,
    begin: Callable[[str], None],
) -> list[Specimen]:
    """Draw what can be drawn of a model into a folder.

    Args:
        model: the model.
        folder: where the files go.
        found: its evaluation, if there is one.
        do: the intervention that is shown; None: one on a parent of the picture.
        begin: told the name of each picture that begins.
    """
    begin("graph")
    plot_graph(model.graph, folder / "graph.png", dpi=DPI)
    shown = [Specimen(file="graph.png", about=f"The graph {model.graph.name}.")]
    if not _pictured(model) or not model.fitted >= set(model.scm.order):
        return shown
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupportWarning)
        begin("samples")
        rows = model.sample(SHOWN)
        shown.append(_drawn(model, rows, folder))
        begin("counterfactual")
        set_to = dict(do or _intervention(model))
        if isinstance(found, Evaluation):
            return [*shown, _judged(model, found, set_to, folder)]
        if set_to:
            shown.append(_changed(model, rows, set_to, folder))
    return shown


def _pictured(model: Model) -> list[str]:
    """The images that can be shown: grey or in colours."""
    return [n for n, image in images_of(model.graph.nodes).items() if image.shape[0] in (1, 3)]


def _drawn(model: Model, rows: World, folder: Path) -> Specimen:
    names = _pictured(model)
    texts = {names[-1]: captions(model.graph, rows)}
    save_figure(image_grid({n: rows[n] for n in names}, texts), folder / "samples.png", dpi=DPI)
    return Specimen(file="samples.png", about=f"Drawn by the model{_below(model)}.")


def _judged(model: Model, found: Evaluation, do: Mapping[str, object], folder: Path) -> Specimen:
    """The first pictures of an evaluation, as its report shows them."""
    drawn = figures(found.bench, found.measures)
    _, about, figure = next(each for each in drawn if each[0].startswith("Counterfactuals"))
    save_figure(figure, folder / "counterfactual.png", dpi=DPI)
    bench = found.bench
    where = bench.subject.about if bench.subject.kind == "real" else "pictures drawn by the model"
    verdict = counterfactual_verdict(model.graph, tuple(model.graph.nodes), do) if do else None
    return Specimen(
        file="counterfactual.png",
        about=f"Counterfactuals of {where}. {about}",
        asked="" if verdict is None else str(verdict.query),
    )


def _changed(model: Model, rows: World, do: Mapping[str, Any], folder: Path) -> Specimen:
    """The pictures drawn, and what they would have been."""
    world = model.counterfactual(dict(rows), do=do)
    query = f"do({', '.join(f'{name}={_short(value)}' for name, value in do.items())})"
    names, shown, texts = _pictured(model), dict[str, Any](), dict[str, list[str]]()
    for title, each in (("factual", rows), (query, world)):
        shown |= {title if len(names) == 1 else f"{n}\n{title}": each[n] for n in names}
        own = captions(model.graph, each)
        texts[list(shown)[-1]] = own if each is rows else asked(own)
    save_figure(image_grid(shown, texts), folder / "counterfactual.png", dpi=DPI)
    verdict = world.verdict
    return Specimen(
        file="counterfactual.png",
        about=f"Pictures that the model drew, and what they would have been under {query}"
        f"{_below(model)}.",
        asked="" if verdict is None else str(verdict.query),
        rests_on=(*world.info.assumptions,),
    )


def _below(model: Model) -> str:
    """What stands below each picture."""
    names = [n for n, node in model.graph.nodes.items() if node.type.scalar]
    return f"; below each: {', '.join(names)}, {ASKED}" if names else ""


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _intervention(model: Model) -> dict[str, Any]:
    """A value of a picture's first parent that can be set: its last level, or a high number."""
    for image in _pictured(model):
        for name in model.graph.admg.ordered(model.graph.parents(image)):
            kind = model.scm.types[name]
            if kind.levels is not None and len(kind.levels) > 1:
                return {name: kind.levels[-1]}
            if kind.numeric and (ends := model.experience.ranges.get(image, {}).get(name)):
                return {name: float(f"{ends[0] + NEAR * (ends[1] - ends[0]):.3g}")}
    return {}
