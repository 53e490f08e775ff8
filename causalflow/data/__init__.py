"""Data sets and how data enter: digits, MNIST, Bar-MNIST with its truth, image folders, Frame."""

from __future__ import annotations

from causalflow.data.bar_mnist import bar_mnist
from causalflow.data.digits import digits
from causalflow.data.frame import Frame
from causalflow.data.image_folder import image_folder
from causalflow.data.mnist import mnist

__all__ = ["Frame", "bar_mnist", "digits", "image_folder", "mnist"]
