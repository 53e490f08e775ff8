"""Tasks: all commands by what one wants to do, as the help page has them, an example of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from causalflow.cli.spelling import spelt
from causalflow.errors import CausalflowError
from causalflow.training.processes import PeerError

__all__ = ["TASKS", "Commands", "Task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A heading of the help page.

    Attributes:
        title: what one wants.
        commands: what does it, in the order of use.
        example: one line that works.
    """

    title: str
    commands: tuple[str, ...]
    example: str


TASKS = (
    Task(
        title="See it work",
        commands=("demo", "app"),
        example="causalflow demo",
    ),
    Task(
        title="Write a graph",
        commands=("new", "check", "draw", "describe"),
        example="causalflow new rows.csv -o graph.yaml && causalflow check graph.yaml",
    ),
    Task(
        title="Ask what can be known",
        commands=("identify", "ask", "enumerate", "estimate"),
        example='causalflow identify graph.yaml "P(y | do(x))"',
    ),
    Task(
        title="Learn a model from data",
        commands=("data", "fit", "evaluate", "share"),
        example="causalflow fit graph.yaml --data rows.csv -o model.safetensors",
    ),
    Task(
        title="Draw worlds from a model",
        commands=("sample", "counterfactual"),
        example="causalflow counterfactual model.safetensors --image 7.png --do color=red",
    ),
)
_FURTHER = "Further"


class Commands(click.Group):
    """The group of all commands; its help lists them by task, those of no task last.

    What a command refuses is said with its options as they are typed.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            CausalflowError: the user's mistake, in the words of the command line.
        """
        try:
            return super().invoke(ctx)
        except PeerError:
            raise
        except CausalflowError as mistake:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if command is None:
                raise
            raise CausalflowError(spelt(str(mistake), command)) from mistake

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by task."""
        names = self.list_commands(ctx)
        told = {name for task in TASKS for name in task.commands}
        rest = [name for name in names if name not in told]
        width = max(map(len, names))
        for task in TASKS:
            there = [name for name in task.commands if name in names]
            self._format(ctx, formatter, task.title, there, width)
            formatter.write(f"  $ {task.example}\n")
        if rest:
            self._format(ctx, formatter, _FURTHER, rest, width)
        formatter.write_paragraph()
        formatter.write_text("causalflow COMMAND --help: every option, and examples.")

    def _format(
        self,
        ctx: click.Context,
        formatter: click.HelpFormatter,
        title: str,
        names: list[str],
        width: int,
    ) -> None:
        found = ((name, self.get_command(ctx, name)) for name in names)
        rows = [
            (name.ljust(width), command.get_short_help_str(formatter.width))
            for name, command in found
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
