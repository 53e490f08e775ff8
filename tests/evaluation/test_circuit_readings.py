"""Readings of look-alike CausalCircuit pictures against the labels they were drawn from."""

from __future__ import annotations

import pytest
import torch

from causalflow.data.sets.causal_circuit import LABELS, causal_circuit
from causalflow.errors import DataError
from causalflow.evaluation.readers import read_circuit

# Rounding to 8 bits: half a level of 255 in each of the few pixels that tell a label, all one way.
MOST = {"arm": 0.004, "blue": 0.004, "green": 0.004, "red": 0.004}


@pytest.fixture(scope="module")
def data():
    return causal_circuit("test", 32, n=200, synthetic=True)


def test_labels_are_read_off_true_pictures(data):
    read = read_circuit(data.images)
    for name in LABELS:
        assert (read[name] - torch.as_tensor(data.labels[name])).abs().max() < MOST[name]


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_read_off_true_counterfactuals(data, name):
    world = data.true_counterfactual(range(len(data)), {name: 0.73})
    read = read_circuit(world["image"])
    for label in LABELS:
        assert (read[label] - world[label]).abs().max() < MOST[label]


def test_a_lamp_is_read_whatever_the_others_show(data):
    other = data.images.clone()
    other[:, :, 16:] = 40
    whole, read = read_circuit(data.images), read_circuit(other)
    assert read["arm"].isnan().all()
    assert torch.equal(read["red"], whole["red"])


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match="expected"):
        read_circuit(torch.zeros(2, 1, 32, 32))
