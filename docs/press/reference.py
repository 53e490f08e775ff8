"""Reference: every public name, option, command and registered method, from the code itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

import click

import causalflow as cf

__all__ = ["FOLDERS", "reference"]

FOLDERS: Mapping[str, tuple[str, str]] = {
    "graphs": ("Graphs and files", "graph formats edit admg"),
    "questions": ("Questions and evidence", "query values"),
    "identification": ("What can be known", "identify design bounds proof"),
    "estimates": ("Effects from rows", "effects estimate factors exact gaussian"),
    "models": ("Models", "model training certainty mechanisms hub checkpoint"),
    "options": ("Options", "options"),
    "data": ("Data", "data"),
    "evaluation": ("Evaluation and pictures", "evaluation plot"),
    "extending": ("Extending", "plugins pretrained nn diffusion"),
    "errors": ("Errors and warnings", "errors"),
}
"""The pages of public names, and the folders of the package whose names each has."""
_OPTIONS = ("image_options", "latent_options", "method_options", "settings", "options")


def reference() -> Iterator[tuple[str, str]]:
    """The name and the text of each page."""
    pages = _pages()
    yield "reference/index", _index(pages)
    for page, names in pages.items():
        title = FOLDERS[page][0] if page in FOLDERS else "More"
        parts = [f"# {title}", *(part for name in names for part in _entry(name))]
        yield f"reference/{page}", "\n\n".join(parts) + "\n"
    yield "reference/commands", _commands()
    yield "reference/registries", _registries()


def _pages() -> dict[str, list[str]]:
    """The public names of each page."""
    pages: dict[str, list[str]] = {page: [] for page in FOLDERS}
    for name in cf.__all__:
        pages.setdefault(_page_of(cf._PLACES[name]), []).append(name)
    return {page: names for page, names in pages.items() if names}


def _page_of(module: str) -> str:
    folder, *rest = module.removeprefix("causalflow.").split(".")
    if rest and rest[-1] in _OPTIONS:
        return "options"
    for page, (_, folders) in FOLDERS.items():
        if folder in folders.split():
            return page
    return "more"


def _index(pages: Mapping[str, list[str]]) -> str:
    parts = [
        "# Reference",
        "`import causalflow as cf` gives every name below; the modules beneath it may move. What a "
        "name does is said where it is defined: these pages are made of the docstrings.",
        "```{toctree}\n:hidden:\n\n" + "\n".join([*pages, "commands", "registries"]) + "\n```",
    ]
    for page, names in pages.items():
        title = FOLDERS[page][0] if page in FOLDERS else "More"
        rows = "\n".join(f"| {_link(name)} | {_first(name)} |" for name in names)
        parts.append(
            f"## [{title}](/reference/{page}.md)\n\n| name | what it is |\n|---|---|\n{rows}"
        )
    parts.append(
        "## Beside the names\n\n* [Commands](/reference/commands.md): the command line, with every "
        "option.\n* [Registered methods](/reference/registries.md): what a name in a graph file "
        "may be: solvers, guidances, noises, metrics, data sets."
    )
    return "\n\n".join(parts) + "\n"


def _link(name: str) -> str:
    return f"{{py:obj}}`cf.{name} <causalflow.{name}>`"


def _first(name: str) -> str:
    """The first sentence of a docstring, as Markdown."""
    text = inspect.getdoc(getattr(cf, name)) or ""
    sentence = " ".join(text.split("\n\n")[0].split())
    return sentence.replace("``", "`").replace("|", "\\|")


def _entry(name: str) -> Iterator[str]:
    """What there is of a name: a class with its members, a function, a module's names."""
    thing = getattr(cf, name)
    yield f"## {name}"
    if inspect.ismodule(thing):
        yield _rst(f".. py:module:: causalflow.{name}\n   :no-typesetting:")
        yield _first(name)
        for each in thing.__all__:
            yield _rst(_directive(f"causalflow.{name}.{each}", getattr(thing, each)))
        return
    yield _rst(_directive(f"causalflow.{name}", thing))


def _directive(path: str, thing: object) -> str:
    if inspect.isclass(thing):
        if issubclass(thing, BaseException):
            return f".. autoexception:: {path}"
        return f".. autoclass:: {path}\n   :members:"
    return f".. auto{'function' if callable(thing) else 'data'}:: {path}"


def _rst(text: str) -> str:
    return f"```{{eval-rst}}\n{text}\n```"


def _commands() -> str:
    """The help of every command, as the terminal shows it."""
    from causalflow.cli import commands

    root = click.Context(commands, info_name="causalflow")
    parts = [
        "# Commands",
        "Exit code 0: fine; 2: the user's mistake, in one line on standard error; 1: a bug. What "
        "is below is what `causalflow COMMAND --help` prints.",
    ]
    for name in commands.list_commands(root):
        command = commands.get_command(root, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=root)
        parts.append(f"## causalflow {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts) + "\n"


def _registries() -> str:
    """The names of every open set, with the group by which a package adds to it."""
    from causalflow.plugins import REGISTRIES

    parts = [
        "# Registered methods",
        "Each list is open: `cf.register(kind, name)` adds to it, and so does an entry point of a "
        "package ([how to](/how-to/index.md)). What is in it can be named in graph files, in "
        "Python and in commands.",
    ]
    for kind, registry in REGISTRIES.items():
        names = ", ".join(f"`{name}`" for name in registry.own)
        group = f" Entry points: `causalflow.{registry.group}`." if registry.group else ""
        parts.append(f"## {kind[0].upper()}{kind[1:]}\n\n{names}.{group}")
    return "\n\n".join(parts) + "\n"
