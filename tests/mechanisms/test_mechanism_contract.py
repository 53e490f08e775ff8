"""The contract of every mechanism: what is abducted predicts the evidence, and noise is a value."""

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.plugins import REGISTRIES

SMALL = {"width": 8, "multipliers": [1], "steps": 2, "predictor_width": 4}
COUNTS = ("poisson", "negative_binomial")
TABLE = {level: ["1/4", "1/2", "1/4"] for level in range(3)}
NODES = {
    **{
        f"class, {noise}": {"type": "class", "levels": 3, "noise": noise}
        for noise in REGISTRIES["noise of a class node"]
    },
    **{
        f"table, {noise}": {"type": "class", "levels": 3, "noise": noise, "table": TABLE}
        for noise in REGISTRIES["noise of a table"]
    },
    **{
        f"continuous, {noise}": {"type": "continuous", "noise": noise}
        for noise in REGISTRIES["noise of a continuous node"]
    },
    **{f"count, {noise}": {"type": "count", "noise": noise} for noise in COUNTS},
    "class, equation": {"type": "class", "levels": 3, "equation": "(p + u) % 3"},
    "continuous, equation": {"type": "continuous", "equation": "p + exp(v)"},
    "image": {"type": "image", "shape": [1, 8, 8], "diffusion": SMALL},
    "image, anticausal": {"type": "image", "shape": [1, 8, 8], "diffusion": SMALL},
}
ROWS = 60


def fitted(name):
    """A graph p -> x of that kind of x, after two steps."""
    random, node = np.random.default_rng(0), NODES[name]
    kind = ": anticausal" if "anticausal" in name else ""
    graph = cf.Graph(
        exogenous={"u": {"p": ["1/2", "1/4", "1/4"]}, "v": "normal"} if "eq" in name else None,
        nodes={"p": {"type": "class", "levels": 3}, "x": node},
        edges=[] if "equation" in node else [f"p -> x{kind}"],
    )
    p = random.integers(0, 3, ROWS)
    columns = {
        "class": (p + random.integers(0, 2, ROWS)) % 3,
        "continuous": p + random.normal(size=ROWS),
        "count": random.poisson(1 + p),
        "image": random.integers(0, 256, (ROWS, 1, 8, 8)).astype(np.uint8),
    }
    model = cf.compile(graph)
    model.fit({"p": p, "x": columns[node["type"]]}, steps=2, batch_size=20, progress=False)
    return model


@pytest.mark.parametrize("name", NODES)
def test_what_is_abducted_predicts_the_evidence_and_a_noise_is_replayed(name):
    model, exact = fitted(name), NODES[name]["type"] in ("class", "count")
    world = dict(model.sample(12, generator=1))
    again = model.counterfactual(world, {}, generator=2)
    # Float64 mechanisms solve to 1e-9; pictures leave in float32.
    tolerance = 0.0 if exact else 1e-5 if "image" in name else 1e-9
    torch.testing.assert_close(again["x"], world["x"], rtol=tolerance, atol=tolerance)
    other = {"p": (torch.as_tensor(world["p"]) + 1) % 3}
    first, second = (model.counterfactual(world, other, generator=3)["x"] for _ in range(2))
    assert torch.equal(first, second)
    assert len(first) == 12


def test_every_type_of_a_node_is_among_them():
    assert {node["type"] for node in NODES.values()} == set(REGISTRIES["type of a node"])
