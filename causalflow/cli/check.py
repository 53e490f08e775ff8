"""``causalflow check``: graph files are read, their queries parsed; nothing is identified yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import examples
from causalflow.cli.output import MISTAKE, count, json_option, say, say_json
from causalflow.errors import GraphError, QueryError

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["check", "checked", "verdict"]

UNVERIFIED = "not verified yet: identification is not part of this version"


@click.command(
    short_help="Check graph files and their queries.",
    epilog=examples("causalflow check graphs/*.yaml", "causalflow check --json g.yaml"),
)
@click.argument("files", nargs=-1, required=True)
@json_option
@click.pass_context
def check(context: click.Context, files: Sequence[str], as_json: bool) -> None:
    """Check graph FILES: fields, types, edges, cycles, and every query against its graph.

    Prints a line a file and goes on after a mistake; the exit code is 2 if any file has one.
    Whether queries are identifiable is not verified by this version.
    """
    results = [checked(file) for file in files]
    for result in results:
        if not as_json and result["ok"]:
            say(verdict(result))
        for error in result["errors"]:
            click.echo(error, err=True)
    if as_json:
        say_json(results)
    if not all(result["ok"] for result in results):
        context.exit(MISTAKE)


def checked(file: str) -> dict[str, Any]:
    """What there is to say about a file, as JSON shows it."""
    from causalflow.graph.reader import load

    try:
        graph = load(file)
    except GraphError as error:
        return {"file": file, "ok": False, "errors": [str(error)], "queries": []}
    errors = _query_errors(file, graph)
    return {
        "file": file,
        "ok": not errors,
        "errors": errors,
        "graph": graph.name,
        "nodes": len(graph.nodes),
        "edges": len(graph.edges),
        "hidden_confounders": len(graph.admg.bidirected),
        "queries": [
            {"ask": each.ask, "identifiable": each.identifiable, "verdict": None, "line": each.line}
            for each in graph.queries
        ],
    }


def _query_errors(file: str, graph: Graph) -> list[str]:
    """The mistakes in a file's queries; the lines after the first point at the place."""
    from causalflow.query.language import parse_query

    errors = []
    for each in graph.queries:
        try:
            parse_query(each.ask, graph)
        except QueryError as error:
            errors.append(f"{file}:{each.line or 1}: {error}")
    return errors


def verdict(result: dict[str, Any]) -> str:
    """The line of a file without a mistake."""
    parts = [count(result["nodes"], "node"), count(result["edges"], "edge")]
    if result["hidden_confounders"]:
        parts.append(count(result["hidden_confounders"], "hidden confounder"))
    if result["queries"]:
        parts.append(f"{count(len(result['queries']), 'query', 'queries')} ({UNVERIFIED})")
    return f"{result['file']}: ok: {', '.join(parts)}"
