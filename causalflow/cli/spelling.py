"""Spelling: options in a message as the command line writes them, ``--folds 1`` for ``folds=1``.

The package speaks of its arguments as Python has them. Here, in one place, those that the command
has an option for are rewritten. What stands in quotes, in brackets, in a call or behind an option,
such as a question about a node of the same name, stays as it is; so does what says that it is
Python's, and an option that the message names in both ways.
"""

from __future__ import annotations

import re

import click

__all__ = ["spelt"]

_KEPT = re.compile(
    r"(--[\w-]+ [^\s:;,]+|(?<![\w=])'[^']*'|(?<![\w=])\"[^\"]*\""
    r"|\w\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]|\{[^}]*\})"
)
_VALUE = r"(?:'(?P<quoted>[^']*)'|(?P<plain>[^\s;,()']*))"


def spelt(message: str, command: click.Command) -> str:
    """The message with the command's options as they are typed.

    Example:
        >>> folds = click.Option(["--folds"], type=int)
        >>> command = click.Command("estimate", params=[folds])
        >>> spelt("estimate: folds=1 of P(y | folds=1); expected 2 or more", command)
        'estimate: --folds 1 of P(y | folds=1); expected 2 or more'
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.name:
            flag = max(option.opts, key=len)
            if not re.search(rf"{re.escape(flag)}\b", message):
                message = _rewritten(message, option, flag)
    return message


def _rewritten(message: str, option: click.Option, flag: str) -> str:
    """The message with one option rewritten wherever it stands in plain words."""

    def typed(found: re.Match[str]) -> str:
        value = found["plain"] if found["quoted"] is None else found["quoted"]
        if option.is_flag and value in ("True", "False"):
            return flag if value == "True" else max([*option.secondary_opts, flag], key=len)
        return f"{flag} '{value}'" if " " in value else f"{flag} {value}"

    name = re.compile(rf"(?<![\w.'-]){re.escape(str(option.name))}=(?!$){_VALUE}(?! in Python)")
    parts = _KEPT.split(message)
    parts[::2] = [name.sub(typed, part) for part in parts[::2]]
    return "".join(parts)
