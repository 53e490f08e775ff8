"""The command line: a module for each command, and what they share (`arguments`, `output`, `rows`).

`show` alone holds three, which show what a file holds: ``draw``, ``describe``, ``enumerate``.

    exit code  0    fine
               2    the user's mistake: one line on standard error
               130  interrupted; the line says how to go on
               141  the reader of the output went away, as in ``causalflow check *.yaml | head -1``
               1    a bug, with its traceback

Commands import torch, matplotlib and pandas when they run; ``--help``, ``check``, ``identify``,
``enumerate``, ``draw``, and ``ask`` of a finite graph file load no torch.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import NoReturn, TextIO

import click

from causalflow import __version__
from causalflow.cli.output import IMPORTED, MISTAKE
from causalflow.cli.spelling import spelt
from causalflow.cli.tasks import Commands
from causalflow.errors import CausalflowError, CausalflowWarning, one_line
from causalflow.plugins import COMMANDS, import_plugin
from causalflow.training.processes import PeerError, first_to_say, own_rank

__all__ = ["commands", "main", "run"]

INTERRUPTED, BROKEN_PIPE = 130, 141


class _Commands(MutableMapping[str, click.Command]):
    """The commands by name, each loaded when it is run or described; all take ``--with``."""

    def __init__(self) -> None:
        self._further: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name in self._further:
            return self._further[name]
        if name not in COMMANDS:
            raise KeyError(name)
        command: click.Command = COMMANDS.get(name)
        if not any(each.name == "modules" for each in command.params):
            command.params.append(_with_option(hidden=True))
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._further[name] = command

    def __delitem__(self, name: str) -> None:
        del self._further[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*COMMANDS, *self._further]))

    def __len__(self) -> int:
        return len(set(self))


def _import(context: click.Context, parameter: click.Parameter, modules: tuple[str, ...]) -> None:
    for module in modules:
        import_plugin(module)
        context.meta.setdefault(IMPORTED, []).append(module)


def _with_option(*, hidden: bool = False) -> click.Option:
    return click.Option(
        ["--with", "modules"],
        metavar="MODULE",
        multiple=True,
        is_eager=True,
        expose_value=False,
        hidden=hidden,
        callback=_import,
        help="Import a Python module that registers methods of your own (cf.register), by its "
        "name; before or after the command.",
    )


@click.group(
    cls=Commands,
    commands=_Commands(),
    invoke_without_command=True,
    params=[_with_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="causalflow", message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Causal graphs with images: from a graph file to a counterfactual picture."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: the words after ``causalflow``; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        with _warned():
            return commands.main(args, prog_name="causalflow", standalone_mode=False) or 0
    except PeerError as lost:  # the process that failed has said why, if it could
        return _ended(str(lost), MISTAKE) if first_to_say() else MISTAKE
    except CausalflowError as mistake:
        return _ended(str(mistake), MISTAKE)
    except MemoryError:
        return _ended("out of memory: ask for fewer rows or draws, or for smaller images", MISTAKE)
    except click.ClickException as mistake:
        return _ended(_usage(mistake), MISTAKE)
    except click.Abort as stopped:
        return _ended(str(stopped.__cause__ or "") or "interrupted", INTERRUPTED)
    except SystemExit as end:  # click's way to end on a broken pipe, and after a completion
        return BROKEN_PIPE if end.code else 0


@contextmanager
def _warned() -> Iterator[None]:
    """The package's warnings are lines on standard error, every one of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", CausalflowWarning)
        other = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, CausalflowWarning):
                if own_rank() == 0:
                    context = click.get_current_context(silent=True)
                    said = spelt(str(message), context.command) if context else str(message)
                    click.echo(f"warning: {said}", err=True)
            else:
                other(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def _ended(message: str, code: int) -> int:
    """Say why the command ends; of several processes with the same reason one says it."""
    rank = own_rank()
    if first_to_say(message):
        click.echo(f"process {rank}: {message}" if rank else message, err=True)
    return code


def _usage(mistake: click.ClickException) -> str:
    """A mistake in the command's words, in one line."""
    context = getattr(mistake, "ctx", None)
    path = context.command_path if context else "causalflow"
    message = " ".join(mistake.format_message().split())
    if message.startswith("Got unexpected extra argument") and context:
        taken = [each for parameter in context.command.params for each in parameter.opts]
        message += "; rows are given by --data" if "--data" in taken else ""
    return one_line(f"{path}: {message}", f" (see '{path} --help')")
