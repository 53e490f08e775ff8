"""Hostile pictures: lines 21 to 23 of the list."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import causalflow as cf
from tests.hostile.hostile_runner import Case
from tests.hostile.hostile_tables import model_bytes

__all__ = ["CASES"]

GRAPH = """
nodes:
  color: {type: class, levels: [green, red]}
  image:
    type: image
    shape: [3, 8, 8]
    diffusion: {width: 8, multipliers: [1], predictor_width: 4, steps: 3}
edges: ["color -> image"]
"""
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(RAN-eps) (w) file closefile\n%%EOF\n"
SOLID = Image.fromarray(np.full((8, 8, 3), 99, dtype=np.uint8))


def saved(kind: str, picture: Image.Image = SOLID, **given: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **given)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int = 8, height: int = 8, *extra: bytes, data: bytes | None = None) -> bytes:
    rows = data if data is not None else zlib.compress((b"\0" + bytes(3 * width)) * height)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bomb(count: int = 1 << 30) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 24)) for _ in range(count >> 24)) + packer.flush()


def tiff_loop() -> bytes:
    """A directory whose next directory is itself."""
    content = bytearray(saved("TIFF"))
    first = struct.unpack_from("<I", content, 4)[0]
    entries = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * entries, first)
    return bytes(content)


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    return head + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)


def gif() -> bytes:
    """A GIF of 10**6 frames of one pixel."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0"
    return head + frame * 10**6 + b";"


PICTURES: dict[str, Callable[[], bytes]] = {
    "EPS": lambda: EPS,
    "EPS of DOS": lambda: b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIIIH", 32, len(EPS), 0, 0, 0, 0, 0xFFFF) + b"\0\0" + EPS,
    "PDF": lambda: saved("PDF"),
    "WMF": lambda: b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<hhhhH", 0, 0, 100, 100, 100) + bytes(6) + b"\x01\0\t\0" + bytes(60),
    "EMF": lambda: struct.pack("<II", 1, 100) + struct.pack("<iiiiiiii", 0, 0, 9, 9, 0, 0, 900, 900) + b" EMF" + bytes(200),
    "FLI": lambda: struct.pack("<IHHHHHH", 128, 0xAF12, 1, 8, 8, 8, 3) + bytes(200),
    "PSD": lambda: b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(200),
    "IM": lambda: saved("IM"),
    "SPIDER": lambda: saved("SPIDER", SOLID.convert("F")),
    "DDS": lambda: saved("DDS"),
    "BLP": lambda: b"BLP2" + bytes(300),
    "AVIF": lambda: b"\0\0\0\x1cftypavif" + bytes(100),
    "ICNS": lambda: b"icns" + struct.pack(">I", 64) + b"ic07" + bytes(60),
    "PPM": lambda: saved("PPM"),
    "XBM": lambda: b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {0};\n",
    "FITS": lambda: b"SIMPLE  =                    T" + bytes(3000),
    "MSP": lambda: b"DanM" + bytes(60),
    "PCX": lambda: saved("PCX"),
    "SGI": lambda: saved("SGI"),
    "TGA": lambda: saved("TGA"),
    "JPEG 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
    "a GIF of 10**6 frames": gif,
    "a PNG of 50,000 x 50,000": lambda: png(50_000, 50_000, data=bomb(1 << 27)),
    "a PNG of 2**31 x 2**31": lambda: png(2**31 - 1, 2**31 - 1, data=b""),
    "a PNG of 0 x 0": lambda: png(0, 0, data=b""),
    "a PNG with a colour profile of 1 GB": lambda: png(8, 8, chunk(b"iCCP", b"p\0\0" + bomb())),
    "a PNG with a text of 1 GB": lambda: png(8, 8, chunk(b"zTXt", b"t\0\0" + bomb())),
    "a PNG with 200 texts of 1 MB": lambda: png(
        8, 8, *[chunk(b"zTXt", b"t%d\0\0" % i + zlib.compress(bytes(1 << 20))) for i in range(200)]
    ),
    "a PNG with an international text of 1 GB": lambda: png(8, 8, chunk(b"iTXt", b"t\0\1\0\0\0" + bomb())),
    "a PNG whose rows unpack to 1 GB": lambda: png(8, 8, data=bomb()[:200_000]),
    "a PNG of another chunk order": lambda: png(8, 8, chunk(b"IHDR", bytes(13))),
    "a PNG without an end": lambda: png()[:-30],
    "a PNG of broken rows": lambda: png(data=b"no zlib"),
    "a PNG with a bad CRC": lambda: png().replace(b"IHDR", b"IHDX"),
    "a truncated JPEG": lambda: saved("JPEG")[:400],
    "a JPEG of 65,500 x 65,500": lambda: saved("JPEG").replace(struct.pack(">HH", 8, 8), struct.pack(">HH", 65_500, 65_500)),
    "a truncated WebP": lambda: saved("WEBP")[:30],
    "a truncated BMP": lambda: saved("BMP")[:60],
    "a BMP of 2**31": lambda: saved("BMP")[:18] + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + saved("BMP")[26:],
    "a BMP of negative size": lambda: saved("BMP")[:18] + struct.pack("<ii", -8, -8) + saved("BMP")[26:],
    "a TIFF of a tag with 2**31 values": lambda: tiff((256, 3, 1, 8), (257, 3, 1, 8), (273, 4, 2**31, 8)),
    "a TIFF of no pixels": lambda: tiff((256, 3, 1, 8), (257, 3, 1, 8)),
    "a TIFF of an unknown compression": lambda: tiff(
        (256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 777), (262, 3, 1, 1), (273, 4, 1, 8)
    ),
    "a TIFF without entries": lambda: tiff(),
    "length 0": lambda: b"",
    "a text": lambda: b"no picture",
    "another size": lambda: png(9, 9),
    "16 bits a channel": lambda: saved("PNG", Image.new("I;16", (8, 8))),
}
BESIDES = {
    "a directory named a.png": lambda: Path("pictures/a.png").mkdir(),
    "a link out of the folder": lambda: Path("pictures/a.png").symlink_to("../g.yaml"),
    "a link to a device": lambda: Path("pictures/a.png").symlink_to("/dev/zero"),
    "a link to itself": lambda: Path("pictures/a.png").symlink_to("a.png"),
    "a FIFO": lambda: os.mkfifo("pictures/a.png"),
    "nothing": lambda: None,
}
FIT = (
    "fit",
    "g.yaml",
    "--data",
    "pictures",
    "--no-progress",
    "--steps",
    "1",
    "--batch-size",
    "2",
    "-o",
    "m.safetensors",
    "--checkpoint",
    "kept",
)


def _case(line: int, name: str, put: Callable[[], object], single: bool = True, **given: object) -> Case:
    def make() -> None:
        Path("g.yaml").write_text(GRAPH)
        Path("pictures").mkdir()
        Path("pictures/b.png").write_bytes(png())
        Path("pictures/labels.csv").write_text("path,color\na.png,red\nb.png,green\n")
        put()
        Path("m0.safetensors").write_bytes(model_bytes(GRAPH))

    def python() -> object:
        from causalflow.data.files import image_folder

        model = cf.compile(cf.loads(GRAPH))
        return model.fit(image_folder("pictures"), steps=1, batch_size=2, progress=False)

    one = ("counterfactual", "m0.safetensors", "--image", "pictures/a.png", "--given", "color=red", "--do", "color=green")
    ask = ("sample", "m0.safetensors", "--do", "image=pictures/a.png")
    commands = (FIT, one, ask) if single else (FIT,)
    return Case(line, name, make=make, python=python, commands=commands, **given)


def _all() -> Iterator[Case]:
    for name, content in PICTURES.items():
        line = 21 if name.startswith("EPS") else 22 if name.isupper() else 23
        yield _case(
            line,
            f"picture: {name}",
            lambda content=content: Path("pictures/a.png").write_bytes(content()),
            # only 8 rows are unpacked; 16 bits are read as shares of 65,535
            answer=name in ("a PNG whose rows unpack to 1 GB", "16 bits a channel"),
        )
    yield _case(23, "picture: a TIFF with a loop of directories", lambda: Path("pictures/a.png").write_bytes(tiff_loop()), answer=True)
    for name, put in BESIDES.items():
        yield _case(23, f"picture: {name}", put, single=name != "a link out of the folder")
    for path in ("../g.yaml", "/etc/hostname", "/dev/zero", "a\\0b.png", "p" * 5000, "\u202e.png"):

        def put(path: str = path) -> None:
            Path("pictures/labels.csv").write_text(f"path,color\n{path},red\nb.png,green\n")

        yield _case(23, f"picture: the path {path[:20]!a}", put, single=False)
    for name, array in {
        "another shape": np.zeros((1, 3, 9, 9)),
        "no axes": 3.0,
        "nan": np.full((1, 3, 8, 8), np.nan),
        "beyond 1": np.full((1, 3, 8, 8), 7.0),
        "texts": np.full((1, 3, 8, 8), "a"),
        "an object": object(),
        "20 axes": np.zeros((1,) * 20),
    }.items():
        yield Case(
            18,
            f"evidence: an image of {name}",
            python=lambda array=array: cf.compile(cf.loads(GRAPH)).counterfactual(
                {"image": array, "color": ["red"]}, do={"color": "green"}
            ),
        )


CASES = list(_all())
