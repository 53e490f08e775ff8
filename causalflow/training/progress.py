"""Progress: how far the stages of a fit are that have no loss to show, and who else follows it.

A fit has up to three stages: the empty cells are filled (`causalflow.model.missing.imputation`),
the weights take their steps (`causalflow.training.log`), and members are fitted to halves of the
rows (`causalflow.model.ensemble`). Each shows a bar on standard error where bars are wanted. A
program that has no terminal, such as the what-if page, follows them all by `followed`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from causalflow.bar import tqdm

__all__ = ["Follower", "followed", "parts", "rising", "stage", "told"]

Follower = Callable[[float, str], None]
"""Called with the share of a stage that is done, 0 to 1, and with what is being done."""

_FOLLOWER: ContextVar[Follower | None] = ContextVar("follower", default=None)


@contextmanager
def followed(follower: Follower | None) -> Iterator[None]:
    """Every fit within is told to ``follower``, whether or not it shows bars; None: to nobody."""
    token = _FOLLOWER.set(follower)
    try:
        yield
    finally:
        _FOLLOWER.reset(token)


def rising(follower: Follower, low: float, high: float) -> Follower:
    """A follower of several stages by one bar, which never falls: each fills half of what is left.

    Args:
        follower: told the share of the bar.
        low: where the first stage begins.
        high: what the last never passes.
    """
    begun, last = low, 0.0

    def follow(share: float, what: str) -> None:
        nonlocal begun, last
        if share < last:
            begun += (high - begun) / 2
        last = share
        follower(begun + share * (high - begun) / 2, what)

    return follow


def told(at: int, total: int, what: str) -> None:
    """Say to whoever follows which of all is being done, or has just been."""
    if (follower := _FOLLOWER.get()) is not None:
        follower(at / max(total, 1), f"{what} {at:,} of {total:,}")


@contextmanager
def parts(total: int, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """A bar of a work in parts; what it gives is told the name of each part that begins.

    Args:
        total: how many there are at most.
        shown: whether to show the bar.
    """
    begun = 0
    with tqdm(total=total, unit="part", disable=not shown, mininterval=0) as bar:

        def begin(what: str) -> None:
            nonlocal begun
            bar.update(min(begun, 1))
            bar.set_description(what)
            begun += 1

        yield begin
        bar.total = begun
        bar.update(min(begun, 1))


def stage(
    items: Iterable[int], total: int, what: str, unit: str, *, shown: bool
) -> Generator[int, None, None]:
    """The items, with a bar on standard error and word to whoever follows.

    Args:
        items: what the stage goes through.
        total: how many there are.
        what: what is done with them.
        unit: what one of them is called in the bar.
        shown: whether to show the bar.
    """
    with tqdm(total=total, desc=what, unit=unit, disable=not shown, mininterval=0.5) as bar:
        for at, item in enumerate(items, 1):
            told(at, total, f"{what}, {unit}")
            yield item
            bar.update()
