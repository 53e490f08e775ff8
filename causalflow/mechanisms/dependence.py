"""Dependence: how much a code tells of a node's parents, in a batch; 0 if they are independent.

Notation: z_i the code of row i, d its length, a_i the value of a parent; K and L the n x n matrices

    K_ij = 1/2 exp(-|z_i - z_j|^2 / (2 d)) + 1/(2 d) sum_k exp(-2 (z_ik - z_jk)^2)
    L_ij = 1{a_i = a_j} of a class, exp(-(a_i - a_j)^2 / 2) of a standardised number

whose first part sees all of z at the scale of N(0, I), and whose second sees each of its numbers
alone, at half that scale: a parent told by one number of many hides from the first. With H the
centring matrix, the Hilbert-Schmidt independence criterion and the dependence are

    HSIC(K, L) = tr(K H L H) / n^2,     dependence = mean over parents of HSIC(K, L) / HSIC(L, L).

Source: Gretton et al. (2005), Measuring Statistical Dependence with Hilbert-Schmidt Norms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.mechanisms.base import Values
from causalflow.mechanisms.labels import labelled

__all__ = ["dependence"]

SMALLEST = 1e-6


def dependence(code: Tensor, parents: Values) -> Tensor:
    """The mean over the parents, shape (), differentiable in the code.

    Args:
        code: shape (batch, length).
        parents: classes or numbers by name, shape (batch,); unlabelled rows of a parent are left
            out by a weight of zero.
    """
    told = _code_kernel(code)
    terms = [_one(told, value) for value in parents.values()]
    return torch.stack(terms).mean() if terms else code.new_zeros(())


def _one(told: Tensor, value: Tensor) -> Tensor:
    """HSIC(K, L) / HSIC(L, L) over the labelled rows of one parent."""
    known = labelled(value).to(told.dtype)
    count = known.sum().clamp_min(1)
    centre = torch.diag(known) - torch.outer(known, known) / count
    kernel = centre @ _parent_kernel(value, known).to(told.dtype) @ centre
    return (told * kernel).sum() / kernel.square().sum().clamp_min(SMALLEST)


def _code_kernel(code: Tensor) -> Tensor:
    squares = (code[:, None] - code[None]).square()
    together = torch.exp(-squares.mean(dim=2) / 2)
    return (together + torch.exp(-2 * squares).mean(dim=2)) / 2


def _parent_kernel(value: Tensor, known: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value[:, None] == value[None]
    number = value.nan_to_num()
    mean = (number * known).sum() / known.sum().clamp_min(1)
    spread = ((number - mean).square() * known).sum() / known.sum().clamp_min(1)
    scaled = (number - mean) / spread.clamp_min(SMALLEST).sqrt()
    return torch.exp(-(scaled[:, None] - scaled[None]).square() / 2)
