"""``causalflow estimate``: the answer to a causal question from rows, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from causalflow.cli.arguments import (
    PICTURES,
    Assignment,
    AssignmentType,
    OutputFile,
    examples,
    files,
)
from causalflow.cli.choices import among, spaced
from causalflow.cli.identify import decided
from causalflow.cli.output import json_option, records, say, say_json, write_figure
from causalflow.errors import CausalflowError, DataError

if TYPE_CHECKING:
    from causalflow.effects.effect import Effect
    from causalflow.estimate.plug_in import Estimate
    from causalflow.graph.graph import Graph

__all__ = ["estimate"]


@click.command(
    short_help="Estimate a causal effect from rows.",
    epilog=examples(
        'causalflow estimate g.yaml "ATE(x -> y)" --data rows.csv',
        'causalflow estimate g.yaml "E[y | do(dose)]" --data rows.csv --plot curve.png',
        'causalflow estimate g.yaml "ATE(x -> y)" --data rows.csv --learners linear --json',
        'causalflow estimate g.yaml "E[y | do(dose)]" --data rows.csv --at dose=0,10,20',
    ),
)
@click.argument("file", shell_complete=files)
@click.argument("query")
@click.option(
    "--data",
    required=True,
    shell_complete=files,
    help="A .csv, .parquet, .npz or .h5 file, a column a node.",
)
@click.option(
    "--method",
    default="auto",
    show_default=True,
    shell_complete=among(lambda: _methods()),
    help="How it is estimated: auto, plug-in, back-door, stages, sequential, mediation, formula "
    "or instrument.",
)
@click.option(
    "--learners",
    default="auto",
    show_default=True,
    shell_complete=among(lambda: _learners(), listed=True),
    help="Learners, with commas between: linear, smooth, boosting; the best by cross-validated "
    "loss is taken.",
)
@click.option("--folds", default=5, show_default=True, help="Parts that the rows are cut into.")
@click.option(
    "--at",
    type=AssignmentType(),
    multiple=True,
    help="Values of a number that QUERY leaves free, such as dose=0,10,20.",
)
@click.option("--confidence", default=0.95, show_default=True, help="Of the intervals.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn."
)
@click.option("--plot", type=OutputFile(*PICTURES), help="Draw the answers to a picture file.")
@click.option("--overlap", type=OutputFile(*PICTURES), help="Draw the propensities to a file.")
@click.option("--refute", is_flag=True, help="Check it where the answer is known, and more.")
@json_option
def estimate(
    file: str,
    query: str,
    data: str,
    method: str,
    learners: str,
    folds: int,
    at: Sequence[Assignment],
    confidence: float,
    seed: int,
    plot: Path | None,
    overlap: Path | None,
    refute: bool,
    as_json: bool,
) -> None:
    """Answer QUERY about graph FILE from the rows of a table, with an interval.

    Finite columns are counted; where one is a number, effects are found by learners that have not
    seen the rows they predict. What the answer rests on is printed with it.
    """
    from causalflow.formats.formats import load

    graph = load(file)
    found = decided(graph, query, ()).estimate(
        _columns(graph, data),
        method=spaced(method, _methods()),
        learners=learners if learners == "auto" else [*map(str.strip, learners.split(","))],
        folds=folds,
        at=_places(at),
        confidence=confidence,
        generator=seed,
    )
    checked = getattr(found, "refute", None) if refute else None
    if refute and checked is None:
        raise CausalflowError("--refute: the estimate is of counted rows; name a --method")
    if as_json:
        asked = {"query": query, "confidence": confidence}
        say_json(asked | _json(found) | ({} if checked is None else {"refutation": str(checked())}))
    else:
        say(str(found))  # before the checks, which take longer
        if checked is not None:
            say(str(checked()))
    if plot is not None:
        write_figure(plot, _drawn(found, "plot"))
    if overlap is not None:
        write_figure(overlap, _drawn(found, "overlap"))


def _methods() -> Sequence[str]:
    """The names of the methods, as Python has them."""
    from causalflow.effects.estimation import ASSUMING, COUNTING, PLANNERS

    return ["auto", COUNTING, *PLANNERS, *ASSUMING]


def _learners() -> Sequence[str]:
    """The names of the learners."""
    from causalflow.effects.nuisance.learners import LEARNERS

    return ["auto", *LEARNERS]


def _columns(graph: Graph, data: str) -> Mapping[str, Any]:
    """The columns of a file; texts that are all numerals become numbers."""
    from causalflow.data.sources.source import Place, opened_source

    opened = opened_source(Place(text=data, graph=graph))
    return {name: _numbers(column) for name, column in opened.columns.items()}


def _numbers(column: Any) -> Any:
    """A column of texts as numbers, where every text is one or says nothing."""
    from causalflow.values.column import is_missing_word, numeral

    array = np.asarray(column)
    if array.dtype != object or not all(isinstance(each, str) for each in array):
        return column
    gaps = [is_missing_word(each) for each in array]
    found = [np.nan if gap else numeral(each) for gap, each in zip(gaps, array, strict=True)]
    if any(each is None for each in found):
        return column
    numbers = np.array(found, dtype=np.float64)
    whole = not any(gaps) and bool(np.all(numbers == np.round(numbers)))
    if whole and np.abs(numbers).max() < 2**53:
        numbers = numbers.astype(np.int64)
    if not hasattr(column, "attrs"):
        return numbers
    made = type(column)(numbers, index=column.index, name=column.name)
    made.attrs = column.attrs
    return made


def _places(at: Sequence[Assignment]) -> dict[str, list[float]]:
    """Variable -> the values at which it is wanted.

    Raises:
        DataError: what is no number.
    """
    try:
        return {each.node: [float(part) for part in each.text.split(",")] for each in at}
    except ValueError:
        shown = ", ".join(map(str, at))
        raise DataError(f"--at {shown}: expected numbers, such as dose=0,10,20") from None


def _drawn(found: Estimate | Effect, what: str) -> Any:
    """The figure of an effect, or of its overlap.

    Raises:
        CausalflowError: there is none.
    """
    drawn = found if what == "plot" else getattr(found, "overlap", None)
    if drawn is None or not hasattr(drawn, "plot"):
        raise CausalflowError(f"--{what}: the estimate is of counted rows and has no such picture")
    return np.ravel(drawn.plot())[0].figure


def _json(found: Estimate | Effect) -> dict[str, Any]:
    """The answers, a row each, and what they rest on."""
    from causalflow.effects.effect import Effect

    shown: dict[str, Any] = {"kind": found.kind, "rows": found.rows, "dropped": found.dropped}
    if isinstance(found, Effect):
        shown |= _learned(found)
    else:
        shown |= {"method": "plug in", "estimates": _counted(found)}
    shown["assumptions"] = list(found.assumptions)
    return shown | ({"warnings": list(found.warnings)} if found.warnings else {})


def _learned(found: Effect) -> dict[str, Any]:
    """The answers by learners, with their bounds and overlap where there are any."""
    shown: dict[str, Any] = {"method": found.method, "learners": dict(found.learners)}
    if found.unit:
        shown["unit"] = found.unit
    shown["estimates"] = _lines(found.to_dataframe())
    if found.bounds is not None:
        pairs = zip(*found.bounds, strict=True)
        shown["bounds"] = [[float(least), float(most)] for least, most in pairs]
    if found.overlap is not None:
        shown["overlap"] = _lines(found.overlap.to_dataframe())
    return shown


def _lines(frame: Any) -> list[dict[str, object]]:
    return records({name: frame[name].tolist() for name in frame})


def _counted(found: Estimate) -> list[dict[str, Any]]:
    """The answers from counted rows: a row a cell."""
    ends = (*found.bounds, found.low, found.high)
    names = ("least", "most", "low", "high")
    numbers = zip(*(table.values.ravel() for table in ends), strict=True)
    return [
        {
            **dict(zip(found.low.axes, cell, strict=True)),
            **({"estimate": float(own[0])} if found.table is not None else {}),
            **dict(zip(names, map(float, own), strict=True)),
        }
        for cell, own in zip(found.low.cells(), numbers, strict=True)
    ]
