"""``causalflow identify``: whether a causal question can be answered from data, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import examples, files
from causalflow.cli.choices import among
from causalflow.cli.output import json_option, say, say_json

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph
    from causalflow.identify.verdict import Verdict
    from causalflow.proof.proof import Proof

__all__ = ["as_record", "data_option", "decided", "identify"]

WHOLE = ("observational", "experimental")

data_option = click.option(
    "--data",
    multiple=True,
    shell_complete=among(lambda: WHOLE),
    help="A distribution that is known, such as P(y, z | do(x)); repeat it for several. Or "
    "observational: P(v); experimental: every P(v | do(.)).  [default: observational]",
)


@click.command(
    short_help="Whether data can answer a causal question.",
    epilog=examples(
        'causalflow identify graphs/literature/napkin.yaml "P(y | do(x))" --explain',
        'causalflow identify graphs/literature/front_door.yaml "P(y | do(x))" --proof',
        'causalflow identify graphs/literature/mediation.yaml "NDE(x -> y)"',
        'causalflow identify g.yaml "P(y | do(x))" --data "P(v)" --data "P(v | do(z))"',
    ),
)
@click.argument("file", shell_complete=files)
@click.argument("query")
@data_option
@click.option("--explain", is_flag=True, help="Show the derivation, and shorter answers if any.")
@click.option("--proof", is_flag=True, help="Prove it by rules 1-3 of the do-calculus.")
@json_option
def identify(
    file: str, query: str, data: Sequence[str], explain: bool, proof: bool, as_json: bool
) -> None:
    """Decide whether graph FILE and the data determine the answer to QUERY.

    Prints the answer as a formula of the data (the estimand), or what proves that there is none, or
    that neither was found.

    QUERY is such as P(y | do(x), z), E[y[x=1] - y[x=0] | x=1], P(y[x=1, m[x=0]]), or a quantity by
    name: ATE, CATE, ATT, ATC, RD, RR, PN, PS, PNS, NDE, NIE, Ctf-DE, Ctf-IE as in ATE(x -> y),
    CATE(x -> y | z=1) or NDE(x -> y; m); CDE(x -> y; m=1); PSE(x -> y; x -> m -> y).
    ATT(x=drug/none -> y) names the levels. Sums and ratios: P(y=1 | do(x=1)) / P(y=1 | do(x=0)).
    Policies: do(x ~ {0: 0.3, 1: 0.7}) draws, do(x = 1 - z) plans, do(x += 1) shifts, do(x ~ pi(z))
    is any law given z.
    """
    from causalflow.formats.formats import load

    verdict = decided(load(file), query, data)
    if as_json:
        say_json(as_record(verdict, explain, proof))
    else:
        say(verdict.text(explain=explain, proof=proof))


def decided(graph: Graph, query: str, data: Sequence[str]) -> Verdict:
    """The verdict from the data that the option names."""
    from causalflow.identify.identify import identify as decide

    named = tuple(data) or WHOLE[:1]
    return decide(graph, query, named[0] if len(named) == 1 else list(named))


def as_record(verdict: Verdict, explain: bool = False, proof: bool = False) -> dict[str, Any]:
    """The verdict, with the reasons if there is no estimand, and the steps if they are wanted."""
    from causalflow.symbolic.render import to_latex, to_text

    estimand = verdict.estimand
    shown: dict[str, Any] = {
        "query": str(verdict.query),
        "data": list(verdict.data),
        "identifiable": verdict.identifiable,
        "estimand": None if estimand is None else to_text(estimand),
        "latex": None if estimand is None else to_latex(estimand),
    }
    if verdict.warnings:
        shown["warnings"] = list(verdict.warnings)
    if verdict.identifiable is False:
        reasons = verdict.witness or filter(None, [verdict.hedge])
        shown["witness"] = [str(each) for each in reasons]
    if verdict.constant_in:
        shown["constant_in"] = list(verdict.constant_in)
    if verdict.note:
        shown["note"] = verdict.note
    if explain:
        shown["derivation"] = [str(step) for step in verdict.derivation]
        shown["assumptions"] = list(verdict.assumptions)
        shown["short_answers"] = [str(each) for each in verdict.short_answers]
    if proof:
        shown["proof"] = _proof(verdict.proof)
    return shown


def _proof(proof: Proof) -> dict[str, Any]:
    """The lines of a proof, or why there is none."""
    if not proof:
        return {"missing": proof.missing}
    lines = [
        {"formula": str(line.formula), "reason": line.reason, "uses": [*map(str, line.uses)]}
        for line in proof.lines
    ]
    return {"lines": lines, "latex": proof.latex()}
