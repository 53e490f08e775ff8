"""Fitting: a model of the rows that a user opens in the page, for the graph on it.

The rows come as the text of a CSV file, which is not written anywhere, or are those of the file
that was given when the page was started. A fit is found again by its graph, its rows and its
options, as long as it is among the last that were made.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from causalflow.app.fitted import FIT, MOST_FITS, Fitted
from causalflow.app.handler import Session
from causalflow.errors import CausalflowWarning, DataError
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.values.variable import UNTYPED

if TYPE_CHECKING:
    import pandas

    from causalflow.data.sketch import Guess
    from causalflow.training.report import FitReport

__all__ = ["fit_rows", "given_rows", "typed"]

MINUTES = 2.0
MOST_MEMBERS = 20
FILE = "rows.csv"


def given_rows(session: Session) -> str | None:
    """The name of the table that was given when the page was started; None where none was."""
    given = session.data
    return None if given is None or given.suffix.lower() != ".csv" else given.name


def fit_rows(session: Session, request: Mapping[str, Any]) -> Fitted:
    """The model of the request's ``csv`` for the graph that is its ``text``.

    Where the request has no ``csv`` its rows are those that were given at the start.

    Its ``members``, 0 to `MOST_MEMBERS`, tell the error of the fit.

    Raises:
        CausalflowError: a graph or rows that cannot be read or fitted.
    """
    text, format = request.get("text"), request.get("format")
    members = request.get("members", 0)
    if not isinstance(text, str):
        raise DataError("expected 'text', the graph, and 'csv', the rows")
    rows = _Source.of(session, request)
    if isinstance(members, bool) or not isinstance(members, int):
        raise DataError(f"members: {str(members)[:40]}; expected a number")
    if not 0 <= members <= MOST_MEMBERS:
        raise DataError(f"members: {members}; expected 0 to {MOST_MEMBERS}")
    content = json.dumps([text, rows.key, format, members])
    name = FIT + hashlib.sha256(content.encode()).hexdigest()[:32]
    graph = loads(text, format if isinstance(format, str) else None)
    return session.cache.keep(
        "fit", name, lambda: _fit(session, name, graph, rows, members), most=MOST_FITS
    )


def typed(session: Session, request: Mapping[str, Any]) -> dict[str, Any]:
    """The request's ``text`` with types guessed from its rows, and each guess with its reason.

    Nodes that have a type keep it. Where the graph has a node that is no column the text is a first
    graph of all columns, without an edge, and ``new`` says so.

    Raises:
        CausalflowError: a graph or rows that cannot be read.
    """
    from causalflow import edit
    from causalflow.data.sketch import sketch_in

    text, format = request.get("text"), request.get("format")
    if not isinstance(text, str):
        raise DataError("expected 'text', the graph, and 'csv', the rows")
    rows = _Source.of(session, request)
    sketch = sketch_in(rows.table(), rows.name)
    graph = loads(text, format if isinstance(format, str) else None)
    said = {guess.name: guess for guess in sketch.guesses}
    if not graph.nodes.keys() <= said.keys():
        kept = [guess for guess in sketch.guesses if guess.entry]
        return {"text": sketch.text("graph.yaml"), "new": True, "guesses": _shown(kept)}
    bare = [said[name] for name, node in graph.nodes.items() if node.type == UNTYPED]
    if lost := next((guess for guess in bare if not guess.entry), None):
        raise DataError(f"column '{lost.name}' is no variable: {lost.why}")
    edits = [edit.TypeNode(g.name, g.entry, others="{type: continuous}") for g in bare]
    return {"text": edit.edited(text, *edits), "new": False, "guesses": _shown(bare)}


def _shown(guesses: Sequence[Guess]) -> list[dict[str, str]]:
    return [{"node": each.name, "entry": each.entry, "why": each.why} for each in guesses]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the rows of a fit come from.

    Attributes:
        key: what tells them from others.
        name: the file's name.
        python: what `cf.data.read` is given for them.
        csv: their text; None: they are in the file ``python``.
    """

    key: Any
    name: str
    python: str
    csv: str | None

    @staticmethod
    def of(session: Session, request: Mapping[str, Any]) -> _Source:
        """The request's ``csv``, or what was given at the start."""
        csv, given = request.get("csv"), session.data
        if isinstance(csv, str) and "\ufffd" in csv:  # what a browser puts for other bytes
            raise DataError(f"{FILE}: the file is not UTF-8; save it as UTF-8")
        if isinstance(csv, str):
            return _Source(key=csv, name=FILE, python=FILE, csv=csv)
        if csv is not None or given is None or given_rows(session) is None:
            raise DataError("expected 'text', the graph, and 'csv', the rows")
        try:
            stat = given.stat()
        except OSError:
            raise DataError(f"{given}: the file is gone") from None
        key = [str(given), stat.st_mtime_ns, stat.st_size]
        return _Source(key=key, name=given.name, python=str(given), csv=None)

    def table(self) -> pandas.DataFrame:
        """The rows."""
        from causalflow.data.files import read_table, table_in

        if self.csv is None:
            return read_table(self.python)
        content: Any = io.BytesIO(self.csv.encode("utf-8", errors="replace"))
        return table_in(io.BufferedReader(content), FILE)


def _fit(session: Session, name: str, graph: Graph, rows: _Source, members: int) -> Fitted:
    session.progress(0.05, "reading the rows")
    from causalflow.model.model import compile
    from causalflow.training.progress import followed, rising

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", CausalflowWarning)
        table = rows.table()
        model = compile(graph)
        session.progress(0.1, f"fitting {len(model.scm.learned)} nodes to {len(table):,} rows")
        with followed(rising(session.progress, 0.1, 0.95)):
            report = model.fit(
                table, members=members, minutes=MINUTES, progress=False, device="cpu"
            )
    session.progress(0.95, "drawing from the model")
    said = dict.fromkeys(str(each.message) for each in told)
    assumed = (f"assumes: {each}" for each in report.assumptions)
    python = (
        'cf.compile(cf.load("graph.yaml"))  # the graph on the page, saved\n'
        f"model.fit(cf.data.read({rows.python!r}, model.graph){_options(report, [*said])})"
    )
    return Fitted(
        key=(name,),
        name=name,
        python=python,
        model=model,
        rows=table,
        notes=(*said, *_cut_short(report, members), *assumed),
    )


def _options(report: FitReport, said: Sequence[str]) -> str:
    """The options that repeat a fit: its clock is none of them, unless that cut it short.

    Members are made one after the other, each by itself: those that there was time for are asked.
    """
    from causalflow.model.missing.imputation import OVER

    members = f", members={report.members}" if report.members else ""
    cut = report.stopped or any(OVER in each for each in said)
    clock = f", minutes={MINUTES:g}" if cut else ""
    return f'{members}{clock}, device="cpu"'


def _cut_short(report: FitReport, members: int) -> Iterator[str]:
    """What the minutes of a fit in the page did not suffice for."""
    longer = 'takes its time by "causalflow fit"; start the page with --model then'
    if report.stopped:
        yield (
            f"the fit ended after {report.steps:,} steps, at {MINUTES:g} minutes, and its Python "
            f"ends where the clock has it; it {longer}"
        )
    if report.members < members:
        made = f"{report.members} of {members} refits were made in {MINUTES:g} minutes"
        yield f"{made}; a fit {longer}"
