from __future__ import annotations

from pathlib import Path

import pytest

from causalflow.files import remove_leftovers, whole_file, whole_folder


def test_a_file_is_replaced_wholly_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for text in ("old", "new"):
        with whole_file(path) as part:
            part.write_text(text)
            assert not path.exists() or path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def _write_half(path: Path) -> None:
    with whole_file(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt


def test_an_error_while_writing_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_to_the_new_content(tmp_path: Path) -> None:
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    with whole_file(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_the_parts_of_killed_writers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model[1].safetensors"
    kept = [path, tmp_path / ".model1.safetensors.7.part", tmp_path / ".other.7.part"]
    left = tmp_path / ".model[1].safetensors.7.part"
    for file in (*kept, left):
        file.touch()
    remove_leftovers(path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_folder_appears_whole_and_takes_the_place_of_the_old_one(tmp_path):
    report = tmp_path / "report"
    for text in ("first", "second"):
        with whole_folder(report) as part:
            (part / "a.txt").write_text(text)
            seen = [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")]
            assert seen == ([] if text == "first" else ["report"])
        assert (report / "a.txt").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_folder_of_a_block_that_fails_leaves_the_old_one(tmp_path):
    report = tmp_path / "report"
    with whole_folder(report) as part:
        (part / "a.txt").write_text("old")
    with pytest.raises(KeyError):
        _fail_within(report)
    assert (report / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_leftover_folders_of_killed_writers_are_removed(tmp_path):
    (tmp_path / ".report.1.part").mkdir()
    (tmp_path / ".report.1.part" / "a.txt").write_text("half")
    remove_leftovers(tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def _fail_within(folder: Path) -> None:
    with whole_folder(folder) as part:
        (part / "a.txt").write_text("new")
        raise KeyError
