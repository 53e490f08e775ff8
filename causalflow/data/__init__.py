"""Data: how rows and pictures enter, and the data sets that come with the package.

Example: ``cf.data.bar_mnist("frontdoor")`` or ``cf.data.read("folder", graph)``, for ``model.fit``.
"""

from __future__ import annotations

from causalflow.data.collection import Collection, read
from causalflow.data.files import image_folder
from causalflow.data.frame import Frame, hide_labels
from causalflow.data.reading import Reading
from causalflow.data.sets.bar_mnist import bar_mnist
from causalflow.data.sets.catalogue import data_set
from causalflow.data.sets.causal_circuit import causal_circuit
from causalflow.data.sets.confounded.confounded import confounded
from causalflow.data.sets.digits import digits, mnist
from causalflow.data.sets.grouped_mnist import colored_mnist, masked_mnist
from causalflow.data.sets.morpho_mnist import morpho_mnist
from causalflow.data.sets.pendulum import pendulum
from causalflow.data.sets.scenes.scenes import scenes
from causalflow.data.shards import Shards, shards
from causalflow.shipped import checkpoint_names, checkpoint_path

__all__ = [
    "Collection",
    "Frame",
    "Reading",
    "Shards",
    "bar_mnist",
    "causal_circuit",
    "checkpoint_names",
    "checkpoint_path",
    "colored_mnist",
    "confounded",
    "data_set",
    "digits",
    "hide_labels",
    "image_folder",
    "masked_mnist",
    "mnist",
    "morpho_mnist",
    "pendulum",
    "read",
    "scenes",
    "shards",
]
