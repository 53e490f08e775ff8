"""``causalflow ask``: the answers to causal questions, exact from a graph file or simulated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import (
    Assignment,
    AssignmentType,
    device_option,
    examples,
    is_graph_file,
    load_model,
    read_image,
    seed_option,
    steps_option,
    told_in,
)
from causalflow.cli.conversation import converse
from causalflow.cli.output import json_option, records, say, say_json
from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.compilable import is_explicit
from causalflow.limits import DRAWN_ROWS
from causalflow.values.image import image_of

if TYPE_CHECKING:
    from causalflow.data.habit import Habit
    from causalflow.factors.table import Number, Table
    from causalflow.graph.graph import Graph
    from causalflow.query.answer import Answer

__all__ = ["ask"]

MOST_INLINE = 16


@click.command(
    short_help="Answer a causal question.",
    epilog=examples(
        'causalflow ask graphs/ascm_xy.yaml "P(i[x=1] | i=5)"',
        'causalflow ask graphs/ascm_xy.yaml "P(y[x=1]=1 | x, i)" --given x=0 --given i=6',
        'causalflow ask graphs/ascm_xy.yaml "P(x | i in {5, 6}, y likely {0: .2, 1: .8})"',
        'causalflow ask graphs/classics/firing_squad.yaml "PN(a=yes/no -> dead=yes/no)"',
        'causalflow ask m.safetensors "P(bar[color=red] | image)" --given image=seven.png',
        "causalflow ask graphs/ascm_xy.yaml -i",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("query", required=False)
@click.option("-i", "--interactive", is_flag=True, help="Ask for one QUERY after the other.")
@click.option(
    "--given",
    type=AssignmentType(),
    multiple=True,
    help="The value of a condition or intervention that QUERY leaves free: a level, a number, an "
    "image file or code. Short of a value of a condition: 't>5', 'age in [60, 70]', 'digit in {3, "
    "5}', and likelihoods, 'digit likely {3: .8, 5: .2}'.",
)
@click.option(
    "--draws",
    type=click.IntRange(1, DRAWN_ROWS),
    help="How many are simulated.  [default: 100,000, or fewer]",
)
@click.option(
    "--interval",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability of a credible interval, such as 0.95, by the counts behind fitted tables.",
)
@seed_option
@steps_option
@device_option
@json_option
@click.pass_context
def ask(
    context: click.Context,
    file: Path,
    query: str | None,
    interactive: bool,
    given: Sequence[Assignment],
    draws: int | None,
    interval: float | None,
    seed: int,
    steps: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Answer QUERY by a graph FILE (.yaml, .bif) whose equations say it all, or by a fitted model.

    What is about finite tables, given or fitted, is answered exactly, in fractions where its
    numbers are, and so are means of lines with normal noise; any other by draws, with their
    simulation error: what a fit gets wrong is not in it.

    With -i questions are typed, one after the other; the tab key completes them.
    """
    if query is None and not interactive:
        raise click.MissingParameter(ctx=context, param_type="argument", param_hint="'QUERY'")
    if is_graph_file(file) and interval is not None:
        raise CompileError(f"{file}: --interval is of a fitted model; a graph's tables are given")
    asked = _exact(file, given) if is_graph_file(file) else None
    asked = asked or _by_model(file, given, draws, seed, steps, device, interval)

    def tell(question: str) -> None:
        answer = asked.answer(question)
        if as_json:
            say_json(_json(answer))
        else:
            say(_text(answer))

    if query is not None:
        tell(query)
    if interactive:
        converse(asked.graph, tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked: its graph, and the function from a question to its answer."""

    graph: Graph
    answer: Callable[[str], Answer]


def _exact(file: Path, given: Sequence[Assignment]) -> _Asked | None:
    """A finite model; None where equations or laws are continuous.

    Raises:
        CompileError: the graph says too little to be a model.
    """
    from causalflow.exact.judged import judged_answer
    from causalflow.exact.structure import unsupported
    from causalflow.formats.formats import load

    graph = load(file)
    if reason := unsupported(graph):
        if is_explicit(graph):
            return None
        raise CompileError(
            f"{file}: {reason}; fit a model to data and ask that: causalflow fit; or have rows "
            "answer: causalflow estimate"
        )

    def found(query: str) -> Answer:
        return judged_answer(graph, query, _known(graph, given))

    return _Asked(graph=graph, answer=found)


def _by_model(
    file: Path,
    given: Sequence[Assignment],
    draws: int | None,
    seed: int,
    steps: int | None,
    device: str,
    interval: float | None,
) -> _Asked:
    from causalflow.formats.formats import load
    from causalflow.model.model import compile

    model = compile(load(file)) if is_graph_file(file) else load_model(file, device)

    def found(query: str) -> Answer:
        known = _known(model.graph, given, model.habits)
        return model.ask(query, known, draws=draws, generator=seed, steps=steps, interval=interval)

    return _Asked(graph=model.graph, answer=found)


def _known(
    graph: Graph,
    given: Sequence[Assignment],
    habits: Mapping[str, Habit] = MappingProxyType({}),
) -> dict[str, Any]:
    """Variable -> value, as `Model.ask` takes them; whether QUERY has a place for it is its part.

    Raises:
        EvidenceError: a shift, or a variable given twice.
    """
    values: dict[str, Any] = {}
    for each in given:
        if each.operator in ("+=", "-=", "*=", "~"):
            raise EvidenceError(f"--given {each}: '{each.operator}' is no value; expected '='")
        if each.node in values:
            raise EvidenceError(f"--given {each}: '{each.node}' is given twice")
        known = each.node in graph.nodes or each.node in graph.exogenous
        told = told_in(graph, each.node, each.said) if known else None
        values[each.node] = told or _value(graph, each, habits)
    return values


def _value(graph: Graph, given: Assignment, habits: Mapping[str, Habit]) -> Any:
    """The text as it is; images by code or by file."""
    node = graph.nodes.get(given.node)
    image = None if node is None else image_of(node.type)
    if image is None:
        return given.text
    is_code = re.fullmatch(r"[+-]?\d+", given.text)
    return int(given.text) if is_code else read_image(image, given.text, given.node, habits)


def _json(answer: Answer) -> dict[str, Any]:
    """Question, route and table, a row a cell; how far to trust it, where there is more to say.

    The numbers of a table are ``p`` where they are probabilities, else ``value``: means, effects,
    ratios.
    """
    from causalflow.factors.table import long_columns

    numbers = "p" if answer.of_probabilities else "value"

    def cells(table: Table) -> list[dict[str, object]]:
        return records(long_columns(table, numbers))

    shown: dict[str, Any] = {"query": str(answer.query), "route": answer.route}
    shown["table"] = cells(answer.table)
    if answer.route != "exact":
        shown["error"] = answer.error
        shown["error_is"] = answer.error_text
    shown["identifiable"] = _identifiable(answer)
    if answer.interval is not None:
        ends = answer.interval
        shown["interval"] = {"share": ends.share, "low": cells(ends.low), "high": cells(ends.high)}
    warnings, assumptions = _rests_on(answer)
    shown |= {"warnings": warnings} if warnings else {}
    shown |= {"assumptions": assumptions} if assumptions else {}
    return shown


def _rests_on(answer: Answer) -> tuple[list[str], list[str]]:
    """The warnings of the answer's verdict, and all that it rests on."""
    verdict: Any = answer.verdict
    warnings = [] if verdict is None else list(verdict.warnings)
    notes = list(answer.assumptions)
    if _identifiable(answer) is False and not answer.learned:
        notes.append("not identifiable from P(v): the answer rests on the model")
    return warnings, notes


def _text(answer: Answer) -> str:
    """The answer in one line where it fits, and what it rests on."""
    warnings, notes = _rests_on(answer)
    lines = [_shown(answer.table), *filter(None, [answer.error_text])]
    lines += [] if answer.interval is None else [str(answer.interval)]
    lines += [f"warning: {each}" for each in warnings]
    return "\n".join([*lines, *(f"note: {each}" for each in notes if each not in warnings)])


def _shown(table: Table) -> str:
    """A number, ``{level: number, ...}``, or the table."""
    if len(table.axes) > 1 or table.values.size > MOST_INLINE:
        return str(table)
    if not table.axes:
        return _number(table.values.item())
    return "{" + ", ".join(f"{k}: {_number(v)}" for k, v in table.to_dict().items()) + "}"


def _number(value: Number) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _identifiable(answer: Answer) -> bool | None:
    verdict: Any = answer.verdict
    return None if verdict is None else verdict.identifiable
