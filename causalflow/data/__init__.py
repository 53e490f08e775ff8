"""Data sets and how data enter: digits, MNIST and what is made of them, pendulum, circuit."""

from __future__ import annotations

from causalflow.data.bar_mnist import bar_mnist
from causalflow.data.catalogue import data_set
from causalflow.data.causal_circuit import causal_circuit
from causalflow.data.checkpoints import checkpoint_names, checkpoint_path
from causalflow.data.digits import digits
from causalflow.data.frame import Frame
from causalflow.data.grouped_mnist import colored_mnist, masked_mnist
from causalflow.data.image_folder import image_folder
from causalflow.data.mnist import mnist
from causalflow.data.morpho_mnist import morpho_mnist
from causalflow.data.partial import hide_labels
from causalflow.data.pendulum import pendulum

__all__ = [
    "Frame",
    "bar_mnist",
    "causal_circuit",
    "checkpoint_names",
    "checkpoint_path",
    "colored_mnist",
    "data_set",
    "digits",
    "hide_labels",
    "image_folder",
    "masked_mnist",
    "mnist",
    "morpho_mnist",
    "pendulum",
]
