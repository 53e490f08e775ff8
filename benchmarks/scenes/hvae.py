"""HVAE: the field's reference for image counterfactuals, small, fitted to the same pictures.

A hierarchical variational autoencoder conditioned on the picture's parents pa. A counterfactual:

    abduct    z ~ q(z | x, pa);   eps = (x - mu(z, pa)) / sigma(z, pa)
    act       pa'
    predict   x' = mu(z, pa') + sigma(z, pa') eps

so that the null intervention gives the picture back. What the parents would have been is the
caller's to say: from the graph's other mechanisms, or from the truth. Fitted by the evidence bound
with AdamW at 1e-3, betas (.9, .9), decay .01, batches of 32, a warm-up of 100 steps, gradients
clipped, averaged weights (.999), as the source does; its second stage, which tunes the network by
a judge's gradient so that counterfactuals look effective, is left out here.

Source: Ribeiro et al. (2023), High fidelity image counterfactuals with probabilistic causal models;
Melistas et al. (2024), Benchmarking counterfactual image generation: the same model, z drawn at a
temperature of .1.

Example:
    peer = HVAE.fit(frame["image"], {"size": size, "hue": hue}, levels={"hue": 4}, seconds=1500)
    peer.counterfactual(pictures, {"size": s, "hue": h}, {"size": s_new, "hue": h})
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from benchmarks.scenes.hvae_network import Network, NetworkOptions
from causalflow.errors import DataError
from causalflow.evaluation.networks import unit_images
from causalflow.files import whole_file
from causalflow.graph.graph import Graph

__all__ = ["HVAE", "Context", "Training", "levels_of"]

CHUNK = 64


def levels_of(graph: Graph, image: str = "image") -> dict[str, int]:
    """The levels of each class among the parents of an image node, for `HVAE.fit`."""
    found = {name: graph.nodes[name].type.levels for name in sorted(graph.parents(image))}
    return {name: len(levels) for name, levels in found.items() if levels is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How the parents of a picture are told to the network.

    Attributes:
        names: the parents, in order.
        levels: 0 for a number, else how many levels a class has.
        centre: the mean of each number, 0 for a class.
        spread: the standard deviation of each number, 1 for a class.
    """

    names: tuple[str, ...]
    levels: tuple[int, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, parents: Mapping[str, Tensor], levels: Mapping[str, int]) -> Context:
        """From the labels that are learnt from, each of shape (n,)."""
        names = tuple(parents)
        numbers = {n: parents[n].double() for n in names if not levels.get(n)}
        for name, values in parents.items():
            if not values.double().isfinite().all() or (levels.get(name) and values.min() < 0):
                raise DataError(f"HVAE: parent '{name}' has unlabelled rows; leave them out")
        return cls(
            names=names,
            levels=tuple(levels.get(name, 0) for name in names),
            centre=tuple(float(numbers[n].mean()) if n in numbers else 0.0 for n in names),
            spread=tuple((float(numbers[n].std()) or 1.0) if n in numbers else 1.0 for n in names),
        )

    @property
    def width(self) -> int:
        """Numbers a picture."""
        return sum(levels or 1 for levels in self.levels)

    def __call__(self, parents: Mapping[str, Tensor]) -> Tensor:
        """Standardised numbers and one-hot classes, float32, shape (batch, width)."""
        missing = [name for name in self.names if name not in parents]
        if missing:
            raise DataError(f"HVAE: no values of parent '{missing[0]}'")
        columns = []
        for name, levels, centre, spread in zip(
            self.names, self.levels, self.centre, self.spread, strict=True
        ):
            values = parents[name]
            if levels:
                columns.append(functional.one_hot(values.long(), levels).float())
            else:
                columns.append(((values.double() - centre) / spread).float()[:, None])
        return torch.cat(columns, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the network is fitted."""

    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.9)
    decay: float = 0.01
    batch: int = 32
    warm_up: int = 100
    average: float = 0.999
    clip: float = 100.0
    beta: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HVAE:
    """A fitted hierarchical VAE.

    Attributes:
        network: the averaged weights, in evaluation mode.
        context: how parents are told.
        log: what fitting gave: steps, seconds, and the mean bound of the last hundred steps.
    """

    network: Network
    context: Context
    log: dict[str, float]

    @classmethod
    def fit(
        cls,
        images: Tensor,
        parents: Mapping[str, Tensor],
        *,
        levels: Mapping[str, int],
        seconds: float | None = None,
        steps: int | None = None,
        training: Training | None = None,
        options: Mapping[str, Any] | None = None,
        seed: int = 0,
        progress: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> HVAE:
        """Fit to real pictures and their parents.

        Args:
            images: uint8 or float in [0, 1], shape (n, channel, height, width), square.
            parents: name -> labels, shape (n,): numbers, or indices of levels.
            levels: name of a class -> how many levels it has; all others are numbers.
            seconds: fit so long, by ``clock``.
            steps: or so many steps; whichever ends first.
            training: rates and sizes.
            options: fields of `NetworkOptions` other than the default.
            seed: of weights, order and draws.
            progress: show a bar on standard error.
            clock: what the seconds are measured by, as ``time.process_time``.

        Raises:
            DataError: neither seconds nor steps, rows without labels, pictures that are not square.
        """
        if (seconds is None and steps is None) or images.shape[-1] != images.shape[-2]:
            raise DataError("HVAE: expected seconds= or steps=, and square pictures")
        context, training = Context.of(parents, levels), training or Training()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            channel, height, width = images.shape[1:]
            shape = channel, height, width
            network = Network(NetworkOptions(shape=shape, parents=context.width, **(options or {})))
        run = _Run(network, training, torch.Generator().manual_seed(seed))
        start = clock()
        with tqdm(total=steps, unit="step", desc="HVAE", disable=not progress) as bar:
            while not _over(run.done, steps) and not _over(clock() - start, seconds):
                rows = run.rows(len(images))
                x = 2 * unit_images(images[rows]) - 1
                run.step(x, context({name: parents[name][rows] for name in context.names}))
                bar.update()
        log = {"steps": run.done, "seconds": clock() - start, "negative_elbo": run.bound}
        return cls(network=run.averaged.eval(), context=context, log=log)

    @torch.no_grad()
    def counterfactual(
        self,
        images: Tensor,
        parents: Mapping[str, Tensor],
        new: Mapping[str, Tensor],
        *,
        temperature: float = 0.1,
        seed: int = 0,
    ) -> Tensor:
        """The pictures, had their parents been ``new``: float in [0, 1], shape of the images.

        Args:
            images: uint8 or float in [0, 1], shape (batch, channel, height, width).
            parents: name -> factual values, shape (batch,).
            new: name -> values in the counterfactual world; parents not named stay.
            temperature: of z ~ q(z | x, pa).
            seed: of the draws of z.
        """
        random, made = torch.Generator().manual_seed(seed), []
        factual, other = self.context(parents), self.context({**parents, **new})
        for rows in torch.arange(len(images)).split(CHUNK):
            x = 2 * unit_images(images[rows]) - 1
            z = self.network.infer(x, factual[rows], temperature, random).values
            mean, log_scale = self.network.decode(z, factual[rows])
            eps = (x - mean) * (-log_scale).exp()
            mean, log_scale = self.network.decode(z, other[rows])
            made.append((mean + log_scale.exp() * eps).clamp(-1, 1))
        return (torch.cat(made) + 1) / 2

    @torch.no_grad()
    def bound(self, images: Tensor, parents: Mapping[str, Tensor], seed: int = 0) -> Tensor:
        """-ELBO of each picture, nats a pixel and channel, shape (batch,)."""
        random, pa, found = torch.Generator().manual_seed(seed), self.context(parents), []
        for rows in torch.arange(len(images)).split(CHUNK):
            x = 2 * unit_images(images[rows]) - 1
            nll, divergence = self.network.negative_elbo(x, pa[rows], random)
            found.append((nll + divergence) / x[0].numel())
        return torch.cat(found)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: weights, and everything else as JSON in its header."""
        about = {
            "options": asdict(self.network.options),
            "context": asdict(self.context),
            "log": self.log,
        }
        with whole_file(path) as part:
            save_file(self.network.state_dict(), part, metadata={"hvae": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> HVAE:
        """Read what `save` wrote.

        Raises:
            DataError: no file of this kind.
        """
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("hvae", "null"))
            if about is None:
                raise DataError(f"{path}: no HVAE")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        options = about["options"]
        sized = {key: {int(k): v for k, v in options[key].items()} for key in ("widths", "levels")}
        options = {**options, **sized, "shape": tuple(options["shape"])}
        network = Network(NetworkOptions(**options))
        network.load_state_dict(weights)
        context = Context(**{key: tuple(value) for key, value in about["context"].items()})
        return cls(network=network.eval(), context=context, log=about["log"])


class _Run:
    """A fit under way: steps, and the average of its weights."""

    def __init__(self, network: Network, training: Training, random: torch.Generator) -> None:
        self.network, self.averaged = network, copy.deepcopy(network)
        self.training, self.random = training, random
        self.adam = torch.optim.AdamW(
            network.parameters(), training.rate, training.betas, weight_decay=training.decay
        )
        self.done, self.bounds, self.order = 0, [float("nan")] * 100, torch.zeros(0)

    @property
    def bound(self) -> float:
        """The mean of -ELBO over the last hundred steps, nats a pixel and channel."""
        known = [each for each in self.bounds if each == each]
        return sum(known) / max(1, len(known))

    def rows(self, count: int) -> Tensor:
        """The next batch: every pass in another order."""
        if not len(self.order):
            self.order = torch.randperm(count, generator=self.random)
        rows, self.order = self.order[: self.training.batch], self.order[self.training.batch :]
        return rows

    def step(self, x: Tensor, parents: Tensor) -> None:
        """One step of AdamW on the bound."""
        nll, divergence = self.network.negative_elbo(x, parents, self.random)
        loss = (nll + self.training.beta * divergence).mean() / x[0].numel()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip)
        for group in self.adam.param_groups:
            group["lr"] = self.training.rate * min(1.0, (self.done + 1) / self.training.warm_up)
        self.bounds[self.done % len(self.bounds)] = float(loss.detach())
        self.done += 1
        self.adam.step()
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        kept = min(self.training.average, (1 + self.done) / (10 + self.done))
        mine = self.network.parameters()
        for average, own in zip(self.averaged.parameters(), mine, strict=True):
            average.lerp_(own, 1 - kept)


def _over(value: float, limit: float | None) -> bool:
    return limit is not None and value >= limit
