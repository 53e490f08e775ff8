"""Table report: how far a fitted model of a table is right, by rows that it was not fitted to.

Node by node the likelihood, the calibration and what its parents tell of it
(`causalflow.evaluation.mechanism_fit`); and the independences that the graph implies, held against
the same rows (`causalflow.design.contradictions`). No rows can tell whether the graph is right, or
how the noise of two worlds is coupled: a model that passes may be wrong of counterfactuals.

Rows of the fit itself flatter it. So the report at the end of a fit is of a model that was fitted
to four fifths of the rows, and is judged by the last one; the model that is kept has them all.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from causalflow.data.frame import Frame
from causalflow.design.contradictions import IndependenceTests
from causalflow.design.independences import implied_independences
from causalflow.errors import CausalflowError, CausalflowWarning, DataError
from causalflow.evaluation.mechanism_fit import MechanismFit, mechanism_fits
from causalflow.evaluation.page import plain_page, write_report
from causalflow.model.evidence import check_fitted
from causalflow.model.model import Model, compile
from causalflow.training.heldout import split
from causalflow.training.options import Fit
from causalflow.training.report import FitReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

__all__ = ["TableReport", "end_of_fit", "table_report"]

HELD_OUT = 0.2
FEWEST = 50
"""Rows of a fit that is judged by a part of them."""
MOST_ROWS = 20_000
"""Rows that judge, chosen at random."""
ROUNDING = 1e-9
MOST_LINES = 24
"""Of the independences, in a text."""

NEW = "whether the model was fitted to any of these rows is not known; those of the fit flatter it"
OWN = "these are the rows of the fit itself, which flatter it; --held-out 0.2 keeps some apart"
KEPT = "these rows were kept from the fit"
PARTED = "a model fitted to the other rows is judged by these; the model that is kept has them all"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableReport:
    """The report on a model of a table.

    Attributes:
        model: its name, for the reader.
        graph: the name of the graph.
        rows: how many were judged by.
        nodes: how well each learned law is that of the rows.
        independences: those that the graph implies, tested; None where that cannot be done.
        notes: what the numbers rest on, and what could not be measured.
    """

    model: str
    graph: str
    rows: int
    nodes: tuple[MechanismFit, ...]
    independences: IndependenceTests | None
    notes: tuple[str, ...]

    @property
    def _counted(self) -> str:
        return f"{self.rows:,} row{'s' * (self.rows != 1)}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The lines of the report."""
        yield f"{self.model}, graph {self.graph}, judged by {self._counted}"
        yield from self._table()
        yield from (f"note: {each}" for each in (*self.notes, *self._findings()))
        yield from ["", *self._tests()] if self._tests() else []

    def table(self) -> str:
        """The numbers as text, one line a node: `print(found.table())`."""
        return "\n".join(self._table())

    def _table(self) -> list[str]:
        head = ("node", "rows", "log-likelihood [nats a row]", "PIT off uniform", "p")
        lines = [(*head, "what parents tell [nats a row]")]
        for each in self.nodes:
            marks = "!" if each.strange else ""
            lines.append(
                (
                    each.node,
                    f"{each.rows:,}",
                    _with_error(each.log_likelihood, each.error),
                    _number(each.distance, ".3f"),
                    _number(each.p, ".2g") + marks,
                    ", ".join(map(str, each.relevance)) or "-",
                )
            )
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]

    def _findings(self) -> Iterator[str]:
        """What a reader should not overlook."""
        for each in self.nodes:
            if each.strange:
                yield (
                    f"'{each.node}' is not calibrated: its law is not that of the rows; another "
                    "noise, or more steps, may fit better"
                )
            if each.impossible:
                yield (
                    f"'{each.node}': the mean leaves out rows that the law holds impossible, "
                    f"{each.impossible:,} of {each.rows:,}"
                )
            for parent in each.relevance:
                if not parent.seen and parent.gain == parent.gain:
                    yield (
                        f"'{each.node}' makes no use of '{parent.parent}', given its other parents,"
                        " that these rows show"
                    )

    def _tests(self) -> list[str]:
        """The lines of the independences, the least likely first; of many the first ones."""
        if self.independences is None or not len(self.independences):
            return []
        lines = str(self.independences).splitlines()
        rest = len(lines) - MOST_LINES
        return [*lines[:MOST_LINES], f"and {rest:,} lines more"] if rest > 2 else lines

    def write(self, folder: str | Path) -> list[Path]:
        """Write report.json and report.html, with its picture inside, wholly or not at all.

        Args:
            folder: the folder, which is made; a report that is there already is replaced.

        Returns:
            The two files.

        Raises:
            DataError: the folder holds anything but a report, or cannot be written.
        """
        about = f"Graph {self.graph}, judged by {self._counted}."
        text = plain_page(
            f"{self.model}: how far it is right",
            about,
            (*self.notes, *self._findings()),
            [("Calibration", "Equal shares: the law of the rows.", self.plot())],
            "\n".join([*self._table(), "", *self._tests()]),
        )
        return write_report(Path(folder), self.record(), text)

    def record(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        tests = self.independences
        return {
            "model": self.model,
            "graph": self.graph,
            "rows": self.rows,
            "nodes": [each.record() for each in self.nodes],
            "independences": None
            if tests is None
            else [
                {
                    "statement": str(each.independence),
                    "p": each.p,
                    "adjusted": each.adjusted,
                    "strength": each.strength,
                    "rows": each.rows,
                    "contradicted": each.contradicted,
                }
                for each in tests
            ],
            "notes": [*self.notes, *self._findings()],
        }

    def to_dataframe(self) -> DataFrame:
        """The numbers of the nodes, a line each.

        Columns: node, rows, log_likelihood, error, impossible, pit_distance, pit_p.
        """
        import pandas

        parts = [each.record() for each in self.nodes]
        return pandas.DataFrame(parts).drop(columns=["pit_histogram", "relevance"], errors="ignore")

    def plot(self) -> Figure:
        """The transform of each node in ten bins, which calibration makes equal."""
        from causalflow.certainty.panels import drawn_transforms

        shown = {each.node: each.histogram for each in self.nodes if each.histogram}
        return drawn_transforms(f"{self.model}: calibration", shown, self.rows)


def table_report(
    model: Model, data: Any, *, name: str = "model", note: str = NEW, seed: int = 0
) -> TableReport:
    """How far a fitted model of a table is right, by the rows of ``data``.

    Args:
        model: fitted, without images.
        data: rows, as `Model.fit` takes them.
        name: what the reader calls the model.
        note: what is known of these rows.
        seed: the seed of draws, and of the rows that are chosen where there are many.

    Raises:
        DataError: data that do not fit the graph.
        EvidenceError: nodes that are not fitted.
    """
    check_fitted(model.scm, model.fitted, model.scm.order)
    frame = Frame.read(data, model.graph)
    generator = torch.Generator().manual_seed(seed)
    if len(frame) > MOST_ROWS:
        chosen = torch.randperm(len(frame), generator=generator)[:MOST_ROWS]
        frame = frame.part(chosen.sort().values)
    tests, notes = None, [note]
    try:
        tests = implied_independences(model.graph, most=1).test(_shown(frame))
    except CausalflowError as mistake:
        notes.append(f"the independences that the graph implies are not tested: {mistake}")
    return TableReport(
        model=name,
        graph=model.graph.name,
        rows=len(frame),
        nodes=tuple(mechanism_fits(model.scm, frame.labels(), seed)),
        independences=tests,
        notes=tuple(notes),
    )


def end_of_fit(model: Model, data: Any, done: FitReport, options: Fit, name: str) -> TableReport:
    """The report at the end of a fit of a table.

    A fit in closed form is repeated on four fifths of the rows, and judged by the last one. After
    gradient steps the rows that were held out judge, or else all.

    Args:
        model: just fitted.
        data: the rows.
        done: what the fit did.
        options: those of the fit.
        name: what the reader calls the model.
    """
    frame = Frame.read(data, model.graph)
    if options.held_out:
        _, held = split(len(frame), options)
        return table_report(model, frame.part(held), name=name, note=KEPT)
    again = not (done.steps or options.minutes or done.processes > 1 or len(frame) < FEWEST)
    if not again:
        return table_report(model, frame, name=name, note=OWN)
    trial = compile(model.graph, **asdict(model.options))
    silent = replace(options, log=None, logger=None)
    alone = replace(silent, held_out=HELD_OUT, members=0, checkpoint=None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalflowWarning)
            trial.fit(frame, options=replace(alone, progress=False))
    except DataError:  # of a part of the rows alone, as a level or column that it lacks
        return table_report(model, frame, name=name, note=OWN)
    _, held = split(len(frame), alone)
    return table_report(trial, frame.part(held), name=name, note=PARTED)


def _shown(frame: Frame) -> dict[str, Any]:
    """The columns as users write them."""
    shown: dict[str, Any] = {}
    for name, values in frame.labels().items():
        if name in frame.nodes:
            shown[name] = frame.nodes[name].type.show(values.numpy()).tolist()
    return shown


def _with_error(value: float, error: float) -> str:
    if math.isnan(value):
        return "-"
    known = error > ROUNDING * abs(value)
    return f"{value:.4g}" + (f" +- {error:.2g}" if known else "")


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else f"{value:{form}}"
