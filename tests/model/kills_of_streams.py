"""Kills of streams: SIGKILL at random moments, gone on with by 1, 2 or 3 processes, same bytes.

    python tests/model/kills_of_streams.py --kills 10 --seed 0

A small model answers columns and draws rows, into shards, under torchrun. Whom a kill meets is
drawn too: the launcher and all its processes, the launcher alone, or one process, whose fellows the
launcher then ends. The files of the two folders, their indices among them, are held by SHA-256
against those of one process that nobody disturbed.
"""

import argparse
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file

import causalflow as cf

ROOT = Path(__file__).resolve().parents[2]
GRAPH = """
graph: toy
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, support: [0, 9]}
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [color -> size, "color, size -> image"]
"""
WORKER = """
import os, sys, time, warnings
from pathlib import Path
from safetensors.torch import load_file
import causalflow as cf
folder, out, begun = map(Path, sys.argv[1:4])
pause, draws = float(sys.argv[4]), int(sys.argv[5])
warnings.simplefilter("ignore")
model = cf.Model.load(folder / "model.safetensors")
evidence = load_file(folder / "evidence.safetensors")

def red(rows):
    time.sleep(pause)
    return {"color": "red"}

Path(f"{begun}.{os.environ.get('RANK', 0)}").touch()
options = dict(batch_size=4, shard_batches=3, progress=False)
model.counterfactual(evidence, red, out=out / "answers", shards="tar", **options)
model.sample(draws, red, out=out / "draws", shards="safetensors", **options)
"""
WAYS = ("all", "launcher", "one")


def prepared(folder, rows):
    """A fitted model, and evidence, in files."""
    random_ = torch.Generator().manual_seed(0)
    evidence = {
        "color": torch.arange(rows) % 2,
        "size": torch.rand(rows, generator=random_).double() + 1,
        "image": torch.rand(rows, 3, 8, 8, generator=random_),
    }
    model = cf.compile(cf.loads(GRAPH))
    some = {name: column[:24] for name, column in evidence.items()}
    model.fit(some, steps=1, batch_size=8, progress=False, device="cpu")
    model.save(folder / "model.safetensors")
    save_file(evidence, folder / "evidence.safetensors")
    (folder / "worker.py").write_text(WORKER)


def start(folder, out, begun, count, pause, draws):
    """The worker by itself, or under torchrun, in a session of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={count}"]
    launcher += ["--master_addr=127.0.0.1", f"--master_port={port}"]
    words = [folder / "worker.py", folder, out, begun, pause, draws]
    return subprocess.Popen(
        [sys.executable, *(launcher if count > 1 else []), *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def digests(out):
    """File -> SHA-256, of all files under a folder, hidden ones too."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def kill(process, way, chance):
    """SIGKILL to everybody, to the launcher, or to one of its processes."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = [int(pid) for pid in children.read_text().split()] if way == "one" else []
    if way == "all":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(chance.choice(workers) if workers else process.pid, signal.SIGKILL)


@dataclass(slots=True, kw_only=True)
class Told:
    """What happened: kills by way, how many amid the work, starts by number of processes.

    ``same``: whether the bytes of all ``files`` agree.
    """

    kills: Counter = field(default_factory=Counter)
    amid: int = 0
    starts: Counter = field(default_factory=Counter)
    files: int = 0
    same: bool = False


def disturbed(folder, kills, seed, rows, pause=0.03, ways=WAYS, counts=(1, 2, 3)):
    """Kill a stream so many times, let it end, and hold it against one left in peace."""
    chance, told, out, number = random.Random(seed), Told(), folder / "killed", 0
    prepared(folder, rows)
    alone = start(folder, folder / "whole", folder / "begun", 1, 0, rows // 2)
    said = alone.communicate(timeout=300)[1]
    assert alone.returncode == 0, said
    while True:
        number, count = number + 1, chance.choice(counts)
        begun, left = folder / f"begun{number}", kills - told.kills.total()
        way = chance.choice(ways) if count > 1 else "all"
        # A process that begins after its launcher has ended looks for it until torch gives up.
        awaited = count if way == "launcher" else 1
        process = start(folder, out, begun, count, pause if left else 0, rows // 2)
        told.starts[count] += 1
        while left and len(list(folder.glob(f"{begun.name}.*"))) < awaited:
            if process.poll() is not None:
                break
            time.sleep(0.01)
        if left:
            time.sleep(chance.uniform(0, 40 * pause))
        if left and process.poll() is None:
            kill(process, way, chance)
            told.kills[way] += 1
            told.amid += out.exists() and not (out / "draws" / "index.json").exists()
        errors = process.communicate(timeout=300)[1]
        if process.returncode == 0 and not left:
            break
        assert left or "writes here" in errors, errors  # of a launcher that is gone, for a moment
    whole, found = digests(folder / "whole"), digests(out)
    told.files, told.same = len(whole), whole == found
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        told = disturbed(Path(folder), given.kills, given.seed, 100 * given.kills)
    sys.stdout.write(
        f"{told.kills.total()} kills ({dict(told.kills)}), {told.amid} amid the work; "
        f"starts by number of processes {dict(told.starts)}\n"
        f"{told.files} files, SHA-256 equal to those of one process: {told.same}\n"
        f"{time.monotonic() - begun:.0f} s\n"
    )
    sys.exit(not told.same)


if __name__ == "__main__":
    main()
