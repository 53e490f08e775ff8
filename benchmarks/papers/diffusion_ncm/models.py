"""Models: both graphs of Bar-MNIST, their labels fitted to rows, one image mechanism for the two.

The picture is made of digit, color and bar by the same mechanism in both graphs, whoever decides
the three. So it is taken from the net that was fitted to the front door's pictures
(`causalflow.model.storage`); the mechanisms of the labels, with their latent class, are fitted
to 200,000 rows of labels of either graph.

Noise of the bar: *gumbel* is the default. With two levels it is monotone: whoever had no bar at the
lower probability of one gets it at the higher, and nobody loses it. Among all models of the data
and the graph that is an extreme one, so that answers lie at an end of the bounds. *response* has a
noise of its own for each combination of the parents: answers lie within.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

import causalflow as cf
from causalflow.data.shipped import graph_path
from causalflow.graph.node import Class
from causalflow.model.likelihood import latent_districts

__all__ = ["KINDS", "LABELS", "NOISES", "ROWS", "fitted", "law_of", "rows_of"]

KINDS = ("backdoor", "frontdoor")
LABELS = ("digit", "color", "bar")
NOISES = ("gumbel", "response")
ROWS = 200_000
EDGES = {
    "backdoor": ["digit <-> color", "digit, color -> bar"],
    "frontdoor": ["digit -> color -> bar", "digit <-> bar"],
}


def rows_of(kind: str, rows: int = ROWS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Labels drawn from the explicit graph, each of shape (rows,)."""
    drawn = cf.compile(cf.load(graph_path(f"bar_mnist_{kind}_scm"))).sample(rows, generator=seed)
    return {name: drawn[name] for name in LABELS}


def fitted(kind: str, noise: str, donor: cf.Model, rows: int = ROWS) -> cf.Model:
    """A graph's model: labels fitted to its rows, the image from ``donor``.

    Args:
        kind: one of `KINDS`.
        noise: of the bar, one of `NOISES`.
        donor: any model of Bar-MNIST whose edges into the image are all neural.
        rows: of labels.
    """
    nodes = dict(donor.graph.nodes)
    bar = nodes["bar"]
    assert isinstance(bar, Class)
    graph = cf.Graph(
        nodes={**nodes, "bar": replace(bar, noise=noise)},
        edges=[*EDGES[kind], "digit, color, bar -> image: neural"],
        name=f"bar-mnist-{kind}",
    )
    model = cf.compile(graph, image=donor.scm.images["image"].options)
    model.fit(rows_of(kind, rows), nodes=LABELS, progress=False, device="cpu")
    return model.transplant("image", donor).to(donor.device)


def law_of(model: cf.Model) -> NDArray[np.float64]:
    """P(digit, color, bar) of a fitted model, exactly: shape (10, 2, 2)."""
    cells = torch.tensor(list(product(range(10), range(2), range(2))), device=model.device)
    values = dict(zip(LABELS, cells.T, strict=True))
    districts = latent_districts(model.scm)
    terms = [district.log_likelihood(values) for district in districts]
    shared = {name for district in districts for name in district.children}
    terms += [model.scm.log_prob(name, values) for name in LABELS if name not in shared]
    law: NDArray[np.float64] = torch.stack(terms).sum(0).detach().exp().cpu().numpy()
    return law.reshape(10, 2, 2)
