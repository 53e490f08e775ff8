"""Response: the canonical exogenous variable of a district, whatever the true ones are.

Notation: D a district; v in D a node with K levels and parents pa(v). Exogenous variables act on
the district only by selecting, for every v, a *response function* r_v: levels of pa(v) -> levels of
v, one of K^|pa(v)|. A model of the district is therefore a law q(r) of r = (r_v : v in D). An
*event* is a set of responses r_v(pa) = v; its probability is linear in q:

    P(event) = sum of q(r) over the r in which all its responses hold

Within a district q is unrestricted if the hidden causes may be common to all of its nodes.
Positions stand for levels throughout.

Source: Balke & Pearl (1994), (1997); Pearl (2009), *Causality*, section 8.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import log10, prod
from typing import Any, TypeAlias

import numpy as np

from causalflow.errors import CausalflowError
from causalflow.limits import RESPONSE_FUNCTIONS

__all__ = ["Event", "Response", "ResponseDistrict"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The value of a node where its parents have given values.

    Attributes:
        node: the node.
        given: its parents' positions, in the order of the graph.
        value: its own position.
    """

    node: str
    given: tuple[int, ...]
    value: int


Event: TypeAlias = frozenset[Response]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResponseDistrict:
    """The joint response functions of a district's nodes.

    Attributes:
        nodes: parents before children.
        parents: of each node, in the order of the graph.
        sizes: the number of levels of each node and parent.

    Example:
        >>> bow = ResponseDistrict(
        ...     nodes=("x", "y"), parents={"x": (), "y": ("x",)}, sizes={"x": 2, "y": 2}
        ... )
        >>> bow.count
        8
        >>> bow.indicator([Response(node="y", given=(1,), value=0)]).astype(int).tolist()
        [1, 0, 1, 0, 1, 0, 1, 0]
    """

    nodes: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]

    @property
    def count(self) -> int:
        """The number of joint response functions.

        Raises:
            CausalflowError: more than `RESPONSE_FUNCTIONS`; found without computing the number.
        """
        digits = sum(self._rows(node) * log10(self.sizes[node]) for node in self.nodes)
        if digits > log10(RESPONSE_FUNCTIONS) + 1e-9:
            each = ", ".join(f"{n}: {self.sizes[n]}^{self._rows(n)}" for n in self.nodes)
            raise CausalflowError(
                f"bounds: district {list(self.nodes)} has about 10^{digits:.0f} joint response"
                f" functions ({each}); at most {RESPONSE_FUNCTIONS:,} fit a linear program"
            )
        return prod(map(self._functions, self.nodes))

    def indicator(self, event: Iterable[Response]) -> Array:
        """Which joint response functions an event holds in: bool, shape (count,)."""
        masks = {node: np.ones(self._functions(node), dtype=bool) for node in self.nodes}
        for response in event:
            masks[response.node] &= self._holds(response)
        return reduce(np.logical_and.outer, masks.values()).ravel()

    def _holds(self, response: Response) -> Array:
        """The functions of one node, numbered by their values as digits, that give a response."""
        size = self.sizes[response.node]
        row = 0
        for parent, place in zip(self.parents[response.node], response.given, strict=True):
            row = row * self.sizes[parent] + place
        unit = size ** (self._rows(response.node) - 1 - row)
        digits: Array = np.arange(self._functions(response.node)) // unit % size
        return np.equal(digits, response.value)

    def _rows(self, node: str) -> int:
        return prod(self.sizes[parent] for parent in self.parents[node])

    def _functions(self, node: str) -> int:
        return int(self.sizes[node] ** self._rows(node))
