"""Speed: the default beside the papers' procedure, in turns; and a stream that is killed.

The two are asked the same intervention on the same batch by the same net, one after the other, the
device waited for; the default's seconds are the median of its turns. *plain*: the network is called
launch by launch; *recorded*: by recorded launches (CUDA); *bf16*: recorded, in bfloat16.

The stream runs in a process of its own, which is killed when three tenths are done and started
again; that process notes its resident memory whenever a batch is written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from benchmarks.counterfactual.settings import PAPERS, settings
from benchmarks.counterfactual.trials import synchronised
from benchmarks.nets import net_path

if TYPE_CHECKING:
    import causalflow as cf
    from benchmarks.counterfactual.run import Run

TURNS = 5
BATCH = 512
STREAMED = 10_000
SAMPLE = 1_000
KILLED_AT = 3
WAYS: dict[str, dict[str, Any]] = {
    "plain": {"graphs": False},
    "recorded": {"graphs": True},
    "bf16": {"graphs": True, "precision": "bf16-mixed"},
}


def speeds(run: Run, net: str) -> list[dict[str, Any]]:
    """Seconds and their ratio, for every way of running the net."""
    task = run.task(net).first(BATCH)
    do = task.interventions[0].do
    options = {s.name: s.asked for s in settings("table", net)}
    rows = []
    for way, how in WAYS.items():
        if way != "plain" and not run.device.startswith("cuda"):
            continue
        model = run.model(net).accelerate(**how)

        def once(name: str, model: cf.Model = model, **other: Any) -> float:
            chosen = {**options[name], **other}
            begun = synchronised(model.device)
            model.predict(model.abduct(task.evidence, **chosen), do, **chosen)
            return synchronised(model.device) - begun

        papers: dict[str, Any] = {"steps": 30} if run.quick else {}
        for name in ("default", PAPERS):
            once(name, steps=2, guided_steps=2)
        ours = [once("default") for _ in range(TURNS)]
        theirs = once(PAPERS, **papers)
        ours += [once("default") for _ in range(TURNS)]
        row = {"net": net, "way": way, "images": len(task), "default_seconds": median(ours)}
        row |= {"default_range": [min(ours), max(ours)], "papers_seconds": theirs}
        row |= {"papers_steps": papers.get("steps", 1000), "ratio": theirs / median(ours)}
        row |= {"default_images_per_second": len(task) / median(ours)}
        row |= {"papers_images_per_second": len(task) / theirs}
        rows.append(row)
        click.echo(
            f"{net:12} {way:9} default {row['default_seconds']:.3f} s, papers {theirs:.2f} s, "
            f"ratio {row['ratio']:.1f}, {row['default_images_per_second']:.0f} images/s"
        )
    return rows


def stream_report(run: Run, net: str) -> dict[str, Any]:
    """Stream, kill, resume; memory at every thousand rows."""
    rows, batch = (64, 8) if run.quick else (STREAMED, 250)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answers.safetensors"
        command = [sys.executable, "-m", "benchmarks.counterfactual.speed"]
        command += ["--net", str(net_path(run.nets, net)), "--out", str(out)]
        command += ["--device", run.device, "--rows", str(rows), "--batch", str(batch)]
        command += ["--graphs" if run.graphs else "--no-graphs"]
        killed = _killed(command, out, rows // batch * KILLED_AT // 10)
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
        found |= {"killed_after_batches": killed, "bytes": out.stat().st_size}
    click.echo(f"stream {net}: {json.dumps(found)}")
    return found


def _killed(command: list[str], out: Path, batches: int) -> int:
    """Start, and kill when so many batches are written; how many there were then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and _parts(out) < batches:
        time.sleep(0.02)
    if process.poll() is not None:
        raise RuntimeError(f"the stream ended with {process.returncode} before it could be killed")
    process.send_signal(signal.SIGKILL)
    process.wait()
    return _parts(out)


def _parts(out: Path) -> int:
    return len(list(out.with_name(f".{out.name}.parts").glob("[0-9]*.safetensors")))


def _resident() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@click.command()
@click.option("--net", required=True)
@click.option("--out", required=True)
@click.option("--device", default="cpu")
@click.option("--rows", default=STREAMED)
@click.option("--batch", default=250)
@click.option("--graphs/--no-graphs", default=True)
def main(net: str, out: str, device: str, rows: int, batch: int, graphs: bool) -> None:
    """One stream in a process of its own; prints what it did as JSON."""
    import causalflow as cf
    from benchmarks.counterfactual.tasks import bar_data

    data = bar_data("test", kind="frontdoor", n=rows)
    model = cf.Model.load(net, device=device).accelerate(graphs=graphs)
    samples: dict[int, float] = {}
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            at = _parts(Path(out)) * batch
            if at not in samples and (at % SAMPLE == 0 or rows < SAMPLE):
                samples[at] = round(_resident(), 1)

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        answered = model.counterfactual(
            data, do={"color": "red"}, out=out, batch_size=batch, progress=False
        )
    finally:
        done.set()
        watcher.join()
    found: dict[str, Any] = {"rows": answered.rows, "resumed_from": answered.resumed_from}
    found |= {"seconds": answered.seconds, "memory_mib": samples}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
