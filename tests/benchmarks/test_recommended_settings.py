"""The default of every graph that ships is what is recommended for its net, and was searched."""

import json

import pytest

from benchmarks.folders import RESULTS
from benchmarks.nets import CHECKPOINTS, net_path
from benchmarks.papers.diff_scm.experiment import PAPER_NET, chosen
from benchmarks.papers.experiment import read_tables
from benchmarks.settings import SEARCHED, declared, recommended, taken, write_settings
from causalflow.checkpoint import load_state, save_state, tensor_digest
from causalflow.cli.rows import named_model
from causalflow.formats.formats import load
from causalflow.graph.image_options import CALL_OPTIONS, Diffusion
from causalflow.graph.node import Anticausal
from causalflow.graph.settings import Settings
from causalflow.model.model import Model
from causalflow.shipped import checkpoint_names, graph_path, settings_for

DEFAULT = Diffusion()


def drawn_with(image, node, graph):
    """The options of a call, and the scale of each anti-causal edge, of an image mechanism."""
    options = {name: getattr(image.options, name) for name in CALL_OPTIONS}
    kinds = {edge.source: edge.kind for edge in graph.edges if edge.target == node}
    assert image.scales == {n: k.scale for n, k in kinds.items() if isinstance(k, Anticausal)}
    return options if kinds and image.scales else options | {"anticausal": DEFAULT.anticausal}


@pytest.mark.parametrize("name", checkpoint_names())
def test_the_default_of_every_shipped_graph_is_its_recommended_setting(name):
    wanted, by_default = recommended(name), {n: getattr(DEFAULT, n) for n in CALL_OPTIONS}
    asked, path = named_model(graph_path(name), "cpu")
    for model in (asked, Model.load(path)):
        assert model.settings == wanted
        for node, image in model.scm.images.items():
            given = wanted.get(node, Settings())
            assert drawn_with(image, node, model.graph) == by_default | dict(given.options)
            assert image.scales == {n: Anticausal().scale for n in image.scales} | given.scales
    graph = load(graph_path(name))
    assert settings_for(graph, path) == asked.scm.in_force


def test_what_is_recommended_for_a_net_that_was_searched_is_what_the_search_took():
    found = json.loads(SEARCHED.read_text())
    assert found.keys() == declared()["search"].keys()
    for net, given in declared()["search"].items():
        assert [each["settings"] for each in found[net]["tried"]] == given["tried"]
        assert (found[net]["split"], found[net]["pictures"]) == ("validation", given["pictures"])
        best = taken(net, found)
        own = recommended(net).get("image", Settings())
        assert best.get("options", {}).items() <= own.options.items()  # a solver is searched apart
        assert own.scales == best.get("scales", {})


def test_the_scale_of_diff_scm_is_that_of_its_own_search():
    curves = read_tables(RESULTS / "papers", "diff_scm")["diff_scm_scale"]["values"]
    best = chosen(PAPER_NET, curves)
    own = recommended(PAPER_NET)["image"]
    assert (own.scales, own.options) == ({"digit": best.scale}, dict(best.options))


def test_every_setting_says_what_it_was_chosen_on():
    for net in declared()["recommended"]:
        assert net_path(CHECKPOINTS, net).exists()
        assert all("validation pictures" in each.chosen for each in recommended(net).values())


def test_writing_settings_touches_no_tensor_and_nothing_else(tmp_path):
    path = tmp_path / "diff_scm_mnist.safetensors"
    before = load_state(net_path(CHECKPOINTS, path.stem))
    plain = {k: v for k, v in before.metadata.options.items() if k != "settings"}
    save_state(
        path,
        before.tensors,
        type(before.metadata)(
            kind="model",
            graph=before.metadata.graph,
            options=plain,
            libraries=before.metadata.libraries,
        ),
    )
    assert Model.load(path).settings == {}
    write_settings(path)
    after = load_state(path)
    assert tensor_digest(after.tensors) == tensor_digest(before.tensors)
    assert after.metadata == before.metadata
    assert path.read_bytes() == (net_path(CHECKPOINTS, path.stem)).read_bytes()
