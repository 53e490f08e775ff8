"""Data sets and how data enter: digits, MNIST, Bar-MNIST and Morpho-MNIST with their truth."""

from __future__ import annotations

from causalflow.data.bar_mnist import bar_mnist
from causalflow.data.digits import digits
from causalflow.data.frame import Frame
from causalflow.data.grouped_mnist import colored_mnist, masked_mnist
from causalflow.data.image_folder import image_folder
from causalflow.data.mnist import mnist
from causalflow.data.morpho_mnist import morpho_mnist
from causalflow.data.partial import hide_labels

__all__ = [
    "Frame",
    "bar_mnist",
    "colored_mnist",
    "digits",
    "hide_labels",
    "image_folder",
    "masked_mnist",
    "mnist",
    "morpho_mnist",
]
