"""Latent: what a fitted image node does between picture and latent, by itself.

floor        D(E(x)), the picture through the autoencoder: no flow in between
round trip   the largest error of z = E(x) after its way to the noise and back under the same
             parents, by the solver, the residual of the flow left out
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.scenes.scene import Scene
from causalflow.evaluation.networks import unit_images
from causalflow.mechanisms.image.codec import ImageNoise

__all__ = ["decoded_again", "mechanism_of", "round_trip"]


def mechanism_of(model: cf.Model) -> Any:
    """The mechanism of the one image node."""
    (mechanism,) = model.scm.images.values()
    return mechanism


@torch.no_grad()
def decoded_again(model: cf.Model, images: Tensor) -> Tensor:
    """Pictures through the autoencoder, in [0, 1].

    Args:
        model: its image has a latent.
        images: uint8 or in [0, 1], (batch, channel, height, width).
    """
    canvas = mechanism_of(model).canvas
    z = canvas.encode((2 * unit_images(images) - 1).to(model.device))
    return ((canvas.decode(z) + 1) / 2).clamp(0, 1).cpu()


@torch.no_grad()
def round_trip(path: Path, scene: Scene) -> float:
    """The largest error of the latents of a scene's rows, nothing of them kept but the noise."""
    model = cf.Model.load(path)
    mechanism, noise = mechanism_of(model), model.abduct(scene.evidence).noise["image"]
    whole = ImageNoise.of(noise)
    told = mechanism._codec.conditions(whole.reference, whole)
    back = mechanism.trajectory.down(told, whole.position, whole.offset)
    return float((back - noise["canvas"]).abs().max())
