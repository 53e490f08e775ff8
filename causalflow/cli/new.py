"""New: ``causalflow new``, a first graph file for a table or folder, its types guessed."""

from __future__ import annotations

from pathlib import Path

import click

from causalflow.cli.arguments import OutputFile, examples
from causalflow.cli.output import json_option, say, say_json, table
from causalflow.cli.rows import images_option, path_option
from causalflow.errors import GraphError
from causalflow.files import whole_file, written

__all__ = ["new"]


@click.command(
    short_help="Write a first graph file for your data.",
    epilog=examples(
        "causalflow new rows.csv",
        "causalflow new folder -o graph.yaml",
        "causalflow new rows.csv --images folder --path-column file -o graph.yaml",
    ),
)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=OutputFile(".yaml", ".yml"),
    help="The graph file; one that is there is kept.  [default: SOURCE's name, .yaml, here]",
)
@images_option
@path_option
@json_option
def new(
    source: Path, output: Path | None, images: Path | None, path_column: str, as_json: bool
) -> None:
    """Write a commented graph file for SOURCE: a .csv, or a folder of pictures.

    A folder holds labels.csv, which names the pictures and their labels, or a folder of pictures
    for each level. Types are guessed from the values, and each line says so; what causes what is
    for you to write.
    """
    from causalflow.data.sketch import sketch_of
    from causalflow.formats.formats import loads

    path = output or Path(f"{source.resolve().stem}.yaml")
    if path.exists():
        raise GraphError(f"{path}: is there already, and is kept; name another by --output")
    sketch = sketch_of(source, images, path_column)
    text = sketch.text(str(path))
    loads(text, "yaml")
    with written(path, GraphError), whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
    kept = [guess for guess in sketch.guesses if guess.entry]
    out = [guess for guess in sketch.guesses if not guess.entry]
    if as_json:
        nodes = {guess.name: {"entry": guess.entry, "why": guess.why} for guess in kept}
        left_out = {guess.name: guess.why for guess in out}
        say_json({"file": path, "rows": sketch.rows, "nodes": nodes, "left_out": left_out})
        return
    columns = {
        "node": [guess.name for guess in (*kept, *out)],
        "guess": [guess.entry.strip("{}") or "left out" for guess in (*kept, *out)],
        "as it is": [guess.why for guess in (*kept, *out)],
    }
    say(f"{table(columns)}\n\nwritten: {path}; say in it what causes what, then: causalflow check")
