"""Sketch: a first graph file for rows of one's own, with a guess at the type of every column.

A guess says what it rests on. A column of a few levels is a class, one of other numbers is
continuous; one that tells rows apart, or is the same in all of them, is left out. What causes what
nobody can read off rows: the edges stay empty, but for those from labels to the picture they tell
of.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pandas import DataFrame

from causalflow.data.decoding import decode
from causalflow.data.files import inside, named_files, read_table
from causalflow.data.sources.folders import LABELS, is_picture
from causalflow.errors import DataError
from causalflow.files import read_bytes
from causalflow.limits import PICTURE_BYTES
from causalflow.names import is_name, quoted_unless_word, written
from causalflow.values.column import is_missing_word, numeral

__all__ = ["Guess", "Sketch", "sketch_in", "sketch_of"]

MOST_LEVELS, MOST_NUMBERS, LOOKED_AT, LARGE = 40, 10, 50, 96
MOST_TEXTS = 3
"""Different texts that may stand for gaps in a column of numbers."""
_RESIZE = "--resize cover"
_WORD = r"[^\W\d][\w-]*"
_DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d\d)([T ].*)?"
_NO_WORDS = {"true", "false", "null", "nan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a column is taken for.

    Attributes:
        name: the column's name.
        entry: the node's entry in a graph file; "" where it is left out.
        why: what that rests on.
    """

    name: str
    entry: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A graph file to begin with.

    Attributes:
        source: the rows, as the user named them.
        rows: how many there are.
        guesses: one a column, and one for the picture.
        picture: the image node's name; "" where there is none.
    """

    source: str
    rows: int
    guesses: Sequence[Guess]
    picture: str = ""

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes, the picture last."""
        return [guess.name for guess in self.guesses if guess.entry]

    def text(self, file: str) -> str:
        """The graph file; ``file`` is its name, for the commands that come next."""
        return "\n".join([*self._head(file), *self._nodes(), *self._edges(), *self._ask()]) + "\n"

    def _head(self, file: str) -> Iterator[str]:
        data = _one_line(shlex.quote(self.source))
        source = _one_line(self.source)
        yield f"# A first graph of {source}: the types are guessed from {self.rows:,} rows."
        yield "# Read every line, mend what is wrong, and say under edges: what causes what. Then:"
        graph = _one_line(shlex.quote(file))
        yield f"#   causalflow check {graph}"
        resize = " --resize cover" if any(_RESIZE in guess.why for guess in self.guesses) else ""
        yield f"#   causalflow fit {graph} --data {data}{resize} -o model.safetensors"
        name = re.sub(r"[\W_]+", "-", Path(file).stem).strip("-")
        yield f"graph: {_scalar(name or 'new')}"

    def _nodes(self) -> Iterator[str]:
        yield "nodes:"
        kept = [(_scalar(guess.name), guess) for guess in self.guesses if guess.entry]
        width = max((len(f"{name}: {guess.entry}") for name, guess in kept), default=0)
        for name, guess in kept:
            line = f"{name}: {guess.entry}"
            unit = "; add unit: if it has one" if "continuous" in guess.entry else ""
            yield f"  {line.ljust(min(width, 60))}  # guessed: {guess.why}{unit}"
        for guess in self.guesses:
            if not guess.entry:
                yield f"  # left out: {_one_line(guess.name)}: {guess.why}"

    def _edges(self) -> Iterator[str]:
        labels = [name for name in self.nodes if name != self.picture]
        yield "# An edge leads from cause to effect; a hidden common cause of two nodes is a <-> b."
        if self.picture and labels:
            yield "edges:"
            causes = ", ".join(map(written, labels))
            edge = f"{causes} -> {written(self.picture)}"
            yield f"  - {_edge(edge)}  # guessed: what the labels tell of is seen in the picture"
        else:
            yield "edges:"
        if len(labels) > 1:
            yield f"  # - {_edge(f'{written(labels[0])} -> {written(labels[1])}')}"

    def _ask(self) -> Iterator[str]:
        labels = [quoted_unless_word(name) for name in self.nodes]
        if len(labels) > 1:
            ask = _quoted(f"P({labels[1]} | do({labels[0]}))")
            yield "# What the graph should answer; causalflow check holds it to that:"
            yield "# queries:"
            yield f"#   - {{ask: {ask}, identifiable: true}}"


def sketch_of(path: Path, images: Path | None = None, column: str = "path") -> Sketch:
    """The sketch for a .csv, a folder with labels.csv, or one with a folder of pictures a level.

    Args:
        path: the file or folder.
        images: the folder of the pictures that the .csv names.
        column: the column of their names.

    Raises:
        DataError: it cannot be read, or holds neither.
    """
    if path.is_dir() and not (path / LABELS).exists():
        return _of_tree(path)
    table = path / LABELS if path.is_dir() else path
    folder = path if path.is_dir() else images
    rows = read_table(table)
    if folder is None:
        return sketch_in(rows, str(path))
    columns = {str(name): [*map(str, rows[name])] for name in rows.columns}
    guesses = [_guess(name, cells) for name, cells in columns.items() if name != column]
    files = [inside(folder, name) for name in named_files(rows, column, table)[:LOOKED_AT]]
    picture = _free("image", columns)
    guesses.append(_picture(picture, files))
    return Sketch(source=str(path), rows=len(rows), guesses=guesses, picture=picture)


def sketch_in(rows: DataFrame, source: str) -> Sketch:
    """The sketch for a table that was read (`causalflow.data.files.read_table`), of no pictures."""
    columns = {str(name): [*map(str, rows[name])] for name in rows.columns}
    guesses = [_guess(name, cells) for name, cells in columns.items()]
    return Sketch(source=source, rows=len(rows), guesses=guesses)


def _of_tree(path: Path) -> Sketch:
    """A folder for each level of one class."""
    inner = [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")]
    folders = sorted(inner, key=lambda each: each.name)
    files = {each.name: _pictures(each) for each in folders}
    found = [file for each in files.values() for file in each[:LOOKED_AT]]
    if not found:
        raise DataError(
            f"{path}: neither {LABELS} nor a folder of pictures for each level; expected one of "
            "these, or a .csv file"
        )
    levels = ", ".join(_scalar(name) for name, each in files.items() if each)
    label = Guess(
        name="label", entry=f"{{type: class, levels: [{levels}]}}", why="the names of the folders"
    )
    rows = sum(map(len, files.values()))
    guesses = [label, _picture("image", found[:LOOKED_AT])]
    return Sketch(source=str(path), rows=rows, guesses=guesses, picture="image")


def _pictures(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if is_picture(file.name)]


def _guess(name: str, cells: Sequence[str]) -> Guess:
    """The guess of one column."""
    known = [cell.strip() for cell in cells if not is_missing_word(cell)]
    values = list(dict.fromkeys(known))
    gaps = f", {len(cells) - len(known):,} cells empty" if len(known) < len(cells) else ""
    if not is_name(name):
        return Guess(name=name, entry="", why="its name cannot be a node's; give it another")
    if re.fullmatch(r"do\(.*\)", name):
        return Guess(name=name, entry="", why="it says in which rows an experiment set the node")
    if len(values) < 2:
        return Guess(name=name, entry="", why="it is the same in every row")
    numbers = [number for number in map(_number, values) if number is not None]
    if len(numbers) == len(values):
        return _of_numbers(name, sorted(set(numbers)), len(known), gaps)
    if all(re.fullmatch(_DATE, value) for value in values):
        return Guess(name=name, entry="", why="dates; days since one of them are a number")
    if len(values) > min(MOST_LEVELS, max(len(known) // 2, 2)):
        if spoilt := _spoilt(name, values, known):
            return spoilt
        return Guess(
            name=name, entry="", why=f"{len(values):,} different texts in {len(known):,} rows"
        )
    levels = ", ".join(map(_scalar, sorted(values)))
    entry = f"{{type: class, levels: [{levels}]}}"
    return Guess(name=name, entry=entry, why=f"{len(values)} different texts{gaps}")


def _spoilt(name: str, values: Sequence[str], known: Sequence[str]) -> Guess | None:
    """The guess of a column of numbers in which a few texts stand for gaps, if it is one."""
    numbers = [number for number in map(_number, values) if number is not None]
    texts = [value for value in values if _number(value) is None]
    cells = sum(cell in texts for cell in known)
    if len(texts) > MOST_TEXTS or len(numbers) <= MOST_NUMBERS or 2 * cells > len(known):
        return None
    shown = ", ".join(map(_quoted, sorted(texts)))
    where = "1 cell" if cells == 1 else f"{cells:,} cells"
    why = (
        f"numbers, {min(numbers):g} to {max(numbers):g}, but for {shown} in {where}: leave what is "
        "no number empty, and it is type: continuous"
    )
    return Guess(name=name, entry="", why=_one_line(why))


def _of_numbers(name: str, numbers: Sequence[float], rows: int, gaps: str) -> Guess:
    """The guess of a column whose cells are all numbers."""
    whole = all(number == int(number) for number in numbers)
    low, high = numbers[0], numbers[-1]
    if whole and len(numbers) == rows and (high - low + 1) == rows > MOST_NUMBERS:
        return Guess(name=name, entry="", why="it numbers the rows")
    span = f"{low:g} to {high:g}"
    if whole and len(numbers) <= min(MOST_NUMBERS, max(rows // 2, 2)):
        levels = [*map(int, numbers)]
        plain = levels == list(range(len(levels)))
        entry = f"{{type: class, levels: {len(levels) if plain else levels}}}"
        return Guess(name=name, entry=entry, why=f"{len(levels)} whole numbers, {span}{gaps}")
    hint = "; type: count, if it counts events" if whole and low >= 0 else ""
    why = f"{len(numbers):,} different numbers, {span}{gaps}{hint}"
    return Guess(name=name, entry="{type: continuous}", why=why)


def _picture(name: str, files: Sequence[Path]) -> Guess:
    """The guess of an image node, from the first pictures."""
    shapes: dict[tuple[int, int, int], int] = {}
    for file in files:
        values = decode(read_bytes(file, DataError, limit=PICTURE_BYTES), file.name).values
        height, width, channels = values.shape
        shapes[(channels, height, width)] = shapes.get((channels, height, width), 0) + 1
    shape = max(shapes, key=shapes.__getitem__)
    why = "the size of the first pictures"
    if len(shapes) > 1:
        why = f"the commonest of {len(shapes)} sizes; fit with {_RESIZE}"
    if max(shape[1:]) > LARGE:
        why += f"; [{shape[0]}, 64, 64] with {_RESIZE} is learned much sooner"
    return Guess(name=name, entry=f"{{type: image, shape: {list(shape)}}}", why=why)


def _number(cell: str) -> float | None:
    found = numeral(cell)
    try:
        return None if found is None else float(found)
    except OverflowError:
        return None


def _free(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


def _scalar(text: str) -> str:
    """A text as YAML has it."""
    plain = re.fullmatch(_WORD, text) and text.lower() not in _NO_WORDS
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _edge(text: str) -> str:
    """An edge as YAML has it: in single quotes where its names have double ones."""
    return f"'{text}'" if '"' in text and "'" not in text and "\\" not in text else _quoted(text)


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
