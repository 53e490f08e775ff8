"""Options: a frozen dataclass filled by name; a wrong name is an error that a user can read."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from causalflow.errors import CausalflowError, one_of

__all__ = ["options_of"]

Options = TypeVar("Options")


def options_of(kind: type[Options], where: str, given: dict[str, Any]) -> Options:
    """The dataclass ``kind`` with the fields ``given`` and its own defaults for the others.

    Raises:
        CausalflowError: a name that is no field; ``where`` begins the message.
    """
    allowed = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in allowed:
            raise CausalflowError(f"{where}: unknown option '{name}'; {one_of(name, allowed)}")
    return kind(**given)
