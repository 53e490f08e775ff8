"""Shipped: where the files lie that come with the package.

A wheel holds them inside the package; in a checkout, and an editable install of it, they lie beside
the package.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_folder"]

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: str) -> Path:
    """The folder of that name: ``graphs`` or ``checkpoints``."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
