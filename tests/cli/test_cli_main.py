import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import causalflow
from causalflow.cli import commands, run
from causalflow.errors import CausalflowError
from causalflow.training.device import FitInterrupted

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "pandas", "sympy", "lightning_fabric"}


def process(*args, **further):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        args, capture_output=True, text=True, env=environment, check=False, timeout=120, **further
    )


def loaded_by(words):
    """The libraries that a run of the command line has loaded when it ends, and its exit code."""
    program = (
        "import sys; from causalflow.cli import run; code = run(sys.argv[1:]); "
        "print(); print(code, *{name.split('.')[0] for name in sys.modules})"
    )
    ran = process(sys.executable, "-c", program, *words)
    assert ran.returncode == 0, ran.stderr
    code, *names = ran.stdout.splitlines()[-1].split()
    return int(code), set(names)


def graph_files():
    return sorted(str(path) for path in (ROOT / "graphs").glob("*.yaml"))


def test_what_only_reasons_loads_no_heavy_library():
    ascm = str(ROOT / "graphs" / "ascm_xy.yaml")
    for words in (
        ["check", *graph_files()],
        ["fit", "--help"],
        ["identify", ascm, "P(i[x=1] | i=5)"],
        ["ask", ascm, "P(i[x=1] | i=5)", "--json"],
        ["enumerate", ascm],
    ):
        code, names = loaded_by(words)
        assert code == 0
        assert names & (HEAVY | {"matplotlib"}) == set()


def test_draw_loads_no_torch(tmp_path):
    code, names = loaded_by(["draw", graph_files()[0], "-o", str(tmp_path / "graph.png")])
    assert code == 0
    assert names & HEAVY == set()


def test_module_form_answers_as_the_script_does(tmp_path):
    ran = process(sys.executable, "-m", "causalflow", "check", "nope.yaml", cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == "nope.yaml: cannot be read: No such file or directory\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes of a POSIX system")
def test_reader_that_goes_away_gets_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "causalflow", "check", *graph_files()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False, timeout=120
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_help_teaches_with_an_example(name):
    shown = CliRunner().invoke(commands, [name, "--help"])
    assert shown.exit_code == 0
    assert f"\n  causalflow {name}".replace("\n", "\n  ") in shown.output.split("Example")[1]


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_option_is_explained(name):
    options = [each for each in commands.commands[name].params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_version_is_the_package_version(cli):
    assert cli("--version").out == f"causalflow {causalflow.__version__}\n"


@pytest.fixture
def raising():
    """A command, for the length of a test, that raises what it is told to."""

    def add(error):
        def callback():
            raise error

        commands.add_command(click.Command("raise", callback=callback))

    yield add
    commands.commands.pop("raise", None)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (CausalflowError("x: wrong"), 2, "x: wrong\n"),
        (FitInterrupted("stopped after step 3"), 130, "\nstopped after step 3\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
    ],
)
def test_exit_code_tells_a_mistake_from_an_interrupt(cli, raising, error, code, message):
    raising(error)
    ran = cli("raise")
    assert (ran.code, ran.out, ran.err) == (code, "", message)


def test_a_bug_keeps_its_traceback(raising):
    raising(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run(["raise"])


def test_json_has_no_nan(capsys):
    from causalflow.cli.output import say_json

    say_json({"a": [float("nan"), 1.5], "path": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "path": "x"}


def test_no_words_show_the_commands(cli):
    ran = cli()
    assert ran.code == 0
    assert all(f"\n  {name} " in ran.out for name in commands.commands)
