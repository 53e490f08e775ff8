"""``causalflow check``: graph files are read, and the questions they answer themselves verified."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import examples, files
from causalflow.cli.output import MISTAKE, count, json_option, say, say_json
from causalflow.errors import GraphError

if TYPE_CHECKING:
    from causalflow.exact.verification import Verification
    from causalflow.graph.graph import Graph

__all__ = ["check", "checked", "summary"]


@click.command(
    short_help="Check graph files and their queries.",
    epilog=examples(
        "causalflow check graphs/*.yaml",
        "causalflow check my_model",
        "causalflow check --json g.yaml",
    ),
)
@click.argument("files", nargs=-1, required=True, shell_complete=files)
@json_option
@click.pass_context
def check(context: click.Context, files: Sequence[str], as_json: bool) -> None:
    """Check graph FILES: fields, types, edges, cycles, and every query against its graph.

    Of a folder every graph file in it is checked (.yaml, .bif, .dot, ...; no .json): of one of
    "causalflow share", its graph.yaml.

    A file that gives its nodes types is also checked for what `compile` would refuse without data:
    "cannot be compiled". One that only names them is symbolic, and is not.

    Each query's verdict (is it identifiable from P(v)?) and, where the file is a finite model, its
    answer are computed, and held against what the file declares. A warning names the cells that no
    data fill: those that the estimand needs, and parents of a learned node of which one is a
    function of the others. Goes on after a mistake; the exit code is 2 if any file has one.
    """
    results = []
    for file in chain.from_iterable(map(_files_of, files)):
        results.append(checked(file))
        if not as_json:
            _show(results[-1])
        for error in results[-1]["errors"]:
            click.echo(error, err=True)
    if as_json:
        say_json(results)
    if not all(result["ok"] for result in results):
        context.exit(MISTAKE)


def _files_of(place: str) -> list[str]:
    """A file, or the graph files in a folder by name; the folder itself where it has none."""
    if not os.path.isdir(place):
        return [place]
    inside = sorted(path for path in Path(place).iterdir() if path.is_file())
    return [str(path) for path in inside if path.name.lower().endswith(_endings())] or [place]


def _endings() -> tuple[str, ...]:
    """How the names of graph files end; one in .json is named by itself, as more is kept so."""
    from causalflow.formats.formats import FORMATS

    plain = {each for name in FORMATS for each in FORMATS.get(name).suffixes} - {".json"}
    return tuple(sorted(plain | {f"{each}.gz" for each in plain}))


def checked(file: str) -> dict[str, Any]:
    """What there is to say about a file, as JSON shows it; a folder has no graph file."""
    from causalflow.exact.verification import verify
    from causalflow.formats.formats import load
    from causalflow.identify.positivity import overlaps

    try:
        if os.path.isdir(file):
            shown = ", ".join(each for each in _endings() if not each.endswith(".gz"))
            raise GraphError(f"{file}: a folder without a graph file; expected one of {shown}")
        graph = load(file)
    except GraphError as error:
        return {"file": file, "ok": False, "errors": [str(error)], "warnings": [], "queries": []}
    found = list(verify(graph))
    errors = [f"{file}:{each.check.line or 1}: {e}" for each in found for e in each.errors]
    errors += [f"{file}: cannot be compiled: {reason}" for reason in _refusals(graph)]
    return {
        "file": file,
        "ok": not errors,
        "errors": errors,
        "warnings": [f"positivity fails: {each}" for each in overlaps(graph)],
        "notes": _notes(graph),
        **_counts(graph),
        "queries": [_query(each) for each in found],
    }


def _notes(graph: Graph) -> list[str]:
    """The nodes whose levels read as numbers and are not 0..K-1, and the model that ships."""
    notes = {name: node.type.note for name, node in graph.nodes.items()}
    return [f"'{name}': {note}" for name, note in notes.items() if note] + list(_shipped(graph))


def _shipped(graph: Graph) -> Iterator[str]:
    """The checkpoint that ships for the graph, and the options that its images are drawn with."""
    from causalflow.graph.node import diffusion_images

    if not diffusion_images(graph.nodes):
        return
    from causalflow.graph.settings import in_words
    from causalflow.shipped import checkpoint_for, checkpoint_name, settings_for

    path = checkpoint_for(graph)
    if path is not None:
        found = "; ".join(in_words(settings_for(graph, path)))
        name = checkpoint_name(path)
        yield f"checkpoint '{name}' ships for it" + (f", drawn with {found}" if found else "")


def _refusals(graph: Graph) -> list[str]:
    """Why the graph cannot be a model; a file that only names its nodes is not meant to be one."""
    from causalflow.graph.compilable import refusals, untyped

    return [] if len(untyped(graph)) == len(graph.nodes) else list(refusals(graph))


def _counts(graph: Graph) -> dict[str, Any]:
    return {
        "graph": graph.name,
        "nodes": len(graph.nodes),
        "edges": len(graph.edges),
        "hidden_confounders": len(graph.admg.bidirected),
        "latent": list(graph.latent),
    }


def _query(each: Verification) -> dict[str, Any]:
    """A query: what is declared, the verdict, and the answer where one is declared."""
    verdict = each.verdict
    estimand = None if verdict is None else verdict.estimand
    answer = each.answer
    return {
        "ask": each.check.ask,
        "identifiable": each.check.identifiable,
        "verdict": None if verdict is None else verdict.identifiable,
        "unknown": verdict is not None and verdict.identifiable is None,
        "estimand": None if estimand is None else str(estimand),
        "answer": None if answer is None else _exact(answer),
        "warnings": list(each.warnings),
        "line": each.check.line,
    }


def _exact(answer: Any) -> Any:
    """A number, or numbers by level, as text."""
    value = answer.value
    if value is not None:
        return str(value)
    return {str(cell): str(number) for cell, number in answer.table.to_dict().items()}


def summary(result: dict[str, Any]) -> str:
    """The line of a file without a mistake."""
    parts = [count(result["nodes"], "node"), count(result["edges"], "edge")]
    if result["hidden_confounders"]:
        parts.append(count(result["hidden_confounders"], "hidden confounder"))
    if latent := result["latent"]:
        shown = ", ".join(latent[:5]) + (", ..." if len(latent) > 5 else "")
        parts.append(
            f"{count(len(latent), 'latent node')} left out for the edges they make ({shown})"
        )
    if queries := result["queries"]:
        verified = sum(each["verdict"] is not None for each in queries)
        note = "verified" if verified == len(queries) else f"{verified} verified"
        parts.append(f"{count(len(queries), 'query', 'queries')} ({note})")
    return f"{result['file']}: ok: {', '.join(parts)}"


def _show(result: dict[str, Any]) -> None:
    if result["ok"]:
        say(summary(result))
    for warning in result["warnings"]:
        say(f"  warning: {warning}")
    for note in result.get("notes", ()):
        say(f"  note: {note}")
    for each in result["queries"]:
        say(f"  {each['ask']}: {_verdict(each)}")
        for warning in each["warnings"]:
            say(f"    warning: {warning}")


def _verdict(each: dict[str, Any]) -> str:
    match each["verdict"], each["estimand"]:
        case None, _:
            return "not known to be identifiable" if each["unknown"] else "not checked"
        case True, estimand:
            return f"identifiable: {estimand}"
        case _:
            return "not identifiable"
