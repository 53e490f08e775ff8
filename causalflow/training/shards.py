"""Shards: the blocks of a fit's networks, cut along their first axis among its processes (FSDP).

    block      an element of a network's lists of modules (`torch.nn.ModuleList`), outermost, of at
               least `LEAST` weights; a network without such lists is one block
    shard      of R processes the one of rank r holds the r-th of R parts of every weight of a block
               (`torch.distributed.tensor.DTensor`), and so of its gradient, of AdamW's moments and
               of the average: the whole of a block exists while it is computed
    replicated everything else, float64 mechanisms and what surrounds the blocks, is in every
               process; its gradient is averaged after the backward pass

The fit trains copies of the blocks, one copied and cut at a time; the model's own stay in the
memory of the host, and take the averaged weights in the end, tensor by tensor.

Source: Zhao et al. (2023), PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel;
``torch.distributed.fsdp.fully_shard``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

__all__ = [
    "Swapped",
    "Whole",
    "average_replicated",
    "blocks_of",
    "clip",
    "cut",
    "is_shard",
    "local",
    "replace_blocks",
    "share_of",
    "whole",
]

LEAST = 4096
"""Weights of a block that is worth the messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """A block of the model, the copy that is trained in its place, and the place."""

    parent: nn.Module
    key: str
    own: nn.Module
    trained: nn.Module

    @torch.no_grad()
    def restore(self, *, weights: bool) -> None:
        """Put the model's own block back; with ``weights`` it takes those of the copy.

        All processes make this call together where they are taken.
        """
        if weights:
            targets = self.own.state_dict()
            for name, value in self.trained.state_dict().items():
                targets[name].copy_(whole(value))
        self.parent._modules[self.key] = self.own


def blocks_of(networks: Iterable[nn.Module]) -> list[nn.Module]:
    """The blocks of some networks."""
    found = []
    for network in networks:
        found += list(_listed(network)) or [network]
    return [block for block in found if _weights(block) >= LEAST]


def _listed(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules below that stand in a list, and are none themselves."""
    for child in module.children():
        if isinstance(module, nn.ModuleList) and not isinstance(child, nn.ModuleList):
            yield child
        else:
            yield from _listed(child)


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def replace_blocks(root: nn.Module, blocks: Iterable[nn.Module], mesh: DeviceMesh) -> list[Swapped]:
    """Cut copies of the blocks below ``root``, and put them in their places."""
    wanted = set(blocks)
    places = [
        (parent, key, child)
        for parent in root.modules()
        for key, child in parent._modules.items()
        if child in wanted
    ]
    copies: dict[nn.Module, nn.Module] = {}
    for _, _, own in places:
        if own not in copies:
            copies[own] = _sharded(_flat(copy.deepcopy(own)), mesh)
    swapped = [
        Swapped(parent=parent, key=key, own=own, trained=copies[own]) for parent, key, own in places
    ]
    for each in swapped:
        each.parent._modules[each.key] = each.trained
    return swapped


def _flat(block: nn.Module) -> nn.Module:
    """The block with weights that lie in memory as they are indexed, which can be cut."""
    for weight in block.parameters():
        weight.data = weight.data.contiguous()
    return block


def cut(root: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Make ``root`` run the cut blocks below it; move the rest of it to where they are."""
    device = next(local(weight).device for weight in root.parameters() if is_shard(weight))
    replicated = {weight for weight in root.parameters() if not is_shard(weight)}
    for weight in replicated:
        weight.data = weight.data.to(device)
    for module in root.modules():
        for name, value in module._buffers.items():
            if value is not None:
                module._buffers[name] = value.to(device)
    return _sharded(root, mesh, ignored_params=replicated)


def _sharded(module: nn.Module, mesh: DeviceMesh, **options: Any) -> nn.Module:
    """The module itself, which torch has given the class of a cut one as well."""
    from torch.distributed.fsdp import fully_shard

    fully_shard(module, mesh=mesh["data_parallel"], **options)
    return module


def is_shard(tensor: Tensor) -> bool:
    """Whether a tensor is cut among processes (a ``DTensor``, whose module is slow to import)."""
    return hasattr(tensor, "placements")


@torch.no_grad()
def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds: of one that is not cut, all."""
    shard: Any = tensor
    part: Tensor = shard.to_local() if is_shard(tensor) else tensor
    return part


@torch.no_grad()
def whole(tensor: Tensor) -> Tensor:
    """All of a tensor; of one that is cut, all processes make this call together."""
    shard: Any = tensor
    full: Tensor = shard.full_tensor() if is_shard(tensor) else tensor
    return full


def share_of(full: Tensor, like: Tensor) -> Tensor:
    """What this process holds of a whole tensor that is cut as ``like`` is."""
    if not is_shard(like):
        return full
    from torch.distributed.tensor import distribute_tensor

    given: Any = like
    placed = full.to(given.to_local().device)
    return distribute_tensor(placed, given.device_mesh, given.placements, src_data_rank=None)


class Whole(Mapping[str, Tensor]):
    """Tensors by name, each made whole when it is asked for, by all processes together."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Tensor:
        return whole(self._tensors[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@torch.no_grad()
def average_replicated(weights: Iterable[nn.Parameter]) -> None:
    """Average the gradients of weights that are not cut; what no process used keeps none."""
    import torch.distributed as dist

    plain = [weight for weight in weights if not is_shard(weight)]
    if not plain:
        return
    used = torch.tensor([weight.grad is not None for weight in plain], dtype=torch.uint8)
    used = used.to(plain[0].device)
    dist.all_reduce(used, op=dist.ReduceOp.MAX)
    learning = [weight for weight, was in zip(plain, used.tolist(), strict=True) if was]
    for dtype in dict.fromkeys(weight.dtype for weight in learning):
        same = [weight for weight in learning if weight.dtype == dtype]
        grads = [torch.zeros_like(w) if w.grad is None else w.grad for w in same]
        flat = torch.cat([grad.reshape(-1) for grad in grads]) / dist.get_world_size()
        dist.all_reduce(flat)
        parts = flat.split([grad.numel() for grad in grads])
        for weight, part in zip(same, parts, strict=True):
            weight.grad = part.reshape(weight.shape)


@torch.no_grad()
def clip(weights: Iterable[nn.Parameter], most: float, device: torch.device) -> Tensor:
    """Scale the gradients so that their norm over all processes is at most ``most``.

    Returns:
        The norm before that, float64, shape ().
    """
    import torch.distributed as dist

    grads = [weight.grad for weight in weights if weight.grad is not None]
    squares = torch.zeros(2, dtype=torch.float64, device=device)
    for grad in grads:
        squares[int(is_shard(grad))] += local(grad).double().square().sum()
    dist.all_reduce(squares[1:])
    norm = squares.sum().sqrt()
    factor = (most / (norm + 1e-6)).clamp_max(1.0)
    for grad in grads:
        local(grad).mul_(factor.to(grad.dtype))
    return norm
