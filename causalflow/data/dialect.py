"""Dialect: how a CSV file is written, found only where that is certain: encoding, marks, decimals.

A file is UTF-8 with commas between cells and decimal points. One that is written otherwise is read
too, and a warning says how, where nothing in it speaks against it:

    encoding   what is not UTF-8 is taken for cp1252, of Western Europe, if every word of it looks
               like one: no three letters in a row beyond ASCII, no capital among small letters, no
               letter or sign that only other alphabets make of its bytes, and one word at least
               that has letters of ASCII too; the warning shows a word
    mark       of ``, ; tab |`` the only one that cuts the header, and every one of the first rows,
               into one number of cells, two or more; quotes keep what they hold together, and a
               mark that leaves one within a cell is none. If no mark cuts every row, that which
               alone cuts the header, so that the row of another length is named
    decimals   where the mark is no comma: the comma of ``1,5``, if no cell could have thousands so
               that none tells (``1,234``), and no column of numbers has a decimal point. Numbers
               with points are refused likewise where all may have thousands (``1.234``)

Of every other file a line says what to change. A name keeps its spelling, whatever marks it has.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
        word: one that shows the encoding, where it is not UTF-8 and there is one.
    """

    encoding: str = UTF8
    mark: str = COMMA
    word: str = ""

    def tell(self, path: object, decimals: bool) -> None:
        """Warn of what was taken, where it is not the usual."""
        taken = [f"{_MARKS[self.mark]} between cells"] if self.mark != COMMA else []
        taken += ["decimal commas"] if decimals else []
        if self.encoding != UTF8:
            taken.append(f"encoding {self.encoding}" + (f" ('{self.word}')" if self.word else ""))
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
    encoding, word = (UTF8, "") if _is_utf8(file) else (_WESTERN, _western_word(path, file))
    file.seek(0)
    mark = _mark_of(path, _first(lines_of(path, file, encoding)))
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
_APART = frozenset("£¥¢¼½¾")
"""Signs that no letter stands beside; in other encodings their bytes are letters."""
_OTHER_ALPHABETS = frozenset("þðÞÐýÝšžŠŽŸƒ")
"""Letters whose bytes are others in Turkish, Polish, Czech and Macintosh's encodings."""


def _western_word(path: str | Path, file: io.BufferedReader) -> str:
    """A word that is not ASCII, of a file in which every one looks like Western Europe's.

    "" where there are signs alone.

    Raises:
        DataError: one does not.
    """
    found, alone = "", False
    for line in iter(lambda: file.readline(CSV_LINE_BYTES + 1), b""):
        if line.isascii():
            continue
        if not _is_text(line, _WESTERN) or not _looks_western(line.decode(_WESTERN)):
            _refuse_encoding(path, file)
        for word in filter(_BEYOND.search, _LETTERS.findall(line.decode(_WESTERN))):
            found = found or (word if re.search("[A-Za-z]", word) else "")
            alone = alone or not re.search("[A-Za-z]", word)
    if alone and not found:
        _refuse_encoding(path, file)
    return found[:40]


def _is_text(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_encoding(path: str | Path, file: io.BufferedReader) -> NoReturn:
    """Name the first byte that is not UTF-8, of a file that has one.

    Raises:
        DataError: always.
    """
    file.seek(0)
    for number, line in enumerate(iter(lambda: file.readline(CSV_LINE_BYTES + 1), b""), 1):
        try:
            line.decode(UTF8)
        except UnicodeDecodeError as mistake:
            byte = line[mistake.start]
            refuse(path, number, f"byte {byte:#04x} is not UTF-8; save the file as UTF-8")
    refuse(path, 1, "the file is not UTF-8; save it as UTF-8")


def _looks_western(text: str) -> bool:
    """Whether a line is one of Western Europe, by its words and signs."""
    for word in _LETTERS.findall(text):
        capitals = [at for at, letter in enumerate(word) if at and letter.isupper()]
        odd = any(ord(word[at]) > 127 for at in capitals) and not word.isupper()
        if odd or re.search(r"[^\x00-\x7f]{3}", word) or not _OTHER_ALPHABETS.isdisjoint(word):
            return False
    for at, letter in enumerate(text):
        if (ord(letter) > 127 and not letter.isalpha()) or letter in "ªº":
            around = text[at - 1 : at] + text[at + 1 : at + 2]
            within = len(around) == 2 and around.isalpha()
            beside = letter in _APART and any(map(str.isalpha, around))
            if letter not in _SIGNS or beside or (within and letter not in _JOINING):
                return False
    return True


def _first(lines: Iterator[str]) -> list[str]:
    """The header and the first rows, in whole lines: on, while a quote is open."""
    found: list[str] = []
    quotes = 0
    for line in lines:
        found.append(line)
        quotes += line.count('"')
        if len(found) > 2 * _LOOKED_AT or (len(found) > _LOOKED_AT and quotes % 2 == 0):
            break
    return found


def _mark_of(path: str | Path, lines: Sequence[str]) -> str:
    """The mark that alone cuts every line alike, else the header; the comma, where none does.

    Raises:
        DataError: two do, or the first line is no header but names a mark.
    """
    if lines and (said := re.fullmatch(r'"?sep=(.)"?\s*', lines[0])):
        refuse(path, 1, f"the line 'sep={said[1]}' is no header; delete it")
    rows = {mark: _cut(lines, mark) for mark in _MARKS}
    heads = [mark for mark, found in rows.items() if found and len(found[0]) > 1]
    cutting = [mark for mark in heads if len({len(row) for row in rows[mark]}) == 1]
    if len(cutting) > 1:
        first, second = (_MARKS[mark] for mark in cutting[:2])
        refuse(path, 1, f"{first} and {second} both cut every row alike; quote cells that hold one")
    return next(iter(cutting or (heads if len(heads) == 1 else ())), COMMA)


def _cut(lines: Sequence[str], mark: str) -> list[list[str]]:
    """The rows as a mark cuts them; none where it leaves a quote within a cell."""
    cell = rf'(?:^|(?<={re.escape(mark)}))"(?:[^"]|"")*"(?={re.escape(mark)}|\r?$)'
    if '"' in re.sub(cell, "", "".join(lines), flags=re.MULTILINE):
        return []
    try:
        return [row for row in csv.reader(lines, delimiter=mark, strict=True) if row]
    except csv.Error:
        return []


_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
_WHOLE_NUMBER = re.compile(r"\s*[+-]?\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*", re.ASCII)
_MAYBE_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}[.,]\d{3}\s*", re.ASCII)


def with_points(
    path: str | Path, columns: Mapping[str, NDArray[Any]], kept: Collection[str]
) -> dict[str, NDArray[Any]]:
    """The columns of text whose numbers have decimal commas, with points in their place.

    Args:
        path: the file in messages.
        columns: texts by name.
        kept: the columns whose texts are names, and stay as they are.

    Raises:
        DataError: commas or points that may be of thousands, or both as decimals.
    """
    cells = {name: dict.fromkeys(column.tolist()) for name, column in columns.items()}
    cells = {name: each for name, each in cells.items() if name not in kept}
    commas, points = (
        {name: found for name, each in cells.items() if (found := _with(number, each))}
        for number in (_COMMA_NUMBER, _POINT_NUMBER)
    )
    for marked, remedy in (
        (commas, "write numbers with a decimal point"),
        (points, "put commas between cells, where points are of decimals"),
    ):
        if marked and all(_MAYBE_THOUSANDS.fullmatch(c) for each in marked.values() for c in each):
            refuse(path, 1, f"{_example(marked)} may have thousands or decimals; {remedy}")
    if commas and points:
        said = f"numbers with a comma, {_example(commas)}, and with a point, {_example(points)}"
        refuse(path, 1, f"{said}; which is the decimal mark?")
    return {
        name: np.array([cell.replace(COMMA, ".") for cell in columns[name].tolist()], dtype=object)
        for name in commas
    }


def _example(found: Mapping[str, list[str]]) -> str:
    """The first number of the first column."""
    name, numbers = next(iter(found.items()))
    return f"'{numbers[0]}' in column {one_line(name)[:100]!r}"


def _with(number: re.Pattern[str], cells: Iterable[str]) -> list[str]:
    """The cells that are numbers of a kind, if all others are whole numbers or gaps."""
    found = []
    for cell in cells:
        if number.fullmatch(cell):
            found.append(cell)
        elif not _WHOLE_NUMBER.fullmatch(cell) and not is_missing_word(cell):
            return []
    return found
