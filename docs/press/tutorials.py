"""Tutorials: each is run once with few steps, and its page shows what each cell printed and drew.

A tutorial defines functions and a ``main`` that calls them; what a function prints is shown below
the cell that defines it. The *record* of a run (what it printed, drew and ended with) is kept under
a *key*: the digest of the script, of its few steps and of the package. The tests run the tutorials
and keep the records; a build of the site that finds them runs nothing again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbformat.v4 import new_output

from press.links import ROOT, rewritten
from press.percent import Cell, cells, page

__all__ = ["FEW", "KEPT", "Record", "kept", "recorded", "tutorials"]

FOLDER = ROOT / "tutorials"
KEPT = ROOT / "docs" / "_build" / "records"
FEW: Mapping[str, Mapping[str, int]] = {
    "01_first_counterfactual": {"steps": 3, "images": 8},
    "02_exact_counterfactuals": {"rows": 4_000},
    "03_can_this_be_known": {"rows": 5_000},
    "04_few_calls": {"steps": 3, "images": 4},
    "05_diff_scm": {"steps": 3, "images": 12, "epochs": 4},
    "06_balanced_latent_space": {"steps": 3, "images": 4},
    "07_causal_diffae": {"steps": 3, "images": 24, "rows": 128},
    "08_diffusion_ncm": {"rows": 20_000, "images": 2, "steps": 2},
    "09_from_a_spreadsheet": {},
    "10_pyro": {"rows": 16, "draws": 40},
}
"""What each tutorial's ``main`` is given for a quick run."""
_DRAWS = {"03_can_this_be_known", "07_causal_diffae", "09_from_a_spreadsheet"}
"""Those whose ``main`` takes the folder where it writes pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run of a tutorial.

    Args:
        ends: the numbers that it ended with.
        printed: what was printed, by the line of the script that printed it, in order.
        drawn: its pictures (PNG in base64), by the name of the file.
        seconds: how long it took.
    """

    ends: dict[str, float]
    printed: list[tuple[int, str]]
    drawn: dict[str, str]
    seconds: float

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join(text for _, text in self.printed)


class _Heard(io.TextIOBase):
    """A standard output that knows which line of a script wrote each text."""

    def __init__(self, script: Path) -> None:
        self.script = str(script)
        self.printed: list[tuple[int, str]] = []

    def write(self, text: str) -> int:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.script:
            frame = frame.f_back  # type: ignore[assignment]
        self.printed.append((0 if frame is None else frame.f_lineno, text))
        return len(text)


def recorded(name: str, folder: Path | None = None) -> Record:
    """Run a tutorial with few steps; the record is kept.

    Args:
        name: the script, without suffix.
        folder: where it may write; by default a temporary one.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as place:
            return recorded(name, Path(place))
    script = FOLDER / f"{name}.py"
    spec = importlib.util.spec_from_file_location("tutorial", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    heard, begun = _Heard(script), time.perf_counter()
    with contextlib.redirect_stdout(heard):
        ends = module.main(**FEW[name], **({"folder": folder} if name in _DRAWS else {}))
    drawn = {
        path.name: base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.glob("*.png"))
    }
    told = {key: float(value) for key, value in ends.items()}
    seconds = time.perf_counter() - begun
    found = Record(ends=told, printed=heard.printed, drawn=drawn, seconds=seconds)
    _keep(name, found)
    return found


def _keep(name: str, found: Record) -> None:
    from causalflow.files import whole_file

    KEPT.mkdir(parents=True, exist_ok=True)
    for old in KEPT.glob(f"{name}-*.json"):
        old.unlink(missing_ok=True)
    with whole_file(_place(name)) as part:
        part.write_text(json.dumps(asdict(found)), encoding="utf-8")


def kept(name: str) -> Record | None:
    """The record of the last run, where nothing has changed since."""
    try:
        told = json.loads(_place(name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Record(**told)


def _place(name: str) -> Path:
    digest = hashlib.sha256(json.dumps(FEW[name], sort_keys=True).encode())
    for path in [FOLDER / f"{name}.py", *sorted((ROOT / "causalflow").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return KEPT / f"{name}-{digest.hexdigest()[:16]}.json"


def tutorials(repository: str, run: bool = True) -> Iterator[tuple[str, str]]:
    """The name and the notebook of each tutorial's page.

    Args:
        repository: the address of the repository's files, or "".
        run: run those that have no record.
    """
    for name in FEW:
        script = cells((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        found = kept(name)
        if found is None and run and _can_run(name):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = recorded(name)
        shown = [[] for _ in script] if found is None else _shown(script, found)
        home, made = f"tutorials/{name}.py", f"learn/{name}"
        texts = [
            Cell(
                prose=cell.prose,
                text=rewritten(cell.text, home, made, repository) if cell.prose else cell.text,
                line=cell.line,
                last=cell.last,
            )
            for cell in script
        ]
        yield made, page(texts, shown, _note(name, found))


def _can_run(name: str) -> bool:
    """Tutorial 07 takes MNIST's files."""
    data = Path(os.environ.get("CAUSALFLOW_DATA", "no such folder"))
    return name != "07_causal_diffae" or (data / "mnist").is_dir()


def _shown(script: Sequence[Cell], found: Record) -> list[list[dict[str, Any]]]:
    """The outputs of each cell: what its lines printed, then the pictures that it names."""
    shown: list[list[dict[str, Any]]] = []
    for cell in script:
        text = "".join(text for line, text in found.printed if cell.line <= line <= cell.last)
        outputs: list[dict[str, Any]] = []
        if text:
            outputs.append(new_output("stream", name="stdout", text=text))
        for file, picture in found.drawn.items():
            if not cell.prose and file in cell.text:
                data = {"image/png": picture, "text/plain": file}
                outputs.append(new_output("display_data", data=data))
        shown.append(outputs)
    return shown


def _note(name: str, found: Record | None) -> str:
    given = ", ".join(f"{key}={value:,}".replace(",", "_") for key, value in FEW[name].items())
    if found is None:
        said = "It was not run for this page."
    elif "steps" in FEW[name]:
        said = (
            f"What is printed below was made by a quick run, `main({given})`: hardly trained, so "
            "numbers and pictures that rest on the fit show their form and not their quality."
        )
    elif given:
        said = f"What is printed below was made by a quick run, `main({given})`."
    else:
        said = "What is printed below was made by this command, when the page was built."
    return f"```{{note}}\n`python tutorials/{name}.py` runs it whole. {said}\n```\n"
