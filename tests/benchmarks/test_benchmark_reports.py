"""The committed reports are what their tables say, and every module of the benchmarks imports."""

import importlib
import json
import pkgutil

import pytest
from click.testing import CliRunner

import benchmarks
from benchmarks.counterfactual.report import report
from benchmarks.exact.report import markdown as exact_report
from benchmarks.folders import RESULTS
from benchmarks.identify.report import markdown as identify_report
from benchmarks.nets import NETS
from benchmarks.papers.__main__ import PAGE, TABLES
from benchmarks.papers.experiment import SYSTEMS, declared, write_page

MODULES = [found.name for found in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_imports(module):
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("name", ["counterfactual", "exact", "identify", "papers"])
def test_every_command_teaches_itself(name):
    command = importlib.import_module(f"benchmarks.{name}.__main__").main
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "--out" in shown.output


def test_the_page_of_the_papers_is_what_its_tables_say(tmp_path):
    write_page(TABLES, tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_the_report_of_counterfactual_images_is_what_its_parts_say():
    assert report(RESULTS) == (RESULTS / "counterfactual.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "text"), [("exact", exact_report), ("identify", identify_report)])
def test_the_reports_beside_other_packages_are_what_their_files_say(name, text):
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert text(found) == (RESULTS / f"{name}.md").read_text(encoding="utf-8")


def test_the_nets_that_the_systems_need_can_be_trained():
    assert {net for system in SYSTEMS for net in declared(system)["nets"]} <= set(NETS)
