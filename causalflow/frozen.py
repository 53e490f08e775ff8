"""Frozen: a mapping that cannot be changed, and that goes from process to process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

__all__ = ["Frozen"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Frozen(dict[Key, Value]):
    """A read-only dict; unlike `types.MappingProxyType` it can be pickled and deep-copied.

    Example:
        >>> levels = Frozen({"x": (0, 1)})
        >>> levels["x"]
        (0, 1)
        >>> levels["y"] = (0, 1)
        Traceback (most recent call last):
        TypeError: this mapping cannot be changed
    """

    def _refused(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this mapping cannot be changed")

    __setitem__ = __delitem__ = __ior__ = _refused  # type: ignore[assignment]
    clear = pop = popitem = setdefault = update = _refused  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Made anew from a plain dict."""
        return Frozen, (dict(self),)
