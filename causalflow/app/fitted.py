"""Fitted: the models that the page may ask, each by its name, and what its nodes can be set to.

A model ships with the package, or is a file that was given when the page was started; what it is
about is told by its header alone, without torch. Where a graph has an equation or a table for every
node there is nothing to fit: `EQUATIONS` ship, and `PAGE` is the graph on the page itself. A name
that begins with `FIT` is that of a model that was fitted here (`causalflow.app.fitting`).

A *control* is what moves a node. Of a number it is an interval: that of the rows that every
mechanism above it was fitted to, and `ROOM` of its width more on both sides, as far as the node can
go. Where no rows are known, it is what draws of the model take.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalflow.app.handler import Session
from causalflow.errors import CheckpointError, EvidenceError, one_of
from causalflow.formats.formats import load, loads
from causalflow.graph.graph import Graph
from causalflow.header import read_header
from causalflow.pieces import read_index
from causalflow.shipped import checkpoint_names, checkpoint_path, graph_path

if TYPE_CHECKING:
    from causalflow.model.model import Model

__all__ = ["FIT", "MOST_FITS", "PAGE", "Fitted", "controls", "fitted", "listed", "pictured"]

FIRST = ("scene_ball", "morpho_mnist")
"""The models that the list begins with."""
EQUATIONS = ("scene_phantom_scm", "scene_face_scm", "classics/dose", "classics/firing_squad")
"""Graphs without pictures that need no fit."""
PAGE, FIT = "page", "fit:"
WEIGHTS = "model.safetensors"
MOST_MODELS, MOST_FITS = 4, 3
ROOM = 0.15
DRAWN = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A model that was loaded.

    Attributes:
        key: its name and what tells one content of it from another.
        name: what the page calls it.
        python: the Python that makes it, what follows ``model = ``.
        model: it.
        data_set: the name of the data set of the package that belongs to it, if it ships.
        rows: the columns of the rows that it was fitted to here.
        notes: what its fit said.
    """

    key: tuple[Any, ...]
    name: str
    python: str
    model: Model
    data_set: str | None = None
    rows: Any = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a model is: a file of weights, in a folder of its own or not, or a graph file."""

    path: Path
    python: str
    shipped: bool
    folder: Path | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Its path, and the time and the size of the file."""
        stat = self.path.stat()
        return str(self.path), stat.st_mtime_ns, stat.st_size

    @property
    def graph(self) -> Graph:
        """What it declares, by its header alone."""
        if self.path.suffix == ".yaml":
            return load(self.path)
        index = read_index(self.path)
        texts = read_header(self.path).texts if index is None else index.texts
        if "graph" not in texts:
            raise CheckpointError(f"{self.path.name}: no model file: it declares no graph")
        return loads(texts["graph"], "yaml", source=self.path.name)


def listed(session: Session) -> list[dict[str, Any]]:
    """A line for each model, those given at the start first: its name, and what it is about.

    A file that cannot be read has the reason as its ``problem``.
    """
    return [_line(name, place, session) for name, place in _known(session).items()]


def pictured(graph: Graph) -> list[str]:
    """The nodes that are pictures, in declared order."""
    return [name for name, node in graph.nodes.items() if node.type.pictured]


def fitted(session: Session, request: Mapping[str, Any]) -> Fitted:
    """The model that a request names as its ``model``, loaded once.

    Raises:
        EvidenceError: there is none, or the graph on the page, its ``text``, has to be fitted.
        CheckpointError: its file cannot be read.
    """
    name = request.get("model")
    if name == PAGE:
        return _of_page(session, request.get("text"), request.get("format"))
    if isinstance(name, str) and name.startswith(FIT):
        return session.cache.keep("fit", name, _gone, most=MOST_FITS)
    places = _known(session)
    if not isinstance(name, str) or name not in places:
        raise EvidenceError(f"no model {str(name)[:100]!r} on this page; {one_of(name, places)}")
    place = places[name]
    key = _stat(place)
    return session.cache.keep("model", key, lambda: _loaded(name, place, key), most=MOST_MODELS)


def quoted(text: str) -> str:
    r"""A text of several lines as Python, to be read.

    Example:
        >>> quoted("a: 1")
        "'''\na: 1\n'''"
    """
    plain = "\\" not in text and "'''" not in text
    return f"'''\n{text.strip()}\n'''" if plain else repr(text)


def controls(session: Session, given: Fitted) -> list[dict[str, Any]]:
    """How each node that is no picture can be set, in declared order.

    Of a class: ``levels``, and those that no row had as ``unseen``. Of a number: the ends of the
    slider, its ``step``, and the ``fitted`` range, None where none is known. All have ``name``,
    ``type``, ``unit`` and ``parents``.
    """
    key = given.key
    return session.cache.keep(
        "controls", key, lambda: list(_controls(given.model)), most=MOST_MODELS
    )


def _known(session: Session) -> dict[str, _Place]:
    """The places of all models, looked for once: folders are slow beside a picture."""
    return session.cache.keep("places", session.models, lambda: _places(session), most=1)


def _places(session: Session) -> dict[str, _Place]:
    ship = {checkpoint_path(name): name for name in checkpoint_names()}
    own = [path for path in session.models if path not in ship]
    found = {_named(path, own): _given(path) for path in own}
    first = (ship[path] for path in session.models if path in ship)
    for name in dict.fromkeys((*first, *FIRST, *checkpoint_names())):
        line = f'cf.Model.load(cf.data.checkpoint_path("{name}"))'
        found[name] = _Place(path=checkpoint_path(name), python=line, shipped=True)
    for name in EQUATIONS:
        path = graph_path(name)
        line = f"cf.compile(cf.loads({quoted(path.read_text(encoding='utf-8'))}))"
        found[path.stem] = _Place(path=path, python=line, shipped=True)
    return found


def _named(path: Path, among: Sequence[Path]) -> str:
    """The end of a path that tells it from the others.

    Example:
        >>> _named(Path("/a/b.safetensors"), [Path("/c/b.safetensors"), Path("/a/b.safetensors")])
        'a/b.safetensors'
    """
    ends = ("/".join(path.parts[-n:]) for n in range(1, len(path.parts)))
    others = [each.as_posix() for each in among if each != path]
    return next((end for end in ends if not any(o.endswith(f"/{end}") for o in others)), str(path))


def _given(path: Path) -> _Place:
    """The place of a file that `Model.save` wrote, or of a folder that `save_pretrained` did."""
    if path.is_dir():
        line = f"cf.from_pretrained({str(path)!r})"
        return _Place(path=path / WEIGHTS, python=line, shipped=False, folder=path)
    return _Place(path=path, python=f"cf.Model.load({str(path)!r})", shipped=False)


def _stat(place: _Place) -> tuple[Any, ...]:
    try:
        return place.key
    except OSError:
        raise CheckpointError(f"{place.path.name}: the file is gone") from None


def _line(name: str, place: _Place, session: Session) -> dict[str, Any]:
    line = {"name": name, "shipped": place.shipped}
    try:
        graph = session.cache.keep("declared", _stat(place), lambda: place.graph, most=64)
    except CheckpointError as mistake:
        return {**line, "pictures": False, "title": name, "about": "", "problem": str(mistake)}
    pictures = pictured(graph)
    labels = [each for each in graph.nodes if each not in pictures]
    sizes = {graph.nodes[each].type.words for each in pictures}
    about = f"{' and '.join(sorted(sizes))} of {', '.join(labels)}" if sizes else ", ".join(labels)
    return {**line, "pictures": bool(pictures), "title": graph.name, "about": about}


def _of_page(session: Session, text: object, format: object) -> Fitted:
    from causalflow.model.model import compile

    if not isinstance(text, str):
        raise EvidenceError("text: expected the graph on the page")
    key = (PAGE, hashlib.sha256(text.encode()).hexdigest(), str(format))

    def make() -> Fitted:
        graph = loads(text, format if isinstance(format, str) else None)
        model = compile(graph)
        if missing := sorted(set(graph.nodes) - model.fitted):
            raise EvidenceError(
                f"node '{missing[0]}' of the graph on the page has no equation and no table, so it "
                "has to be fitted: open the rows"
            )
        line = f"cf.compile(cf.loads({quoted(text)}))"
        return Fitted(key=key, name=PAGE, python=line, model=model)

    return session.cache.keep("model", key, make, most=MOST_MODELS)


def _gone() -> Fitted:
    raise EvidenceError("this fit is no longer kept: fit the rows again")


def _loaded(name: str, place: _Place, key: tuple[Any, ...]) -> Fitted:
    from causalflow.data.sets.catalogue import data_set_of
    from causalflow.hub.pretrained import from_pretrained
    from causalflow.model.model import Model, compile

    if place.path.suffix == ".yaml":
        return Fitted(key=key, name=name, python=place.python, model=compile(place.graph))
    known = data_set_of(name) if place.shipped else None
    return Fitted(
        key=key,
        name=name,
        python=place.python,
        model=from_pretrained(place.folder) if place.folder else Model.load(place.path),
        data_set=known.name if known else None,
    )


def _controls(model: Model) -> Iterator[dict[str, Any]]:
    graph, drawn = model.graph, dict[str, Any]()
    for name, node in graph.nodes.items():
        kind = node.type
        parents = [each for each in graph.nodes if each in graph.parents(name)]
        common = {"name": name, "type": kind.word, "unit": kind.unit, "parents": parents}
        if kind.levels is not None:
            unseen = sorted(_unseen(model, name))
            yield {
                **common,
                "levels": list(kind.levels),
                "unseen": [kind.levels[k] for k in unseen],
            }
        elif kind.numeric:
            if (known := _range(model, name)) is None and not drawn:
                drawn.update(model.sample(DRAWN, nodes=_numbers(graph)))
            low, high = known or (float(drawn[name].min()), float(drawn[name].max()))
            yield {**common, **_slider(low, high, kind.extent, kind.integral), "fitted": known}


def _numbers(graph: Graph) -> list[str]:
    return [name for name, node in graph.nodes.items() if node.type.numeric]


def _readers(model: Model, known: Mapping[str, Mapping[str, Any]], name: str) -> list[Any]:
    """What each mechanism that reads a node as a parent knows of it; else what its own knows."""
    read = [each[name] for reader, each in known.items() if reader != name and name in each]
    return read or ([known[name][name]] if name in known.get(name, {}) else [])


def _range(model: Model, name: str) -> tuple[float, float] | None:
    """The range of the rows that all mechanisms above a number were fitted to."""
    ends = _readers(model, model.experience.ranges, name)
    return (max(low for low, _ in ends), min(high for _, high in ends)) if ends else None


def _unseen(model: Model, name: str) -> set[int]:
    return {k for each in _readers(model, model.experience.unseen, name) for k in each}


def _slider(
    low: float, high: float, extent: tuple[float, float], integral: bool
) -> dict[str, float]:
    """The ends of a slider around a range, and its step: a power of ten, a hundredth of it or so.

    Example:
        >>> _slider(5.36, 14.67, (5.0, 15.0), False)
        {'low': 5.0, 'high': 15.0, 'step': 0.1}
    """
    width = high - low or abs(high) or 1.0
    step = 1.0 if integral else 10.0 ** math.floor(math.log10(width / 50))
    first, last = max(low - ROOM * width, extent[0]), min(high + ROOM * width, extent[1])
    digits = max(0, -round(math.log10(step)))
    return {
        "low": max(round(math.floor(first / step) * step, digits), extent[0]),
        "high": min(round(math.ceil(last / step) * step, digits), extent[1]),
        "step": step,
    }
