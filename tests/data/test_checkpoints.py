import json
import re
from dataclasses import replace

import pytest

from causalflow.data.sets.catalogue import data_set_of
from causalflow.errors import CheckpointError
from causalflow.formats.formats import load, loads
from causalflow.graph.graph import Graph
from causalflow.graph.image_options import Diffusion
from causalflow.graph.latent_options import Latent
from causalflow.graph.node import Anticausal, Image
from causalflow.hub.pretrained import from_pretrained
from causalflow.shipped import (
    checkpoint_for,
    checkpoint_names,
    checkpoint_path,
    graph_names,
    graph_path,
    merged_options,
)

MEGABYTE = 1_000_000
FOLDER = checkpoint_path("morpho_mnist").parents[1]


def changed(graph, **parts):
    shared = [f"{first} <-> {second}" for first, second in graph.bidirected]
    given = {"nodes": graph.nodes, "edges": graph.edges, "name": graph.name} | parts
    return Graph(**given | {"edges": [*given["edges"], *shared]})


@pytest.mark.parametrize("name", checkpoint_names())
def test_every_checkpoint_is_that_of_its_graph_file(name):
    assert checkpoint_for(load(graph_path(name))) == checkpoint_path(name)
    model = from_pretrained(name)  # every file held against its digest
    assert model.fitted >= set(model.graph.nodes)
    assert data_set_of(name) is not None


@pytest.mark.parametrize("name", checkpoint_names())
def test_every_checkpoint_has_a_log_a_command_and_at_most_four_megabytes_or_eight(name):
    path = checkpoint_path(name)
    first, *steps = (path.parent / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(first)["options"]["seed"] >= 0
    assert json.loads(steps[-1])["step"] > 0
    (row,) = [
        r for r in (FOLDER / "README.md").read_text().splitlines() if r.startswith(f"| `{name}`")
    ]
    assert re.search(r"`python -m benchmarks\.(nets|scenes fit) ", row)
    most = 8 if name.startswith("scene_") else 4.2  # 4 MiB
    assert path.stat().st_size <= most * MEGABYTE


def test_checkpoints_take_at_most_thirty_two_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.*")) <= 32 * MEGABYTE


def test_no_checkpoint_pretends_to_be_of_a_graph_it_was_not_fitted_with():
    found = {n: checkpoint_for(load(graph_path(n))) for n in graph_names()}
    assert {name for name, path in found.items() if path is not None} == set(checkpoint_names())


def test_a_latent_that_is_stated_as_it_would_be_by_itself_keeps_the_checkpoint():
    graph = load(graph_path("morpho_mnist"))
    image = graph.nodes["image"]
    pixels, latent = (
        replace(image, latent=each) for each in (Latent(autoencoder="none"), Latent())
    )
    stated = changed(graph, nodes={**graph.nodes, "image": pixels})
    assert checkpoint_for(stated) == checkpoint_path("morpho_mnist")
    assert checkpoint_for(changed(graph, nodes={**graph.nodes, "image": latent})) is None


def test_a_graph_that_declares_something_else_has_no_checkpoint():
    graph = load(graph_path("morpho_mnist"))
    edges = [replace(e, kind=Anticausal()) if e.source == "digit" else e for e in graph.edges]
    assert checkpoint_for(changed(graph, edges=edges)) is None
    fewer = [edge for edge in graph.edges if edge.source != "digit"]
    assert checkpoint_for(changed(graph, edges=fewer)) is None
    image = graph.nodes["image"]
    for other in (
        replace(image, shape=(1, 16, 16)),
        replace(image, diffusion=Diffusion(prediction="noise")),
        replace(image, diffusion=Diffusion(width=64)),
    ):
        assert checkpoint_for(graph.with_nodes({"image": other})) is None


def test_name_queries_and_inference_may_differ():
    graph = load(graph_path("morpho_mnist"))
    image = replace(graph.nodes["image"], diffusion=Diffusion(steps=7, strength=2.0))
    renamed = changed(graph.with_nodes({"image": image}), name="mine")
    assert renamed.queries == ()
    assert checkpoint_for(renamed) == checkpoint_path("morpho_mnist")


def test_what_a_file_states_of_inference_wins_over_the_fit_and_nothing_else():
    fitted = Diffusion(width=8, steps=20, path="cosine", strength=3.0)
    declared = Image(shape=(1, 8, 8), diffusion=Diffusion(width=64, steps=5))
    assert merged_options(declared, fitted) == replace(fitted, steps=5)


def declared(name, **diffusion):
    """The graph file, its image with these options."""
    graph = load(graph_path(name))
    fields = {"type": "image", "shape": list(graph.nodes["image"].shape), "diffusion": diffusion}
    return changed(graph, nodes={**graph.nodes, "image": fields})


def test_an_option_of_training_that_a_file_states_at_its_default_is_stated():
    fitted = {"path": "linear-1000", "prediction": "noise", "weighting": "noise"}
    assert checkpoint_for(declared("diff_scm_mnist", **fitted)) == checkpoint_path("diff_scm_mnist")
    for name in fitted:
        by_default = fitted | {name: getattr(Diffusion(), name)}
        assert checkpoint_for(declared("diff_scm_mnist", **by_default)) is None
    unstated = {name: value for name, value in fitted.items() if name != "weighting"}
    assert checkpoint_for(declared("diff_scm_mnist", **unstated)) is not None
    assert checkpoint_for(declared("morpho_mnist", code=None)) == checkpoint_path("morpho_mnist")


def test_an_option_of_inference_that_a_file_states_at_its_default_wins_over_the_fit():
    fitted, default = Diffusion(steps=50, solver="ddim"), Diffusion()
    node = declared("morpho_mnist", steps=default.steps).nodes["image"]
    assert merged_options(node, fitted) == replace(fitted, steps=default.steps)


def test_what_a_file_states_outlives_every_way_of_writing_it():
    graph = declared("morpho_mnist", width=Diffusion().width, steps=7)
    assert "diffusion: {width: 32, steps: 7}" in graph.to_yaml()
    for again in (loads(graph.to_yaml()), changed(graph), graph.subgraph(graph.nodes)):
        assert again.nodes["image"].stated == {"width", "steps"}
    assert graph == declared("morpho_mnist", steps=7)


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(CheckpointError, match="did you mean 'morpho_mnist'"):
        checkpoint_path("morpho-mnist")
    assert (
        checkpoint_path("morpho_mnist.safetensors") == FOLDER / "morpho_mnist" / "model.safetensors"
    )
