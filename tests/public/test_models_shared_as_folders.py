import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

TABLE = """
graph: clinic
nodes:
  age: {type: continuous, unit: years}
  drug: {type: class, levels: [none, "a|b", never]}
  well: {type: class, levels: ["no", "yes"]}
edges: [age -> drug, age -> well, drug -> well]
queries:
  - {ask: "P(well | do(drug=none))", identifiable: true}
  - {ask: "P(well[drug=none] | drug='a|b', well)", identifiable: false}
"""
PICTURE = """
graph: patches
nodes:
  shade: {type: continuous, support: [0, 1]}
  patch: {type: image, shape: [1, 8, 8], diffusion: {width: 8, steps: 2, code: none}}
edges: [shade -> patch]
"""


def rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 9, n)
    drug = (rng.random(n) < 1 / (1 + np.exp(-(age - 50) / 9))).astype(int)
    well = (rng.random(n) < 0.3 + 0.4 * drug).astype(int)
    names = {"drug": np.array(["none", "a|b"])[drug], "well": np.array(["no", "yes"])[well]}
    return pd.DataFrame({"age": age, **names})


@pytest.fixture(scope="module")
def table():
    model = cf.compile(cf.loads(TABLE))
    model.fit(rows(), steps=20, progress=False)
    return model


@pytest.fixture(scope="module")
def picture():
    model = cf.compile(cf.loads(PICTURE))
    shade = np.linspace(0.1, 0.9, 32)
    patch = np.broadcast_to(shade[:, None, None, None], (32, 1, 8, 8)).astype(np.float32)
    model.fit({"shade": shade, "patch": patch}, steps=4, batch_size=8, progress=False)
    return model


@pytest.fixture(scope="module")
def saved(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "clinic"
    table.save_pretrained(folder, data=rows(60, 1), about="Made **up**.", license="mit")
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    folder = tmp_path / "clinic"
    folder.mkdir()
    for each in saved.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    return folder


def equal(one, other):
    assert list(one) == list(other)
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def test_a_table_model_answers_alike_after_the_way_to_a_folder_and_back(table, saved):
    again = cf.from_pretrained(saved)
    question = "P(well | do(drug=none))"
    assert again.graph == table.graph
    assert again.ask(question).table.to_dict() == table.ask(question).table.to_dict()
    evidence = rows()[:5]
    worlds = [m.counterfactual(evidence, do={"drug": "none"}) for m in (table, again)]
    assert equal(*worlds)
    assert equal(table.sample(9), again.sample(9))


def test_a_picture_model_draws_the_same_bytes_and_has_its_pictures_beside_it(picture, tmp_path):
    files = picture.save_pretrained(tmp_path / "m")
    again = cf.from_pretrained(tmp_path / "m")
    drawn = picture.sample(3, do={"shade": 0.4})
    assert equal(drawn, again.sample(3, do={"shade": 0.4}))
    assert equal(*(m.counterfactual(drawn, do={"shade": 0.5}) for m in (picture, again)))
    pictures = [path for path in files if path.suffix == ".png"]
    assert [path.name for path in pictures] == ["counterfactual.png", "graph.png", "samples.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    card = (tmp_path / "m" / "README.md").read_text()
    assert all(f"]({path.name})" in card for path in pictures)
    assert "Not measured" in card


def test_a_model_in_pieces_comes_back_too(picture, tmp_path):
    files = picture.save_pretrained(tmp_path / "m", piece="100KB")
    assert len([path for path in files if "-of-" in path.name]) > 1
    assert equal(picture.sample(2), cf.from_pretrained(tmp_path / "m").sample(2))
    picture.save_pretrained(tmp_path / "m")
    assert [p.name for p in (tmp_path / "m").iterdir() if "-of-" in p.name] == []


def test_the_card_says_what_is_decided_learned_measured_and_allowed(saved, table):
    card = (saved / "README.md").read_text()
    head = card.split("---")[1]
    assert 'license: "mit"' in head
    assert "Made **up**." in card
    assert re.search(r"\| P\(well \\\| do\(drug=none\)\) \| yes \| sum", card)
    assert re.search(r"'a\\\|b', well\) \| no \|", card)
    low, high = table.experience.ranges["age"]["age"]
    assert f"| age | continuous, years | {low:.4g} | {high:.4g} |" in card
    assert re.search(r"^well +60 ", card, re.M)
    config = json.loads((saved / "config.json").read_text())
    assert config["ranges"] == {"age": [low, high]}
    assert config["unseen"] == {"drug": ["never"]}
    assert config["nodes"]["drug"] == "class, 3 levels"
    assert set(config["libraries"]) == {"causalflow", "torch", "safetensors"}


def test_what_authors_call_a_model_does_not_break_its_card(table, tmp_path):
    name = "<script>alert(1)</script> # *x*\n| y"
    table.save_pretrained(tmp_path / "m", name=name)
    card = (tmp_path / "m" / "README.md").read_text()
    assert "# &lt;script&gt;alert(1)&lt;/script&gt; \\# \\*x\\* | y\n" in card
    assert "<script>" not in card


def altered(folder, name, old, new):
    path = folder / name
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("graph.yaml", b"years", b"month", "graph.yaml is altered or damaged"),
        ("model.safetensors", b"years", b"month", "model.safetensors is altered or damaged"),
        ("config.json", b'"none"', b'"none"', "'unseen' is not what the model says"),
        ("config.json", b'"sha256": "', b'"sha256": "0', "is altered or damaged"),
        ("config.json", b'"ranges"', b'"span"', "damaged: it lacks what a model's has"),
        ("config.json", b'"version": 1', b'"version": 2', "this causalflow reads 1: upgrade it"),
        ("config.json", b"causalflow model folder", b"diffusers", "not one that causalflow wrote"),
        ("config.json", b"{", b"[", "damaged: no JSON"),
        ("config.json", b'"graph.yaml": {', b'"../graph.yaml": {', "damaged"),
        ("config.json", b'"torch": "', b'"torch": "0', "other 'libraries'"),
    ],
)
def test_a_folder_that_was_tampered_with_is_refused_in_a_line(copy, name, old, new, said):
    if said.startswith("'unseen'"):
        old, new = b'"never"', b'"none"'
    altered(copy, name, old, new)
    with pytest.raises(cf.CheckpointError, match=re.escape(said)) as error:
        cf.from_pretrained(copy)
    assert "\n" not in str(error.value)


def test_weights_of_another_graph_are_refused_even_with_a_digest_that_fits(copy, picture, tmp_path):
    import hashlib

    picture.save_pretrained(tmp_path / "other")
    text = (tmp_path / "other" / "graph.yaml").read_bytes()
    (copy / "graph.yaml").write_bytes(text)
    config = json.loads((copy / "config.json").read_text())
    digest = hashlib.sha256(text).hexdigest()
    config["files"]["graph.yaml"] = {"bytes": len(text), "sha256": digest}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(cf.CheckpointError, match=r"graph\.yaml is not the graph"):
        cf.from_pretrained(copy)


@pytest.mark.parametrize("name", ["graph.yaml", "model.safetensors", "config.json"])
def test_a_folder_that_lacks_a_file_is_refused(copy, name):
    (copy / name).unlink()
    with pytest.raises(cf.CheckpointError, match=re.escape(name)):
        cf.from_pretrained(copy)


def test_people_may_edit_the_card(copy):
    (copy / "README.md").write_text("mine")
    (copy / "graph.png").unlink()
    assert cf.from_pretrained(copy).graph.name == "clinic"


def test_files_of_others_are_kept_and_never_written_over(table, copy, tmp_path):
    (copy / "notes.txt").write_text("mine")
    table.save_pretrained(copy)
    assert (copy / "notes.txt").read_text() == "mine"
    other = tmp_path / "project"
    other.mkdir()
    (other / "README.md").write_text("mine")
    with pytest.raises(cf.CheckpointError, match=r"holds 'README\.md', and no model"):
        table.save_pretrained(other)
    assert [path.name for path in other.iterdir()] == ["README.md"]
    (tmp_path / "file").write_text("")
    with pytest.raises(cf.CheckpointError, match="a file; expected the name of a folder"):
        table.save_pretrained(tmp_path / "file")


def test_a_folder_that_cannot_be_made_anew_stays_as_it_was(table, copy, monkeypatch):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    for wrong in ({"data": {"age": [1.0]}}, {"license": 3}, {"bits": 7}):
        with pytest.raises(cf.CausalflowError):
            table.save_pretrained(copy, **wrong)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert [path.name for path in copy.parent.iterdir()] == ["clinic"]


@pytest.mark.parametrize("place", ["nowhere", Path("/no/such/folder"), 3, ""])
def test_a_place_without_a_model_is_named(place):
    with pytest.raises(cf.CheckpointError, match="from_pretrained: "):
        cf.from_pretrained(place)
