"""Conversation: questions typed one after the other, with history, completion and errors shown.

A mistake is marked where it is, and ends nothing; ``quit`` or the end of the input does.

    > P(y | do(z=1))
               ^
    query: unknown node 'z'; expected one of ['x', 'y']
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from causalflow.cli.output import say
from causalflow.errors import CausalflowError, QueryError, one_line
from causalflow.graph.graph import Graph

__all__ = ["converse"]

PROMPT = "> "
LEAVE = ("quit", "exit", "q")
_HELP = (
    "A question, such as P(y | do(x=1)), E[y[x=1] - y[x=0]] or ATE(x -> y).\n"
    "The tab key completes. nodes: what there is to ask about; quit: leave."
)


def converse(graph: Graph, tell: Callable[[str], None]) -> None:
    """Read questions until there are no more.

    Args:
        graph: says which names and levels there are.
        tell: prints the answer to a question.
    """
    typed = sys.stdin.isatty()
    if typed:
        say(f"{graph.name}: ask a question; help, quit")
    with _completing(graph):
        while (line := _line()) is not None:
            question = line.strip()
            if not typed and question:
                say(f"{PROMPT}{line.rstrip()}")
            if question.lower() in LEAVE:
                return
            if question:
                _answered(graph, line.rstrip(), tell)


def _line() -> str | None:
    """The next line; None where there is none."""
    try:
        return input(PROMPT if sys.stdin.isatty() else "")
    except EOFError:
        return None


def _answered(graph: Graph, line: str, tell: Callable[[str], None]) -> None:
    match line.strip().lower():
        case "help" | "?":
            say(_HELP)
        case "nodes":
            say("\n".join(_node(graph, name) for name in graph.nodes))
        case _:
            try:
                tell(line)
            except QueryError as mistake:
                click.echo(_marked(mistake, line), err=True)
            except CausalflowError as mistake:
                click.echo(str(mistake), err=True)


def _node(graph: Graph, name: str) -> str:
    caption = graph.nodes[name].type.caption
    return f"{name}: {caption}" if caption else name


def _marked(mistake: QueryError, line: str) -> str:
    """The mistake, below a mark at its place in the line."""
    if mistake.position is None or mistake.text is None or not line.endswith(mistake.text):
        return str(mistake)
    before = line[: len(line) - len(mistake.text) + mistake.position]
    width = sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in before)
    return f"{' ' * (len(PROMPT) + width)}^\n{one_line(mistake.message)}"


@contextmanager
def _completing(graph: Graph) -> Iterator[None]:
    """The tab key completes what is typed, where Python has readline and somebody types."""
    try:
        import readline
    except ImportError:  # pragma: no cover: Windows
        yield
        return
    from causalflow.query.completion import completion

    def complete(word: str, number: int) -> str | None:
        begun = readline.get_line_buffer()[: readline.get_endidx()]
        found = completion(begun, graph=graph)
        head = begun[readline.get_begidx() : found.start]
        options = [head + option for option in found.options]
        return options[number] if number < len(options) else None

    old = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(complete)
    readline.set_completer_delims(" ,()[]|=")
    is_libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(old[0])
        readline.set_completer_delims(old[1])
