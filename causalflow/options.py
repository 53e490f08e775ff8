"""Options: a frozen dataclass filled by name, where a wrong name is the user's mistake and not a traceback."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from causalflow.errors import CausalFlowError, one_of

__all__ = ["options_of"]

Options = TypeVar("Options")


def options_of(kind: type[Options], where: str, given: dict[str, Any]) -> Options:
    """An instance of the dataclass ``kind`` with the fields ``given``; defaults are the dataclass's own.

    Raises:
        CausalFlowError: a name that is no field; ``where`` begins the message.
    """
    allowed = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in allowed:
            raise CausalFlowError(f"{where}: unknown option '{name}'; {one_of(name, allowed)}")
    return kind(**given)
