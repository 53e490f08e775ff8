"""Threads change how long a fit takes, not what it finds, and are left as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import causalflow as cf


@pytest.mark.parametrize("noise", ["auto", "flow"])
def test_a_fit_by_three_threads_is_that_by_one_and_leaves_three(noise):
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    rows = {"a": a, "b": a + rng.normal(size=300), "c": rng.normal(size=300)}
    nodes = {name: {"type": "continuous", "noise": noise} for name in rows}
    graph, found, before = cf.Graph(nodes=nodes, edges=["a -> b"]), [], torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            model = cf.compile(graph)
            model.fit(rows, steps=3, progress=False)
            assert torch.get_num_threads() == threads
            found.append(model.counterfactual(rows, do={"a": 0.5})["b"])
    finally:
        torch.set_num_threads(before)
    assert found[0].equal(found[1])
