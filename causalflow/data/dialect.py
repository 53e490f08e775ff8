"""Dialect: how a CSV file is written, found only where that is certain: encoding, marks, decimals.

A file is UTF-8 with commas between cells and decimal points. One that is written otherwise is read
too, and a warning says how, where there is one way alone to read it:

    encoding   what is not UTF-8 is cp1252, of Western Europe, if every word of it looks like one:
               no three letters in a row beyond ASCII, no capital among small letters, no sign
               within a word
    mark       of ``, ; tab |`` the only one that cuts the header, and every one of the first rows,
               into one number of cells, two or more; quotes keep what they hold together
    decimals   where the mark is no comma: the comma of ``1,5``, if no cell could have thousands so
               that none tells (``1,234``), and no other cell has a decimal point

Of every other file a line says what to change. A name keeps its spelling, whatever marks it has.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import CausalflowWarning, DataError, one_line
from causalflow.limits import CSV_LINE_BYTES
from causalflow.values.column import is_missing_word

__all__ = ["COMMA", "Dialect", "dialect_of", "lines_of", "refuse", "with_points"]

COMMA, UTF8 = ",", "utf-8"
_WESTERN = "cp1252"
_MARKS = {COMMA: "commas", ";": "semicolons", "\t": "tabs", "|": "bars |"}
_LOOKED_AT = 200
"""The rows of which every one must be cut alike."""
_OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        encoding: "utf-8", or "cp1252".
        mark: stands between cells.
        word: one that shows the encoding, where it is not UTF-8.
    """

    encoding: str = UTF8
    mark: str = COMMA
    word: str = ""

    def tell(self, path: object, decimals: bool) -> None:
        """Warn of what was taken, where it is not the usual."""
        taken = [f"{_MARKS[self.mark]} between cells"] if self.mark != COMMA else []
        taken += ["decimal commas"] if decimals else []
        taken += [f"encoding {self.encoding} ('{self.word}')"] if self.word else []
        if taken:
            said = f"{path}: read with {', '.join(taken)}"
            warnings.warn(one_line(said), CausalflowWarning, stacklevel=3)


def dialect_of(path: str | Path, file: io.BufferedReader) -> Dialect:
    """How a file that is open at its start is written; it is at its start again afterwards.

    Raises:
        DataError: an encoding that is not certain, or two marks that cut it alike.
    """
    start = file.peek(4)[:4]
    for first, encoding in _OTHER_ENCODINGS.items():
        if start.startswith(first):
            refuse(path, 1, f"the file is {encoding}; save it as UTF-8")
    word = "" if _is_utf8(file) else _western_word(path, file)
    encoding = _WESTERN if word else UTF8
    file.seek(0)
    mark = _mark_of(path, [*_first(lines_of(path, file, encoding))])
    file.seek(0)
    return Dialect(encoding=encoding, mark=mark, word=word)


def lines_of(path: str | Path, file: io.BufferedReader, encoding: str) -> Iterator[str]:
    """The lines as text, each within the limit.

    Raises:
        DataError: a line that is too long, or no text.
    """
    number = 0
    while line := file.readline(CSV_LINE_BYTES + 1):
        number += 1
        if len(line) > CSV_LINE_BYTES:
            refuse(path, number, f"a line of more than {CSV_LINE_BYTES:,} bytes")
        if b"\0" in line:
            refuse(path, number, "a null byte; a CSV file is text, best saved as UTF-8")
        yield line.decode("utf-8-sig" if number == 1 and encoding == UTF8 else encoding)


def refuse(path: str | Path, line: int, what: str) -> NoReturn:
    """Say in one line why a file cannot be read.

    Raises:
        DataError: always.
    """
    raise DataError(f"{path}:{line}: no readable CSV file: {what}") from None


def _is_utf8(file: io.BufferedReader) -> bool:
    decoder = codecs.getincrementaldecoder(UTF8)()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return True


_LETTERS = re.compile(r"[^\W\d_]+")
_BEYOND = re.compile(r"[^\x00-\x7f]")
_SIGNS = frozenset("€£¥§©®™°±²³¹µ·ºª«»“”„‘’‚–—…•¼½¾×÷\xa0\xad¡¿¢‰†‡")
_JOINING = frozenset("’–—·\xad")


def _western_word(path: str | Path, file: io.BufferedReader) -> str:
    """A word that is not ASCII, of a file in which every one looks like Western Europe's.

    Raises:
        DataError: one does not.
    """
    found = ""
    for number, line in enumerate(iter(lambda: file.readline(CSV_LINE_BYTES + 1), b""), 1):
        if line.isascii():
            continue
        try:
            text = line.decode(_WESTERN)
        except UnicodeDecodeError:
            text = ""
        if not _looks_western(text):
            byte = next(each for each in line if each > 127)
            refuse(path, number, f"byte {byte:#04x} is not UTF-8; save the file as UTF-8")
        found = found or next(filter(_BEYOND.search, re.split(r"[\s,;|\"]+", text.strip())), "")
    return found[:40]


def _looks_western(text: str) -> bool:
    """Whether a line is one of Western Europe, by its words and signs."""
    for word in _LETTERS.findall(text):
        capitals = [at for at, letter in enumerate(word) if at and letter.isupper()]
        odd = any(ord(word[at]) > 127 for at in capitals) and not word.isupper()
        if odd or re.search(r"[^\x00-\x7f]{3}", word):
            return False
    for at, letter in enumerate(text):
        if (ord(letter) > 127 and not letter.isalpha()) or letter in "ªº":
            around = text[at - 1 : at] + text[at + 1 : at + 2]
            within = len(around) == 2 and around.isalpha()
            if letter not in _SIGNS or (within and letter not in _JOINING):
                return False
    return bool(text)


def _first(lines: Iterator[str]) -> Iterator[str]:
    """The header and the first rows, in whole lines."""
    for _, line in zip(range(_LOOKED_AT + 1), lines, strict=False):
        yield line


def _mark_of(path: str | Path, lines: Iterable[str]) -> str:
    """The mark that alone cuts every line alike; the comma, where none does.

    Raises:
        DataError: two do.
    """
    cutting = [mark for mark in _MARKS if _cuts(lines, mark)]
    if len(cutting) > 1:
        first, second = (_MARKS[mark] for mark in cutting[:2])
        refuse(path, 1, f"{first} and {second} both cut every row alike; quote cells that hold one")
    return cutting[0] if cutting else COMMA


def _cuts(lines: Iterable[str], mark: str) -> bool:
    try:
        rows = [row for row in csv.reader(lines, delimiter=mark, strict=True) if row]
    except csv.Error:
        return False
    return bool(rows) and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1


_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
_WHOLE_NUMBER = re.compile(r"\s*[+-]?\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
_MAYBE_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*", re.ASCII)


def with_points(
    path: str | Path, columns: Mapping[str, NDArray[Any]], kept: Collection[str]
) -> dict[str, NDArray[Any]]:
    """The columns of text whose numbers have decimal commas, with points in their place.

    Args:
        path: the file in messages.
        columns: texts by name.
        kept: the columns whose texts are names, and stay as they are.

    Raises:
        DataError: commas that may be of thousands, or points beside them.
    """
    cells = {name: set(column.tolist()) for name, column in columns.items() if name not in kept}
    found = {name: each for name, each in cells.items() if _has_commas(each)}
    if not found:
        return {}
    every = [cell for each in found.values() for cell in each if _COMMA_NUMBER.fullmatch(cell)]
    name = next(iter(found))
    if all(map(_MAYBE_THOUSANDS.fullmatch, every)):
        said = f"'{every[0]}' in column {one_line(name)[:100]!r} may have thousands or decimals"
        refuse(path, 1, f"{said}; write numbers with a decimal point")
    others = (cell for n, each in cells.items() if n not in found for cell in each)
    if point := next(filter(_POINT_NUMBER.fullmatch, others), None):
        refuse(path, 1, f"numbers with a comma, '{every[0]}', and with a point, '{point}'")
    return {
        name: np.array([cell.replace(COMMA, ".") for cell in columns[name].tolist()], dtype=object)
        for name in found
    }


def _has_commas(cells: set[str]) -> bool:
    """Whether all cells are numbers or gaps, and one has a comma."""
    commas = [cell for cell in cells if _COMMA_NUMBER.fullmatch(cell)]
    rest = (c for c in cells if not _COMMA_NUMBER.fullmatch(c) and not is_missing_word(c))
    return bool(commas) and all(map(_WHOLE_NUMBER.fullmatch, rest))
