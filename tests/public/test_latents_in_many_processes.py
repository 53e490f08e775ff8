"""An image in a latent, fitted under torchrun: two processes take the steps of one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import causalflow as cf

ROOT = Path(__file__).resolve().parents[2]
GRAPH = """
graph: bright
nodes:
  bright: {type: class, levels: 2}
  x: {type: continuous, noise: linear}
  image:
    type: image
    shape: [1, 8, 12]
    latent: {factor: 4, channels: 2, width: 4, share: SHARE}
    diffusion: {width: 4, depth: 1, predictor_width: 4, steps: 3}
edges: [bright -> image, x -> image]
"""
STEPS = 12

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)


def fit(folder, *words, processes=1):
    """What the command tells, and the path of the model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}"]
    launcher += ["--master_addr=127.0.0.1", f"--master_port={port}"]
    path = folder / f"{processes}.safetensors"
    given = ["fit", folder / "bright.yaml", "--data", folder / "rows.npz", "-o", path, *words]
    given += ["--steps", STEPS, "--batch-size", 8, "--log-every", 1, "--json"]
    given += ["--device", "cpu", "--no-progress", "--no-report"]
    ran = subprocess.run(
        [
            sys.executable,
            *(launcher if processes > 1 else []),
            *("-m", "causalflow", *map(str, given)),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), path


@pytest.fixture(params=[0.0, 0.5])
def share(request, tmp_path):
    """A folder with the graph and its rows; the share of the steps of the autoencoder alone."""
    random = np.random.default_rng(0)
    bright, x = random.integers(0, 2, 24), random.normal(size=24)
    ground = random.random((24, 1, 8, 12)) * 0.3 + 0.3 * bright[:, None, None, None]
    np.savez(tmp_path / "rows.npz", bright=bright, x=x, image=ground.astype(np.float32))
    (tmp_path / "bright.yaml").write_text(GRAPH.replace("SHARE", str(request.param)))
    return request.param


def test_two_processes_take_the_steps_of_one_that_accumulates_two_parts(share, tmp_path):
    one, first = fit(tmp_path, "--accumulate", 2)
    two, second = fit(tmp_path, processes=2)
    assert (one["steps"], two["steps"]) == (STEPS, STEPS)
    # A part has a mean of its own of the latent, and processes share theirs, while E learns.
    near = 1e-5 if not share else 0.2
    assert one["losses"].keys() >= {"image: diffusion", "image: reconstruction"}
    assert one["losses"] == pytest.approx(two["losses"], rel=near, abs=near)
    evidence = {"bright": [0, 1], "x": [0.0, 1.0], "image": np.full((2, 1, 8, 12), 0.4, np.float32)}
    asked = [
        cf.Model.load(path).counterfactual(evidence, do={"bright": 1}, local=False)["image"]
        for path in (first, second)
    ]
    assert (asked[1][1] - torch.tensor(evidence["image"][1])).abs().max() < 1e-6
    if not share:
        assert (asked[0] - asked[1]).abs().max() < 1e-3
