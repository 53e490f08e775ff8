"""Tars: WebDataset archives, in which the files of a row stand together under one key.

    00000012.json          labels: {"digit": 7, "color": "red"}
    00000012.image.png     the picture of the node "image"; 00000012.png where there is only one
    00000012.cls           the level of the only class node; 00000012.digit.cls that of "digit"
    00000012.size.txt      the value of "size", as text

The key is the name up to the first point after the last "/". An archive is not compressed (its
pictures are), so that a picture is read from its place in the file, when its row is asked for.
Several archives follow one another: ``name-{000..009}.tar``, or a folder of them in the order of
their names.

Nothing is unpacked. A member that is no plain file, that names a place outside, or that claims more
bytes than the archive has left, is refused.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from causalflow.data.decoding import Raw, decode
from causalflow.data.output import folder_of
from causalflow.data.sources.folders import is_picture
from causalflow.data.sources.source import Opened, Place, Source, class_node, image_node
from causalflow.errors import DataError, shown
from causalflow.files import opened
from causalflow.graph.node import images_of
from causalflow.limits import LABEL_BYTES, MODEL_BYTES, PICTURE_BYTES, SHARD_FILES, SOURCE_FILES

__all__ = ["TAR", "archives"]

_PATTERN = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
_ARCHIVE_BYTES = 64 * MODEL_BYTES
_TEXTS = ("cls", "txt")


@dataclass(frozen=True, slots=True)
class _Member:
    """A picture's place in an archive."""

    archive: str
    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Members:
    """The pictures of a node, None where a row has none."""

    members: tuple[_Member | None, ...]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.members)

    def name(self, row: int) -> str:
        """Archive and member."""
        member = self.members[row]
        return f"{Path(member.archive).name}: {member.name}" if member else f"row {self.keys[row]}"

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture."""
        member = self.members[row]
        if member is None:
            raise DataError(f"{self.name(row)}: no picture")
        with opened(member.archive, DataError, limit=_ARCHIVE_BYTES) as file:
            file.seek(member.start)
            return decode(file.read(member.size), self.name(row), channels, cut)


@dataclass(slots=True)
class _Row:
    """The members of one key."""

    key: str
    labels: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, _Member] = field(default_factory=dict)


def archives(text: str) -> list[Path]:
    """The archives that a path, a pattern or a folder names.

    Raises:
        DataError: a pattern of too many.

    Example:
        >>> [str(path) for path in archives("a-{08..10}.tar")]
        ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    if Path(text).is_dir():
        return sorted(Path(text).glob("*.tar"))
    parts = _PATTERN.search(text)
    if parts is None or Path(text).exists():
        return [Path(text)]
    first, last = int(parts[1]), int(parts[2])
    if last - first >= SHARD_FILES:
        raise DataError(f"{text}: names {last - first + 1:,} files; at most {SHARD_FILES:,}")
    head, tail = text[: parts.start()], text[parts.end() :]
    numbers = (str(number).zfill(len(parts[1])) for number in range(first, last + 1))
    return [path for number in numbers for path in archives(f"{head}{number}{tail}")]


def _open(place: Place) -> Opened:
    paths = archives(place.text)
    rows = [row for path in paths for row in _rows(path, place)]
    if not rows:
        raise DataError(f"{place.text}: no rows")
    names = dict.fromkeys(name for row in rows for name in row.labels)
    keys = tuple(row.key for row in rows)
    images = [n for n in images_of(place.graph.nodes) if any(n in row.pictures for row in rows)]
    shards = "tar archive" if len(paths) == 1 else f"{len(paths):,} tar archives"
    return Opened(
        about=f"{shards} {place.path.name or place.path}",
        columns={name: [row.labels.get(name) for row in rows] for name in names},
        pictures={n: _Members(tuple(row.pictures.get(n) for row in rows), keys) for n in images},
    )


def _rows(path: Path, place: Place) -> Iterator[_Row]:
    """A row at a time: the members of one key stand together."""
    row: _Row | None = None
    with opened(path, DataError, limit=_ARCHIVE_BYTES) as file:
        size = file.seek(0, 2)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in _members(archive, path, size):
                    key, _, ending = PurePosixPath(member.name).name.partition(".")
                    whole = str(PurePosixPath(member.name).with_name(key))
                    if row is None or row.key != whole:
                        if row is not None:
                            yield row
                        row = _Row(whole)
                    _take(row, member, ending.lower(), archive, path, place)
        except (tarfile.TarError, EOFError, OSError, ValueError) as mistake:
            if isinstance(mistake, DataError):
                raise
            raise DataError(f"{path}: no tar archive that can be read: {mistake}") from None
    if row is not None:
        yield row


def _members(archive: tarfile.TarFile, path: Path, size: int) -> Iterator[tarfile.TarInfo]:
    """The plain files, each checked."""
    for count, member in enumerate(archive):
        if count >= SOURCE_FILES:
            raise DataError(f"{path}: more than {SOURCE_FILES:,} members")
        archive.members = []  # type: ignore[attr-defined]  # else it keeps all that it has met
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise DataError(f"{path}: member {shown(member.name, 80)} lies outside of the archive")
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise DataError(f"{path}: member {shown(member.name, 80)} is no plain file")
        if not 0 <= member.size <= size - member.offset_data:
            raise DataError(
                f"{path}: member {shown(member.name, 80)} claims {member.size:,} bytes; the "
                f"archive has {max(0, size - member.offset_data):,} left"
            )
        yield member


def _take(
    row: _Row,
    member: tarfile.TarInfo,
    ending: str,
    archive: tarfile.TarFile,
    path: Path,
    place: Place,
) -> None:
    """Put a member in its row; what no node asks for is left out."""
    where = f"{path.name}: {member.name}"
    node, _, kind = ending.rpartition(".")
    if ending.endswith("nii.gz"):
        node, kind = ending.removesuffix("nii.gz").removesuffix("."), "nii.gz"
    if kind == "json" and not node:
        row.labels |= _labels(_content(archive, member, LABEL_BYTES), where)
    elif kind in _TEXTS:
        text = _content(archive, member, LABEL_BYTES).decode("utf-8", errors="replace").strip()
        row.labels[_node(node, place) or class_node(place.graph, where)] = text
    elif is_picture(f"x.{kind}"):
        found = _node(node, place) if node else image_node(place.graph, where)
        if found is not None:
            if member.size > PICTURE_BYTES:
                raise DataError(f"{where}: {member.size:,} bytes; at most {PICTURE_BYTES:,}")
            row.pictures[found] = _Member(str(path), member.name, member.offset_data, member.size)


def _node(written: str, place: Place) -> str | None:
    """The node that a member's name means: by its name, or what stands for it in file names."""
    known = {folder_of(name).lower(): name for name in place.graph.nodes}
    return known.get(written)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes:
    if member.size > limit:
        raise DataError(f"{member.name}: {member.size:,} bytes of labels; at most {limit:,}")
    stream = archive.extractfile(member)
    assert stream is not None
    return stream.read()


def _labels(content: bytes, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as mistake:
        raise DataError(f"{where}: no JSON that can be read: {mistake}") from None
    if not isinstance(found, dict):
        raise DataError(f"{where}: expected a JSON object of labels by node")
    plain = {name: value for name, value in found.items() if not isinstance(value, list | dict)}
    return {str(name): value for name, value in plain.items()}


def _is_tar(place: Place) -> bool:
    if place.path.is_dir():
        return next(place.path.glob("*.tar"), None) is not None
    return place.path.suffix.lower() == ".tar"


TAR = Source(name="tar", claims=_is_tar, open=_open)
