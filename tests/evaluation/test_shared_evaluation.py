"""An evaluation that processes share: its worlds are those of one process, bit by bit."""

import threading
from contextlib import contextmanager
from copy import deepcopy

import pytest
import torch
from crews import played

import causalflow as cf
from causalflow.evaluation import outcomes
from causalflow.evaluation.outcomes import Settings, asked_worlds
from causalflow.evaluation.task import from_rows, stated_action

GRAPH = """
graph: toy
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, support: [0, 9]}
  image: {type: image, shape: [1, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [color -> size, "color, size -> image"]
"""
ROWS = 33


@pytest.fixture(scope="module")
def asked():
    graph, random = cf.loads(GRAPH), torch.Generator().manual_seed(0)
    rows = {
        "color": torch.arange(2 * ROWS) % 2,
        "size": torch.rand(2 * ROWS, generator=random).double() + 1,
        "image": torch.rand(2 * ROWS, 1, 8, 8, generator=random),
    }
    model = cf.compile(graph)
    model.fit(rows, steps=1, batch_size=8, progress=False, device="cpu")
    subject = from_rows(graph, "rows", rows, ROWS, 0)
    actions = [stated_action(graph, subject, do) for do in ({"color": "red"}, {"size": 1.5})]
    return model, subject, actions, Settings(batch=4, progress=False)


@pytest.mark.parametrize("count", [2, 3])
def test_worlds_are_the_same_whoever_asks_for_them(asked, count, monkeypatch):
    (model, *rest), one, crews = asked, asked_worlds(*asked), {}

    @contextmanager
    def processes(about):
        yield crews[threading.get_ident()]

    def member(crew):
        crews[threading.get_ident()] = crew
        return asked_worlds(deepcopy(model), *rest)  # a model counts its network's calls

    monkeypatch.setattr(outcomes, "processes", processes)
    for found in played(count, member):
        assert torch.equal(found.kept, one.kept)
        assert torch.equal(found.decoded, one.decoded)
        for residual in (True, False):
            pairs = zip(found.cycles[residual], one.cycles[residual], strict=True)
            assert all(torch.equal(a, b) for a, b in pairs)
        for a, b in zip(found.outcomes, one.outcomes, strict=True):
            assert a.action.query == b.action.query
            assert torch.equal(a.returned, b.returned)
            assert all(torch.equal(a.world[name], b.world[name]) for name in b.world)
            assert (a.calls, a.refused, len(a.seconds)) == (b.calls, b.refused, len(b.seconds))
