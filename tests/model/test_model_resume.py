"""A model's fit that is stopped and resumed ends with the weights of one that was not."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import causalflow as cf
from causalflow.data.frame import Frame
from causalflow.training.fit import FitInterrupted

OPTIONS = {"steps": 12, "batch_size": 16, "progress": False, "device": "cpu"}


def model():
    """Every kind of mechanism: tables of a hidden cause, a network, a flow, a linear node, ..."""
    nodes = {
        "a": {"type": "class", "levels": 2},
        "b": {"type": "class", "levels": 3},
        "size": {"type": "continuous", "support": "positive"},
        "score": {"type": "continuous", "noise": "linear"},
        "grade": {"type": "class", "levels": 2},
        "twice": {"type": "continuous", "equation": "2 * score"},
        "image": {
            "type": "image",
            "shape": [1, 8, 8],
            "diffusion": {"width": 8, "multipliers": [1, 2], "predictor_width": 8},
        },
    }
    edges = ["a -> b", "a <-> b", "b -> size", "size -> score", "score -> grade"]
    edges += ["a, size -> image: neural", "b -> image: anticausal"]
    return cf.compile(cf.Graph(nodes=nodes, edges=edges))


def rows(n=60):
    rng = np.random.default_rng(0)
    return {
        "a": rng.integers(2, size=n),
        "b": rng.integers(-1, 3, size=n),
        "size": rng.gamma(3, size=n),
        "score": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        "grade": rng.integers(2, size=n),
        "image": rng.random((n, 1, 8, 8)),
    }


@pytest.mark.parametrize("stop", [2, 7])
def test_a_stopped_fit_of_a_model_goes_on_to_the_same_weights(tmp_path, monkeypatch, stop):
    whole = model()
    whole.fit(rows(), **OPTIONS)
    read, calls = Frame.rows, []

    def interrupting(frame, indices):
        calls.append(len(indices))
        if calls.count(OPTIONS["batch_size"]) == stop:
            os.kill(os.getpid(), signal.SIGINT)
        return read(frame, indices)

    monkeypatch.setattr(Frame, "rows", interrupting)
    path = tmp_path / "run"
    with pytest.raises(FitInterrupted):
        model().fit(rows(), checkpoint=path, **OPTIONS)
    monkeypatch.setattr(Frame, "rows", read)
    resumed = model()
    report = resumed.fit(rows(), checkpoint=path, **OPTIONS)
    assert 0 < report.resumed_from < 12
    expected = whole.scm.state_dict()
    for name, tensor in resumed.scm.state_dict().items():
        assert tensor.equal(expected[name]), name
