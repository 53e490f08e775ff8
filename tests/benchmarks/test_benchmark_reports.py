"""The committed reports are what their tables say, and every module of the benchmarks imports."""

import importlib
import json
import pkgutil
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import benchmarks
from benchmarks.counterfactual.report import report
from benchmarks.exact.report import markdown as exact_report
from benchmarks.folders import DOCS, RESULTS, ROOT
from benchmarks.grids import GRIDS, grid_path
from benchmarks.identify.report import markdown as identify_report
from benchmarks.nets import NETS
from benchmarks.papers.__main__ import PAGE, TABLES
from benchmarks.papers.experiment import SYSTEMS, declared, read_tables
from benchmarks.papers.page import verdict, write_page
from benchmarks.scenes.report import found_in
from benchmarks.scenes.report import report as scenes_report
from causalflow.shipped import checkpoint_names

FOUND = [
    pytest.param(system, name, found, id=name)
    for system in SYSTEMS
    for name, found in read_tables(TABLES, system).items()
]
MODULES = [found.name for found in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_imports(module):
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize(
    "name", ["counterfactual", "exact", "identify", "papers", "scenes measure", "scenes hires"]
)
def test_every_command_teaches_itself(name):
    folder, *further = name.split()
    command = importlib.import_module(f"benchmarks.{folder}.__main__").main
    shown = CliRunner().invoke(command, [*further, "--help"])
    assert shown.exit_code == 0
    assert "--out" in shown.output


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page, written anew in a tree like that of the repository."""
    root = tmp_path_factory.mktemp("root")
    results = root / TABLES.relative_to(ROOT)
    results.mkdir(parents=True)
    for path in TABLES.glob("*.json"):
        shutil.copy(path, results)
    for path in RESULTS.glob("scenes_*"):
        shutil.copy(path, results.parent)
    page = root / PAGE.relative_to(ROOT)
    write_page(results, page)
    return page, results


def test_the_page_of_the_papers_is_what_its_tables_say(written):
    page, results = written
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    files = {path.name: path.read_text(encoding="utf-8") for path in results.glob("*.md")}
    assert files == {p.name: p.read_text(encoding="utf-8") for p in TABLES.glob("*.md")}
    assert set(files) == {f"{path.stem}.md" for path in TABLES.glob("*.json")}


def test_the_page_of_the_papers_is_short():
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) < 380


@pytest.mark.parametrize(("system", "name", "found"), FOUND)
def test_every_table_of_the_page_has_a_verdict_a_command_and_a_file(system, name, found):
    said = verdict(system, name, found)
    assert said.endswith(".")
    assert len(said) < 700
    page = PAGE.read_text(encoding="utf-8")
    head, text = f"**{found['title']}.** {said}", f"`{found['command']}`: {found['seconds']:.0f} s"
    assert page.count(head) == 1
    below = page[page.index(head) :].split("\n**", 1)[0]
    assert text in below
    assert found["command"].startswith("python -m benchmarks.papers")
    assert f"(../benchmarks/results/papers/{name}.md)" in below


@pytest.mark.parametrize(("system", "name", "found"), FOUND)
def test_no_table_leaves_a_row_out_for_want_of_a_run(system, name, found):
    cells = [cell for row in found["rows"] for cell in row]
    assert not [text for text in [*cells, *found["notes"]] if "not run" in text]
    assert {len(row) for row in found["rows"]} == {len(found["columns"])}


@pytest.mark.parametrize(("system", "name", "found"), FOUND)
def test_the_rows_and_plots_that_the_page_shows_are_there(system, name, found):
    words = declared(system)["tables"][name]
    for head, entries in words.get("only", {}).items():
        there = {row[found["columns"].index(head)] for row in found["rows"]}
        assert set(entries) <= there
    if plot := words.get("plot"):
        assert (DOCS / plot["file"]).stat().st_size > 1000


def test_every_model_that_ships_has_a_grid_on_the_page():
    assert set(GRIDS) == set(checkpoint_names())
    page = PAGE.read_text(encoding="utf-8")
    for name in GRIDS:
        assert f"({Path('grids') / f'{name}.png'})" in page
        assert grid_path(name).stat().st_size > 1000


def test_the_report_of_scenes_is_what_its_parts_say():
    page, made = RESULTS / "scenes.md", scenes_report(RESULTS)
    assert page.exists() == bool(found_in(RESULTS))
    assert not page.exists() or page.read_text(encoding="utf-8") == made
    assert "not run" not in made


def test_the_report_of_counterfactual_images_is_what_its_parts_say():
    assert report(RESULTS) == (RESULTS / "counterfactual.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "text"), [("exact", exact_report), ("identify", identify_report)])
def test_the_reports_beside_other_packages_are_what_their_files_say(name, text):
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert text(found) == (RESULTS / f"{name}.md").read_text(encoding="utf-8")


def test_the_nets_that_the_systems_need_can_be_trained():
    assert {net for system in SYSTEMS for net in declared(system)["nets"]} <= set(NETS)
