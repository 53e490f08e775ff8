"""What is chosen for a model's images is kept, holds where nothing nearer speaks, and is named."""

import json

import pytest
import torch

from causalflow.checkpoint import Metadata, load_state, save_state, tensor_digest
from causalflow.errors import CausalflowError, CheckpointError
from causalflow.formats.formats import loads
from causalflow.graph.image_options import Sampling
from causalflow.graph.method_options import Heun
from causalflow.model.model import Model, compile
from causalflow.shipped import merged

FILE = """
graph: small
nodes:
  digit: {type: class, levels: 3}
  color: {type: class, levels: 2}
  x:
    type: image
    shape: [1, 8, 8]
    diffusion: {width: 8, multipliers: [1], predictor_width: 8OPTIONS}
edges:
  - digit -> x: DIGIT
  - color -> x: anticausal
"""
CHOSEN = {"scales": {"digit": 9.0}, "grain": 1.0, "steps": 3, "chosen": "on 8 pictures"}
PICTURE = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
EVIDENCE = {"x": PICTURE, "digit": [0, 1], "color": [0, 1]}


def graph(options="", digit="anticausal"):
    return loads(FILE.replace("OPTIONS", options).replace("DIGIT", digit))


def model(**words):
    made = compile(graph(**words))
    made.fitted |= {"digit", "color", "x"}
    return made


def answer(made, **options):
    return made.counterfactual(EVIDENCE, {"digit": 2}, generator=1, **options)["x"]


def stored(made, path):
    made.save(path)
    return Model.load(path)


def test_what_is_recommended_is_what_every_call_would_have_spelt_out():
    spelt = answer(
        model(digit="{kind: anticausal, scale: 9}"),
        grain=1.0,
        sampling=Sampling(steps=3, guided_steps=17),
    )
    plain = model()
    assert not torch.equal(answer(plain, steps=3), spelt)
    assert torch.equal(answer(plain.recommend(**CHOSEN)), spelt)


def test_it_is_kept_by_the_file_and_touches_no_tensor(tmp_path):
    made = model()
    before = tensor_digest(made.scm.state_dict())
    again = stored(made.recommend(**CHOSEN), tmp_path / "m.safetensors")
    assert tensor_digest(again.scm.state_dict()) == before
    assert again.settings == made.settings
    assert torch.equal(answer(again), answer(made))
    twice = stored(again, tmp_path / "again.safetensors")
    assert twice.settings == made.settings
    assert torch.equal(answer(twice), answer(made))
    assert twice.settings["x"].chosen == "on 8 pictures"


def test_a_call_wins_over_it():
    made, other = model().recommend(**CHOSEN), model(digit="{kind: anticausal, scale: 9}")
    assert torch.equal(answer(made, grain=0.0, steps=2), answer(other, grain=0.0, steps=2))


def test_what_a_graph_file_states_wins_over_it_and_what_it_leaves_open_does_not():
    fitted = model().recommend(**CHOSEN)
    stating = graph(", grain: 0, steps: 20", "{kind: anticausal, scale: 2}")
    declared, left = merged(stating, fitted.graph, fitted.settings)
    assert declared.kind("digit", "x").scale == 2.0
    options = declared.nodes["x"].diffusion
    assert (options.grain, options.steps, left) == (0.0, 20, {})
    declared, left = merged(graph(), fitted.graph, fitted.settings)
    assert declared.kind("digit", "x").scale == 9.0
    options = declared.nodes["x"].diffusion
    assert (options.grain, options.steps, left) == (1.0, 3, fitted.settings)


def test_a_scale_that_the_net_was_compiled_with_holds_where_a_file_says_only_anticausal():
    fitted = model(digit="{kind: anticausal, scale: 5}")
    declared, _ = merged(graph(), fitted.graph, fitted.settings)
    assert declared.kind("digit", "x").scale == 5.0


def test_an_answer_names_what_is_in_force_and_where_it_comes_from():
    made = model(options=", solver: heun", digit="{kind: anticausal, scale: 2}")
    made.recommend(grain=1.0, steps=20)
    world = made.counterfactual(EVIDENCE, {"digit": 2}, steps=1, anticausal="contrast")
    assert world.info.settings["x"] == {
        "solver": ("heun", "graph"),
        "steps": (1, "call"),
        "grain": (1.0, "checkpoint"),
        "anticausal": ("contrast", "call"),
        "scale of digit": (2.0, "graph"),
    }
    (row,) = [row for row in made.describe().to_dict("records") if row["node"] == "x"]
    assert "grain 1 (checkpoint)" in row["mechanism"]
    assert "steps 20 (checkpoint)" in row["mechanism"]
    assert model().counterfactual(EVIDENCE, {"digit": 2}, steps=1).info.settings == {
        "x": {"steps": (1, "call")}
    }


def test_a_later_recommendation_adds_to_an_earlier_one():
    made = (
        model()
        .recommend(scales={"digit": 9.0}, grain=1.0)
        .recommend(sampling=Sampling(solver=Heun(steps=4)))
    )
    chosen = made.settings["x"]
    assert chosen.options == {"grain": 1.0, "solver": "heun", "steps": 4}
    assert chosen.scales == {"digit": 9.0}


def test_a_model_goes_on_being_fitted_with_it(tmp_path):
    made = model().recommend(grain=1.0)
    data = {"x": PICTURE.repeat(4, 1, 1, 1), "digit": [0, 1] * 4, "color": [0, 1] * 4}
    before = tensor_digest(made.scm.state_dict())
    made.fit(data, steps=1, batch_size=4, progress=False)
    assert tensor_digest(made.scm.state_dict()) != before
    assert stored(made, tmp_path / "m.safetensors").settings == made.settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"node": "y", "grain": 1.0}, "no image node 'y'"),
        ({"scales": {"colour": 1.0}}, "did you mean 'color'"),
        ({"scales": {"digit": -1.0}}, "scale of 'digit'=-1.0; expected a finite number from 0"),
        ({"scales": {"digit": float("nan")}}, "expected a finite number"),
        ({"grian": 1.0}, "grian"),
        ({"grain": -1.0}, "grain=-1.0; expected a finite number from 0"),
        ({"width": 64}, "width"),
        ({"chosen": "two\nlines"}, "expected one line"),
    ],
)
def test_what_no_call_could_be_asked_with_is_refused(given, said):
    made = model()
    with pytest.raises(CausalflowError) as refused:
        made.recommend(**given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert made.settings == {}


@pytest.mark.parametrize(
    "record",
    [
        [],
        {"x": 1},
        {"x": {"option": {}}},
        {"y": {"options": {}}},
        {"x": {"options": {"width": 9}}},
        {"x": {"options": {"steps": "many"}}},
        {"x": {"options": [1]}},
        {"x": {"scales": {"x": 1.0}}},
        {"x": {"scales": {"digit": "9"}}},
        {"x": {"scales": {"digit": True}}},
        {"x": {"scales": 9}},
        {"x": {"chosen": 3}},
        {"x": {"chosen": "a\u001b[2J"}},
    ],
)
def test_a_file_with_other_settings_is_refused_in_one_line(record, tmp_path):
    path = tmp_path / "m.safetensors"
    model().save(path)
    state = load_state(path, kind="model")
    options = {**state.metadata.options, "settings": record}
    save_state(
        path, state.tensors, Metadata(kind="model", graph=state.metadata.graph, options=options)
    )
    with pytest.raises(CheckpointError) as refused:
        Model.load(path)
    assert str(path) in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500 + len(str(path))


def test_settings_changed_by_hand_do_not_match_the_digest(tmp_path):
    path = tmp_path / "m.safetensors"
    model().recommend(grain=1.0).save(path)
    data = path.read_bytes()
    old, new = json.dumps('"grain": 1.0')[1:-1].encode(), json.dumps('"grain": 3.0')[1:-1].encode()
    assert data.count(old) >= 1
    path.write_bytes(data.replace(old, new))
    with pytest.raises(CheckpointError, match="altered or damaged"):
        Model.load(path)


def test_a_file_without_settings_loads_as_before(tmp_path):
    path = tmp_path / "m.safetensors"
    made = model(options=", grain: 1", digit="{kind: anticausal, scale: 9}")
    made.save(path)
    state = load_state(path, kind="model")
    options = {k: v for k, v in state.metadata.options.items() if k != "settings"}
    save_state(
        path, state.tensors, Metadata(kind="model", graph=state.metadata.graph, options=options)
    )
    assert Model.load(path).settings == {}
    assert torch.equal(answer(Model.load(path)), answer(made))
