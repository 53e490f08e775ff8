"""``causalflow identify``: whether a causal question can be answered from data, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import examples
from causalflow.cli.output import json_option, say, say_json

if TYPE_CHECKING:
    from causalflow.identify.verdict import Verdict

__all__ = ["identify"]

WHOLE = ("observational", "experimental")


@click.command(
    short_help="Whether data can answer a causal question.",
    epilog=examples(
        'causalflow identify graphs/literature/napkin.yaml "P(y | do(x))" --explain',
        'causalflow identify g.yaml "P(y | do(x))" --data "P(v)" --data "P(v | do(z))"',
    ),
)
@click.argument("file")
@click.argument("query")
@click.option(
    "--data",
    multiple=True,
    help="A distribution that is known, such as P(y, z | do(x)); repeat it for several. Or "
    "observational: P(v); experimental: every P(v | do(.)).  [default: observational]",
)
@click.option("--explain", is_flag=True, help="Show the derivation, step by step.")
@json_option
def identify(file: str, query: str, data: Sequence[str], explain: bool, as_json: bool) -> None:
    """Decide whether graph FILE and the data determine the answer to QUERY.

    Prints the answer as a formula of the data (the estimand), or the reason why there is none.
    """
    from causalflow.graph.reader import load
    from causalflow.identify.identify import identify as decide

    named = tuple(data) or WHOLE[:1]
    verdict = decide(load(file), query, named[0] if len(named) == 1 else list(named))
    if as_json:
        say_json(_json(verdict, explain))
    else:
        say(verdict.text(explain=explain))


def _json(verdict: Verdict, explain: bool) -> dict[str, Any]:
    """The verdict, with the reasons if there is no estimand, and the steps if they are wanted."""
    from causalflow.symbolic.render import to_latex, to_text

    estimand = verdict.estimand
    shown: dict[str, Any] = {
        "identifiable": verdict.identifiable,
        "estimand": None if estimand is None else to_text(estimand),
        "latex": None if estimand is None else to_latex(estimand),
    }
    if not verdict.identifiable:
        shown["witness"] = [str(each) for each in verdict.witness]
    if explain:
        shown["derivation"] = [str(step) for step in verdict.derivation]
        shown["assumptions"] = list(verdict.assumptions)
    return shown
