"""``causalflow fit``: a graph file and data become a model file; a killed run goes on.

The options are the fields of `causalflow.training.options.Fit`: names, defaults and helps
are read from it.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from causalflow.cli.arguments import OutputFile, examples, files
from causalflow.cli.choices import among
from causalflow.cli.data import short_form
from causalflow.cli.output import count, image_names, json_option, say, say_json, table
from causalflow.cli.rows import (
    DATA_HELP,
    READING,
    drawn,
    images_option,
    is_data_set,
    path_option,
    read_rows,
    reading_options,
    set_or_file,
)
from causalflow.errors import CausalflowError, CausalflowWarning
from causalflow.limits import CIRCUIT_SIDE, DRAWN_ROWS
from causalflow.options import Names, Number
from causalflow.pieces import remove_strays, size_of
from causalflow.training.options import Fit

if TYPE_CHECKING:
    from causalflow.evaluation.table_report import TableReport
    from causalflow.graph.graph import Graph
    from causalflow.model.model import Model
    from causalflow.training.device import FitInterrupted
    from causalflow.training.report import FitReport

__all__ = ["fit"]

RESUME = ".resume"

Command = TypeVar("Command", bound=Callable[..., Any])


def fit_options(command: Command) -> Command:
    """An option for every field of `Fit`."""
    helps = dict(re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", Fit.__doc__ or "", re.M))
    for field in reversed(dataclasses.fields(Fit)):
        flag, default = field.name.replace("_", "-"), field.default
        shape: dict[str, Any] = {"default": default, "show_default": default is not None}
        by_graph = getattr(field.metadata["rule"], "optional", False)
        if isinstance(default, bool):
            names = f"--{flag}/--no-{flag}"
        elif by_graph:
            shape["type"] = float if isinstance(field.metadata["rule"], Number) else int
            names, shape["show_default"] = f"--{flag}", "by the graph"
        else:
            names = f"--{flag}"
            kind: Any = (
                OutputFile(devices=field.name == "log") if default is None else type(default)
            )
            shape["type"] = str if field.name == "logger" else kind
        if isinstance(rule := field.metadata["rule"], Names):
            shape["shell_complete"] = among(rule.__iter__)
        if field.name == "checkpoint":
            shape["show_default"] = f"MODEL{RESUME}"
        help_text = " ".join(helps.get(field.name, "").replace(", or None", "").split())
        command = click.option(names, field.name, help=help_text, **shape)(command)
    return command


@click.command(
    short_help="Fit a graph to data: a model file.",
    epilog=examples(
        "causalflow fit graph.yaml --data rows.csv -o model.safetensors",
        "causalflow fit graph.yaml --data folder --resize cover -o model.safetensors",
        "causalflow fit bar_mnist_frontdoor.yaml --data bar_mnist_frontdoor -o bar.safetensors",
    ),
)
@click.argument("file", shell_complete=files)
@click.option("--data", required=True, shell_complete=set_or_file, help=DATA_HELP)
@click.option("-o", "--output", type=OutputFile(), required=True, help="The model file to write.")
@images_option
@path_option
@reading_options
@click.option(
    "--size",
    type=click.IntRange(8, CIRCUIT_SIDE),
    help="Pixels of a data set.  [default: the graph's]",
)
@click.option(
    "--rows", type=click.IntRange(1, DRAWN_ROWS), help="Rows of a data set.  [default: its own]"
)
@click.option(
    "--report/--no-report",
    "with_report",
    default=True,
    show_default=True,
    help="End with a report, of a graph without images: a fit in closed form is repeated on four "
    "fifths of the rows, and judged by the others.",
)
@json_option
@fit_options
def fit(
    file: str,
    data: str,
    output: Path,
    images: Path | None,
    path_column: str,
    size: int | None,
    rows: int | None,
    with_report: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit the graph of FILE to data.

    A run that is killed goes on from its checkpoint (by default the model's path and ".resume")
    when the same command is given again. One that --minutes or Ctrl-C ends writes the model as it
    is then, and goes on alike; a second Ctrl-C ends it at once. The seed is also that of the
    initial weights.
    """
    from causalflow.data.summary import summary
    from causalflow.formats.formats import load

    graph = load(file)
    reading = {name: options.pop(name) for name in READING}
    Fit(**options)
    kept = options["checkpoint"] or output.with_name(output.name + RESUME)
    held = None
    if is_data_set(data):
        content = drawn(graph, data, "train", n=rows, size=size)
    else:
        content = read_rows(graph, data, images, path_column, reading)
        held = summary(content, graph)
        if not as_json:
            say(short_form(held) + "\n")
    model, report, interruption = _fitted(graph, content, {**options, "checkpoint": kept})
    if _is_first_process():
        model.save(output, piece=options["piece"])
        if options["checkpoint"] is None and not report.stopped:
            kept.unlink(missing_ok=True)
            remove_strays(kept, keep=())
        judged = None
        if with_report and interruption is None and not image_names(graph):
            judged = _judged(model, content, report, Fit(**options), output.name)
        if as_json:
            told = {} if held is None else {"data": held.record()}
            told |= {} if judged is None else {"report": judged.record()}
            record = dataclasses.asdict(dataclasses.replace(report, history=()))
            record.pop("history")  # --log writes it
            say_json({"model": output, **record, **told})
        else:
            said = _summary(report, output, "images" if image_names(graph) else "rows")
            say(said + ("" if judged is None else f"\n\n{judged}"))
    if interruption is not None:
        raise interruption


def _fitted(
    graph: Graph, data: Any, options: dict[str, Any]
) -> tuple[Model, FitReport, FitInterrupted | None]:
    """The model, what its fit did, and the signal that ended it, if one did."""
    from causalflow.model.model import compile
    from causalflow.training.device import FitInterrupted

    model = compile(graph, seed=options["seed"])
    try:
        return model, model.fit(data, **options), None
    except FitInterrupted as interruption:
        if interruption.report is None:
            raise
        return model, interruption.report, interruption


def _judged(
    model: Model, data: Any, report: FitReport, options: Fit, name: str
) -> TableReport | None:
    """How far the model is right; None where its report fails, as the model is written."""
    from causalflow.evaluation.table_report import end_of_fit

    try:
        return end_of_fit(model, data, report, options, name)
    except CausalflowError as mistake:
        warnings.warn(f"fit: no report: {mistake}", CausalflowWarning, stacklevel=1)
        return None


def _is_first_process() -> bool:
    """Whether this one of several processes is to write and to speak."""
    from torch import distributed

    started = distributed.is_available() and distributed.is_initialized()
    return not started or distributed.get_rank() == 0


def _summary(report: FitReport, output: Path, unit: str) -> str:
    megabytes = size_of(output) / 1e6
    processes = count(report.processes, "process", "processes")
    lines = {
        "model": f"{output} ({megabytes:.2g} MB)",
        "weights": f"{report.parameters:,} trained by gradient steps",
        "device": f"{report.device}, {report.precision}, {processes}",
    }
    if report.steps:
        resumed = f" (resumed after step {report.resumed_from:,})" if report.resumed_from else ""
        lines |= {
            "steps": f"{report.steps:,}{resumed}",
            **_stopped(report),
            **_held(report),
            f"{unit} seen": f"{report.images:,}",
            "time": f"{report.seconds:.3g} s",
            "speed": f"{report.images / max(report.seconds, 1e-9):,.0f} {unit}/s",
        }
    width = max(map(len, lines))
    text = "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines.items())
    return "\n\n".join([text, *_tables(report)])


def _stopped(report: FitReport) -> dict[str, str]:
    """The line of a fit that ended before its last step."""
    why = {"minutes": "as --minutes are over", "signal": "by a signal"}
    if not report.stopped:
        return {}
    return {"stopped": f"{why[report.stopped]}; the same command goes on from here"}


def _held(report: FitReport) -> dict[str, str]:
    """The line of the held-out rows, if any are."""
    if report.held_out is None:
        return {}
    return {"held-out loss": f"{report.held_out:.4g}, least after step {report.best_step:,}, kept"}


def _tables(report: FitReport) -> Iterator[str]:
    """What each node came to: its loss, and how far its draws are from the rows."""
    from causalflow.training.log import MEMORY

    if report.steps:
        steps = min(MEMORY, report.steps)
        yield _by_node(f"loss, mean of about the last {steps} steps", report.losses)
    else:
        yield "every mechanism is fitted in closed form: no gradient steps"
    if report.distances:
        apart = {node: float(f"{distance:.2g}") for node, distance in report.distances.items()}
        yield _by_node("distance of draws from rows, 0 to 1 (Kolmogorov-Smirnov)", apart)
    if report.assumptions:
        yield "\n".join(f"assumes: {each}" for each in report.assumptions)


def _by_node(header: str, numbers: Mapping[str, float]) -> str:
    return table({"node": list(numbers), header: list(numbers.values())})
