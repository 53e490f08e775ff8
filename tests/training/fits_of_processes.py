"""Fits of processes: what the processes of `test_fits_of_processes` run, one fit after another.

python fits_of_processes.py FOLDER '[{"name": "ddp", "options": {...}}, ...]'
"""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from causalflow.training.fit import Fit, fit

QUIET = Fit(steps=8, batch_size=8, warmup=3, progress=False, device="cpu")


class Pictures:
    """Rows with a continuous column in float64 and pictures that show it."""

    def __init__(self, n=37):
        noise = torch.Generator().manual_seed(0)
        self.size = torch.randn(n, dtype=torch.float64, generator=noise)
        self.image = torch.randn(n, 1, 4, 4, generator=noise) + self.size.float().view(-1, 1, 1, 1)

    def __len__(self):
        return len(self.size)

    def rows(self, indices):
        return {"size": self.size[indices], "image": self.image[indices]}

    def labels(self):
        return {"size": self.size}


class Block(nn.Module):
    """5,725 weights, in 25 rows, which two processes cannot share evenly."""

    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(1, 25)
        self.mix = nn.Conv2d(25, 25, 3, padding=1)
        self.register_buffer("scale", torch.full((), 0.5))

    def forward(self, h):
        return h + self.scale * self.mix(self.norm(h)).relu()


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Conv2d(1, 25, 1)
        self.levels = nn.ModuleList([nn.ModuleList([Block(), Block()]), nn.ModuleList([Block()])])
        self.leave = nn.Conv2d(25, 1, 1)

    def forward(self, x):
        h = self.enter(x)
        for level in self.levels:
            for block in level:
                h = block(h)
        return self.leave(h)


class Staged(nn.Module):
    """A mechanism in float64, a network in float32, and weights that learn in one stage alone.

    Each call of the loss sleeps for ``nap`` seconds.
    """

    milestones = (3 / 8,)

    def __init__(self, nap=0.0):
        super().__init__()
        self.begun, self.nap = True, nap
        self.slope = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.network = Network()
        self.early, self.late = nn.Linear(1, 1), nn.Linear(1, 1)
        self.held = 0
        noise = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in self.parameters():
                if weight.ndim:
                    weight.copy_(0.2 * torch.randn(weight.shape, generator=noise))

    def networks(self):
        return [self.network]

    def calibrate(self, columns, generator):
        pass

    def reach(self, share):
        self.begun = share == 0

    def loss(self, batch, generator):
        if torch.is_grad_enabled():
            self.held = sum(local(weight).numel() for weight in self.parameters())
            time.sleep(self.nap)
        noise = torch.randn(batch["size"].shape, dtype=torch.float64, generator=generator)
        shown = self.network(batch["image"]).mean((1, 2, 3))
        last = (self.early if self.begun else self.late)(shown[:, None])[:, 0]
        return {
            "size": (self.slope * batch["size"] - noise).square(),
            "image": (last - batch["size"].float() + noise.float()).square(),
        }


def local(weight):
    return weight.to_local() if hasattr(weight, "placements") else weight


def run(folder, job):
    """One fit, its weights and what there is to say of it, in files that are named by the rank."""
    model = Staged(nap=job.get("nap", 0.0))
    own = {name: type(module) for name, module in model.named_modules()}
    chosen = {"checkpoint": f"{folder}/{job['name']}.resume", **job["options"]}
    report = fit(model, Pictures(), dataclasses.replace(QUIET, **chosen))
    rank = os.environ.get("RANK", "0")
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, f"{folder}/{job['name']}.{rank}.safetensors")
    found = {
        "held": model.held,
        "all": sum(weight.numel() for weight in model.parameters()),
        "losses": dict(report.losses),
        "processes": report.processes,
        "resumed_from": report.resumed_from,
        "ordinary": own == {name: type(module) for name, module in model.named_modules()}
        and all(type(weight) is nn.Parameter for weight in model.parameters())
        and not any("forward" in vars(module) for module in model.modules()),
    }
    Path(folder, f"{job['name']}.{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    for each in json.loads(sys.argv[2]):
        run(sys.argv[1], each)
