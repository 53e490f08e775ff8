"""The pages of docs/how-to and docs/explanation: every example runs as it is printed.

A fenced block is what its first line says: ``python NAME.py``, ``yaml NAME.yaml`` and ``text NAME``
are files; ``python`` alone is run, all of a page in one namespace; ``console`` holds commands, each
after ``$``, with what they print below them where it is shown. Of the README and the pages beside
those folders, the commands on graphs that ship are run; a line ``...`` stands for any lines.
"""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from causalflow.cli import run

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDERS = (DOCS / "how-to", DOCS / "explanation")
PAGES = sorted(path for folder in FOLDERS for path in folder.glob("*.md") if path.stem != "index")
PLAIN = re.compile(r"^```\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
FRONT = [DOCS.parent / "README.md", DOCS / "questions.md"]
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch, restored):
    """A folder of its own; what a page imports and registers is gone after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    modules = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


def commands(text):
    """The commands of a block, each with the lines that it is shown to print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield shlex.split(command), printed.strip()


def call(words, codes=(0,)):
    assert words[0] == "causalflow"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words[1:])
    assert code in codes, err.getvalue()
    return out.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(page, place):
    names = {}
    for language, name, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if name:
            (place / name).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, str(page), "exec"), names)
        elif language == "console":
            for words, printed in commands(text):
                assert printed in call(words)


@pytest.mark.parametrize("page", FRONT, ids=lambda page: page.stem)
def test_what_the_front_pages_print_is_what_is_printed(page, monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    asked = "".join(PLAIN.findall(page.read_text(encoding="utf-8")))
    shown = [(words, printed) for words, printed in commands(asked) if "graphs/" in words[2]]
    assert len(shown) > 5
    for words, printed in shown:
        wanted = ".*".join(map(re.escape, re.split(r"^\.\.\.$", printed, flags=re.MULTILINE)))
        assert re.fullmatch(wanted, call(words, codes=(0, 1)).strip(), re.DOTALL), words


def test_every_kind_of_addition_has_its_page():
    wanted = "solver guidance backbone mechanism node-type metric data-set graph-format"
    assert {page.stem for page in PAGES} >= {*wanted.split(), "identification-rule", "cli-command"}


def test_every_task_that_people_ask_for_has_its_page():
    wanted = "your-own-pictures confounded-picture missing-labels export-to-pyro fit-at-scale"
    assert {page.stem for page in PAGES} >= set(wanted.split())


def test_links_of_the_pages_lead_somewhere():
    for page in [*PAGES, *(folder / "index.md" for folder in FOLDERS)]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (page.name, target)
