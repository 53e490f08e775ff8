"""Models: views of a model, of worlds it makes, and of what its fit did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from causalflow.model.model import Model
from causalflow.model.world import World
from causalflow.notebook.parts import (
    GOOD,
    MOST_ROWS,
    OPEN,
    WRONG,
    Html,
    badge,
    block,
    curve,
    facts,
    folded,
    listed,
    number,
    picture,
    table,
    text,
    title,
)
from causalflow.notebook.symbols import graph_drawing
from causalflow.training.report import FitReport
from causalflow.values.variable import NodeType

__all__ = ["model_view", "report_view", "world_view"]

PICTURES, SIDE, LARGEST = 8, 92, 184
"""Pictures in a strip, their width in the page, and the most pixels of one."""


def model_view(model: Model) -> Html:
    """What each node is made by, and whether that was fitted."""
    rows = model.scm.describe()[: MOST_ROWS + 1]
    untrained = [name for name in model.scm.order if name not in model.fitted]
    state = badge(f"{len(untrained)} untrained", WRONG) if untrained else badge("ready", GOOD)
    columns = {header: [row[header] for row in rows] for header in rows[0]} if rows else {}
    more = len(model.scm.root_names) + len(model.scm.order) - len(rows)
    return block(
        title(f"model of {model.graph.name}", state),
        table(columns, more=more),
        folded("graph", graph_drawing(model.graph) or ""),
    )


def world_view(world: World) -> Html:
    """The first rows: pictures in a strip, labels below one another; what of them is a draw."""
    rows = len(next(iter(world.values()), ()))
    kinds = {name: kind for name, kind in world.types.items() if name in world}
    shown = min(rows, PICTURES)
    labels = {name: _labels(k, world[name], name) for name, k in kinds.items() if not k.pictured}
    said = [", ".join(f"{n} {number(v[row])}" for n, v in labels.items()) for row in range(shown)]
    strips = [_strip(n, k, world[n], said) for n, k in kinds.items() if k.pictured]
    info = world.info
    told = {"network calls a row": f"{info.network_calls:g}"} if info.network_calls else {}
    if info.round_trip_error is not None:
        told["round-trip error"] = f"{info.round_trip_error:.2g}"
    return block(
        title(f"{rows:,} {'world' if rows == 1 else 'worlds'}"),
        *strips,
        _rows(labels, rows),
        facts(told) if told else "",
        listed(
            [f"one draw of several: {', '.join(info.undetermined)}"] if info.undetermined else []
        ),
        listed(info.warnings, "warning"),
        listed(info.assumptions, "note"),
    )


def _rows(labels: Mapping[str, list[Any]], rows: int) -> Html:
    """The labels of the first rows, below one another."""
    if not labels:
        return ""
    first = len(next(iter(labels.values())))
    return table({"row": range(first), **labels}, more=rows - first)


def _labels(kind: NodeType, values: Tensor, name: str) -> list[Any]:
    """The values of the first rows as users write them."""
    return list(kind.names(kind.read(values[:MOST_ROWS], where=f"node '{name}'")).tolist())


def _strip(name: str, kind: NodeType, images: Tensor, said: Sequence[str]) -> Html:
    """The first pictures of a node side by side, labels below each."""
    depth = kind.depth
    unit = images[: len(said)] if depth is None else images[: len(said)] / max(depth - 1, 1)
    cells = [
        f'<figure style="margin: 0; width: {SIDE}px">'
        f"{picture(_png(pixels), f'{name}: {words}', SIDE)}"
        f'<figcaption style="font-size: .75em; opacity: .8">{text(words, 60)}</figcaption></figure>'
        for pixels, words in zip(unit.detach().cpu().numpy(), said, strict=True)
    ]
    left = f"<div>… {len(images) - len(said):,} more</div>" if len(images) > len(said) else ""
    style = "display: flex; flex-wrap: wrap; gap: .4em; align-items: flex-start; margin: .3em 0"
    return f'<div>{text(name)}</div><div style="{style}">{"".join(cells)}{left}</div>'


def _png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A picture of shape (channel, height, width); of other than 1 or 3 channels the first."""
    three = pixels if len(pixels) == 3 else pixels[:1]
    scaled = three if three.dtype == np.uint8 else np.clip(three, 0, 1) * 255 + 0.5
    array = scaled.astype(np.uint8)
    image = Image.fromarray(array[0] if len(array) == 1 else np.moveaxis(array, 0, -1))
    image.thumbnail((LARGEST, LARGEST))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def report_view(report: FitReport) -> Html:
    """How long a fit took, and the losses that it came to."""
    told: dict[str, Any] = {"steps": f"{report.steps:,}", "rows seen": f"{report.images:,}"}
    told |= {"seconds": f"{report.seconds:.3g}", "weights": f"{report.parameters:,}"}
    told |= {"device": f"{report.device}, {report.precision}"}
    if report.held_out is not None:
        told["held-out loss"] = f"{report.held_out:.4g}, least after step {report.best_step:,}"
    names = [*dict.fromkeys((*report.losses, *report.distances))]
    columns: dict[str, Sequence[object]] = {"node": names}
    for header, found in (("loss", report.losses), ("distance", report.distances)):
        if found:
            columns[header] = [f"{found[name]:.4g}" if name in found else "" for name in names]
    end = badge(f"stopped: {report.stopped}", OPEN) if report.stopped else badge("fitted", GOOD)
    return block(
        title("fit", end),
        curve([(step, sum(each.values())) for step, each in report.history], "loss by step"),
        table(columns) if names else "",
        table({"what": [*told], "how much": [*told.values()]}),
        listed(report.assumptions, "note"),
    )
