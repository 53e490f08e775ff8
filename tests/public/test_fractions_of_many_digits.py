"""Exact answers whose numerators pass 64 bits on the way: the product of the tables' fractions."""

from fractions import Fraction

import numpy as np
import pytest

import causalflow as cf


def law(random):
    whole = int(random.integers(50_000, 200_000))
    part = int(random.integers(1, whole))
    return [Fraction(part, whole), Fraction(whole - part, whole)]


@pytest.mark.parametrize("seed", range(60))
def test_a_joint_probability_is_the_product_of_the_fractions(seed):
    random = np.random.default_rng(seed)
    a, b = law(random), law(random)
    z = [law(random) for _ in range(2)]
    y = [[law(random) for _ in range(2)] for _ in range(2)]
    tables = {
        "a": a,
        "b": b,
        "z": dict(enumerate(z)),
        "y": {i: dict(enumerate(rows)) for i, rows in enumerate(y)},
    }
    graph = cf.Graph(
        nodes={name: {"type": "class", "levels": 2, "table": t} for name, t in tables.items()},
        edges=["a -> z", "a -> y", "b -> y"],
    )
    answer = cf.compile(graph).ask("P(y=1, z=0, a=1, b=1)")
    assert answer.value == a[1] * b[1] * z[1][0] * y[1][1][1]
