"""The truth by enumeration: random discrete models with an explicit latent for each `<->` edge.

Nothing here is shared with identification: a graph is a list of names, pairs and pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

Names = Sequence[str]
Pair = tuple[str, str]


@dataclass(frozen=True)
class LatentModel:
    """A table for each node given its parents and its latents; axes are node and latent names."""

    names: tuple[str, ...]
    levels: dict[str, int]
    latents: dict[str, np.ndarray]
    mechanisms: dict[str, tuple[tuple[str, ...], np.ndarray]]

    def joint(self, do: Iterable[str] = ()) -> np.ndarray:
        """P(v | do(x)) at every v and x, axes in the order of ``names``; x's axes index its value.

        Each node's table, latents' too, is multiplied in, and a latent is summed out in the end.
        """
        fixed = set(do)
        symbol = {name: index for index, name in enumerate((*self.names, *self.latents))}
        operands: list[object] = []
        for name in self.names:
            axes, table = self.mechanisms[name]
            if name not in fixed:
                operands += [table, [symbol[axis] for axis in axes]]
            else:
                operands += [np.ones(self.levels[name]), [symbol[name]]]
        used = {axis for axes in operands[1::2] for axis in axes}
        for name, table in self.latents.items():
            if symbol[name] in used:
                operands += [table, [symbol[name]]]
        return np.einsum(*operands, [symbol[name] for name in self.names], optimize="greedy")

    def truth(self, outcomes: Names, do: Names = (), given: Names = ()) -> np.ndarray:
        """P(outcomes | do, given): axes are outcomes, given, do in that order."""
        kept = (*outcomes, *given, *do)
        whole = self.joint(do)
        out = tuple(i for i, name in enumerate(self.names) if name not in kept)
        summed = whole.sum(axis=out)
        left = [name for name in self.names if name in kept]
        numerator = summed.transpose([left.index(name) for name in kept])
        return numerator / numerator.sum(axis=tuple(range(len(outcomes))), keepdims=True)


def random_model(
    generator: np.random.Generator,
    names: Names,
    directed: Iterable[Pair],
    bidirected: Iterable[Iterable[str]],
    levels: int | Sequence[int] = 2,
    latent_levels: int = 2,
) -> LatentModel:
    """Dirichlet tables kept away from zero, so that ratios are well conditioned."""
    directed, arcs = sorted(directed), sorted(tuple(sorted(pair)) for pair in bidirected)
    size = dict(
        zip(names, [levels] * len(names) if isinstance(levels, int) else levels, strict=True)
    )
    latents = {f"latent {a} {b}": _law(generator, (), latent_levels) for a, b in arcs}
    mechanisms = {}
    for name in names:
        parents = [source for source, target in directed if target == name]
        hidden = [f"latent {a} {b}" for a, b in arcs if name in (a, b)]
        shape = [size[parent] for parent in parents] + [latent_levels] * len(hidden)
        mechanisms[name] = ((*parents, *hidden, name), _law(generator, shape, size[name]))
    return LatentModel(tuple(names), size, latents, mechanisms)


def _law(generator: np.random.Generator, shape: Sequence[int], levels: int) -> np.ndarray:
    return 0.9 * generator.dirichlet(np.full(levels, 0.7), size=tuple(shape)) + 0.1 / levels


def random_graph(
    generator: np.random.Generator, size: int, arrows: float, arcs: float
) -> tuple[list[str], list[Pair], list[Pair]]:
    """Names in an order that is not the topological one, arrows and arcs with given chances."""
    names = [f"v{index}" for index in range(size)]
    order = [names[index] for index in generator.permutation(size)]
    directed = [pair for pair in combinations(order, 2) if generator.random() < arrows]
    bidirected = [pair for pair in combinations(names, 2) if generator.random() < arcs]
    return names, directed, bidirected


def random_query(
    generator: np.random.Generator, names: Names
) -> tuple[list[str], list[str], list[str]]:
    """Disjoint outcomes, treatments and conditions: at least one outcome and one treatment."""
    order = [names[index] for index in generator.permutation(len(names))]
    outcomes = int(generator.integers(1, min(3, len(names) - 1) + 1))
    treatments = int(generator.integers(1, min(3, len(names) - outcomes) + 1))
    rest = order[outcomes + treatments :]
    given = rest[: int(generator.integers(0, min(2, len(rest)) + 1))]
    return order[:outcomes], order[outcomes : outcomes + treatments], given


def asked(outcomes: list[str], do: list[str], given: list[str]) -> str:
    """A question about an effect as text."""
    behind = [*([f"do({', '.join(do)})"] if do else []), *given]
    return f"P({', '.join(outcomes)}{' | ' if behind else ''}{', '.join(behind)})"
