"""Latents: the representations of an image's parents, in factual worlds and in computed ones.

A parent with a representation (`causalflow.mechanisms.representation`) has a latent in each of its
images, read by that image's own encoder: latents of two images mean different things.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from causalflow.errors import EvidenceError, one_of
from causalflow.mechanisms.base import Values
from causalflow.model.scm import StructuralModel, WorldNoise

__all__ = ["factual_latents", "latents_of"]


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
