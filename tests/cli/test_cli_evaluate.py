import json
import re

import numpy as np
import pytest
import torch

import causalflow.evaluation.evaluation as evaluation
import causalflow.evaluation.outcomes as worlds


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Sixty 8x8 pictures, green or red, of several brightnesses, none of them the fit's 200."""
    generator = np.random.default_rng(0)
    color = np.arange(60) % 2
    pictures = np.zeros((60, 3, 8, 8), np.uint8)
    pictures[np.arange(60), 1 - color] = generator.integers(120, 200, 60)[:, None, None]
    path = tmp_path_factory.mktemp("rows") / "rows.npz"
    np.savez(path, color=color, image=pictures)
    return path


@pytest.fixture
def words(stamps, rows, monkeypatch):
    monkeypatch.setattr(worlds, "CYCLES", 2)
    monkeypatch.setattr(worlds, "CYCLE_ROWS", 3)
    quick = ["--n", 12, "--judge-epochs", 4, "--steps", 2, "--no-progress", "--device", "cpu"]
    return ["evaluate", stamps / "model.safetensors", "--data", rows, *quick]


def test_evaluate_prints_a_table_and_writes_numbers_and_a_page(cli, words, tmp_path):
    ran = cli(*words, "--out", "report")
    assert (ran.code, ran.err) == (0, "")
    head = next(line for line in ran.out.splitlines() if line.startswith("query"))
    assert head.split()[:3] == ["query", "measure", "value"]
    assert "written: report/report.json, report/report.html" in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"]
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (record["data"], record["split"], record["images"]) == (
        "rows.npz",
        "kept from the judges",
        12,
    )
    names = {each["measure"] for each in record["measures"]}
    assert names == {
        "composition",
        "effectiveness",
        "F1",
        "minimality",
        "reversibility",
        "Fréchet distance",
        "network calls",
        "time",
    }
    for each in record["measures"]:
        assert each["unit"]
        low, high = each["interval_95"]
        assert low <= each["value"] <= high
        assert 1 <= each["images"] <= 12
    assert set(record["definitions"]) == names
    assert f"note: {record['intervals']}" in ran.out
    (judge,) = record["judges"]
    assert judge["how"].startswith("a classifier fitted to 39 real pictures, seed 0, 4 epochs")
    assert judge["real_images"]["images"] == 12
    (effect,) = (each for each in record["measures"] if each["measure"] == "effectiveness")
    assert effect["baseline"]["value"] <= 1 - effect["floor"]["value"]


def test_page_needs_nothing_but_itself(cli, words, tmp_path):
    assert cli(*words, "--out", "report").code == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<script" not in page
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', page)
    assert sources
    assert set(sources) == {"data:image/png;base64,"}
    assert not re.findall(r"url\(|@import|https?://", re.sub(r"base64,[^\"]*", "", page))
    assert "prefers-color-scheme: dark" in page
    assert page.count("<tr>") > 8


def test_the_same_seed_measures_the_same_but_for_time(cli, words):
    first, second = (json.loads(cli(*words, "--json", "--out", "r").out) for _ in range(2))
    numbers = [
        [each for each in record["measures"] if each["measure"] != "time"]
        for record in (first, second)
    ]
    assert numbers[0] == numbers[1]
    assert first["files"] == ["r/report.json", "r/report.html"]


def test_each_do_is_measured_by_itself_and_commas_join(cli, words):
    ran = cli(*words, "--do", "color=red", "--do", "color=0", "--json", "--out", "r")
    assert (ran.code, ran.err) == (0, "")
    queries = list(dict.fromkeys(each["query"] for each in json.loads(ran.out)["measures"]))
    assert queries == ["do()", "do(color=red)", "do(color=0)"]
    twice = cli(*words, "--do", "color=red, color=1", "--out", "r")
    assert twice.code == 2
    assert "node 'color' is given twice" in twice.err


def test_a_stopped_evaluation_leaves_the_report_that_was_there(cli, words, tmp_path, monkeypatch):
    assert cli(*words, "--out", "report").code == 0
    before = (tmp_path / "report" / "report.json").read_text()

    def stopped(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "page", stopped)
    for folder in ("report", "fresh"):
        assert cli(*words, "--out", folder).code == 130
    assert (tmp_path / "report" / "report.json").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data", "nix.csv"], "--data nix.csv: no such file, nor a data set"),
        (["--data", "morfo_mnist"], "did you mean 'morpho_mnist'?"),
        (["--do", "colour=red"], "did you mean 'color'?"),
        (["--do", "color=blue"], "unknown level 'blue'"),
        (["--do", "color"], "expected NODE=VALUE"),
        (["--do", "image=0.png"], "0.png: no such image file"),
        (["--n", "55"], "5 are left for the judges, at least 20 are needed"),
        (["--n", "1"], "1 is not in the range"),
        (["--out", "mine"], "mine: holds 'notes.txt', which is no report; give a new folder"),
        (["--out", "file"], "file: a file; expected the name of a folder"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--split", "train"], "'train' is not one of"),
    ],
)
def test_mistake_in_an_evaluation_is_one_line(cli, words, tmp_path, more, message):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    (tmp_path / "file").write_text("")
    ran = cli(*words, *more)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err
    assert not (tmp_path / "report").exists()


def test_a_model_without_data_is_one_line(cli, sizes, stamps):
    ran = cli("evaluate", stamps / "model.safetensors")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "no data; give --data" in ran.err
    ran = cli("evaluate", sizes / "model.safetensors")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "no data; give --data" in ran.err


def test_a_model_without_image_is_held_against_rows(cli, sizes, tmp_path):
    words = ["evaluate", sizes / "model.safetensors", "--data", sizes / "rows.csv"]
    ran = cli(*words)
    assert (ran.code, ran.err) == (0, "")
    assert "model.safetensors, graph sizes, judged by 200 rows" in ran.out
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "report.html",
        "report.json",
    ]
    refused = cli(*words, "--do", "color=red")
    assert (refused.code, refused.out) == (2, "")
    assert "--do is of models with an image" in refused.err


def test_a_damaged_array_file_is_one_line(cli, words, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "objects.npz", color=np.array([None], dtype=object))
    messages = {"bad.npz": "no readable .npz file", "objects.npz": "an array of Python objects"}
    for name, message in messages.items():
        ran = cli(*words, "--data", name)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert f"{name}: " in ran.err
        assert message in ran.err
    assert torch.is_grad_enabled()
