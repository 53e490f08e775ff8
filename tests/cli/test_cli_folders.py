"""A folder where a file is meant: of a model, it is the model; of pictures, they are the rows."""

import json
import re
import shutil

import numpy as np
import pytest

import causalflow as cf
from causalflow.cli.given_images import image_files
from causalflow.errors import CheckpointError, EvidenceError
from causalflow.hub.card import Account, card
from causalflow.model.model import Model


@pytest.fixture(scope="module")
def shared(stamps, tmp_path_factory):
    """The model of stamps as a folder, and a folder of three of its pictures."""
    place = tmp_path_factory.mktemp("shared")
    Model.load(stamps / "model.safetensors").save_pretrained(place / "stamps")
    (place / "pictures").mkdir()
    for file in sorted(stamps.glob("*.png"))[:3]:
        shutil.copy(file, place / "pictures")
    return place


def test_folders_of_a_model_and_of_pictures_are_taken_as_they_are(cli, shared):
    told = ("--do", "color=red", "--rows", 2, "--json")
    ran = cli("counterfactual", shared / "stamps", "--image", shared / "pictures", *told)
    assert (ran.code, ran.err) == (0, "")
    answer = json.loads(ran.out)
    assert {row["row"] for row in answer["rows"]} == {0, 1}
    assert "the first 2 of 3 pictures; --rows 3 takes all" in answer["notes"]


def test_graph_of_a_model_in_a_folder_and_all_graphs_of_a_folder_are_checked(cli, shared, tmp_path):
    (one,) = json.loads(cli("check", shared / "stamps", "--json").out)
    assert (one["ok"], one["file"]) == (True, str(shared / "stamps" / "graph.yaml"))
    (tmp_path / "graphs" / "deep").mkdir(parents=True)
    (tmp_path / "graphs" / "b.yaml").write_text("edges: [x -> y]")
    (tmp_path / "graphs" / "a.dot").write_text("digraph { x -> x }")
    (tmp_path / "graphs" / "notes.txt").write_text("no graph")
    ran = cli("check", "graphs")
    assert ran.code == 2
    assert "graphs/b.yaml: ok: 2 nodes, 1 edge" in ran.out
    assert ran.err.startswith("graphs/a.dot: edge 'x -> x': an edge must join two different nodes")
    empty = cli("check", "graphs/deep")
    assert empty.code == 2
    assert empty.err.startswith("graphs/deep: a folder without a graph file; expected one of .bif,")
    assert empty.err.count("\n") == 1


def test_model_in_a_folder_is_checked_file_by_file(cli, shared, tmp_path):
    shutil.copytree(shared / "stamps", tmp_path / "altered")
    (tmp_path / "altered" / "graph.yaml").write_text("edges: [a -> b]")
    ran = cli("describe", tmp_path / "altered")
    assert ran.code == 2
    assert "graph.yaml is altered or damaged" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{0}/pictures"], "is a folder without a model (it has no config.json)"),
        (["{0}/stamps", "{0}/pictures"], "; rows are given by --data"),
        (["{0}/stamps", "--evidence", "{0}/pictures"], "Rows in a folder: --data {0}/pictures"),
        (["hf://me/mine"], "copy it first: causalflow share hf://me/mine FOLDER"),
    ],
)
def test_folder_in_the_place_of_a_file_is_told_its_option(cli, shared, words, said):
    ran = cli("counterfactual", *(each.format(shared) for each in words), "--do", "color=red")
    assert ran.code == 2
    assert said.format(shared) in ran.err


def test_table_that_names_pictures_is_no_evidence_by_itself(cli, shared):
    (shared / "labels.csv").write_text("path,color\n1.png,red\n")
    given = ("--evidence", shared / "labels.csv", "--do", "color=red")
    ran = cli("counterfactual", shared / "stamps", *given)
    assert ran.code == 2
    assert "its column 'path' names pictures; --data FOLDER reads them" in ran.err


def test_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(EvidenceError, match="no picture lies in this folder"):
        image_files([tmp_path], 8)


def test_card_that_is_written_over_is_told_of(cli, stamps, shared, tmp_path):
    shutil.copytree(shared / "stamps", tmp_path / "card")
    ran = cli("share", stamps / "model.safetensors", tmp_path / "card")
    assert ran.code == 0
    assert "its card is written anew, without what was said for the one before" in ran.err
    again = cli("share", stamps / "model.safetensors", tmp_path / "card", "--license", "mit")
    assert "warning" not in again.err


def test_card_has_scores_of_a_data_set_with_the_command_that_measures_them_again(
    stamps, tmp_path, restored
):
    @cf.register("data set", "own_stamps")
    def own_stamps(split, n=None):
        generator = np.random.default_rng(len(split))
        color = np.arange(n or 40) % 2
        pictures = np.zeros((len(color), 3, 8, 8), np.uint8)
        pictures[np.arange(len(color)), 1 - color] = generator.integers(120, 200, len(color))[
            :, None, None
        ]
        return {"color": color, "image": pictures}

    model = Model.load(stamps / "model.safetensors")
    said = {"data": "own_stamps", "n": 4, "do": {"color": "red"}, "progress": False}
    model.save_pretrained(tmp_path / "card", **said)
    card = (tmp_path / "card" / "README.md").read_text()
    command = "causalflow evaluate MODEL --data own_stamps --n 4 --do color=red"
    assert f"4 pictures of own\\_stamps, test. `{command}` measures it again." in card
    assert "| do(color=red) | effectiveness: color, as set |" in card
    assert "| time |" not in card  # it is the machine's
    assert "| P(image\\[color=red\\] \\| color, image) |" in card


def test_card_of_two_images_promises_no_scores():
    image = "{type: image, shape: [1, 8, 8], diffusion: {width: 8, multipliers: [1]}}"
    nodes = f"  hour: {{type: class, levels: 2}}\n  sky: {image}\n  sea: {image}\n"
    graph = cf.loads(f"nodes:\n{nodes}edges: [hour -> sky, hour -> sea]\n")
    text = card(Account(model=cf.compile(graph), name="two", place="two"))
    assert "Not measured: `causalflow evaluate` measures models of one image." in text


def test_writing_a_folder_shows_how_far_it_is(cli, stamps, tmp_path):
    ran = cli("share", stamps / "model.safetensors", tmp_path / "shown")
    parts = ("weights", "graph", "samples", "counterfactual", "card")
    assert [each for each in parts if f"{each}: " in ran.err] == [*parts]
    assert "5/5" in ran.err
    quiet = cli("share", stamps / "model.safetensors", tmp_path / "quiet", "--no-progress")
    assert (quiet.code, quiet.err) == (0, "")
    Model.load(stamps / "model.safetensors").save_pretrained(tmp_path / "own", progress=False)


def test_answer_that_writes_no_picture_says_how(cli, shared):
    given = ("--image", shared / "pictures", "--rows", 1, "--do", "color=red")
    ran = cli("counterfactual", shared / "stamps", *given)
    assert ran.out.endswith("no picture is written: -o FILE.png writes one\n")


def test_captions_of_a_drawn_picture_say_that_they_were_asked_for(cli, shared, tmp_path):
    given = ("--image", shared / "pictures" / "0.png", "--do", "color=red", "-o", "worlds.svg")
    assert cli("counterfactual", shared / "stamps", *given).code == 0
    drawn = (tmp_path / "worlds.svg").read_text()
    texts = re.findall(r"<!-- (.*) -->", drawn)
    assert "asked: red" in texts
    assert "below each: color, as asked of the picture, not read off it" in " ".join(texts)
    assert cli("sample", shared / "stamps", "-n", 2, "-o", "drawn.svg").code == 0
    assert "as asked of the" in (tmp_path / "drawn.svg").read_text()


def test_folder_of_no_model_is_refused_by_what_it_lacks(shared):
    with pytest.raises(CheckpointError, match=r"no folder of a model: it has no config\.json"):
        cf.from_pretrained(shared / "pictures")
