"""Evaluation: a fitted model, asked for counterfactuals of pictures, and judged.

    task (rows, interventions)  ->  judges, worlds  ->  measures  ->  page

The model is asked in public units; judges and metrics see bright pictures
(`causalflow.evaluation.outcomes`). What the numbers rest on is said with them: whether the model
was fitted to the pictures that it is measured on, by the digests that it keeps of its rows (never
claimed where it keeps none), and what the rows or the interventions give it outside of the ranges
that it was fitted to.
"""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from causalflow.data.sets.catalogue import data_set
from causalflow.errors import CausalflowWarning, DataError, EvidenceError, SupportWarning
from causalflow.evaluation.bench import INTERVALS, Bench, Measure, score_record
from causalflow.evaluation.exhibition import GALLERY, gallery_bench
from causalflow.evaluation.gallery import Gallery
from causalflow.evaluation.judges import fitted_judges
from causalflow.evaluation.metrics import measured
from causalflow.evaluation.outcomes import (
    BATCH,
    Settings,
    asked_worlds,
    bright_subject,
    bright_worlds,
)
from causalflow.evaluation.page import check_folder, columns, page, write_report
from causalflow.evaluation.table_report import TableReport, table_report
from causalflow.evaluation.task import (
    Action,
    Subject,
    from_data_set,
    from_rows,
    image_node,
    random_actions,
    stated_action,
)
from causalflow.graph.image_options import Sampling
from causalflow.model.evidence import check_count
from causalflow.model.model import Model
from causalflow.model.support import Watch
from causalflow.plugins import METRICS
from causalflow.training.processes import own_rank

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Evaluation", "evaluate"]

FEWEST_ROWS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """The report of an evaluation: the numbers, and what they were measured on.

    Attributes:
        model: its name, for the reader.
        bench: what was measured: graph, rows, judges, worlds (pictures bright), and notes on what
            could not be measured.
        settings: how the model was asked.
        measures: the numbers, each a `Measure` with value, interval, count and unit.
        rests_on: whether the model was fitted to the pictures, and what is outside of its ranges.
        device: where the model ran.
        seconds: that it took.
    """

    model: str
    bench: Bench
    settings: Settings
    measures: tuple[Measure, ...]
    rests_on: tuple[str, ...]
    device: str
    seconds: float

    @property
    def definitions(self) -> dict[str, str]:
        """What each metric that was measured is, by its name."""
        names = dict.fromkeys(each.name for each in self.measures)
        return {name: METRICS.get(name).definition for name in names}

    def record(self) -> dict[str, Any]:
        """Everything but pictures, as JSON has it."""
        bench, settings = self.bench, self.settings
        return {
            "model": self.model,
            "graph": bench.graph.name,
            "data": bench.subject.name,
            "evidence": bench.subject.origin,
            "split": bench.subject.split,
            "images": len(bench.subject),
            "seed": settings.seed,
            "steps": settings.steps,
            "guidance": settings.guidance,
            **({"sampling": settings.sampling.changed()} if settings.sampling else {}),
            "device": self.device,
            "torch": torch.__version__,
            "machine": platform.machine(),
            "seconds": self.seconds,
            "judges": [self._judge(name) for name in bench.judges],
            "measures": [each.record() for each in self.measures],
            "definitions": self.definitions,
            "intervals": INTERVALS,
            "notes": list(bench.notes),
            "rests_on": list(self.rests_on),
        }

    def _judge(self, name: str) -> dict[str, Any]:
        judge, floor = self.bench.judges[name], self.bench.floors.get(name)
        read = None if floor is None else score_record(floor)
        kind = self.bench.subject.kind
        return {"node": name, "how": judge.how, "unit": judge.unit, f"{kind}_images": read}

    def table(self) -> str:
        """The numbers as text, one line a number: `print(found.table())`."""
        import pandas

        shown = columns(self.measures, self.bench.subject.kind)
        return pandas.DataFrame(shown).to_string(index=False)

    def to_dataframe(self) -> DataFrame:
        """The numbers with all that belongs to them, one row a number.

        Columns: query, metric, detail, value, low and high (95 %), images, unit, the same reading
        of the factual pictures (floor) and of pictures left as they are (baseline), the difference
        to the latter, definition.
        """
        import pandas

        rows = [
            {
                "query": each.query,
                "metric": each.name,
                "detail": each.detail,
                "value": each.score.value,
                "low": each.score.interval[0],
                "high": each.score.interval[1],
                "images": each.score.count,
                "unit": each.score.unit,
                "floor": None if each.floor is None else each.floor.value,
                "baseline": None if each.baseline is None else each.baseline.value,
                "difference": None if each.difference is None else each.difference.value,
                "definition": METRICS.get(each.name).definition,
            }
            for each in self.measures
        ]
        return pandas.DataFrame(rows)

    def write(self, folder: str | Path) -> list[Path]:
        """Write report.json and report.html, with its pictures inside, wholly or not at all.

        Args:
            folder: the folder, which is made; a report that is there already is replaced.

        Returns:
            The two files.

        Raises:
            DataError: the folder holds anything but a report, or cannot be written.
        """
        check_folder(Path(folder))
        subject = self.bench.subject
        title = f"{self.model} on {subject.name if subject.kind == 'real' else subject.about}"
        text = page(title, self._about(), self.rests_on, self.bench, self.measures)
        return write_report(Path(folder), self.record(), text)

    def _about(self) -> str:
        settings, subject = self.settings, self.bench.subject
        steps = "the model's own" if settings.steps is None else str(settings.steps)
        guidance = "" if settings.guidance is None else f", guidance times {settings.guidance:g}"
        for name, value in (settings.sampling.changed() if settings.sampling else {}).items():
            guidance += f", {name} {value}"
        learned = len(next(iter(subject.training.values()), ()))
        if subject.split == GALLERY:
            return (
                f"{len(subject):,} factual pictures, {subject.name}; {learned:,} real ones for the "
                f"judges. Seed {settings.seed}. {self.seconds:.0f} s."
            )
        return (
            f"Graph {self.bench.graph.name}. {len(subject):,} pictures, {subject.split}; "
            f"{learned:,} further {subject.kind} ones for the judges. "
            f"Solver steps: {steps}{guidance}. "
            f"Seed {settings.seed}. {self.device}, {self.seconds:.0f} s."
        )


def evaluate(
    model: Model | Gallery,
    data: object = None,
    *,
    do: Mapping[str, object] | Sequence[Mapping[str, object] | Action] | None = None,
    metrics: Sequence[str] | None = None,
    networks: Mapping[str, nn.Module] | None = None,
    n: int = 100,
    split: str = "test",
    steps: int | None = None,
    guidance: float | None = None,
    sampling: Sampling | None = None,
    judge_epochs: int = 4,
    batch_size: int = BATCH,
    seed: int = 0,
    name: str = "model",
    progress: bool = True,
) -> Evaluation | TableReport:
    """Measure a fitted model, or pictures that any tool made: what ``causalflow evaluate`` does.

    Of each picture its counterfactuals are asked, and judged by networks fitted to real pictures,
    or by measuring pixels where that can be done. Under ``torchrun`` processes that make the same
    call share the pictures, and each has the numbers of one process alone (the judges, which each
    fits, may differ with the number of threads). Warns where the model was fitted to the pictures
    that it is measured on, or is asked outside of what it was fitted to.

    Of a `Gallery` what its pictures allow is measured, and what cannot be is said; ``data`` are
    real pictures, as of a model, that judges learn from. Without them half of the factual pictures
    teach, and judges are asked of the other half alone. ``do``, ``n``, ``split``, ``steps``,
    ``guidance``, ``sampling`` and ``batch_size`` are of models.

    A model without images is held against rows: the log-likelihood and calibration of each learned
    node, what its parents tell of it, and the independences that the graph implies. All rows count,
    and nothing else is chosen but ``split``, ``seed`` and ``name``.

    Args:
        model: fitted, with one image node or none; or a gallery.
        data: the name of a data set ("morpho_mnist"), or rows of your own as `Model.fit` takes
            them, best such that the model was not fitted to: ``n`` of them at random are measured
            on, the others teach the judges. A prepared `Subject` is taken as it is.
        do: an intervention, or several, each measured by itself: node -> a level, a number, a value
            for each row, or a function of the factual numbers. Default: for each parent of the
            image, another value at random in each row.
        metrics: names in `causalflow.plugins.METRICS`; default: all of the package's.
        networks: name -> a network that a metric of your own reads, as `Bench.network`. It is taken
            as it is: set it to `eval`, on the CPU, where the pictures are.
        n: pictures measured on, at least 2.
        split: the part of a data set, "test" or "validation"; the judges learn from its training
            split.
        steps: solver steps of the image, each way; default: the model's.
        guidance: multiplies all guidance; default: 1.
        sampling: further options of the image for these calls, as ``cf.Sampling(solver="heun")``.
        judge_epochs: passes of the judges over their pictures.
        batch_size: rows asked at once, at most.
        seed: the seed of the values set, the draws and the judges.
        name: what the reader calls the model.
        progress: show bars on standard error.

    Raises:
        DataError: no data for a model, data that do not fit the graph, or that no judge can learn
            from.
        EvidenceError: an intervention that the model cannot take, or rows that it finds impossible.
        CausalflowError: an unknown metric, or one that needs a network that was not given.

    Example:
        found = cf.evaluate(model, "morpho_mnist", do={"thickness": 5.0}, n=500)
        print(found.table())
        found.write("report")
    """
    start = time.monotonic()
    if isinstance(model, Model) and not any(kind.pictured for kind in model.scm.types.values()):
        given = {"do": do, "metrics": metrics, "networks": networks, "sampling": sampling}
        return _of_table(model, data, given, split, seed, name)
    chosen = [METRICS.get(each) for each in (METRICS.own if metrics is None else metrics)]
    check_count("judge_epochs", judge_epochs)
    if isinstance(model, Gallery):
        settings = Settings(seed=seed, progress=progress)
        bench = gallery_bench(model, data, settings, judge_epochs, networks or {})
        return Evaluation(
            model=model.name if name == "model" else name,
            bench=bench,
            settings=settings,
            measures=tuple(measured(bench, chosen)),
            rests_on=(*model.notes, *filter(None, [bench.subject.note])),
            device="cpu",
            seconds=time.monotonic() - start,
        )
    if data is None:
        raise DataError("evaluate: no data; give rows, or the name of a data set")
    subject = _subject(model, data, n, split, seed)
    actions = _actions(model, subject, do, seed)
    settings = Settings(
        steps=steps,
        guidance=guidance,
        sampling=sampling,
        seed=seed,
        batch=batch_size,
        progress=progress and own_rank() == 0,
    )
    rests_on = (
        *filter(None, [subject.note]),
        _pictures(model, subject),
        *_outside(model, subject, actions),
    )
    bench = _bench(model, subject, actions, settings, judge_epochs, networks or {})
    return Evaluation(
        model=name,
        bench=bench,
        settings=settings,
        measures=tuple(measured(bench, chosen)),
        rests_on=rests_on,
        device=str(model.device),
        seconds=time.monotonic() - start,
    )


def _of_table(
    model: Model, data: Any, given: Mapping[str, object], split: str, seed: int, name: str
) -> TableReport:
    """The report on a model without images."""
    if unfit := [what for what, value in given.items() if value]:
        raise EvidenceError(f"evaluate: {unfit[0]}=... is of models with an image; this has none")
    if data is None:
        raise DataError("evaluate: no data; give rows, or the name of a data set")
    rows = data_set(data).draw(split, n=None) if isinstance(data, str) else data
    return table_report(model, rows, name=name, seed=seed)


def _bench(
    model: Model,
    subject: Subject,
    actions: Sequence[Action],
    settings: Settings,
    judge_epochs: int,
    networks: Mapping[str, nn.Module],
) -> Bench:
    """The judges, fitted, and then the worlds, asked for: pictures bright."""
    graph, seen = model.graph, bright_subject(model.graph, subject)
    judges = fitted_judges(
        graph,
        seen,
        epochs=judge_epochs,
        seed=settings.seed,
        device=str(model.device),
        progress=settings.progress,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupportWarning)  # `evaluate` tells of all rows at once
        worlds = bright_worlds(graph, asked_worlds(model, subject, actions, settings))
    return Bench(graph=graph, subject=seen, judges=judges, worlds=worlds, networks=networks)


def _subject(model: Model, data: object, n: int, split: str, seed: int) -> Subject:
    if isinstance(data, Subject):
        return data
    check_count("n", n)
    if n < FEWEST_ROWS:
        raise EvidenceError(f"evaluate: n={n}; expected {FEWEST_ROWS} pictures or more")
    if isinstance(data, str):
        return from_data_set(model.graph, data_set(data), split, n)
    return from_rows(model.graph, "rows", data, n, seed)


def _actions(
    model: Model,
    subject: Subject,
    do: Mapping[str, object] | Sequence[Mapping[str, object] | Action] | None,
    seed: int,
) -> list[Action]:
    if not do:
        return random_actions(model.graph, subject, seed)
    each = [do] if isinstance(do, Mapping) else do
    return [
        own if isinstance(own, Action) else stated_action(model.graph, subject, own) for own in each
    ]


def _pictures(model: Model, subject: Subject) -> str:
    """Whether the model was fitted to the pictures, in a sentence; warns where it was.

    Args:
        model: fitted.
        subject: its rows as they are kept, not brightened.
    """
    name, n = image_node(model.graph), len(subject)
    if subject.kind == "drawn":
        return "the model drew every picture here itself: no number says anything of real ones"
    kept = model.experience.pictures.get(name)
    if kept is None:
        return f"whether the model was fitted to any of these {n:,} pictures is not known"
    known = kept.known(subject.rows[name])
    if known:
        least = "" if kept.whole else "at least "
        are = "is" if known == 1 else "are"
        said = (
            f"{least}{known:,} of the {n:,} pictures {are} among those the model was fitted to: "
            "the numbers say less of new ones"
        )
        warnings.warn(f"evaluate: {said}", CausalflowWarning, stacklevel=3)
        return said
    if kept.whole:
        return f"none of the {n:,} pictures is among the {kept.rows:,} the model was fitted to"
    return (
        f"none of the {n:,} pictures is among the {kept.kept:,} that are known of the "
        f"{kept.rows:,} the model was fitted to"
    )


def _outside(model: Model, subject: Subject, actions: Sequence[Action]) -> tuple[str, ...]:
    """One sentence on each column that is outside of the model's ranges; warns of them."""
    watch, every = Watch(scm=model.scm, experience=model.experience), frozenset(model.scm.order)
    watch.evidence(subject.rows, every)
    for action in actions:
        for name, values in action.values.items():
            watch.setting(name, values, every - action.values.keys())
    if watch.warning:
        warnings.warn(f"evaluate: {watch.warning}", SupportWarning, stacklevel=3)
    return watch.sentences
