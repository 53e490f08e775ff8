"""A folder where a file is meant: of a model, it is the model; of pictures, they are the rows."""

import json
import shutil

import pytest

import causalflow as cf
from causalflow.cli.given_images import image_files
from causalflow.errors import CheckpointError, EvidenceError
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
    assert again.err == ""


def test_answer_that_writes_no_picture_says_how(cli, shared):
    given = ("--image", shared / "pictures", "--rows", 1, "--do", "color=red")
    ran = cli("counterfactual", shared / "stamps", *given)
    assert ran.out.endswith("no picture is written: -o FILE.png writes one\n")


def test_folder_of_no_model_is_refused_by_what_it_lacks(shared):
    with pytest.raises(CheckpointError, match=r"no folder of a model: it has no config\.json"):
        cf.from_pretrained(shared / "pictures")
