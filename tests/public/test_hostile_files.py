"""What is no file, no table, no array and no picture is refused in one line, and starts nothing."""

import io
import os
import socket
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import causalflow as cf

GRAPH = """
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, noise: linear}
edges: [color -> size]
"""
STAMPS = """
nodes:
  color: {type: class, levels: [green, red]}
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [color -> image]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH)
    (tmp_path / "i.yaml").write_text(STAMPS)
    return tmp_path


def fit(cli, data, graph="g.yaml"):
    ran = cli("fit", graph, "--data", data, "--no-progress", "--steps", "1", "-o", "m.safetensors")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert len(ran.err) < 500
    assert ran.err.removesuffix("\n").isprintable()
    assert not os.path.exists("m.safetensors")
    return ran.err


def bind(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


KINDS = {
    "a directory": os.mkdir,
    "a FIFO": os.mkfifo,
    "a socket": bind,
    "a device": lambda path: os.symlink("/dev/zero", path),
    "a link to itself": lambda path: os.symlink(path, path),
    "nothing": lambda path: None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_without_waiting(place, cli, kind):
    for name in ("x.yaml", "x.bif", "x.bif.gz", "x.csv", "x.npz", "x.safetensors"):
        KINDS[kind](name)
    for read, name in ((cf.load, "x.yaml"), (cf.load, "x.bif"), (cf.load, "x.bif.gz")):
        with pytest.raises(cf.GraphError, match=name):
            read(name)
    with pytest.raises(cf.CheckpointError, match=r"x\.safetensors"):
        cf.Model.load("x.safetensors")
    for name in ("x.csv", "x.npz") if kind != "a directory" else ():
        fit(cli, name)


@pytest.mark.parametrize("path", [None, 3, "a\0b", "a" * 5_000, b"\xff", "\udcff"])
def test_what_is_no_path_is_a_graph_error(path):
    with pytest.raises(cf.GraphError) as error:
        cf.load(path)
    assert str(error.value).isprintable()


LONG = "color,size\n" + "red,1\n" * 30_000
TABLES = {
    "no row": (b"color,size\n", "a header and no rows"),
    "nothing": (b"", "no header"),
    "no header": (b"red,1\ngreen,2\n", "no such column"),
    "a column twice": (b"color,size,size\nred,1,2\n", "column 'size' is there 2 times"),
    "a short row": (b"color,size\nred,1\nred\n", "rows.csv:3: "),
    "a long row": (b"color,size\nred,1,2\n", "rows.csv:2: "),
    "many columns": (",".join(f"c{i}" for i in range(20_000)).encode(), "20,000 columns"),
    "UTF-16": ("color,size\nred,1\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
    "no Latin-1": (b"color,size\nr\xfet,1\n", "rows.csv:2: byte 0xfe is not UTF-8"),
    "a null byte": (b"color,size\nred,1\0\n", "rows.csv:2: "),
    "an open quote": (b'color,size\n"red,1\n', "rows.csv:2: unexpected end"),
    "a line of 2 MB": (b"color,size\nred," + b"1" * 2_000_000, "rows.csv:2: a line of more"),
    "a word far down": ((LONG + "red,large\n" + "red,1\n").encode(), "rows.csv:30002: "),
    "a level far down": ((LONG + "blue,1\n" + "red,1\n").encode(), "rows.csv:30002: "),
    "an infinite number": (b"color,size\nred,1e999\n", "size"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_is_one_line(place, cli, name):
    content, message = TABLES[name]
    (place / "rows.csv").write_bytes(content)
    assert message in fit(cli, "rows.csv").replace("no readable CSV file: ", "")


def npz(*members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return stream.getvalue()


def npy(header, data=b"0123456789"):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def head(dtype="'<f8'", shape="(4,)"):
    return f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"


FOUR = np.arange(4.0).tobytes()
ARRAYS = {
    "a broken header": npy("{'descr': '<f8"),
    "a header that calls": npy("__import__('os').system('touch RAN')"),
    "a header of brackets": npy("[" * 5_000),
    "objects": npy(head("'|O'"), FOUR),
    "an unknown type": npy(head("'<q9'"), FOUR),
    "no bytes an item": npy(head("'S0'", "(1000000000000,)"), b""),
    "10**12 items": npy(head(shape="(1000000000000,)")),
    "a product that overflows": npy(head(shape="(4294967296, 4294967296, 4)")),
    "5,000 digits": npy(head(shape=f"({'9' * 5_000},)")),
    "a negative shape": npy(head(shape="(-4,)"), FOUR),
    "too little data": npy(head(), FOUR[:9]),
    "too much data": npy(head(), FOUR * 2),
    "no array": b"text",
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_hostile_array_is_one_line(place, cli, name):
    color = io.BytesIO()
    np.save(color, np.array([1, 0, 1, 0]))
    (place / "rows.npz").write_bytes(
        npz(("color.npy", color.getvalue()), ("size.npy", ARRAYS[name]))
    )
    assert "rows.npz" in fit(cli, "rows.npz")
    assert not (place / "RAN").exists()


@pytest.mark.parametrize(
    "content",
    [
        npz(("size.npy", npy(head(), FOUR)), ("color.npy", b""), method=zipfile.ZIP_BZIP2),
        npz(("size.npy", npy(head(), FOUR)), ("size", b"")),
        npz(("size.npy", npy(head(), FOUR)))[:-9],
        npz(("size.npy", npy(head(), FOUR))).replace(FOUR, FOUR[::-1]),
        npz(("size.npy", bytes(1 << 27)), method=zipfile.ZIP_DEFLATED),
        b"\x80\x04cposix\nsystem\n(S'touch RAN'\ntR.",
    ],
    ids=["bzip2", "a member twice", "truncated", "another CRC", "zeros", "a pickle"],
)
def test_a_hostile_archive_is_one_line(place, cli, content):
    (place / "rows.npz").write_bytes(content)
    assert "rows.npz" in fit(cli, "rows.npz")
    assert not (place / "RAN").exists()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width=8, height=8, *extra):
    rows = zlib.compress((b"\0" + bytes(24)) * 8)
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"".join((b"\x89PNG\r\n\x1a\n", size, *extra, chunk(b"IDAT", rows), chunk(b"IEND", b"")))


def saved(kind):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind)
    return stream.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n0 0 8 8 rectfill\n%%EOF\n"
PICTURES = {
    "EPS": EPS,
    "PDF": saved("PDF"),
    "GIF": saved("GIF"),
    "PPM": saved("PPM"),
    "DDS": saved("DDS"),
    "ICNS": b"icns" + struct.pack(">I", 64) + bytes(56),
    "PSD": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(99),
    "2.5 thousand million pixels": png(50_000, 50_000),
    "a bomb of text": png(8, 8, chunk(b"zTXt", b"t\0\0" + zlib.compress(bytes(1 << 27), 9))),
    "a bomb of a profile": png(8, 8, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(1 << 27), 9))),
    "a PNG without an end": png()[:48],
    "a JPEG without an end": saved("JPEG")[:300],
    "a WebP without an end": saved("WEBP")[:30],
    "a TIFF without an end": saved("TIFF")[:-20],
    "nothing": b"",
    "another size": png(9, 9),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_is_one_line_and_starts_no_program(place, cli, monkeypatch, name):
    (place / "bin").mkdir()
    for program in ("gs", "gswin64c", "magick"):
        (place / "bin" / program).write_text(f'#!/bin/sh\ntouch "{place}/RAN"\n')
        (place / "bin" / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (place / "pictures").mkdir()
    (place / "pictures" / "a.png").write_bytes(PICTURES[name])
    (place / "pictures" / "labels.csv").write_text("path,color\na.png,red\n")
    assert "a.png" in fit(cli, "pictures", "i.yaml")
    assert not (place / "RAN").exists()


def test_the_formats_that_are_meant_are_read(place, cli):
    (place / "pictures").mkdir()
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        (place / "pictures" / f"{kind}.png").write_bytes(saved(kind))
    names = "".join(f"{kind}.png,red\n" for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"))
    (place / "pictures" / "labels.csv").write_text("path,color\n" + names)
    words = ("--no-progress", "--steps", "1", "--batch-size", "5", "-o", "m.safetensors")
    assert cli("fit", "i.yaml", "--data", "pictures", *words).code == 0
