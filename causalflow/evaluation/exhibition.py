"""Exhibition: the pictures of a `Gallery` set out for metrics, with judges of real pictures.

Judges learn from real pictures that are given beside the gallery. Where none are, a random half of
its distinct factual pictures, by the seed, teaches them, and judges are asked of the other half
alone; everything else is measured on all. An attribute that no judge can learn is said to be not
measurable, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from causalflow.data.sets.catalogue import data_set
from causalflow.errors import DataError
from causalflow.evaluation.bench import Bench
from causalflow.evaluation.gallery import Gallery
from causalflow.evaluation.judges import Judge, fitted_judge
from causalflow.evaluation.outcomes import Settings, bright_subject
from causalflow.evaluation.task import (
    FEWEST_TRAINING,
    TRAINING_ROWS,
    Columns,
    Subject,
    image_node,
    in_memory,
    label_parents,
    parted,
)
from causalflow.graph.graph import Graph

__all__ = ["GALLERY", "gallery_bench"]

GALLERY = "gallery"
"""The part of the data that pictures of a gallery are of."""


def gallery_bench(
    gallery: Gallery,
    data: object,
    settings: Settings,
    judge_epochs: int,
    networks: Mapping[str, nn.Module],
) -> Bench:
    """All that metrics may look at.

    Args:
        gallery: the pictures.
        data: real pictures for the judges: rows, a data set's name, or None.
        settings: its seed and bars are the judges'.
        judge_epochs: passes of the judges over their pictures.
        networks: name -> a network that the caller gave for a metric of their own.

    Raises:
        DataError: real pictures that do not fit the gallery's graph.
    """
    rows, worlds = gallery.parts()
    subject, unseen = _subject(gallery, rows, data, settings.seed)
    notes: list[str] = []
    judges = _judges(gallery.graph, subject, settings, judge_epochs, notes)
    return Bench(
        graph=gallery.graph,
        subject=subject,
        judges=judges,
        worlds=worlds,
        networks=networks,
        notes=notes,
        unseen=unseen,
    )


def _subject(
    gallery: Gallery, rows: Columns, data: object, seed: int
) -> tuple[Subject, Tensor | None]:
    """The pictures with what judges learn from, and which of them no judge sees."""
    graph, count = gallery.graph, len(next(iter(rows.values())))
    whole = Subject(name=gallery.name, split=GALLERY, rows=rows, training={}, reference={})
    if data is not None:
        further = _real(graph, data)
        training, reference = parted(further, len(next(iter(further.values()))))
        seen = bright_subject(graph, replace(whole, training=training, reference=reference))
        return replace(whole, training=seen.training, reference=seen.reference), None
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    half = count // 2
    if half < FEWEST_TRAINING:
        note = (
            f"no judges: {count} factual pictures, of which half would teach them; give real ones, "
            f"or at least {2 * FEWEST_TRAINING}"
        )
        return replace(whole, note=note), None
    unseen = torch.ones(count, dtype=torch.bool)
    unseen[order[:half]] = False
    taught = {name: column[order[:half]] for name, column in rows.items()}
    note = (
        f"{half} of the {count} factual pictures teach the judges, which are asked of the other "
        f"{count - half} alone: no further real pictures were given"
    )
    training, reference = parted(taught, half)
    return replace(whole, training=training, reference=reference, note=note), unseen


def _real(graph: Graph, data: object) -> Columns:
    """Real pictures with labels, in memory."""
    if isinstance(data, str):
        known = data_set(data)
        size = graph.nodes[image_node(graph)].type.shape[1] if known.sized else None
        return in_memory(known.draw("train", n=TRAINING_ROWS, size=size), graph)
    columns = in_memory(data, graph)
    if len(next(iter(columns.values()))) < FEWEST_TRAINING:
        raise DataError(f"evaluate: judges learn from at least {FEWEST_TRAINING} real pictures")
    return columns


def _judges(
    graph: Graph, subject: Subject, settings: Settings, epochs: int, notes: list[str]
) -> dict[str, Judge]:
    """The judges that can be had, and notes on the others."""
    found: dict[str, Judge] = {}
    for name in label_parents(graph):
        if name not in subject.rows or name not in subject.training:
            why = subject.note or f"the table has no column '{name}'"
            notes.append(f"effectiveness of {name} is not measurable: {why}")
            continue
        try:
            found[name] = fitted_judge(
                graph,
                subject,
                name,
                epochs=epochs,
                seed=settings.seed,
                device="cpu",
                progress=settings.progress,
            )
        except DataError as mistake:
            notes.append(f"effectiveness of {name} is not measurable: {mistake}")
    return found
