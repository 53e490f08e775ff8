"""``causalflow app``: the what-if page, served by this machine to its browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from warnings import warn

import click

from causalflow.cli.arguments import examples, shipped_or_file
from causalflow.cli.choices import among
from causalflow.cli.output import IMPORTED, say
from causalflow.errors import CausalflowError, CausalflowWarning, GraphError
from causalflow.limits import GRAPH_BYTES

__all__ = ["app"]


def _graphs() -> tuple[str, ...]:
    from causalflow.shipped import graph_names

    return graph_names()


@click.command(
    short_help="The what-if page, in the browser.",
    epilog=examples(
        "causalflow app",
        "causalflow app graphs/literature/napkin.yaml",
        "causalflow app graph.yaml --model model.safetensors --data rows.csv",
    ),
)
@click.argument("graph", required=False, shell_complete=among(_graphs, file=True))
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=shipped_or_file,
    help="A fitted model, by its file or by the name of one that ships; may be given again.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help="A folder or table of rows that Imagine and Table may show.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Where it is served; if taken, the next one that is free. 0: any.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address that is listened at. Any but this machine's own opens the page to others.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
def app(
    graph: str | None,
    models: tuple[str, ...],
    data: Path | None,
    port: int,
    host: str,
    no_browser: bool,
) -> None:
    """Draw a graph, learn what can be known, move a slider and see what would have been.

    GRAPH is a graph file of any format, or the name of one that ships. Nothing that is done in the
    page leaves this machine or is written to it; what is to be kept is saved by the browser.
    """
    try:
        from causalflow.app.serve import address, is_public, listening, serve
        from causalflow.app.server import Start
    except ModuleNotFoundError as missing:
        if missing.name not in ("starlette", "uvicorn"):
            raise
        needed = 'the page needs starlette and uvicorn: pip install "causalflow-engine[app]"'
        raise CausalflowError(needed) from None
    start = Start(
        host=host,
        models=tuple(str(_model(each)) for each in models),
        data=None if data is None else str(data.resolve()),
        plugins=tuple(click.get_current_context().meta.get(IMPORTED, ())),
        **_graph(graph),
    )
    listener = listening(host, port)
    where = address(listener)
    if port and not where.endswith(f":{port}/"):
        say(f"port {port} is taken")
    say(f"causalflow app: {where}  (Ctrl+C ends it)")
    if is_public(listener):
        said = f"at {host} everybody who reaches this machine can use the page"
        warn(said, CausalflowWarning, stacklevel=1)
    serve(start, listener, browser=not no_browser)


def _graph(name: str | None) -> dict[str, Any]:
    """The text of the file, mistakes and all: the page shows them at their lines."""
    from causalflow.formats.formats import YAML, text_of
    from causalflow.shipped import graph_names, graph_path

    if name is None:
        return {}
    path = Path(name)
    if not path.exists() and name.removesuffix(".yaml") in graph_names():
        path = graph_path(name)
    text = text_of(path)
    if len(text.encode()) > GRAPH_BYTES:
        raise GraphError(f"{path}: larger than the {GRAPH_BYTES >> 20} MiB that the page takes")
    is_yaml = path.suffix.lower() in YAML.suffixes
    return {"graph": text, "name": path.name, "format": "yaml" if is_yaml else None}


def _model(name: str) -> Path:
    """A fitted model's file, by its path or by its name among those that ship."""
    from causalflow.shipped import checkpoint_path

    path = Path(name)
    return path.resolve() if path.exists() else checkpoint_path(name)
