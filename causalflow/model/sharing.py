"""Sharing: what is said of a model where it is given to others, on its card.

The folder and the card are made by `causalflow.hub`, which measures, draws and so stands above all
models; they are found by name here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from causalflow.registry import loaded

__all__ = ["CardKeywords", "push_to_hub", "save_pretrained"]


class CardKeywords(TypedDict, total=False):
    """What the card of a model says, and is measured on.

    Attributes:
        name: what the reader calls the model; default: the graph's name.
        about: what it is for and what it was fitted to, in Markdown.
        limits: what it should not be used for, in Markdown, beside what is known without it.
        license: the terms on which the weights are given, as "mit".
        data: rows, or the name of a data set, by which the model is measured (`cf.evaluate`).
        evaluation: what `cf.evaluate` has found, in place of measuring again.
        n: pictures measured on.
        do: the intervention that is measured and pictured, node -> value.
        progress: show bars on standard error; default True.
    """

    name: str
    about: str
    limits: str
    license: str
    data: object
    evaluation: object
    n: int
    do: Mapping[str, object]
    progress: bool


def save_pretrained(
    model: object, folder: str | Path, bits: int, piece: str | int, card: CardKeywords
) -> list[Path]:
    """Write the folder of a `Model`; returns its files."""
    save: Any = loaded("causalflow.hub.pretrained:save")
    return cast(list[Path], save(model, folder, bits=bits, piece=piece, **card))


def push_to_hub(
    model: object,
    repository: str,
    *,
    private: bool,
    branch: str | None,
    token: str | None,
    message: str,
    bits: int,
    piece: str | int,
    card: CardKeywords,
) -> str:
    """Upload the folder of a `Model`; returns the address of the commit."""
    push: Any = loaded("causalflow.hub.pretrained:push")
    where = {"private": private, "branch": branch, "token": token, "message": message}
    return str(push(model, repository, **where, bits=bits, piece=piece, **card))
