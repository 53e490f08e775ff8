"""The solver of few calls: what a net's own times and weights cost, and what they never change."""

from functools import partial

import pytest
import torch

import causalflow as cf

GRAPH = """
graph: few
nodes:
  size:  {type: class, levels: 2}
  image: {type: image, shape: [1, 4, 4], diffusion: {width: 8, multipliers: [1], code: 0}}
edges:
  - size -> image: neural
"""
OWN = cf.Difference(times=(0.1, 0.3, 0.8), weights=(1.2, 0.1, 0.6, 0.9))


@pytest.fixture(scope="module")
def rows():
    random = torch.Generator().manual_seed(0)
    size = torch.randint(0, 2, (32,), generator=random)
    return {
        "size": size,
        "image": torch.rand(32, 1, 4, 4, generator=random) * (1 + size).view(-1, 1, 1, 1) / 2,
    }


@pytest.fixture(scope="module")
def model(rows):
    model = cf.compile(cf.loads(GRAPH))
    model.fit(rows, steps=40, batch_size=16, learning_rate=0.02, device="cpu", progress=False)
    return model


def test_the_way_up_is_shared_and_asks_the_network_once_a_time(model, rows):
    noise = model.abduct(rows, solver=OWN)
    assert noise.info.network_calls == 4
    worlds = [model.predict(noise, {"size": k}, solver=OWN) for k in (0, 1)]
    assert [world.info.network_calls for world in worlds] == [8, 8]  # of both ways: 4 + 4 k in all
    assert model.counterfactual(rows, {"size": 1}, solver=OWN).info.network_calls == 8


def test_no_intervention_gives_the_evidence_back_whatever_times_and_weights(model, rows):
    for solver in (OWN, cf.Difference(times=(0.5,), weights=(-1.0, 2.0, 0.0, 0.0))):
        back = model.reconstruct(rows, solver=solver)["image"]
        # 1e-5: float32 pictures.
        torch.testing.assert_close(back, rows["image"], rtol=0, atol=1e-5)


def test_times_and_weights_count(model, rows):
    asked = {"size": 1 - rows["size"]}
    first, *others = (
        model.counterfactual(rows, asked, solver=solver)["image"]
        for solver in (
            OWN,
            cf.Difference(times=OWN.times, weights=(1.2, 0.9, 0.6, 0.9)),
            cf.Difference(times=(0.1, 0.4, 0.8), weights=OWN.weights),
        )
    )
    # 1e-5: a hundred times the rounding of float32.
    assert all((first - other).abs().max() > 1e-5 for other in others)


def test_steps_of_a_call_win_over_the_times_of_a_file(rows):
    own = GRAPH.replace("code: 0", "code: 0, solver: difference, difference_times: [0.1, 0.5]")
    model = cf.compile(cf.loads(own))
    model.fit(rows, steps=1, batch_size=16, device="cpu", progress=False)
    asked = {"size": 1}
    own = model.counterfactual(rows, asked).info
    assert own.network_calls == 6
    assert own.settings["image"]["difference_times"] == ((0.1, 0.5), "graph")
    by_steps = model.counterfactual(rows, asked, steps=5).info
    assert by_steps.network_calls == 10
    assert "difference_times" not in by_steps.settings["image"]
    assert model.counterfactual(rows, asked, solver="alf").info.network_calls == 43


def test_pictures_are_drawn_by_the_other_solver(model):
    ours = model.sample(4, generator=3, solver=OWN)["image"]
    assert torch.equal(ours, model.sample(4, generator=3, solver="dpm++2m", steps=17)["image"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"times": (0.3, 0.1)}, "expected 1 to 100 rising numbers from 0.011 to 0.99"),
        ({"times": ()}, "expected 1 to 100 rising numbers"),
        ({"weights": (1.0, 2.0)}, "expected 4 numbers from -10 to 10"),
    ],
)
def test_times_and_weights_that_are_none_are_refused(given, message):
    with pytest.raises(cf.CausalflowError, match=message):
        cf.Diffusion(solver=cf.Difference(**given))


@pytest.fixture(scope="module")
def editor(model, rows):
    given = {"steps": 20, "learning_rate": 3e-3, "batch_size": 16, "device": "cpu"}
    return model.distill(rows, 4, progress=False, **given)


def error(model, rows, **options):
    """How far 4-call pictures are from those of twenty steps of leap-frog, by the plain model."""
    asked = {"size": 1 - rows["size"]}
    wanted = options.pop("teacher").counterfactual(rows, asked)["image"]
    return float((model.counterfactual(rows, asked, **options)["image"] - wanted).abs().mean())


def test_distilling_brings_four_calls_nearer_to_the_teacher(model, editor, rows):
    asked = {"size": 1 - rows["size"]}
    assert editor.counterfactual(rows, asked).info.network_calls == 4
    before = error(model, rows, teacher=model, solver=cf.Difference(steps=2))
    assert error(editor, rows, teacher=model) < 0.6 * before


def test_an_editor_gives_the_evidence_back_and_changes_nothing_else(model, editor, rows):
    back = editor.reconstruct(rows)["image"]
    torch.testing.assert_close(back, rows["image"], rtol=0, atol=1e-5)
    asked = {"size": 1 - rows["size"]}
    for options in ({"solver": "alf"}, {"steps": 3}, {"solver": cf.Difference(steps=3)}):
        ours = editor.counterfactual(rows, asked, **options)["image"]
        plain = {"solver": "difference", **options}
        assert torch.equal(ours, model.counterfactual(rows, asked, **plain)["image"]), options
    drawn = model.sample(4, generator=1, solver="difference")["image"]
    assert torch.equal(editor.sample(4, generator=1)["image"], drawn)


def test_an_editor_is_saved_and_read(editor, rows, tmp_path):
    editor.save(tmp_path / "editor.safetensors")
    read = cf.Model.load(tmp_path / "editor.safetensors")
    asked = {"size": 1 - rows["size"]}
    there, here = (m.counterfactual(rows, asked)["image"] for m in (editor, read))
    torch.testing.assert_close(here, there, rtol=0, atol=1e-5)  # layouts differ, and rounding
    assert read.counterfactual(rows, asked).info.network_calls == 4


def test_what_cannot_be_distilled_or_fitted_is_refused_in_one_line(model, editor, rows):
    def refused(words, call):
        with pytest.raises(cf.CausalflowError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)

    for calls in (3, 2, 4.0, True, "4"):
        refused("expected an even number from 4 to 100", partial(model.distill, rows, calls))
    refused("distilled already", lambda: editor.distill(rows))
    refused("has a distilled network", lambda: editor.fit(rows))
    guided = cf.compile(cf.loads(GRAPH.replace("neural", "anticausal")))
    refused("are untrained", lambda: guided.distill(rows))
    guided.fit(rows, steps=1, device="cpu", progress=False)
    refused("decoded under guidance", lambda: guided.distill(rows))
