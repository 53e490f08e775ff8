"""Data: digests of the first rows of every data set, and of rows whose labels are hidden.

Whole numbers and pictures are kept as digests, numbers of formulas with the first of them. Those of
MNIST need its files in ``$CAUSALFLOW_DATA``; the others come with the package and scikit-learn.
"""

from functools import partial

import numpy as np
import torch
from golden_files import digest, numbers, refused

import causalflow as cf

TOLERANCE = 1e-6
ROWS = 16


def of_rows(rows):
    """Of each column its digest, or the first numbers where it is real."""
    return {name: of_column(column) for name, column in getattr(rows, "columns", rows).items()}


def of_column(column):
    array = column.numpy() if isinstance(column, torch.Tensor) else np.asarray(column)
    first = array[:ROWS]
    if first.dtype.kind in "iub":
        return [str(array.dtype), list(first.shape), digest(first.astype(np.int64))]
    if first.dtype.kind == "f":
        return numbers(first)
    return [str(each) for each in first]


def of_digits():
    return {split: of_rows(cf.data.digits(split)) for split in ("train", "validation", "test")}


def of_bar(**given):
    """Rows, the true labels and pictures under an intervention, and what is drawn behind them."""
    data = cf.data.bar_mnist(n=ROWS, **given)
    other = data.true_counterfactual([0, 1, 2], {"color": "red"})
    hidden = {name: of_column(values) for name, values in data.exogenous.items()}
    return {"rows": of_rows(data), "other": of_rows(other), "hidden": hidden}


def of_pendulum(size, **given):
    data = cf.data.pendulum("train", size, n=ROWS, **given)
    parts = of_rows(data.parts) if size == 32 else {}
    other = of_rows(data.true_counterfactual([0, 5], {"angle": 10.0}))
    return {"rows": of_rows(data), "parts": parts, "other": other}


def of_circuit():
    data = cf.data.causal_circuit("train", 32, n=ROWS, synthetic=True)
    return {"rows": of_rows(data), "other": of_rows(data.true_counterfactual([0], {"arm": 0.5}))}


def of_scenes(family, **do):
    """Rows, and the true labels and pictures under an intervention; pictures never drift."""
    data = cf.data.scenes(family, "test", 32, ROWS)
    large = of_column(cf.data.scenes(family, size=64, n=4, seed=1).images)
    other = of_rows(data.true_counterfactual([0, 5], do))
    return {"rows": of_rows(data), "large": large, "other": other}


def of_grouped(make, source):
    splits = {split: of_rows(make(split, ROWS, source=source)) for split in ("train", "test")}
    other = make("train", ROWS, source=source).true_counterfactual([0, 1], {"color": "green"})
    return splits | {"other": of_rows(other)}


def of_morpho(**given):
    data = cf.data.morpho_mnist("test", n=ROWS, workers=1, **given)
    return {
        "rows": of_rows(data),
        "other": of_rows(data.true_counterfactual([0], {"thickness": 3.0})),
    }


def of_hidden():
    """Which labels are hidden, by column type; larger shares keep what smaller ones keep."""
    data = cf.data.bar_mnist("frontdoor", n=ROWS, source="digits", size=8)
    circuit = cf.data.causal_circuit("train", 16, n=ROWS, synthetic=True)
    return {
        "bar": of_rows(data.with_labels(0.25)),
        "seed": of_rows(data.with_labels(0.5, seed=3)),
        "circuit": [np.isnan(circuit.with_labels(0.5)[name]).tolist() for name in ("arm", "red")],
        "named": of_rows(cf.data.hide_labels(data.columns, 0.5, names=["digit"])),
        "too much": refused(cf.data.hide_labels, data.columns, 1.5),
    }


def of_splits():
    """The first labels of every split and seed of a drawn data set."""
    return {
        f"{split} {seed}": of_rows(cf.data.bar_mnist("backdoor", split, 8, ROWS, seed, "digits"))
        for split in ("train", "validation", "test")
        for seed in (0, 1)
    }


def of_catalogue(name, size=None):
    return of_rows(cf.data.data_set(name).draw("test", n=ROWS, size=size))


def of_mnist():
    return {split: of_rows(cf.data.mnist(split)) for split in ("train", "validation", "test")}


CASES = {
    "digits": of_digits,
    "bar front door": partial(of_bar, kind="frontdoor", source="digits"),
    "bar back door": partial(of_bar, kind="backdoor", source="digits", size=8),
    "bar confounded": partial(of_bar, kind="backdoor", source="digits", confounding=0.99),
    "pendulum 32": partial(of_pendulum, 32),
    "pendulum published": partial(of_pendulum, 16, labels="published"),
    "circuit": of_circuit,
    "scene ball": partial(of_scenes, "ball", size=12.0, stripe="present"),
    "scene phantom": partial(of_scenes, "phantom", drug="given", age=60.0),
    "scene face": partial(of_scenes, "face", beard="present", age=30.0),
    "colored": partial(of_grouped, cf.data.colored_mnist, "digits"),
    "masked": partial(of_grouped, cf.data.masked_mnist, "digits"),
    "hidden labels": of_hidden,
    "splits and seeds": of_splits,
    "catalogue bar_digits": partial(of_catalogue, "bar_digits", 8),
    "catalogue pendulum_parts": partial(of_catalogue, "pendulum_parts"),
    "catalogue circuit": partial(of_catalogue, "causal-circuit-synthetic"),
    "MNIST": of_mnist,
    "MNIST bar": partial(of_bar, kind="frontdoor", size=28),
    "MNIST colored": partial(of_grouped, cf.data.colored_mnist, "mnist"),
    "MNIST masked": partial(of_grouped, cf.data.masked_mnist, "mnist"),
    "MNIST morpho": of_morpho,
    "MNIST morpho 16": partial(of_morpho, size=16),
}
