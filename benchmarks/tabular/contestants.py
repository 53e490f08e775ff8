"""Contestants: what fits a suite's table and answers its counterfactuals, each at its defaults.

causalflow    a graph of continuous nodes, nothing said of their noise
dowhy         `gcm` with mechanisms of its own choice (quality GOOD); BETTER tries more learners
causalflows   a causal neural spline flow that is told the parents; columns standardised, Adam
              at 1e-3, 150 epochs of batches of 256
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.tabular.suites import Answer, Columns, parents

__all__ = ["CONTESTANTS", "missing"]

EPOCHS, BATCH, RATE = 150, 256, 1e-3


def causalflow(name: str, columns: Columns, seed: int) -> Answer:
    """This package."""
    import causalflow as cf

    nodes = {node: {"type": "continuous"} for node in columns}
    edges = [f"{', '.join(above)} -> {node}" for node, above in parents(name).items() if above]
    model = cf.compile(cf.Graph(nodes=nodes, edges=edges))
    model.fit(columns, progress=False, seed=seed)

    def answer(rows: Columns, do: Mapping[str, float]) -> Mapping[str, Any]:
        return dict(model.counterfactual(rows, do=dict(do)))

    return answer


def _dowhy(quality: str) -> Callable[[str, Columns, int], Answer]:
    def fitted(name: str, columns: Columns, seed: int) -> Answer:
        import networkx as nx
        import pandas as pd
        from dowhy import gcm

        gcm.config.disable_progress_bars()
        gcm.config.set_default_n_jobs(1)
        gcm.util.general.set_random_seed(seed)
        edges = [(p, node) for node, above in parents(name).items() for p in above]
        model = gcm.InvertibleStructuralCausalModel(nx.DiGraph(edges))
        frame = pd.DataFrame(columns)
        chosen = getattr(gcm.auto.AssignmentQuality, quality)
        gcm.auto.assign_causal_mechanisms(model, frame, quality=chosen)
        gcm.fit(model, frame)

        def answer(rows: Columns, do: Mapping[str, float]) -> Mapping[str, Any]:
            acts = {node: lambda _, value=value: value for node, value in do.items()}
            return dict(gcm.counterfactual_samples(model, acts, observed_data=pd.DataFrame(rows)))

        return answer

    return fitted


def causalflows(name: str, columns: Columns, seed: int) -> Answer:
    """A flow with the graph's parents as masks."""
    import torch
    from causalflows.flows import CausalNSF

    torch.manual_seed(seed)
    order = list(columns)
    above = parents(name)
    adjacency = torch.tensor([[p == n or p in above[n] for p in order] for n in order])
    table = torch.tensor(np.stack([columns[n] for n in order], 1), dtype=torch.float32)
    centre, spread = table.mean(0), table.std(0)
    flow = CausalNSF(len(order), 0, adjacency=adjacency, hidden_features=(64, 64))
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(table)).split(BATCH):
            loss = -flow().log_prob((table[rows] - centre) / spread).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def answer(rows: Columns, do: Mapping[str, float]) -> Mapping[str, Any]:
        ((node, value),) = do.items()
        at = order.index(node)
        given = torch.tensor(np.stack([rows[n] for n in order], 1), dtype=torch.float32)
        with torch.no_grad():
            set_to = (torch.full((len(given),), value) - centre[at]) / spread[at]
            found = flow().compute_counterfactual((given - centre) / spread, at, set_to)
        return {n: (found * spread + centre)[:, k].numpy() for k, n in enumerate(order)}

    return answer


CONTESTANTS: dict[str, tuple[str, Callable[[str, Columns, int], Answer]]] = {
    "causalflow": ("causalflow", causalflow),
    "DoWhy gcm": ("dowhy", _dowhy("GOOD")),
    "DoWhy gcm, BETTER": ("dowhy", _dowhy("BETTER")),
    "causalflows": ("causalflows", causalflows),
}
"""Name -> the package that it needs, and (suite, columns, seed) -> its answers, when fitted."""


def missing(package: str) -> bool:
    """Whether a contestant cannot be imported."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(package)
        except ImportError:
            return True
    return False
