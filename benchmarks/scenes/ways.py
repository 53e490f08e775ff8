"""Ways: how a counterfactual picture is made of a factual one, each a row of the tables.

truth                  the true counterfactual itself: what the judges can confirm
unchanged              the factual picture
floor                  the true counterfactual through the autoencoder: what the latent can say
latent                 the image node at its defaults: local mask, residual carried
latent, no mask        without the assumption that parents act locally
latent, no residual    without what the autoencoder misses of the factual picture
latent, plain          without both
latent, picture alone  no label is given with the picture
latent, half told      of each picture's labels a random half are given
latent, half labels    fitted to rows of which half have no label
pixel                  the image node in pixels, its CPU minutes those of HVAE
HVAE                   the field's reference (`benchmarks.scenes.hvae`), told the true labels of
                       the counterfactual world
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

import causalflow as cf
from benchmarks.scenes.hvae import HVAE
from benchmarks.scenes.latent import decoded_again
from benchmarks.scenes.scene import Columns, Scene
from causalflow.mechanisms.mechanism import to_public

__all__ = ["WAYS", "Way", "net_path", "of_model", "pictures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How pictures are made.

    Attributes:
        net: the method of fitting whose net it asks; "": none.
        options: of the calls.
        told: the share of each picture's factual labels that is given.
    """

    net: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    told: float = 1.0


WAYS: dict[str, Way] = {
    "truth": Way(),
    "unchanged": Way(),
    "floor": Way(net="latent"),
    "latent": Way(net="latent"),
    "latent, no mask": Way(net="latent", options={"local": False}),
    "latent, no residual": Way(net="latent", options={"residual": False}),
    "latent, plain": Way(net="latent", options={"local": False, "residual": False}),
    "latent, picture alone": Way(net="latent", told=0.0),
    "latent, half told": Way(net="latent", told=0.5),
    "latent, half labels": Way(net="latent_half"),
    "pixel": Way(net="pixel"),
    "HVAE": Way(net="hvae"),
}


def net_path(nets: Path, family: str, method: str) -> Path:
    """The file of a net: FAMILY_METHOD.safetensors."""
    return nets / f"{family}_{method}.safetensors"


def pictures(
    name: str, scene: Scene, path: Path, device: str = "cpu"
) -> Iterator[tuple[str, Tensor]]:
    """Intervention -> counterfactual pictures of the scene's rows; "null": no intervention.

    Args:
        name: of `WAYS`.
        scene: the rows.
        path: the file of the way's net.
        device: where it runs; not HVAE.
    """
    way = WAYS[name]
    if name == "truth":
        yield from ((do, true["image"]) for do, true in scene.truths.items())
    elif name == "unchanged":
        yield from ((do, scene.rows["image"]) for do in scene.actions)
    elif name == "floor":
        model = cf.Model.load(path).to(device)
        yield from ((do, decoded_again(model, true["image"])) for do, true in scene.truths.items())
    elif way.net == "hvae":
        yield from _of_hvae(HVAE.load(path), scene)
    else:
        model = cf.Model.load(path).to(device)
        yield from of_model(model, scene, told=way.told, **way.options)


def _of_hvae(peer: HVAE, scene: Scene) -> Iterator[tuple[str, Tensor]]:
    factual = {name: scene.rows[name] for name in peer.context.names}
    for do, true in scene.truths.items():
        new = {name: true[name] for name in peer.context.names}
        yield do, peer.counterfactual(scene.rows["image"], factual, new)
    yield "null", peer.counterfactual(scene.rows["image"], factual, {})


def of_model(
    model: cf.Model, scene: Scene, *, told: float = 1.0, **options: Any
) -> Iterator[tuple[str, Tensor]]:
    """The pictures of a model of ours.

    Args:
        model: fitted.
        scene: the rows.
        told: the share of each picture's factual labels that is given.
        options: of the calls.
    """
    noise = model.abduct(_public(model, scene.told(told)), **options)
    for do, values in scene.actions.items():
        yield do, model.predict(noise, _public(model, values), **options)["image"].cpu()
    yield "null", model.predict(noise, {}, **options)["image"].cpu()


def _public(model: cf.Model, columns: Columns) -> dict[str, Tensor]:
    """Columns as the model's face has them."""
    types = {name: node.type for name, node in model.graph.nodes.items()}
    return {
        name: column if types[name].pictured else to_public(types[name], column)
        for name, column in columns.items()
    }
