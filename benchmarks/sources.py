"""Sources: pictures a second that are read from each source, by the number of workers.

    python -m benchmarks.sources --rows 300      pictures of 64 pixels, by 0, 1 and 2 workers
    python -m benchmarks.sources --report        the page anew, from the numbers

The same pictures (smooth, so that PNG has something to pack) are written once to every source. They
are then read in batches of 64 in a random order, none kept in memory, in turns: source by source,
number of workers by number of workers, round by round. Beside the seconds of the clock stand those
of the processor, all threads added: on a machine that has other work they say what reading costs.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from PIL import Image

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown

ROWS, SIDE, LARGE, BATCH, ROUNDS = 2000, 64, 256, 64, 3
WORKERS = (0, 1, 2)
GRAPH = f"""
nodes:
  x: {{type: continuous}}
  image: {{type: image, shape: [3, {SIDE}, {SIDE}]}}
edges: [x -> image]
"""

Pictures = np.ndarray[Any, np.dtype[np.uint8]]


def pictures(rows: int, side: int) -> Pictures:
    """Smooth pictures with a little noise, shape (rows, side, side, 3)."""
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 1, side)
    waves = rng.uniform(1, 9, (rows, 3, 2))
    across = np.sin(waves[:, :, :1] * grid)[:, :, None] + np.cos(waves[:, :, 1:] * grid)[..., None]
    noise = rng.normal(0, 2, across.shape)
    return np.moveaxis((127 + 60 * across + noise).clip(0, 255).astype(np.uint8), 1, -1)


def encoded(picture: Pictures, kind: str) -> bytes:
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, kind)
    return stream.getvalue()


def folder(place: Path, images: Pictures, kind: str) -> Path:
    """Image files and labels.csv."""
    place.mkdir()
    lines = ["path,x"]
    for row, picture in enumerate(images):
        (place / f"{row}.{kind.lower()}").write_bytes(encoded(picture, kind))
        lines.append(f"{row}.{kind.lower()},{row}")
    (place / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def tar(place: Path, images: Pictures) -> Path:
    """One archive."""
    with tarfile.open(place, "w") as archive:
        for row, picture in enumerate(images):
            for ending, content in (
                ("png", encoded(picture, "PNG")),
                ("json", json.dumps({"x": row}).encode()),
            ):
                member = tarfile.TarInfo(f"{row:06d}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return place


def hdf5(place: Path, images: Pictures) -> Path:
    """A data set a node, a picture a chunk."""
    import h5py

    with h5py.File(place, "w") as file:
        file["x"] = np.arange(len(images), dtype=float)
        file.create_dataset("image", data=images, chunks=(1, *images.shape[1:]))
    return place


def saved(place: Path, images: Pictures) -> Path:
    """A Hugging Face data set of PNG files."""
    import datasets

    datasets.disable_progress_bars()
    kept = [{"bytes": encoded(picture, "PNG"), "path": None} for picture in images]
    features = datasets.Features({"x": datasets.Value("float64"), "image": datasets.Image()})
    columns = {"x": np.arange(len(images), dtype=float), "image": kept}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(place))
    return place


def npz(place: Path, images: Pictures) -> Path:
    """Arrays, in memory whatever is asked."""
    np.savez(place, x=np.arange(len(images), dtype=float), image=np.moveaxis(images, -1, 1))
    return place


SOURCES: Mapping[str, tuple[int, Callable[[Path, Pictures], Path]]] = {
    "folder of PNG": (SIDE, lambda at, images: folder(at / "png", images, "PNG")),
    "folder of JPEG": (SIDE, lambda at, images: folder(at / "jpeg", images, "JPEG")),
    f"folder of PNG, {LARGE} px, cover": (
        LARGE,
        lambda at, images: folder(at / "large", images, "PNG"),
    ),
    "tar of PNG": (SIDE, lambda at, images: tar(at / "rows.tar", images)),
    "saved data set of PNG": (SIDE, lambda at, images: saved(at / "saved", images)),
    "HDF5": (SIDE, lambda at, images: hdf5(at / "rows.h5", images)),
    "arrays (.npz, in memory)": (SIDE, lambda at, images: npz(at / "rows.npz", images)),
}


def seconds(place: Path, workers: int) -> tuple[float, float]:
    """Of the clock and of the processor, to read all pictures once."""
    graph = cf.loads(GRAPH)
    rows = cf.data.read(place, graph, resize="cover", memory=0, workers=workers)
    column = cf.data.Frame.read(rows, graph).columns["image"]
    order = torch.randperm(len(column), generator=torch.Generator().manual_seed(0))
    clock, processor = time.perf_counter(), time.process_time()
    for batch in order.split(BATCH):
        assert column[batch].shape[1:] == (3, SIDE, SIDE)
    return time.perf_counter() - clock, time.process_time() - processor


def measured(rows: int) -> list[dict[str, Any]]:
    """A line for each source and number of workers: the median of the rounds."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as made:
        places = {
            name: write(Path(made), pictures(rows, side)) for name, (side, write) in SOURCES.items()
        }
        for _ in range(ROUNDS):
            for name, place in places.items():
                for workers in WORKERS:
                    found.setdefault((name, workers), []).append(seconds(place, workers))
    return [
        {
            "source": name,
            "workers": workers,
            "pictures": rows,
            "clock": median(clock for clock, _ in times),
            "processor": median(processor for _, processor in times),
        }
        for (name, workers), times in found.items()
    ]


def page(result: Mapping[str, Any]) -> str:
    """The table as Markdown."""
    lines: Sequence[Mapping[str, Any]] = result["lines"]
    names = list(dict.fromkeys(line["source"] for line in lines))
    by = {(line["source"], line["workers"]): line for line in lines}
    columns: dict[str, list[str]] = {"source": names}
    for workers in WORKERS:
        each = [by[name, workers] for name in names]
        columns[f"{workers} workers"] = [f"{x['pictures'] / x['clock']:,.0f}" for x in each]
    each = [by[name, 0] for name in names]
    columns["by the processor's time, 0 workers"] = [
        f"{x['pictures'] / x['processor']:,.0f}" for x in each
    ]
    table = "\n".join(markdown(list(columns), zip(*columns.values(), strict=True)))
    about, count = result["machine"], lines[0]["pictures"]
    return (
        "# Pictures a second, by source\n\n"
        f"`python -m benchmarks.sources --rows {count}`: {count:,} colour pictures of {SIDE} "
        f"pixels (one source: of {LARGE}, brought to {SIDE}), in batches of {BATCH} in a random "
        "order, none kept in memory; "
        f"medians of {ROUNDS} rounds.\n\n{table}\n\n{about['processor']}, "
        f"{about['cores']} cores, Python {about['python']}. The machine had other work: the clock "
        "says what was left of it, the processor's time what reading costs.\n"
    )


@click.command()
@click.option("--rows", default=ROWS, show_default=True)
@click.option("--report", is_flag=True, help="Only write the page anew.")
def main(rows: int, report: bool) -> None:
    """Measure, and write benchmarks/results/sources.json and .md."""
    kept = RESULTS / "sources.json"
    if not report:
        result = {"machine": machine(), "lines": measured(rows)}
        kept.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = page(json.loads(kept.read_text(encoding="utf-8")))
    (RESULTS / "sources.md").write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
