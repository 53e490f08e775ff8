"""Network calls: the cost of a diffusion model's answer, counted where the network is called."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from causalflow.diffusion.denoiser import Denoiser

__all__ = ["NetworkCalls"]


class NetworkCalls:
    """Counts the images that pass through the networks of ``denoisers`` while it is entered.

    A network that is replayed from a record (`causalflow.nn.replay`) counts as one that is called.
    """

    def __init__(self, denoisers: Iterable[Denoiser]) -> None:
        self.images = 0
        self._denoisers = list(denoisers)

    def __enter__(self) -> NetworkCalls:
        self._before = self._seen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.images += self._seen() - self._before

    def _seen(self) -> int:
        return sum(denoiser.images_seen for denoiser in self._denoisers)
