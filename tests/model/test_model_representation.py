"""Nodes with a representation: an image is told vectors in place of labels, which act on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.errors import CompileError, EvidenceError, GraphError
from causalflow.mechanisms.image.representation import SPREAD

ROWS = 5
OPTIONS = {"steps": 60, "batch_size": 32, "progress": False, "device": "cpu", "learning_rate": 3e-3}
DIFFUSION = {"width": 8, "multipliers": [1, 2], "predictor_width": 8, "steps": 4, "null_rate": 0.2}


def graph(**diffusion):
    """a -> b -> c, each a stripe of the image; the kind is its frame, and told by its label."""
    number = {"type": "continuous", "noise": "linear", "representation": 3}
    nodes = {
        "kind": {"type": "class", "levels": ["dark", "light"]},
        "a": number,
        "b": number,
        "c": number,
        "image": {"type": "image", "shape": [1, 8, 8], "diffusion": DIFFUSION | diffusion},
    }
    return cf.Graph(nodes=nodes, edges=["a -> b -> c", "kind, a, b, c -> image: neural"])


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(1, 1, size=n)
    b = 2 * a + rng.normal(0, 0.5, size=n)
    c = 3 - b + rng.normal(0, 0.5, size=n)
    kind = rng.integers(2, size=n)
    image = np.full((n, 1, 8, 8), 0.2) + 0.6 * kind[:, None, None, None]
    for place, (value, scale) in enumerate(((a, 1), (b, 2), (c, 2))):
        level = 1 / (1 + np.exp(-(value - value.mean()) / scale))
        image[:, 0, 1 + 2 * place, 1:7] = level[:, None]
    return {"kind": kind, "a": a, "b": b, "c": c, "image": image.astype(np.float32)}


@pytest.fixture(scope="module")
def model():
    fitted = cf.compile(graph())
    fitted.fit(rows(), **OPTIONS)
    return fitted


@pytest.fixture(scope="module")
def evidence():
    return {name: torch.as_tensor(value) for name, value in rows(ROWS, seed=1).items()}


def latents(world):
    return world.latents["image"]


@pytest.mark.parametrize("options", [{}, {"guidance": "free", "strength": 2.0}])
def test_a_null_intervention_returns_image_labels_and_latents(model, evidence, options):
    world = model.reconstruct(evidence, **options)
    for name in ("kind", "a", "b", "c"):
        torch.testing.assert_close(world[name], evidence[name], rtol=0, atol=1e-12)
    # Leap-frog is undone in float64; pictures are float32 outside.
    torch.testing.assert_close(world["image"], evidence["image"], rtol=0, atol=1e-6)
    read = model.represent(evidence)
    for name, z in latents(world).items():
        torch.testing.assert_close(z, read[name], rtol=0, atol=1e-6)


def test_an_intervention_on_an_effect_leaves_its_causes_alone(model, evidence):
    read = model.represent(evidence)
    with pytest.warns(cf.SupportWarning, match="do\\(c=9\\) is outside"):
        world = model.counterfactual(evidence, do={"c": 9.0})
    for name in ("a", "b"):
        torch.testing.assert_close(world[name], evidence[name], rtol=0, atol=1e-12)
        torch.testing.assert_close(latents(world)[name], read[name], rtol=0, atol=1e-6)
    assert (latents(world)["c"] - read["c"]).abs().min() > 1  # 9 is over 2 deviations away
    assert not torch.allclose(world["image"], evidence["image"], atol=1e-3)


def test_values_reach_the_effect_of_an_effect(model, evidence):
    """Each label is its parent's new value times a slope, plus its own factual residual."""
    slopes = {name: float(model.scm.module(name).weights[0]) for name in ("b", "c")}
    assert slopes["b"] == pytest.approx(2, abs=0.2)  # 5 standard errors of 400 rows: 0.13
    moved = 4.0 - evidence["a"]
    world = model.counterfactual(evidence, do={"a": 4.0})
    expected = {"a": moved, "b": slopes["b"] * moved, "c": slopes["c"] * slopes["b"] * moved}
    read, columns = model.represent(evidence), rows()
    for name, change in expected.items():
        torch.testing.assert_close(world[name] - evidence[name], change, rtol=1e-9, atol=1e-9)
        shift = (latents(world)[name] - read[name]).double()
        deviation = columns[name].std()
        wanted = (change / deviation)[:, None].expand(-1, 3)
        torch.testing.assert_close(shift, wanted, rtol=1e-4, atol=1e-4)  # latents are float32


def test_the_noise_of_a_latent_gives_it_back_and_acting_twice_undoes(model, evidence):
    """u_i = (e_i, w_i) is abducted once: from one noise, worlds there and back agree."""
    noise = model.abduct(evidence)
    there = model.predict(noise, do={"a": 2.5})
    again = model.abduct(dict(there))
    back = model.predict(again, do={"a": evidence["a"]})
    for name in ("a", "b", "c"):
        torch.testing.assert_close(back[name], evidence[name], rtol=0, atol=1e-9)


def test_missing_labels_are_read_off_the_representation(model):
    held = {name: torch.as_tensor(value) for name, value in rows(200, seed=2).items()}
    world = model.reconstruct({"image": held["image"]}, steps=1)
    z = model.represent(held["image"])
    for name in ("a", "b", "c"):
        assert "read off the image" in world.info.inferred[name]
        error, spread = (world[name] - held[name]).abs().mean(), held[name].std()
        believed = model.represent(held)[name].mean(dim=1) * rows()[name].std()
        torch.testing.assert_close(
            believed + rows()[name].mean(), held[name], rtol=1e-4, atol=1e-4, check_dtype=False
        )
        assert error < 0.6 * spread  # a constant: 0.8 spreads; a briefly fitted encoder: half
        told = (z[name].mean(dim=1) * rows()[name].std() + rows()[name].mean()).double()
        near = told.clamp(rows()[name].min(), rows()[name].max())
        torch.testing.assert_close(world[name], near, rtol=1e-4, atol=1e-4)


def test_guidance_of_strength_zero_is_told_no_latent(model, evidence):
    """Under omega = 0 the intervention says nothing: which one it is makes no difference."""
    options = {"guidance": "free", "strength": 0.0}

    def apart(**options):
        worlds = [model.counterfactual(evidence, do={"c": c}, **options) for c in (-5.0, 5.0)]
        return float((worlds[0]["image"] - worlds[1]["image"]).abs().max())

    # v - (v - v_null) is v_null up to float32's rounding, which 17 steps enlarge.
    assert apart(**options) < 0.1 * apart()
    assert apart(guidance="free", strength=3.0) > apart()


def test_drawn_worlds_have_latents_about_their_labels(model):
    world = model.sample(400, do={"a": 1.0}, generator=3, steps=1)
    deviation, mean = rows()["b"].std(), rows()["b"].mean()
    residual = latents(world)["b"].double() - ((world["b"] - mean) / deviation)[:, None]
    assert float(residual.std()) == pytest.approx(SPREAD, rel=5 / (2 * 1200) ** 0.5)


def test_the_file_keeps_representations(model, evidence, tmp_path):
    assert cf.loads(model.graph.to_yaml()) == model.graph
    model.save(tmp_path / "model.safetensors")
    again = cf.Model.load(tmp_path / "model.safetensors")
    do = {"b": 0.0}
    one, other = model.counterfactual(evidence, do=do), again.counterfactual(evidence, do=do)
    # Weights are laid out anew, so that convolutions round in another order.
    torch.testing.assert_close(one["image"], other["image"], rtol=0, atol=1e-4)
    one, other = model.represent(evidence)["a"], again.represent(evidence)["a"]
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    shown = again.describe().set_index("node")["type"]
    assert shown["a"] == "continuous, representation 3"


def test_unlabelled_rows_and_classes_train_too_and_a_stopped_fit_goes_on(tmp_path):
    nodes = {
        "color": {"type": "class", "levels": 3, "representation": 2},
        "group": {"type": "class", "levels": 2},
        "image": {"type": "image", "shape": [1, 8, 8], "diffusion": DIFFUSION},
    }
    declared = cf.Graph(nodes=nodes, edges=["color -> image: neural", "color <-> group"])
    rng = np.random.default_rng(0)
    data = {
        "color": rng.integers(-1, 3, size=40),
        "group": rng.integers(2, size=40),
        "image": rng.random((40, 1, 8, 8)),
    }
    brief = OPTIONS | {"steps": 6, "batch_size": 8}
    image = cf.Diffusion(**{**DIFFUSION, "alignment_ramp": 10})
    whole = cf.compile(declared, image=image)
    whole.fit(data, **brief)
    path = tmp_path / "resume.safetensors"
    halved = cf.compile(declared, image=image)
    halved.fit(data, **brief, checkpoint=path)
    assert int(halved.scm.module("image").representation.steps) == 6
    resumed = cf.compile(declared, image=image)
    report = resumed.fit(data, **brief, checkpoint=path)
    assert report.resumed_from == 6
    for name, weight in whole.scm.state_dict().items():
        assert torch.equal(weight, resumed.scm.state_dict()[name]), name
    evidence = {"image": torch.as_tensor(data["image"][:3]).float()}
    world = whole.counterfactual(evidence, do={"color": 1}, generator=0)
    assert world["color"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("edges", "node", "message"),
    [
        (["x -> y"], {"type": "continuous"}, "it has no image"),
        (["x -> image: anticausal"], {"type": "continuous"}, "into \\['image'\\] are anticausal"),
        (["x -> y"], {"type": "continuous", "equation": "2 * u"}, "it has no image"),
    ],
)
def test_a_representation_that_no_network_is_told_is_refused(edges, node, message):
    nodes = {
        "x": node | {"representation": 4},
        "y": {"type": "continuous"},
        "image": {"type": "image", "shape": [1, 8, 8]},
    }
    exogenous = {"u": "normal"} if "equation" in node else None
    declared = cf.Graph(nodes=nodes, edges=edges, exogenous=exogenous)
    with pytest.raises(CompileError, match=f"node 'x': its representation.*{message}"):
        cf.compile(declared)


@pytest.mark.parametrize("length", [0, -3, "long"])
def test_a_length_is_a_positive_whole_number(length):
    nodes = {"x": {"type": "continuous", "representation": length}}
    with pytest.raises(GraphError, match="node 'x': representation: expected an integer from 1"):
        cf.Graph(nodes=nodes)


def test_an_image_has_no_representation():
    nodes = {"x": {"type": "image", "shape": [1, 8, 8], "representation": 4}}
    with pytest.raises(GraphError, match="node 'x': unknown field 'representation'"):
        cf.Graph(nodes=nodes)


def test_only_images_with_represented_parents_can_be_represented(model, evidence):
    with pytest.raises(EvidenceError, match="no image with represented parents is given"):
        model.represent({"a": evidence["a"]})


@pytest.fixture(scope="module")
def twice():
    """Two pictures of one cause, and one of another: each has an encoder of its own."""
    number = {"type": "continuous", "noise": "linear", "representation": 2}
    image = {"type": "image", "shape": [1, 8, 8], "diffusion": DIFFUSION}
    nodes = {"a": number, "b": number, "left": image, "right": image, "other": image}
    edges = ["a -> left: neural", "a -> right: neural", "b -> other: neural"]
    fitted = cf.compile(cf.Graph(nodes=nodes, edges=edges))
    rng = np.random.default_rng(0)
    pictures = {name: rng.random((20, 1, 8, 8)) for name in ("left", "right", "other")}
    data = {"a": rng.normal(size=20), "b": rng.normal(size=20), **pictures}
    fitted.fit(data, **OPTIONS | {"steps": 1, "batch_size": 8})
    return fitted, {name: torch.as_tensor(value[:3]) for name, value in data.items()}


def test_two_images_of_one_parent_are_represented_one_by_one(twice):
    model, evidence = twice
    with pytest.raises(EvidenceError, match=r"'a' has a latent in each.*name one, as node='left'"):
        model.represent(evidence)
    world = model.reconstruct(evidence)
    for name in ("left", "right"):
        (latent,) = model.represent(evidence, node=name).values()
        torch.testing.assert_close(latent, world.latents[name]["a"], rtol=0, atol=1e-6)
        alone = {"a": evidence["a"], name: evidence[name]}
        assert model.represent(alone)["a"].equal(latent)
    left, right = (model.represent(evidence, node=name)["a"] for name in ("left", "right"))
    assert not torch.allclose(left, right)  # the encoders differ from their first weights on


def test_images_that_share_no_parent_are_represented_together(twice):
    model, evidence = twice
    pictures = {name: evidence[name] for name in ("right", "other")}
    together = model.represent(pictures)
    assert set(together) == {"a", "b"}
    assert together["b"].equal(model.represent(pictures, node="other")["b"])


def test_a_node_to_represent_is_an_image_that_is_given(twice):
    model, evidence = twice
    with pytest.raises(EvidenceError, match="no image with represented parents; expected one of"):
        model.represent(evidence, node="a")
    with pytest.raises(EvidenceError, match="no image of node 'left' is given"):
        model.represent({"other": evidence["other"]}, node="left")
