"""``causalflow enumerate``: the whole table of a small finite model, as papers print it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from causalflow.cli.arguments import examples
from causalflow.cli.output import json_option, records, say, say_json

__all__ = ["enumerate"]


@click.command(
    name="enumerate",
    short_help="The whole table of a small finite model.",
    epilog=examples("causalflow enumerate graphs/ascm_xy.yaml"),
)
@click.argument("file")
@json_option
def enumerate(file: str, as_json: bool) -> None:
    """Write out graph FILE, a finite model: every combination of exogenous values.

    One row each: the exogenous values, the world that they make (an image by its code), and the
    probability as an exact fraction.
    """
    from causalflow.discrete.scm import ExactModel
    from causalflow.graph.reader import load

    whole = ExactModel(load(file)).enumerate()
    if not as_json:
        say(str(whole))
        return
    columns: dict[str, Sequence[object]] = {**whole.exogenous, **whole.nodes}
    columns |= {"p": [float(p) for p in whole.p], "exact": [str(p) for p in whole.p]}
    say_json(records(columns))
