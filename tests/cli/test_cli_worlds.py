import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from causalflow.errors import CheckpointError
from causalflow.model.model import Model


def rows_of(ran):
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)["rows"]


def is_picture(path):
    return np.asarray(Image.open(path)).std() > 0


def test_sample_prints_the_draws_of_the_model_with_units(cli, sizes):
    path = sizes / "model.safetensors"
    ran = cli("sample", path, "-n", 3, "--seed", 5)
    assert (ran.code, ran.err) == (0, "")
    header, *lines = ran.out.splitlines()
    assert header.split() == ["draw", "color", "size", "[px]"]
    world = Model.load(path).sample(3, generator=5)
    names = [["green", "red"][index] for index in world["color"]]
    numbers = [f"{value:.6g}" for value in world["size"].tolist()]
    assert [line.split() for line in lines] == [
        [str(i), name, number] for i, (name, number) in enumerate(zip(names, numbers, strict=True))
    ]


def test_sample_under_an_intervention_is_of_that_world(cli, sizes):
    rows = rows_of(
        cli("sample", sizes / "model.safetensors", "-n", 400, "--do", "color=red", "--json")
    )
    assert {row["color"] for row in rows} == {"red"}
    # The data have mean 3 and spread .1 under red; 5 standard errors of fit and draws: < .06.
    assert abs(np.mean([row["size"] for row in rows]) - 3) < 0.06


def test_sample_writes_the_labels_it_would_print(cli, sizes, tmp_path):
    words = ["sample", sizes / "model.safetensors", "-n", 5]
    ran = cli(*words, "-o", "draws.csv")
    assert (ran.code, ran.out, ran.err) == (0, "draws.csv\n", "")
    assert pd.read_csv(tmp_path / "draws.csv").to_dict("records") == [
        pytest.approx(row) for row in rows_of(cli(*words, "--json"))
    ]


def test_sample_of_images_writes_table_and_picture(cli, stamps, tmp_path):
    ran = cli("sample", stamps / "model.safetensors", "-n", 10, "-o", "out/draws.csv")
    assert (ran.code, ran.out.split()[:2]) == (0, ["out/draws.csv", "out/draws.png"])
    assert "settings of 'image': steps 3 (graph)" in ran.out
    assert len(pd.read_csv(tmp_path / "out" / "draws.csv")) == 10
    assert is_picture(tmp_path / "out" / "draws.png")


def test_sample_without_a_file_makes_no_image(cli, stamps, monkeypatch):
    asked = []
    original = Model.sample

    def sample(self, n, do, *, nodes, **further):
        asked.extend(nodes)
        return original(self, n, do, nodes=nodes, **further)

    monkeypatch.setattr(Model, "sample", sample)
    assert cli("sample", stamps / "model.safetensors", "-n", 2).code == 0
    assert asked == ["color"]


def test_counterfactual_shifts_the_size_by_the_effect_of_the_color(cli, sizes):
    fact = ["--given", "color=green", "--given", "size=1.25"]
    words = ["counterfactual", sizes / "model.safetensors", *fact]
    factual, other = rows_of(cli(*words, "--do", "color=red", "--json"))
    assert (factual["color"], factual["size"]) == ("green", pytest.approx(1.25))
    # The residual stays: 1.25 + the fitted effect, which is 2 up to 5 standard errors (.0141 each).
    assert (other["color"], other["size"]) == ("red", pytest.approx(3.25, abs=0.071))


def test_counterfactual_may_shift_a_continuous_node(cli, sizes):
    words = ["counterfactual", sizes / "model.safetensors", "--given", "size=1.5", "--json"]
    for operation, expected in (("size+=0.5", 2.0), ("size-=0.5", 1.0), ("size=-0.5", -0.5)):
        _, other = rows_of(cli(*words, "--do", operation))
        assert other["size"] == pytest.approx(expected)


def test_counterfactual_of_a_table_keeps_its_rows_and_infers_what_is_empty(cli, sizes, tmp_path):
    (tmp_path / "rows.csv").write_text("color,size\ngreen,1.0\n,3.0\n")
    words = ["counterfactual", sizes / "model.safetensors", "--evidence", "rows.csv"]
    ran = cli(*words, "--do", "color=1", "-n", 2, "--json")
    rows = rows_of(ran)
    assert [(row["row"], row["draw"], row["world"]) for row in rows] == [
        (row, draw, world)
        for row in (0, 1)
        for draw in (0, 1)
        for world in ("factual", "do(color=1)")
    ]
    factual = [row for row in rows if row["world"] == "factual"]
    # size = 3 is 20 standard deviations away from green's mean of 1.
    assert [row["color"] for row in factual] == ["green", "green", "red", "red"]
    assert json.loads(ran.out)["inferred"] == {
        "color": "drawn from its exact posterior under the model"
    }
    assert (
        "inferred: color, drawn from its exact posterior under"
        in cli(*words, "--do", "color=1").out
    )


def test_counterfactual_of_images_writes_a_picture_and_says_how(cli, stamps, tmp_path):
    files = ["--image", stamps / "0.png", "--image", stamps / "1.png"]
    words = ["counterfactual", stamps / "model.safetensors", *files, "--do", "color=red"]
    ran = cli(*words, "-o", "red.png")
    assert (ran.code, ran.err) == (0, "")
    assert "inferred: color, read off the image" in ran.out
    assert "network calls: " in ran.out
    assert "round-trip error: " in ran.out
    assert "written: red.png" in ran.out
    assert is_picture(tmp_path / "red.png")
    calls = json.loads(cli(*words, "--json", "--steps", 1).out)["network_calls_per_row"]
    more = json.loads(cli(*words, "--json", "--steps", 4).out)["network_calls_per_row"]
    assert all(0 < calls[part] < more[part] for part in ("abduction", "factual"))


def test_describe_of_a_model_knows_that_it_is_fitted(cli, sizes):
    ran = cli("describe", sizes / "model.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("sizes: every mechanism is ready\n")
    assert json.loads(cli("describe", sizes / "model.safetensors", "--json").out)["untrained"] == []


def test_image_of_another_size_is_one_line(cli, stamps, tmp_path):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "nine.png")
    words = ["counterfactual", stamps / "model.safetensors", "--do", "color=red"]
    for file, message in (
        ("nine.png", "nine.png: image of height x width 9x9; expected 8x8"),
        ("none.png", "none.png: no such image file"),
        (str(stamps / "labels.csv"), "labels.csv: not an image file"),
    ):
        ran = cli(*words, "--image", file)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert message in ran.err


def test_an_image_may_be_set(cli, stamps):
    model = stamps / "model.safetensors"
    action = f"image={stamps / '1.png'}"
    words = ["counterfactual", model, "--given", "color=red", "--do", action]
    rows = rows_of(cli(*words, "--json"))
    assert [row["color"] for row in rows] == ["red", "red"]


def test_sample_takes_a_graph_file_that_needs_no_fit(cli, tmp_path):
    (tmp_path / "g.yaml").write_text(
        "nodes:\n  x: {type: class, levels: [1, 2], table: [1, 0]}\n"
        "  y: {type: class, levels: [no, yes], table: {1: [1, 0], 2: [0, 1]}}\nedges: [x -> y]\n"
    )
    rows = rows_of(cli("sample", "g.yaml", "-n", 3, "--do", "x=2.0", "--json"))
    assert [(row["x"], row["y"]) for row in rows] == [("2", "yes")] * 3
    with pytest.raises(
        CheckpointError, match=r"g\.yaml: a text, no safetensors file; a graph file is"
    ):
        Model.load(tmp_path / "g.yaml")
