import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def required():
    return [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]


def pin(requirement):
    return PINS[re.sub(r"[-_.]+", "-", requirement.name).lower()]


@pytest.mark.parametrize("text", required())
def test_constraints_pin_every_requirement_within_its_bounds(text):
    requirement = Requirement(text)
    assert requirement.specifier.contains(pin(requirement))
    installed = metadata.version(requirement.name).split("+")[0]
    assert requirement.specifier.contains(installed)


def beside():
    extras = PROJECT["optional-dependencies"]
    return [*extras["benchmarks"], *extras["docs"]]


@pytest.mark.parametrize("text", beside())
def test_constraints_pin_the_peers_of_the_benchmarks_and_what_builds_the_site(text):
    requirement = Requirement(text)
    assert requirement.specifier.contains(pin(requirement))


def test_pins_have_no_local_versions():
    assert [pin for pin in PINS.values() if "+" in pin] == []


def test_readme_prints_one_test_command_that_ci_runs_literally():
    commands = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"pip install .*&& pytest", line)
    ]
    assert commands == ['pip install -c constraints.txt -e ".[test]" && pytest']
    assert "grep -E '^pip install .*&& pytest' README.md" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to check the script with")
def test_ci_script_is_valid_bash():
    ran = subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
