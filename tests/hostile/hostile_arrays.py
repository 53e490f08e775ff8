"""Hostile array files: lines 19 and 20 of the list."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import causalflow as cf
from tests.hostile.hostile_runner import Case
from tests.hostile.hostile_tables import GRAPH

__all__ = ["CASES"]

COLOR = np.array([1, 0, 1, 0])


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def member(header: str, data: bytes = b"0123456789", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin-1") + b"\n"
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + size + text + data


def archive(size: bytes, method: int = zipfile.ZIP_STORED, names: tuple[str, ...] = ("color.npy", "size.npy")) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr(names[0], npy(COLOR))
        for name in names[1:]:
            file.writestr(name, size)
    return stream.getvalue()


def header(dtype: str = "'<f8'", shape: str = "(4,)", order: str = "False") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}"


FOUR = np.arange(4.0).tobytes()


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


def flagged(content: bytes, offset: int, value: int) -> bytes:
    """The last member's local and central entries with two bytes changed at an offset of each."""
    changed = bytearray(content)
    local, central = content.rfind(b"PK\x03\x04"), content.rfind(b"PK\x01\x02")
    struct.pack_into("<H", changed, local + offset, value)
    struct.pack_into("<H", changed, central + offset + 2, value)
    return bytes(changed)


def wrong_crc() -> bytes:
    content = bytearray(archive(npy(np.arange(4.0))))
    place = content.rfind(np.arange(4.0).tobytes())
    content[place + 9] ^= 0xFF
    return bytes(content)


def zeros(count: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method, compresslevel=9) as file:
        file.writestr("color.npy", npy(COLOR))
        with file.open("size.npy", "w", force_zip64=True) as out:
            out.write(member(header(shape=f"({count},)"), b""))
            for _ in range(count * 8 // (1 << 24)):
                out.write(bytes(1 << 24))
    return stream.getvalue()


GOOD = archive(member(header(), FOUR))
FILES: dict[str, Callable[[], bytes]] = {
    "a broken header": lambda: archive(member("{'descr': '<f8', 'fortran_order", FOUR)),
    "a header of brackets": lambda: archive(member("[" * 5000, FOUR)),
    "a header of 9,000 minus signs": lambda: archive(member("-" * 9000 + "1", FOUR)),
    "a header that ends in a string": lambda: archive(member("{'descr': '<f8", FOUR)),
    "a header of backslashes": lambda: archive(member("\\\n" * 50, FOUR)),
    "a header with a long integer": lambda: archive(member(header(shape="(4L,)"), FOUR[:-1])),
    "a header that calls": lambda: archive(member("__import__('os').system('touch RAN-npy')", FOUR)),
    "a header of 60,000 bytes": lambda: archive(member(header() + " " * 60_000, FOUR)),
    "a header longer than the member": lambda: archive(b"\x93NUMPY\x01\x00\xff\xff{}"),
    "a header of 4 GB": lambda: archive(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"),
    "a version that is not known": lambda: archive(member(header(), FOUR, b"\x09\x00")),
    "no npy at all": lambda: archive(b"text"),
    "an empty member": lambda: archive(b""),
    "an unknown dtype": lambda: archive(member(header("'<q9'"), FOUR)),
    "a dtype of 10**9 bytes": lambda: archive(member(header("'S1000000000'"), FOUR)),
    "a dtype of nothing": lambda: archive(member(header("'S0'", "(1000000000000,)"), b"")),
    "a dtype object": lambda: archive(npy(np.array([None, 1, 2, 3], dtype=object))),
    "a dtype that nests 1,000 fields": lambda: archive(member(header("[('a', " * 500 + "'<f8'" + ")]" * 500), FOUR)),
    "a structured dtype": lambda: archive(npy(np.zeros(4, dtype=[("a", "f4"), ("b", "f4")]))),
    "a dtype of dates": lambda: archive(npy(np.zeros(4, dtype="datetime64[s]"))),
    "complex numbers": lambda: archive(npy(np.zeros(4, dtype=complex))),
    "a shape of 10**12 over ten bytes": lambda: archive(member(header(shape="(1000000000000,)"))),
    "a shape that overflows": lambda: archive(member(header(shape="(4294967296, 4294967296, 2)"))),
    "a shape of 5,000 digits": lambda: archive(member(header(shape=f"({'9' * 5000},)"))),
    "a negative shape": lambda: archive(member(header(shape="(-4,)"), FOUR)),
    "a shape that is no tuple": lambda: archive(member(header(shape="4"), FOUR)),
    "a shape of 100 axes": lambda: archive(member(header(shape=f"({'1, ' * 100})"), FOUR[:8])),
    "Fortran order of wrong size": lambda: archive(member(header(shape="(2, 9)", order="True"), FOUR)),
    "an order that is no truth": lambda: archive(member(header(order="7"), FOUR)),
    "less data than the header says": lambda: archive(member(header(), FOUR[:20])),
    "more data than the header says": lambda: archive(member(header(), FOUR + FOUR)),
    "a method that is not known": lambda: flagged(GOOD, 8, 97),
    "bzip2": lambda: archive(member(header(), FOUR), zipfile.ZIP_BZIP2),
    "encryption": lambda: flagged(GOOD, 6, 1),
    "a member twice": lambda: archive(member(header(), FOUR), names=("color.npy", "size.npy", "size.npy")),
    "a member with and without its ending": lambda: archive(member(header(), FOUR), names=("color.npy", "size.npy", "size")),
    "a wrong CRC": wrong_crc,
    "a truncated end": lambda: GOOD[:-40],
    "half of the file": lambda: GOOD[: len(GOOD) // 2],
    "a central directory elsewhere": lambda: patched(GOOD, GOOD[-6:-2], b"\xff\xff\xff\x7f"),
    "20,000 members": lambda: archive(b"", names=("color.npy", *(f"m{i}.npy" for i in range(20_000)))),
    "a name of 60,000 letters": lambda: archive(b"text", names=("color.npy", "n" * 60_000)),
    "a name that leaves the folder": lambda: archive(b"text", names=("color.npy", "../../RAN-zip")),
    "nothing": lambda: b"",
    "a plain npy": lambda: npy(np.arange(4.0)),
    "a pickle": lambda: b"\x80\x04cposix\nsystem\n(S'touch RAN-pickle'\ntR.",
    "another shape": lambda: archive(npy(np.zeros((4, 4)))),
    "another length": lambda: archive(npy(np.zeros(5))),
    "texts for numbers": lambda: archive(npy(np.array(["a", "b", "c", "d"]))),
    "bytes for numbers": lambda: archive(npy(np.array([b"\xff", b"b", b"c", b"d"]))),
    "infinite numbers": lambda: archive(npy(np.array([np.inf, 1, 2, 3]))),
    "NaN for every row": lambda: archive(npy(np.full(4, np.nan))),
}


def _case(line: int, name: str, content: Callable[[], bytes]) -> Case:
    def make() -> None:
        Path("g.yaml").write_text(GRAPH)
        Path("rows.npz").write_bytes(content())

    def python() -> object:
        from causalflow.data.arrays import read_arrays

        return cf.compile(cf.loads(GRAPH)).fit(read_arrays(Path("rows.npz")), progress=False)

    words = ("fit", "g.yaml", "--data", "rows.npz", "--no-progress", "-o", "m.safetensors")
    return Case(line, f"NPZ: {name}", make=make, python=python, commands=(words,))


def _circuit() -> None:
    Path("causal_circuit").mkdir()
    Path("causal_circuit/train.npz").write_bytes(
        patched(archive(npy(np.array([None], dtype=object)), names=("original_latents.npy", "imgs.npy")), b"PK", b"PK")
    )


def _from_folder() -> object:
    return cf.data.causal_circuit("train", 32, folder=Path("causal_circuit"))


def _all() -> Iterator[Case]:
    for name, content in FILES.items():
        yield _case(19, name, content)
    yield Case(19, "NPZ: a data set of objects", make=_circuit, python=_from_folder)
    yield _case(20, "10 GB of zeros in 10 MB", lambda: zeros(10 * (1 << 27)))
    yield _case(20, "900 MB of zeros in 1 MB", lambda: zeros(9 * (1 << 20) * 12))
    yield _case(20, "a size that lies about 10 GB", lambda: flagged(GOOD, 22, 0xFFFF))


CASES = list(_all())
