"""What a model keeps of its rows: written, read, checked field by field, and not missed."""

import json
import math

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.checkpoint import load_into, load_state, save_state
from causalflow.errors import CheckpointError
from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.model.experience import Experience, Pictures

GRAPH = cf.Graph(
    nodes={
        "a": {"type": "continuous"},
        "c": {"type": "class", "levels": 2},
        "i": {"type": "image", "shape": [1, 8, 8]},
    },
    edges=["a -> i", "c -> i"],
)
KNOWN = Experience(
    ranges={"i": {"a": (1.0, 2.0)}, "a": {"a": (-3.5, 2.0)}},
    distances={"a": 0.25},
    pictures={"i": Pictures(rows=9, kept=2, digests=frozenset([b"123456", b"abcdef"]))},
)


def test_what_is_written_is_read():
    assert Experience.read(json.loads(json.dumps(KNOWN.record())), GRAPH) == KNOWN
    assert Experience.read(None, GRAPH) == Experience()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("ranges", []),
        ("ranges", {"x": {}}),
        ("ranges", {"i": {"c": [0, 1]}}),
        ("ranges", {"i": {"a": [0]}}),
        ("ranges", {"i": {"a": [2, 1]}}),
        ("ranges", {"i": {"a": [0, math.inf]}}),
        ("ranges", {"i": {"a": ["0", 1]}}),
        ("distances", {"a": 2}),
        ("distances", {"a": True}),
        ("distances", {"c": 0.1}),
        ("pictures", {"a": {"rows": 1, "kept": 1, "digests": ""}}),
        ("pictures", {"i": {"rows": 1, "kept": 2, "digests": ""}}),
        ("pictures", {"i": {"rows": 1, "kept": 1, "digests": "!"}}),
        ("pictures", {"i": {"rows": 1, "kept": 1, "digests": "AAAA"}}),
        ("pictures", {"i": {"rows": "1", "kept": 1, "digests": ""}}),
    ],
)
def test_a_field_that_cannot_be_is_refused(part, value):
    with pytest.raises(CheckpointError, match="experience"):
        Experience.read({**KNOWN.record(), part: value}, GRAPH)


def test_a_file_without_experience_and_newer_buffers_answers_as_before(tmp_path):
    graph = cf.Graph(nodes={n: {"type": "continuous"} for n in "ab"}, edges=["a -> b"])
    model = cf.compile(graph)
    rows = np.random.default_rng(0).normal(size=(2, 200))
    model.fit({"a": rows[0], "b": rows.sum(0)}, steps=3, progress=False)
    model.save(tmp_path / "new.safetensors")
    state = load_state(tmp_path / "new.safetensors")
    options = {k: v for k, v in state.metadata.options.items() if k != "experience"}
    newer = ("bend", "bends", "closed")
    tensors = {n: t for n, t in state.tensors.items() if n.rpartition(".")[2] not in newer}
    assert len(tensors) < len(state.tensors)
    metadata = type(state.metadata)(kind="model", graph=state.metadata.graph, options=options)
    save_state(tmp_path / "old.safetensors", tensors, metadata)
    old = cf.Model.load(tmp_path / "old.safetensors")
    assert old.experience == Experience()
    far = old.sample(4, {"a": 50.0})
    assert far.info.warnings == ()
    with pytest.warns(cf.SupportWarning):
        assert far["b"].equal(model.sample(4, {"a": 50.0})["b"])


def test_buffers_that_an_older_file_lacks_are_neutral_whatever_was_there():
    node = cf.Graph(nodes={"x": {"type": "continuous", "support": [0, 1]}}).nodes["x"]
    old, used = ContinuousMechanism("x", node, {}), ContinuousMechanism("x", node, {})
    rows = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)
    used.calibrate({"x": rows}, torch.Generator())
    assert used.closed.tolist() == [1, 1]
    kept = {n: t for n, t in old.state_dict().items() if n not in ("bend", "bends", "closed")}
    load_into(used, kept, "old.safetensors")
    assert used.closed.tolist() == [0, 0]
    assert math.isinf(used.bend)


def test_pictures_seen_in_two_fits_stay_seen():
    first, second = (
        Experience(pictures={"i": Pictures(rows=1, kept=1, digests=frozenset([digest]))})
        for digest in (b"123456", b"abcdef")
    )
    both = first.then(second).pictures["i"]
    assert (both.rows, both.kept, len(both.digests), both.whole) == (2, 2, 2, True)
