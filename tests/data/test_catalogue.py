"""The contract of every data set of pictures with labels: splits, seeds, true counterfactuals."""

import numpy as np
import pytest
import torch

from causalflow.data.sets.bar_mnist import bar_mnist
from causalflow.data.sets.catalogue import DATA_SETS, data_set, data_set_of
from causalflow.data.sets.causal_circuit import causal_circuit
from causalflow.data.sets.grouped_mnist import colored_mnist, masked_mnist
from causalflow.data.sets.pendulum import pendulum
from causalflow.data.sets.scenes.scenes import scenes
from causalflow.errors import DataError, EvidenceError
from causalflow.formats.formats import load
from causalflow.shipped import graph_path

MADE = {
    "front door": lambda *split, **given: bar_mnist("frontdoor", *split, **given),
    "back door": lambda *split, **given: bar_mnist("backdoor", *split, **given),
    "colored": lambda *split, **given: colored_mnist(*split, source="digits", **given),
    "masked": lambda *split, **given: masked_mnist(*split, source="digits", **given),
    "circuit": lambda *split, **given: causal_circuit(
        *(split or ("train",)), 16, synthetic=True, **given
    ),
    "pendulum": lambda *split, **given: pendulum(*(split or ("train",)), 16, **given),
    "ball": lambda *split, **given: scenes("ball", *(split or ("train",)), 32, **given),
    "phantom": lambda *split, **given: scenes("phantom", *(split or ("train",)), 32, **given),
    "face": lambda *split, **given: scenes("face", *(split or ("train",)), 32, **given),
}
GROUPED = ("colored", "masked")  # whose one question is of the color
ROWS = [5, 0, 7]
UNITS = {"thickness", "intensity", "angle", "light", "length", "position"} | {
    "size",
    "hue",
    "x",
    "lamp",
    "age",
    "heart",
    "contrast",
    "grey",
    "smile",
    "tone",
}


@pytest.mark.parametrize("name", MADE)
def test_without_an_intervention_the_counterfactual_is_the_factual(name):
    data = MADE[name](n=12)
    own = {label: column[ROWS] for label, column in data.labels.items()}
    null = {"color": own["color"]} if name in GROUPED else {}
    world = data.true_counterfactual(torch.tensor(ROWS), null)
    assert torch.equal((world["image"] * 255).round().byte(), data.images[ROWS])
    assert all(np.array_equal(world[label], column) for label, column in own.items())
    with pytest.raises((DataError, EvidenceError), match="image"):
        data.true_counterfactual([0], {"image": 0})


@pytest.mark.parametrize("name", MADE)
def test_a_data_set_is_a_function_of_its_split_and_seed(name):
    first, again, other = (MADE[name](split, n=40) for split in ("train", "train", "test"))
    assert torch.equal(first.images, again.images)
    assert all(np.array_equal(first.labels[each], again.labels[each]) for each in first.labels)
    assert not torch.equal(first.images, other.images)
    if name not in ("pendulum", *GROUPED):  # of which nothing is drawn
        assert not torch.equal(first.images, MADE[name]("train", n=40, seed=1).images)


@pytest.mark.parametrize("name", MADE)
def test_no_split_of_another_name_and_no_data_set_without_rows_is_made(name):
    with pytest.raises(DataError, match="unknown split 'dev'"):
        MADE[name]("dev", n=4)
    with pytest.raises(DataError, match="n is 0; expected"):
        MADE[name](n=0)


@pytest.mark.parametrize(
    ("model", "truth"),
    [
        *((f"bar_mnist_{kind}", f"bar_mnist_{kind}_scm") for kind in ("frontdoor", "backdoor")),
        ("morpho_mnist", "morphomnist_scm"),
        ("causal_circuit", "causal_circuit_scm"),
        ("pendulum", "pendulum_scm"),
        ("causal_diffae_pendulum", "pendulum_scm"),
        *((f"scene_{family}", f"scene_{family}_scm") for family in ("ball", "phantom", "face")),
    ],
)
def test_the_modelling_graph_has_the_structure_of_the_true_labels(model, truth):
    graph, scm = load(graph_path(model)), load(graph_path(truth))
    labels = [name for name in scm.nodes if name != "image"]
    assert graph.subgraph(labels).admg == scm.subgraph(labels).admg
    units = [{n: each.nodes[n].unit for n in labels if n in UNITS} for each in (graph, scm)]
    assert units[0] == units[1]


def test_every_graph_of_a_data_set_is_a_file_that_ships():
    for each in map(DATA_SETS.get, DATA_SETS):
        assert all(load(graph_path(name)).nodes for name in each.graphs)
        assert all(data_set_of(name) is each for name in each.graphs)
    assert data_set_of("ascm_xy") is None


def test_a_data_set_is_drawn_at_a_split_number_and_size():
    drawn = data_set("bar-digits").draw("test", n=5, size=8)
    assert drawn.images.shape == (5, 3, 8, 8)
    assert drawn.scm.name.startswith("bar-mnist-frontdoor")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data_set("morpho_minst"), "did you mean 'morpho_mnist'"),
        (lambda: data_set("mnist").draw(size=16), "mnist: its images have one size"),
        (lambda: data_set("mnist").draw(n=0), "mnist: n is 0"),
        (lambda: data_set("bar_digits").draw("tests"), "unknown split 'tests'"),
    ],
)
def test_what_no_data_set_has_is_one_line(call, message):
    with pytest.raises(DataError, match=message):
        call()
