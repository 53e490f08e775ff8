"""Larger images have a latent: fitted in stages, saved, asked and refused as a user sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import causalflow as cf

SMALL = cf.Diffusion(width=4, depth=1, predictor_width=4, steps=3)
FIT = {"steps": 10, "batch_size": 8, "progress": False, "device": "cpu"}
NODES = {"bright": {"type": "class", "levels": 2}, "x": {"type": "continuous", "noise": "linear"}}
EDGES = ["bright -> image", "x -> image"]


def graph(shape=(1, 20, 24), latent=None, edges=EDGES):
    latent = latent or cf.Latent(factor=4, channels=2, width=4)
    image = {"type": "image", "shape": shape, "latent": latent}
    return cf.Graph(nodes={**NODES, "image": image}, edges=edges)


def rows(n=24, shape=(1, 20, 24)):
    random = np.random.default_rng(0)
    bright, x = random.integers(0, 2, n), random.normal(size=n)
    ground = random.random((n, *shape)) * 0.3 + 0.3 * bright[:, None, None, None]
    return {"bright": bright, "x": x, "image": ground.astype(np.float32)}


@pytest.fixture(scope="module")
def fitted():
    model = cf.compile(graph(), image=SMALL)
    return model, model.fit(rows(), **FIT)


def test_the_file_says_what_the_diffusion_runs_in_and_is_written_as_it_was_read():
    for text, shape in (
        ("", (16, 8, 8)),
        (", latent: {factor: 4, channels: 3}", (3, 16, 16)),
        (", latent: none", None),
    ):
        read = cf.loads(f"nodes: {{i: {{type: image, shape: [3, 64, 64]{text}}}}}")
        assert cf.loads(read.to_yaml()) == read
        (described,) = cf.compile(read, i=SMALL).describe()["mechanism"]
        assert ("latent of " in described) is bool(shape)
        assert "x".join(map(str, shape or ())) in described
    small = cf.loads("nodes: {i: {type: image, shape: [3, 28, 28]}}")
    assert "latent" not in cf.compile(small, i=SMALL).describe()["mechanism"][0]


@pytest.mark.parametrize(
    ("latent", "message"),
    [
        ("{factor: 3}", "factor=3; expected a power of 2"),
        ("{factr: 4}", "unknown field 'factr'"),
        ("nothing", "expected one of"),
        ("{share: 1}", "share"),
        ("{pace: 0}", "pace"),
        ("{squares: -1}", "squares"),
        ("[8, 8]", "expected a mapping of fields"),
    ],
)
def test_a_latent_that_cannot_be_is_refused_in_one_line(latent, message):
    with pytest.raises(cf.GraphError, match=message) as caught:
        cf.loads(f"nodes: {{i: {{type: image, shape: [3, 64, 64], latent: {latent}}}}}")
    assert "\n" not in str(caught.value)


def test_a_fit_tells_both_losses(fitted):
    assert set(fitted[1].losses) == {"image: diffusion", "image: reconstruction"}


def test_a_null_intervention_is_exact_and_without_remainder_its_error_is_the_autoencoders(fitted):
    model, evidence = fitted[0], {name: value[:5] for name, value in rows().items()}
    same = {"x": evidence["x"]}
    exact = model.counterfactual(evidence, do=same)["image"]
    assert np.abs(exact.numpy() - evidence["image"]).max() < 1e-6
    without = model.counterfactual(evidence, do=same, residual=False)["image"]
    assert np.abs(without.numpy() - evidence["image"]).mean() > 1e-3


def test_a_model_that_is_saved_answers_the_same(fitted, tmp_path):
    evidence = {name: value[:3] for name, value in rows().items()}
    fitted[0].save(tmp_path / "model.safetensors")
    other = cf.Model.load(tmp_path / "model.safetensors")
    one, two = (
        model.counterfactual(evidence, do={"bright": 1}, local=False)["image"]
        for model in (fitted[0], other)
    )
    assert (one - two).abs().max() < 1e-6
    assert "latent of 2x5x6" in other.describe()["mechanism"][2]


@pytest.mark.parametrize("n", [8, 24])  # the latents of few are kept from step to step
@pytest.mark.parametrize("stop", [3, 5, 8])
def test_a_fit_that_was_stopped_in_either_stage_ends_as_one_that_was_not(
    tmp_path, stop, n, restored
):
    declared, calls = graph(latent=cf.Latent(factor=4, channels=2, width=4, share=0.5)), []

    @cf.register("schedule", "interrupted")
    def schedule(step, options):
        calls.append(step)
        if len(calls) == stop:
            signal.raise_signal(signal.SIGINT)
        return 1.0

    def fit(**further):
        model = cf.compile(declared, image=SMALL)
        report = model.fit(rows(n), **FIT, schedule="interrupted", **further)
        return model.sample(2, generator=0, local=False)["image"], report

    kept = {"checkpoint": tmp_path / "kept"}
    with pytest.raises(KeyboardInterrupt, match=f"after step {stop + 1} of 10"):
        fit(**kept)  # a signal is told to all processes with the next step
    resumed, report = fit(**kept)
    assert report.resumed_from == stop + 1
    assert calls[:stop] == [*range(5), *range(5)][:stop]
    assert (resumed - fit()[0]).abs().max() == 0


def test_labels_that_are_missing_are_read_off_the_latent(fitted):
    picture = {"image": rows()["image"][:4]}
    world = fitted[0].counterfactual(picture, do={"bright": 1}, generator=0, local=False)
    assert set(world.info.inferred) == {"bright", "x"}
    assert world["image"].shape == (4, 1, 20, 24)


def test_pictures_drawn_under_the_same_seed_are_the_same(fitted):
    first, second = (fitted[0].sample(3, do={"x": 0.5}, generator=1)["image"] for _ in range(2))
    assert (first - second).abs().max() == 0
    assert 0 <= first.min() <= first.max() <= 1


def test_a_few_calls_and_a_distilled_model_answer_in_a_latent(fitted):
    model, evidence = fitted[0], {name: value[:3] for name, value in rows().items()}
    same = {"x": evidence["x"]}
    few = model.distill(rows(), calls=4, steps=2, batch_size=4, progress=False, device="cpu")
    for each, options in ((model, {"solver": cf.Difference(steps=3)}), (few, {})):
        world = each.counterfactual(evidence, do=same, **options)
        assert np.abs(world["image"].numpy() - evidence["image"]).max() < 1e-6
    assert few.counterfactual(evidence, do=same, local=False).info.network_calls < 10


def test_anticausal_edges_guide_in_a_latent():
    edges = ["x -> image", {"bright -> image": {"kind": "anticausal", "scale": 3.0}}]
    model = cf.compile(graph(edges=edges), image=SMALL)
    model.fit(rows(), **FIT)
    evidence = {name: value[:4] for name, value in rows().items()}
    kept = model.counterfactual(evidence, do={"bright": evidence["bright"]})["image"]
    assert np.abs(kept.numpy() - evidence["image"]).max() < 1e-6
    asked = model.counterfactual(evidence, do={"bright": 1 - evidence["bright"]}, local=False)
    assert (asked["image"] - kept).abs().max() > 1e-4


def test_the_command_fits_and_answers(tmp_path):
    (tmp_path / "graph.yaml").write_text(
        graph().to_yaml().replace("latent: {", "diffusion: {width: 4, depth: 1}, latent: {")
    )
    np.savez(tmp_path / "rows.npz", **rows())
    command = [sys.executable, "-m", "causalflow", "fit", "graph.yaml", "--data", "rows.npz"]
    options = ["-o", "m.safetensors", "--steps", "4", "--batch-size", "8", "--json"]
    ran = subprocess.run(
        [*command, *options, "--device", "cpu", "--no-progress"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert {"image: diffusion", "image: reconstruction"} == set(json.loads(ran.stdout)["losses"])
