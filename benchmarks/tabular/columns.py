"""Columns: how far draws of a fitted column are from fresh rows of its law, beside chance alone.

Eight columns that tables have: counts, many zeros, a Cauchy law, three outliers of a million among
5,000, shares with exact 0 and 1, ten modes, rounded heights, incomes with zeros. Each is fitted
with no parents, and below one number that moves it. The distance is Kolmogorov-Smirnov's, between
50,000 draws and as many fresh rows; chance: between the rows fitted and the fresh rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["KINDS", "Row", "distances", "drawn"]

Row = dict[str, Any]
KINDS = ("counts", "zeros", "cauchy", "outliers", "shares", "ten modes", "rounded", "incomes")
DRAWS = 50_000
SUPPORTS = {"shares": "[0, 1]"}


def drawn(n: int, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """The columns, and `z`, which moves them; outliers at three rows in 5,000."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    outliers = rng.normal(size=n) + z / 2
    outliers[rng.permutation(n)[: 3 * n // 5000]] = 1e6
    zero = rng.random(n) < 1 / (1 + np.exp(-z - 0.8))
    return {
        "z": z,
        "counts": rng.poisson(np.exp(z / 2 + 1)).astype(float),
        "zeros": np.where(zero, 0.0, np.exp(z + rng.normal(size=n) / 2)),
        "cauchy": z + rng.standard_cauchy(n),
        "outliers": outliers,
        "shares": np.clip(rng.normal(0.5 + z / 5, 0.4), 0, 1),
        "ten modes": 3 * rng.integers(0, 10, n) + 0.3 * rng.normal(size=n),
        "rounded": np.round(170 + 5 * z + 7 * rng.normal(size=n)),
        "incomes": np.maximum(0, np.round(rng.lognormal(7 + z / 4, 1) - 500)),
    }


def distances(rows: int, seed: int) -> Iterator[Row]:
    """For every column the distance alone and below z, that of chance, and what was chosen."""
    import causalflow as cf

    table, fresh = drawn(rows, seed), drawn(DRAWS, seed + 1000)
    for kind in KINDS:
        found: Row = {"column": kind, "seed": seed, "chance": _apart(table[kind], fresh[kind])}
        support = {"support": [0, 1]} if kind in SUPPORTS else {}
        for case, edges in (("alone", []), ("below", [["z", "column"]])):
            names = ["z", "column"] if edges else ["column"]
            nodes: dict[str, Any] = {name: {"type": "continuous"} for name in names}
            nodes["column"] |= support
            model = cf.compile(cf.Graph(nodes=nodes, edges=["z -> column"] if edges else []))
            model.fit({"z": table["z"], "column": table[kind]} if edges else
                      {"column": table[kind]}, progress=False)  # fmt: skip
            drawn_rows = np.asarray(model.sample(DRAWS, generator=seed + 2)["column"])
            found[case] = _apart(drawn_rows, fresh[kind])
            found[f"{case} mechanism"] = model.describe().set_index("node")["mechanism"]["column"]
        yield found


def _apart(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    from scipy.stats import ks_2samp

    return float(ks_2samp(first, second).statistic)
