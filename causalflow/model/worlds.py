"""Worlds: the worlds of a question over one noise, each computed once, and only as far as needed.

A world is the prediction of the noise under its interventions. A nested subscript takes its value
from the world it names, which is computed before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from causalflow.discrete.domain import codes_of
from causalflow.errors import QueryError
from causalflow.graph.schema import Class, Image
from causalflow.mechanisms.base import Noise
from causalflow.model.question import reached
from causalflow.model.scm import StructuralModel
from causalflow.model.support import Watch
from causalflow.model.tally import Array, Axis
from causalflow.model.value import levels_of, read_value
from causalflow.query.query import Intervention, Term, World

__all__ = ["Worlds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """The worlds of a question over one noise, each computed once.

    Attributes:
        scm: the fitted model.
        noise: by node and hidden root.
        draws: the size of the batch.
        wanted: world -> what is read in it.
        settings: free intervention -> its value, one row.
        watch: told of what is set, and of what that moves.
    """

    scm: StructuralModel
    noise: Mapping[str, Noise]
    draws: int
    wanted: Mapping[World, frozenset[str]]
    settings: Mapping[str, Tensor]
    watch: Watch
    _known: dict[World, Mapping[str, Tensor]] = field(default_factory=dict)

    def value(self, term: Term) -> Tensor:
        """The term's value in each draw."""
        if term.name not in self.scm.graph.nodes:
            return self.noise[term.name]["value"]
        if term.subscript not in self._known:
            self._known[term.subscript] = self._world(term.subscript)
        return self._known[term.subscript][term.name]

    def axis(self, term: Term) -> Axis:
        """The term as an axis of the answer; of a discrete image the codes that are drawn."""
        graph, value = self.scm.graph, self.value(term)
        node = graph.nodes.get(term.name)
        if isinstance(node, Image) and node.levels is not None:
            images, index = value.flatten(1).unique(dim=0, return_inverse=True)
            codes = codes_of(term.name, node, images.long().cpu().numpy()).tolist()
            return Axis(levels=tuple(codes), index=index.cpu().numpy())
        levels = levels_of(graph, term.name)
        if levels is None:
            kind = "an image" if isinstance(node, Image) else "continuous"
            other = "" if isinstance(node, Image) else f", or ask for E[{term.free}]"
            raise QueryError(
                f"query: '{term.name}' is {kind}, so '{term}' has no table of probabilities; "
                f"draw it with counterfactual(...) or sample(...){other}"
            )
        return Axis(levels=levels, index=value.long().cpu().numpy())

    def number(self, term: Term) -> Array:
        """The term as a number: levels that are no numbers count as their index."""
        node = self.scm.graph.nodes.get(term.name)
        if isinstance(node, Image):
            raise QueryError(f"query: the expectation of the image '{term.name}'; ask sample(...)")
        value = self.value(term).cpu().numpy().astype(np.float64)
        if isinstance(node, Class):
            return np.array(node.type.numbers, dtype=np.float64)[value.astype(np.int64)]
        return value

    def holds(self, term: Term) -> Array:
        """Whether the term has its value, in each draw."""
        axis = self.axis(term.free)
        place = axis.levels.index(term.value) if term.value in axis.levels else -1
        return np.asarray(axis.index == place)

    def meets(self, term: Term, value: Tensor) -> Array:
        """Whether the term has an engine value of one row, in each draw."""
        mine = self.value(term)
        return np.asarray(
            (mine == value).flatten(1).all(dim=1).cpu() if mine.ndim > 1 else (mine == value).cpu()
        )

    def _world(self, world: World) -> Mapping[str, Tensor]:
        actions = {each.variable: self._action(each) for each in world}
        nodes = reached(self.scm.graph, world, self.wanted[world])
        for name, value in actions.items():
            self.watch.setting(name, value, nodes)
        do = {n: value.expand(self.draws, *value.shape[1:]) for n, value in actions.items()}
        noise = {n: each for n, each in self.noise.items() if n in nodes or n in self._roots}
        values = self.scm.predict(noise, do, rows=self.draws)
        self.watch.world(values, do)
        return values

    @property
    def _roots(self) -> frozenset[str]:
        return frozenset(self.scm.root_names)

    def _action(self, each: Intervention) -> Tensor:
        """What is set: one row for all draws, or that of another world, one a draw."""
        if each.nested is not None:
            return self.value(each.nested)
        value = self.settings.get(each.variable) if each.value is None else self._read(each)
        assert value is not None
        return value

    def _read(self, each: Intervention) -> Tensor:
        noises = (part for noise in self.noise.values() for part in noise.values())
        device = next((part.device for part in noises), torch.device("cpu"))
        return read_value(self.scm.graph, each.variable, each.value, device)[0]
