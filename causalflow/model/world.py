"""World: values by node, the noise they came from, and how the answer came about.

Latents: the representations of an image's parents, in factual worlds and in computed ones.

A parent with a representation (`causalflow.mechanisms.image.representation`) has a latent in each
of its images, read by that image's own encoder: latents of two images mean different things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from causalflow.errors import EvidenceError, one_of
from causalflow.identify.verdict import Verdict
from causalflow.mechanisms.mechanism import Values
from causalflow.model.repeats import Repeats
from causalflow.model.scm import StructuralModel, WorldNoise

__all__ = ["Abduction", "Info", "World", "factual_latents", "latents_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """How an answer came about.

    Attributes:
        network_calls: passes of an image through a diffusion network, per row of the answer.
        round_trip_error: mean absolute error, in [0, 1], of the factual images decoded without
            residual; None where no image was observed or no residual is kept.
        inferred: node missing from the evidence -> how its value was found.
        free: nodes of which the evidence says nothing; their noise was drawn.
        open_noise: declared exogenous variables that the evidence leaves more than one value (in
            some row); they were drawn from their posterior.
        effective_draws: how many independent draws those of importance sampling were worth, in the
            worst row; None where the posterior is exact.
        undetermined: nodes whose value in this world the evidence leaves open: what the world holds
            of them is a draw (`World.probabilities`).
        warnings: what lies outside of the ranges that the mechanisms were fitted to.
    """

    network_calls: float = 0.0
    round_trip_error: float | None = None
    inferred: Mapping[str, str] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    undetermined: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    open_noise: tuple[str, ...] = ()
    effective_draws: float | None = None


def _unjudged() -> None:
    """Nothing was asked."""


class World(Mapping[str, Tensor]):
    """Values by node in public units, and the `Info` of how they came about.

    Attributes:
        latents: of each image, the representations of its parents in this world, (rows, length).
        info: how the values came about, and which of them are draws.
    """

    def __init__(
        self,
        values: Mapping[str, Tensor],
        info: Info,
        judge: Callable[[], Verdict | None] = _unjudged,
        latents: Mapping[str, Mapping[str, Tensor]] | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        self._values = dict(values)
        self.info = info
        self._judge = judge
        self.latents = latents or {}
        self._repeats = repeats

    def judged(self, judge: Callable[[], Verdict | None]) -> World:
        """The same world, with what makes its verdict when that is asked for."""
        return World(self._values, self.info, judge, self.latents, self._repeats)

    @cached_property
    def verdict(self) -> Verdict | None:
        """Whether P(v) alone tells this answer, or it rests on the model; None: nothing was asked.

        Computed when it is first read.
        """
        return self._judge()

    @cached_property
    def repeats(self) -> Mapping[str, Tensor]:
        """Undetermined node -> values of further draws from the same evidence, (draws, rows).

        Drawn when they are first read; classes as positions of their levels.
        """
        if self._repeats is None or not self.info.undetermined:
            return {}
        drawn = self._repeats.drawn()
        return {name: drawn[name] for name in self.info.undetermined}

    @property
    def probabilities(self) -> Mapping[str, Tensor]:
        """Undetermined class -> P(level, had this been done | evidence), float64, (rows, levels).

        Counted in `repeats`.
        """
        return {} if self._repeats is None else self._repeats.probabilities(self.repeats)

    def __getstate__(self) -> dict[str, Any]:
        """With the further draws made: an action may be a function of this process alone."""
        kept = self._repeats if self.info.undetermined else None
        repeats = None if kept is None else replace(kept, actions={})
        return {**self.__dict__, "repeats": self.repeats, "_repeats": repeats}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._values:
            raise KeyError(f"no node '{name}' in this answer; {one_of(name, self._values)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {tuple(value.shape)}" for name, value in self.items())
        drawn = ", ".join(map(self._shown, self.info.undetermined))
        return f"World({shapes}{f'; one draw of several: {drawn}' if drawn else ''})"

    def _shown(self, name: str) -> str:
        """An undetermined node, of a single row with the probabilities of its levels."""
        shares = self.probabilities.get(name) if len(self[name]) == 1 else None
        if shares is None or self._repeats is None:
            return name
        levels = self._repeats.levels(name)
        pairs = zip(levels, shares[0].tolist(), strict=True)
        return f"{name} ({', '.join(f'{level}: {share:.2g}' for level, share in pairs)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abduction:
    """The noise of factual worlds: `Model.predict` replays them, or their counterfactuals, from it.

    Attributes:
        noise: by node and hidden root.
        rows: the number of worlds.
        info: how it was found.
        known: node -> engine values that were given or read off an image, gaps among them; without
            the images that diffusion models make.
    """

    noise: WorldNoise
    rows: int
    info: Info
    known: Values = field(default_factory=dict)


def latents_of(
    scm: StructuralModel, noise: WorldNoise, values: Values
) -> dict[str, dict[str, Tensor]]:
    """The latents of a computed world, by image and parent: shape (rows, length).

    Args:
        scm: the model.
        noise: that the world was computed from.
        values: of its nodes.
    """
    return {
        name: image.latents({p: values[p] for p in image.parents}, noise[name])
        for name, image in scm.images.items()
        if name in noise and image.representation is not None
    }


def factual_latents(
    scm: StructuralModel, values: Values, node: str | None = None
) -> dict[str, Tensor]:
    """The latents of factual images, by parent: shape (rows, length).

    Args:
        scm: the model.
        values: evidence, the images among it.
        node: the image to read; None: all that are given.

    Raises:
        EvidenceError: ``node`` is no image with represented parents, or is not given; no such image
            is; or several show the same parent.
    """
    images = {n: image for n, image in scm.images.items() if image.representation is not None}
    if node is not None and node not in images:
        raise EvidenceError(
            f"node {node!r} is no image with represented parents; {one_of(node, images)}"
        )
    read = {n: images[n].represent(values[n], values) for n in _given(images, values, node)}
    if not read:
        what = "image with represented parents" if node is None else f"image of node '{node}'"
        raise EvidenceError(
            f"graph '{scm.graph.name}': no {what} is given; a node declares its vector as "
            "representation: 16"
        )
    _check_shared(read)
    return {name: latent for found in read.values() for name, latent in found.items()}


def _given(images: Mapping[str, object], values: Values, node: str | None) -> list[str]:
    return [name for name in images if name in values and node in (None, name)]


def _check_shared(read: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Refuse to choose between the encoders of several images."""
    for parent in dict.fromkeys(name for found in read.values() for name in found):
        showing = [image for image, found in read.items() if parent in found]
        if len(showing) > 1:
            raise EvidenceError(
                f"represent: '{parent}' has a latent in each of the images {showing}; "
                f"name one, as node='{showing[0]}'"
            )
