"""Completion: ``causalflow completion``, by which a shell completes commands and options."""

from __future__ import annotations

import click

from causalflow.cli.arguments import examples
from causalflow.cli.output import say

__all__ = ["completion"]

VARIABLE = "_CAUSALFLOW_COMPLETE"


@click.command(
    short_help="Let bash, zsh or fish complete commands.",
    epilog=examples(
        'eval "$(causalflow completion bash)"',
        "causalflow completion zsh >> ~/.zshrc",
        "causalflow completion fish > ~/.config/fish/completions/causalflow.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, choices and files."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    root = context.find_root()
    say(kind(root.command, {}, "causalflow", VARIABLE).source_template % _names())


def _names() -> dict[str, str]:
    return {
        "complete_func": "_causalflow_completion",
        "complete_var": VARIABLE,
        "prog_name": "causalflow",
    }
