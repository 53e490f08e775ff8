"""Scale: counterfactual pictures a second into shards, by one process and by several.

    python -m benchmarks.scale                   on CUDA, where it is there, and the CPU else
    python -m benchmarks.scale --report          the page anew, from the numbers

The processes take turns with one another, round by round, under torchrun, each with one thread on a
CPU. Beside the seconds of the clock stand those of the processor, all processes added: on a machine
that has other work they say what sharing costs. Every round writes the same bytes, or it ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.folders import RESULTS, ROOT
from benchmarks.machine import machine
from benchmarks.markdown import markdown

NET = "morpho_mnist"
CALLS: Mapping[str, Any] = {"solver": "heun", "steps": 4}
SIZES: Mapping[str, Mapping[str, int]] = {
    "cpu": {"rows": 192, "batch_size": 8, "shard_batches": 3, "rounds": 3},
    "cuda": {"rows": 32_768, "batch_size": 1024, "shard_batches": 2, "rounds": 5},
}
COUNTS = (1, 2)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Results' folder.")
@click.option("--report", is_flag=True, help="Write the page from the numbers that are there.")
@click.option("--share", type=click.Path(path_type=Path), hidden=True, help="Work of one process.")
def main(out: Path, report: bool, share: Path | None) -> None:
    """Pictures a second into shards, by 1 and 2 processes."""
    if share is not None:
        _work(share)
        return
    path = out / "scale.json"
    if not report:
        path.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    found = json.loads(path.read_text(encoding="utf-8"))
    (out / "scale.md").write_text(page(found), encoding="utf-8")


def measured() -> dict[str, Any]:
    """Every round of every number of processes, and what they ran on."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else None
    sizes, rounds, digests = SIZES[device], [], set()
    for number in range(sizes["rounds"]):
        for count in COUNTS:
            with tempfile.TemporaryDirectory() as folder:
                _run(Path(folder), count)
                shares = [json.loads(each.read_text()) for each in Path(folder).glob("*.json")]
                digests.add(_digest(Path(folder) / "shards"))
            spent = sum(share["processor"] for share in shares)
            seconds = max(share["seconds"] for share in shares)
            rounds.append(
                {"round": number, "processes": count, "seconds": seconds, "processor": spent}
            )
    if len(digests) > 1:
        raise SystemExit("the bytes of two rounds differ")
    about = {"device": device, "gpu": name, "torch": torch.__version__, "net": NET, **CALLS}
    return {"machine": machine(), **about, "sizes": sizes, "sha256": digests.pop(), "runs": rounds}


def _run(folder: Path, count: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={count}"]
    launcher += ["--master_addr=127.0.0.1", f"--master_port={port}"]
    subprocess.run(
        [sys.executable, *launcher, "-m", "benchmarks.scale", "--share", str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
    )


def _work(folder: Path) -> None:
    """The share of one process: pictures of noise, whose cost is that of any others."""
    import torch

    import causalflow as cf
    from causalflow.training.processes import own_rank

    device = "cuda" if torch.cuda.is_available() else "cpu"
    sizes: dict[str, Any] = dict(SIZES[device])
    random = torch.Generator().manual_seed(0)
    rows = sizes.pop("rows")
    sizes.pop("rounds")
    evidence = {
        "thickness": 2 + torch.rand(rows, generator=random).double(),
        "intensity": 100 + 100 * torch.rand(rows, generator=random).double(),
        "image": torch.rand(rows, 1, 28, 28, generator=random),
    }
    model = cf.Model.load(cf.data.checkpoint_path(NET), "auto").accelerate()
    first = {name: column[: sizes["batch_size"]] for name, column in evidence.items()}
    model.counterfactual(first, {"thickness": 3}, **CALLS)
    begun, spent = time.perf_counter(), time.process_time()
    report = model.counterfactual(
        evidence,
        {"thickness": 3},
        out=folder / "shards",
        shards="tar",
        progress=False,
        **sizes,
        **CALLS,
    )
    told = {
        "rows": report.rows,
        "seconds": time.perf_counter() - begun,
        "processor": time.process_time() - spent,
    }
    (folder / f"{own_rank()}.json").write_text(json.dumps(told))


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def page(found: Mapping[str, Any]) -> str:
    """The report."""
    rows, sizes, about = found["sizes"]["rows"], found["sizes"], found["machine"]
    where = found["gpu"] or f"{about['processor']}, {about['cores']} cores, one thread a process"
    table = markdown(
        [
            "processes",
            "pictures/s",
            "efficiency",
            "processor seconds a picture",
            "efficiency by processor",
        ],
        _lines(found["runs"], rows),
    )
    size, batches = sizes["batch_size"], sizes["shard_batches"]
    lines = [
        "# Counterfactual pictures into shards, by number of processes",
        "",
        f"`python -m benchmarks.scale`: {where}, torch {found['torch']}.",
        f"Net `{found['net']}`, solver {found['solver']}, {found['steps']} steps each way;",
        f"{rows:,} pictures in batches of {size}, {batches} batches a `.tar` shard; median of",
        f"{sizes['rounds']} rounds taken in turn.",
        "",
        *table,
        "",
        "Efficiency: pictures/s by those of one process times the number of processes. By",
        "processor: what a picture costs one process, by what it costs them together, other work",
        "of the machine left out. All rounds wrote the same bytes: SHA-256 over the folder",
        f"{found['sha256'][:16]}...",
    ]
    return "\n".join(lines) + "\n"


def _lines(runs: Sequence[Mapping[str, Any]], rows: int) -> list[list[str]]:
    one: tuple[float, float] | None = None
    lines = []
    for count in sorted({run["processes"] for run in runs}):
        own = [run for run in runs if run["processes"] == count]
        rate = rows / median(run["seconds"] for run in own)
        cost = median(run["processor"] for run in own) / rows
        one = one or (rate, cost)
        shares = f"{rate / one[0] / count:.0%}", f"{one[1] / cost:.0%}"
        lines.append([str(count), f"{rate:.1f}", shares[0], f"{cost:.4f}", shares[1]])
    return lines


if __name__ == "__main__":
    main()
