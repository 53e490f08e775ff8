"""Network calls: the cost of a diffusion model's answer, counted where the network is called."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from torch import Tensor, nn

__all__ = ["NetworkCalls"]


class NetworkCalls:
    """Counts the images that pass through ``networks`` while it is entered.

    Example:
        >>> import torch
        >>> network = nn.Conv2d(1, 1, 3)
        >>> with NetworkCalls([network]) as calls:
        ...     _ = network(torch.zeros(5, 1, 8, 8))
        >>> calls.images
        5
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        self.images = 0
        self._networks = list(networks)

    def __enter__(self) -> NetworkCalls:
        self._hooks = [network.register_forward_hook(self._count) for network in self._networks]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def _count(self, network: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.images += len(output)
