import json
from pathlib import Path

import pytest

import causalflow.demo.demo as demo
from causalflow.demo.demo import Demonstration, Line

SCORES = (
    Line(query="P(bar)", measure="probability", value=0.651234, unit="1", truth=0.6524),
    Line(query="do(color)", measure="digit as in the world", value=0.95, unit="1"),
)


@pytest.fixture
def asked(monkeypatch):
    """What the command asks of the demo, which is tested elsewhere, and answers from `SCORES`."""
    calls = []

    def demonstrate(model, n, picture):
        calls.append((model, n, picture))
        network_calls = {"do(color)": 59.0, "do(bar)": 40.0}
        return Demonstration(scores=SCORES, images=n, network_calls=network_calls, picture=picture)

    monkeypatch.setattr(demo, "demonstrate", demonstrate)
    monkeypatch.setattr(demo, "load_model", lambda: "shipped")
    monkeypatch.setattr(demo, "train", lambda folder: f"trained in {folder}")
    return calls


def test_demo_prints_scores_beside_the_truth_with_images_calls_and_time(cli, asked):
    ran = cli("demo", "--images", 7)
    assert (ran.code, ran.err) == (0, "")
    assert asked == [("shipped", 7, Path("counterfactual.png"))]
    check, about, blank, *table, empty, last = ran.out.splitlines()
    assert check == (
        "digits_demo_frontdoor: ok: 4 nodes, 5 edges, 1 hidden confounder, 3 queries (verified)"
    )
    calls = "network calls per image: do(color) 59, do(bar) 40"
    assert (about, blank, empty) == (f"7 held-out images; {calls}", "", "")
    assert table == [
        "query      measure                 value   truth  unit",
        "P(bar)     probability            0.6512  0.6524  1",
        "do(color)  digit as in the world    0.95       -  1",
    ]
    assert last.startswith("written: counterfactual.png (")
    assert last.endswith(" s in all)")


def test_demo_json_holds_the_check_and_the_scores(cli, asked):
    shown = json.loads(cli("demo", "--json", "--out", "a.png").out)
    assert shown["check"]["ok"]
    assert shown["scores"][1]["truth"] is None
    assert shown["scores"][0]["value"] == 0.651234
    assert (shown["images"], shown["picture"]) == (200, "a.png")


def test_demo_may_train_its_model(cli, asked, tmp_path):
    assert cli("demo", "--train", "run").code == 0
    assert asked[0][0] == "trained in run"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.txt"], "unknown format '.txt'"),
        (["--train", "file"], "'file' is a file"),
    ],
)
def test_mistake_in_the_demo_is_one_line(cli, asked, tmp_path, words, message):
    (tmp_path / "file").write_text("")
    ran = cli("demo", *words)
    assert (ran.code, ran.out, ran.err.count("\n"), asked) == (2, "", 1, [])
    assert message in ran.err
