"""Partial: counterfactual pictures from evidence that leaves something out, against the true ones.

    python -m benchmarks.partial            40 rows, half a CPU minute; goes on where it was stopped
    python -m benchmarks.partial --rows 8   fewer

The model of Morpho-MNIST that ships is asked for do(thickness) of test rows, whose true pictures
are known. What it is told of a row: everything; everything but the label, or but the thickness,
which is a parent of picture and intensity; these short of a value; the upper half of the picture;
the labels without the picture; and nothing, which is a draw under the intervention.

Error: the mean over pixels of |picture - true picture|, both in [0, 1], its mean over rows and the
standard error of that; of intensity in grey levels. Worth: how many independent draws those were
worth that one was chosen of, in the worst row; none where nothing was drawn by weights. Calls:
passes through the network a row.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from causalflow.files import whole_file

KEPT, PAGE = RESULTS / "partial.json", RESULTS / "partial.md"
ROWS, SPREAD = 40, 0.5
Columns = Mapping[str, Any]


def _confused(digits: list[int]) -> list[Any]:
    """Labels as an unsure reader has them: .6 for the true one, .4 for the next."""
    return [cf.likely({digit: 0.6, (digit + 1) % 10: 0.4}) for digit in digits]


def _rough(values: list[float]) -> list[Any]:
    """Numbers within an interval of width 1 around them."""
    return [cf.within(value - SPREAD, value + SPREAD) for value in values]


def _half(images: torch.Tensor) -> Any:
    mask = np.zeros(images.shape[-2:], dtype=bool)
    mask[: mask.shape[0] // 2] = True
    return cf.seen(images, mask)


def _without(columns: Columns, *names: str) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if name not in names}


EVIDENCE: Mapping[str, Callable[[Columns], Columns]] = {
    "everything": lambda c: c,
    "label told .6 to .4": lambda c: {**c, "digit": _confused(c["digit"])},
    "no label": lambda c: _without(c, "digit"),
    "thickness within .5 pixels": lambda c: {**c, "thickness": _rough(c["thickness"])},
    "no thickness": lambda c: _without(c, "thickness"),
    "upper half of the picture": lambda c: {**c, "image": _half(c["image"])},
    "labels, no picture": lambda c: _without(c, "image"),
    "nothing": lambda c: {},
}


def main() -> None:
    """Measure what is not kept yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if kept.get("rows") != rows:
        kept = {"rows": rows, "machine": machine(), "found": {}}
    model = cf.Model.load(cf.data.checkpoint_path("morpho_mnist"))
    data = cf.data.morpho_mnist("test", n=rows)
    for name, of in EVIDENCE.items():
        if name not in kept["found"]:
            kept["found"][name] = _measured(model, data, rows, of)
            with whole_file(KEPT) as file:
                file.write_text(json.dumps(kept, indent=1) + "\n")
    with whole_file(PAGE) as file:
        file.write_text(_page(kept))


def _measured(
    model: cf.Model, data: Any, rows: int, of: Callable[[Columns], Columns]
) -> dict[str, float | None]:
    """Errors under one kind of evidence."""
    at = np.arange(rows)
    columns = {name: value[at].tolist() for name, value in data.labels.items()}
    evidence = of({**columns, "image": data.images[at]})
    do = {"thickness": np.roll(data.labels["thickness"][at], 1)}
    truth = data.true_counterfactual(at, do)
    begun = time.process_time()
    if evidence:
        world = model.counterfactual(evidence, do, generator=0)
    else:
        world = model.sample(rows, do, generator=0)
    error = (world["image"] - truth["image"]).abs().flatten(1).mean(1)
    grey = (world["intensity"] - truth["intensity"]).abs()
    return {
        "picture": float(error.mean()),
        "picture_error": float(error.std() / rows**0.5),
        "intensity": float(grey.mean()),
        "worth": world.info.effective_draws,
        "calls": world.info.network_calls,
        "seconds": time.process_time() - begun,
    }


def _page(kept: Mapping[str, Any]) -> str:
    """The table."""
    heads = ["what is told", "n", "picture", "intensity", "worth", "calls", "CPU s"]
    lines = [
        [
            name,
            str(kept["rows"]),
            f"{each['picture']:.4f} ± {each['picture_error']:.4f}",
            f"{each['intensity']:.1f}",
            "" if each["worth"] is None else f"{each['worth']:.0f}",
            f"{each['calls']:g}",
            f"{each['seconds']:.1f}",
        ]
        for name, each in kept["found"].items()
    ]
    return "\n".join(
        [
            "# Counterfactuals from evidence that leaves something out",
            "",
            "Morpho-MNIST, the checkpoint that ships, do(thickness) of test rows; errors against "
            "the true pictures.",
            f"Command: `python -m benchmarks.partial --rows {kept['rows']}`; what the columns are: "
            "`benchmarks/partial.py`.",
            "",
            *markdown(heads, lines),
            "",
        ]
    )


if __name__ == "__main__":
    main()
