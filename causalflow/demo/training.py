"""Training of the demo model: what ``causalflow demo --train`` runs, and was run to ship it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from causalflow.data.bar_mnist import BarMNIST, bar_mnist
from causalflow.data.graphs import graph_path
from causalflow.graph.reader import load
from causalflow.model.compile import compile
from causalflow.model.model import Model

__all__ = ["CHECKPOINT", "GRAPH", "LOG", "TRAINING", "held_out", "train"]

GRAPH = "digits_demo_frontdoor"
CHECKPOINT = Path(__file__).parent / f"{GRAPH}.safetensors"
LOG = Path(__file__).parent / f"{GRAPH}.jsonl"
TRAINING = {"steps": 3200, "batch_size": 256, "learning_rate": 1e-3, "ema": 0.999, "seed": 0}


def train(folder: str | Path, **options: Any) -> Model:
    """Fit the demo's model to 20,000 rows made of real training digits; resumable.

    Args:
        folder: receives the model, the log, and the checkpoint from which a killed run goes on.
        options: fields of `causalflow.training.options.FitOptions` in place of those of `TRAINING`.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    model = compile(load(graph_path(GRAPH)))
    resume, log = target / f"{GRAPH}.resume.safetensors", target / LOG.name
    model.fit(bar_mnist("frontdoor"), **{"checkpoint": resume, "log": log, **TRAINING, **options})
    model.save(target / CHECKPOINT.name)
    return model


def held_out(n: int) -> BarMNIST:
    """n rows made of real digits that no training row was made of."""
    return bar_mnist("frontdoor", split="test", n=n)
