"""Gallery: counterfactual pictures that any tool made, beside the factual ones, in a table.

A row is one picture under one intervention. Its columns in a CSV file:

    factual          the picture's file, in the folder of factual pictures
    counterfactual   the file of what the tool made of it; without this column: of the same name
    truth            optional: the true counterfactual picture
    null             optional: what the tool makes of the picture where nothing is set
    reversed         optional: what it makes of its counterfactual where the intervention is undone
    NAME             the factual value of an attribute
    do(NAME)         what it was set to; empty where this row does not set it
    cf(NAME)         optional: its value in the counterfactual world, where others move it

The five kinds of files (`KINDS`) lie in a folder each, or in the table's own; a folder that is
given without a column has files of the factual pictures' names. Rows that set the same attributes
are one intervention, and measured together. Without a graph, each attribute is a parent of the
picture, and of nothing else: a number if all its values are numbers and more than `MOST_LEVELS`
different ones, or not whole; else a class of the values that occur. What of an attribute is not
said of the counterfactual world is taken to be as it was, unless a graph has what is set above it;
then no judge is asked about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from causalflow.data.files import Files, read_table
from causalflow.data.pictures import Manner, Pictures
from causalflow.data.reading import Reading
from causalflow.errors import DataError, one_of
from causalflow.evaluation.outcomes import Outcome, Worlds, bright
from causalflow.evaluation.task import Action, Columns, image_node
from causalflow.graph.graph import Graph
from causalflow.graph.node import Edge, images_of
from causalflow.mechanisms.mechanism import labelled, to_engine

__all__ = ["KINDS", "MOST_LEVELS", "Gallery"]

KINDS = ("factual", "counterfactual", "truth", "null", "reversed")
"""The kinds of pictures, and their columns."""
MOST_LEVELS = 10
"""Different whole numbers in a column that is still read as a class."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gallery:
    """Pictures and their counterfactuals, whoever made them.

    Pictures are uint8 or float in [0, 1], shape (n, channel, height, width); other columns have
    shape (n,), classes as level indices.

    Attributes:
        graph: the attributes' types, and which of them move which; with one image node.
        factual: the factual pictures.
        counterfactual: what the tool made of them.
        labels: attribute -> its factual values.
        do: attribute -> what it was set to, -1 or NaN in rows that do not set it.
        world: attribute -> its values in the counterfactual world, where they are known.
        truth: the true counterfactual pictures.
        null: the pictures under no intervention.
        reversed: the pictures after the intervention was undone.
        names: what tells factual pictures apart, one a row: rows of the same name are one picture.
        name: the tool, for the reader.
        notes: what was read how, and what was left out.

    Example:
        made = cf.Gallery.read("table.csv", factual="real", counterfactual="made")
        print(cf.evaluate(made).table())
    """

    graph: Graph
    factual: Tensor
    counterfactual: Tensor
    labels: Columns
    do: Columns
    world: Columns = field(default_factory=dict)
    truth: Tensor | None = None
    null: Tensor | None = None
    reversed: Tensor | None = None
    names: Sequence[str] = ()
    name: str = "pictures"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse columns that do not fit together.

        Raises:
            DataError: pictures of other shapes or lengths, no such node, rows that set nothing.
        """
        shape, image = tuple(self.factual.shape), image_node(self.graph)
        for kind in KINDS:
            pictures = getattr(self, kind)
            if pictures is not None and tuple(pictures.shape) != shape:
                given = tuple(pictures.shape)
                raise DataError(f"gallery: '{kind}' of shape {given}; expected {shape}")
        for part in (self.labels, self.do, self.world):
            for name, column in part.items():
                if name not in self.graph.nodes or name == image:
                    known = one_of(name, [each for each in self.graph.nodes if each != image])
                    raise DataError(f"gallery: no attribute '{name}'; {known}")
                if column.shape != shape[:1]:
                    given = tuple(column.shape)
                    raise DataError(f"gallery: '{name}' of shape {given}; expected {shape[:1]}")
        if not len(self.factual) or not self.do:
            raise DataError("gallery: expected pictures, and what was set: do={...}")
        for name, column in self.labels.items():
            if not bool(labelled(column).all()):
                row = int((~labelled(column)).nonzero()[0])
                raise DataError(f"gallery: row {row} has no value of '{name}'")
        if not bool(torch.stack([labelled(c) for c in self.do.values()]).any(dim=0).all()):
            raise DataError("gallery: a row sets nothing; every row is of an intervention")

    def __len__(self) -> int:
        return len(self.factual)

    @classmethod
    def read(
        cls,
        table: str | Path,
        *,
        factual: str | Path | None = None,
        counterfactual: str | Path | None = None,
        truth: str | Path | None = None,
        null: str | Path | None = None,
        reversed: str | Path | None = None,
        graph: Graph | None = None,
        **options: Any,
    ) -> Gallery:
        """The pictures that a CSV file names.

        Args:
            table: the file, its columns as above.
            factual: the folder of the factual pictures; default, as for all: the table's own.
            counterfactual: the folder of the counterfactual pictures.
            truth: the folder of the true ones.
            null: the folder of those under no intervention.
            reversed: the folder of those after the intervention was undone.
            graph: types and names of the attributes; default: read off the table.
            options: how pictures are read, as by `cf.data.read`: ``on_error="skip"`` names and
                leaves out rows of a picture that is missing or damaged, ``resize="cover"`` brings
                those of another size to the graph's, or to that of the first.

        Raises:
            DataError: a table or, unless skipped, a picture that cannot be read, or columns that do
                not fit the graph.
        """
        given = dict(zip(KINDS, (factual, counterfactual, truth, null, reversed), strict=True))
        return _Reader(Path(table), given, Reading(**options)).gallery(graph)

    def parts(self) -> tuple[Columns, Worlds]:
        """The distinct factual pictures with their labels, and the worlds of each intervention."""
        names = self.names or range(len(self))
        at: dict[Any, int] = {}
        for row, name in enumerate(names):
            at.setdefault(name, row)
        places = {name: place for place, name in enumerate(at)}
        where, first = torch.tensor([places[n] for n in names]), torch.tensor([*at.values()])
        self._check_same(where, first)
        image, seen = image_node(self.graph), self._bright
        rows = {name: column[first] for name, column in self.labels.items()}
        worlds = Worlds(
            kept=None if self.null is None else seen(self.null)[first],
            decoded=None,
            outcomes=[self._outcome(group, where) for group in self._groups()],
            cycles={},
        )
        return {**rows, image: seen(self.factual)[first]}, worlds

    def _check_same(self, where: Tensor, first: Tensor) -> None:
        """A picture has one label of each attribute."""
        for name, column in self.labels.items():
            other = column != column[first][where]
            if bool(other.any()):
                row = int(other.nonzero()[0])
                raise DataError(f"gallery: '{self.names[row]}' has two values of '{name}'")

    def _groups(self) -> list[tuple[tuple[str, ...], Tensor]]:
        """Attributes that are set together, and the rows that set them."""
        which = torch.stack([labelled(column) for column in self.do.values()], dim=1)
        found = []
        for pattern in dict.fromkeys(tuple(row) for row in which.tolist()):
            rows = (which == torch.tensor(pattern)).all(dim=1).nonzero()[:, 0]
            found.append(
                (tuple(n for n, is_set in zip(self.do, pattern, strict=True) if is_set), rows)
            )
        return found

    def _outcome(self, group: tuple[tuple[str, ...], Tensor], where: Tensor) -> Outcome:
        """What the tool answered to one intervention."""
        (names, rows), image, graph = group, image_node(self.graph), self.graph
        values = {name: self.do[name][rows] for name in names}
        moved = graph.descendants(set(names)) - set(names)
        world = {n: c[rows] for n, c in self.labels.items() if n not in moved}
        world |= {n: c[rows] for n, c in self.world.items() if bool(labelled(c[rows]).all())}
        true = None if self.truth is None else {image: self._bright(self.truth[rows])}
        back = None if self.reversed is None else self._bright(self.reversed[rows])
        return Outcome(
            action=Action(query=self._query(values), values=values),
            world={**world, **values, image: self._bright(self.counterfactual[rows])},
            returned=back,
            calls=None,
            seconds=torch.zeros(0, dtype=torch.float64),
            refused="" if back is not None else "no pictures after the undoing are given",
            rows=where[rows],
            truth=true,
        )

    def _query(self, values: Columns) -> str:
        parts = []
        for name, column in values.items():
            one = len(column.unique()) == 1
            shown = self.graph.nodes[name].type.show(column[:1].numpy())[0]
            parts.append(f"{name}={shown}" if one else name)
        return f"do({', '.join(parts)})"

    def _bright(self, pictures: Tensor) -> Tensor:
        return bright(images_of(self.graph.nodes)[image_node(self.graph)], pictures)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A table, the folders of its pictures, and how they are read."""

    file: Path
    folders: Mapping[str, str | Path | None]
    options: Reading

    def gallery(self, graph: Graph | None) -> Gallery:
        """The table's pictures and labels."""
        table = read_table(self.file)
        kinds = {k: self._files(table, k) for k in KINDS if self._is_there(table, k)}
        pictures, bad = self._pictures(kinds, _shape(graph))
        kept = [row for row in range(len(table)) if row not in bad]
        if not kept:
            raise DataError(f"{self.file}: none of {len(table)} rows has pictures to be read")
        table = table.iloc[kept]
        graph, notes = self._graph(table, graph, tuple(pictures["factual"].shape[1:]))
        image = image_node(graph)
        own = [n for n in graph.nodes if n in table and graph.nodes[n].type.scalar]
        return Gallery(
            graph=graph,
            labels={n: _column(graph, n, table[n]) for n in own},
            do=_marked(graph, table, "do", image),
            world=_marked(graph, table, "cf", image),
            names=tuple(kinds["factual"][1][row] for row in kept),
            name=Path(self.folders["counterfactual"] or self.file).name,
            notes=(*notes, *(f"left out: {reason}" for reason in bad.values())),
            **pictures,
        )

    def _is_there(self, table: pd.DataFrame, kind: str) -> bool:
        return kind in KINDS[:2] or kind in table.columns or self.folders[kind] is not None

    def _files(self, table: pd.DataFrame, kind: str) -> tuple[Path, tuple[str, ...]]:
        """The folder and the names of the files of one kind."""
        column = kind if kind in table.columns else "factual"
        if column not in table.columns:
            raise DataError(f"{self.file}: no column 'factual'; {one_of('factual', table.columns)}")
        folder = self.folders[kind]
        if kind == "counterfactual" and column == "factual" and folder is None:
            raise DataError(f"{self.file}: no column 'counterfactual', nor a folder of such files")
        files = tuple(map(str, table[column]))
        if "" in files:
            line = table.index[files.index("")]
            raise DataError(f"{self.file}:{line}: column '{column}' is empty")
        return Path(folder) if folder is not None else self.file.absolute().parent, files

    def _pictures(
        self, kinds: Mapping[str, tuple[Path, tuple[str, ...]]], shape: tuple[int, int, int] | None
    ) -> tuple[dict[str, Tensor], dict[int, str]]:
        """The pictures of the rows that have all of them, and why others are left out."""
        parts: dict[str, list[Tensor]] = {kind: [] for kind in kinds}
        bad: dict[int, str] = {}
        for row in range(len(kinds["factual"][1])):
            try:
                found = {k: self._one(at, files[row], shape) for k, (at, files) in kinds.items()}
            except DataError as mistake:
                if self.options.on_error == "refuse":
                    raise
                bad[row] = str(mistake)
                continue
            shape = shape or tuple(found["factual"].shape[1:])  # type: ignore[assignment]
            for kind, picture in found.items():
                parts[kind].append(picture)
        return {kind: torch.cat(each) for kind, each in parts.items() if each}, bad

    def _one(self, folder: Path, file: str, shape: tuple[int, int, int] | None) -> Tensor:
        """A picture, shape (1, channel, height, width)."""
        window, percent = self.options.ends()
        if percent is not None:
            raise DataError("gallery: a window in percent is one picture's; give window=LOW,HIGH")
        manner = Manner(resize=self.options.resize, window=window, cut=self.options.slice)
        found = Pictures(source=Files(folder=folder, files=(file,)), manner=manner)
        return (found if shape is None else found.of_shape(shape))[[0]]

    def _graph(
        self, table: pd.DataFrame, graph: Graph | None, shape: tuple[int, ...]
    ) -> tuple[Graph, list[str]]:
        """The graph that was given, or that of the table's columns; and what there is to say."""
        names = [str(n) for n in table.columns if n not in KINDS and not _inner(str(n))]
        if graph is not None:
            others = [n for n in names if n not in graph.nodes]
            return graph, [f"no node of the graph, left out: column '{n}'" for n in others]
        image = next(n for n in ("image", "picture", "image_") if n not in names)
        nodes: dict[str, Any] = {n: _guessed(table, n) for n in names}
        said = ", ".join(f"{n} {_said(fields)}" for n, fields in nodes.items())
        nodes[image] = {"type": "image", "shape": list(shape)}
        edges = [Edge(source=n, target=image) for n in names]
        return Graph(nodes=nodes, edges=edges, name=self.file.stem), [
            f"types read off the table: {said}",
            "no graph: what is not set is taken to stay as it is, but for columns cf(NAME)",
        ]


def _shape(graph: Graph | None) -> tuple[int, int, int] | None:
    if graph is None:
        return None
    shape: tuple[int, int, int] = images_of(graph.nodes)[image_node(graph)].shape
    return shape


def _inner(column: str) -> str:
    """NAME of ``do(NAME)`` or ``cf(NAME)``; "" of other columns."""
    return column[3:-1] if column[:3] in ("do(", "cf(") and column.endswith(")") else ""


def _marked(graph: Graph, table: pd.DataFrame, mark: str, image: str) -> dict[str, Tensor]:
    """The columns ``do(NAME)``, or ``cf(NAME)``, by name."""
    found = {}
    for column in map(str, table.columns):
        if column.startswith(f"{mark}(") and (name := _inner(column)):
            if name not in graph.nodes or name == image:
                known = one_of(name, [each for each in graph.nodes if each != image])
                raise DataError(f"column '{column}': no attribute '{name}'; {known}")
            found[name] = _column(graph, name, table[column])
    return found


def _column(graph: Graph, name: str, texts: pd.Series) -> Tensor:
    return to_engine(name, graph.nodes[name].type, texts, DataError)


def _guessed(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """A node's fields, read off the columns of its values."""
    columns = [c for c in (name, f"do({name})", f"cf({name})") if c in table.columns]
    texts = sorted({str(text) for c in columns for text in table[c] if str(text)})
    try:
        numbers = {float(text) for text in texts}
    except ValueError:
        return {"type": "class", "levels": texts}
    if len(numbers) > MOST_LEVELS or any(number != int(number) for number in numbers):
        return {"type": "continuous"}
    return {"type": "class", "levels": sorted(texts, key=float)}


def _said(fields: Mapping[str, Any]) -> str:
    if fields["type"] == "continuous":
        return "a number"
    return f"a class of {len(fields['levels'])}"
