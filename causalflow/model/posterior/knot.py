"""Knot: unknown variables that hang together, given what is known, and are drawn together.

Unknown are the nodes above what is known that have no value, and the hidden roots that these and
the known nodes read: declared exogenous variables, and the latent class of a ``<->``. Each known
node, and each unknown one, is a *factor*: its law p(x | pa), or its equation x = f(pa, u). Two
unknown variables that one factor names hang together; the posterior of all of them is the product
of those of the knots.

Below what is known nothing is unknown: such a node is free, and its noise keeps its law.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from causalflow.errors import EvidenceError
from causalflow.mechanisms.mechanism import Likely, Values
from causalflow.model.scm import StructuralModel

__all__ = ["Knot", "knots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knot:
    """Unknown variables that are drawn together.

    Attributes:
        roots: the hidden roots among them.
        nodes: the nodes among them, causes first.
        factors: the latent classes and nodes whose law or equation names them, causes first.
    """

    roots: tuple[str, ...]
    nodes: tuple[str, ...]
    factors: tuple[str, ...]

    def equations(self, scm: StructuralModel) -> tuple[str, ...]:
        """The factors that are equations."""
        return tuple(name for name in self.factors if name in scm.equations)

    def is_explicit(self, scm: StructuralModel) -> bool:
        """Whether all factors are equations."""
        return all(name in scm.equations for name in self.factors)

    def is_finite(self, scm: StructuralModel) -> bool:
        """Whether all unknown variables have levels."""
        roots = (r in scm.latents or scm.exogenous[r].is_finite for r in self.roots)
        return all(roots) and all(scm.types[name].levels is not None for name in self.nodes)

    def reads(self, scm: StructuralModel) -> frozenset[str]:
        """All that its factors name."""
        return frozenset(self.factors).union(*(scm.parents(name) for name in self.factors))


def knots(scm: StructuralModel, values: Values) -> list[Knot]:
    """The knots of what ``values`` leave open; those of equations come first.

    Raises:
        EvidenceError: an unknown picture or vector, or a known node whose mechanism tells no
            likelihood, bears on what is known.
    """
    above = scm.needed(values)
    bearing = [name for name in scm.order if name in above]
    scopes = dict(_scopes(scm, values, bearing))
    joined: list[frozenset[str]] = []
    for scope in scopes.values():
        merged = scope.union(*(knot for knot in joined if knot & scope))
        joined = [knot for knot in joined if not knot & scope] + [merged]
    return [
        Knot(
            roots=tuple(name for name in scm.root_names if name in knot),
            nodes=tuple(n for n in bearing if n in knot and n not in values),
            factors=tuple(n for n in (*scm.latents, *scm.order) if n in knot and n in scopes),
        )
        for knot in joined
    ]


def _scopes(
    scm: StructuralModel, values: Values, bearing: list[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Each factor, with itself and the unknown variables that it names."""
    for name in bearing:
        if name not in values and not scm.types[name].scalar:
            raise EvidenceError(
                f"node '{name}': missing from the evidence while its descendant "
                f"'{min(scm.below([name]) & values.keys())}' is given, and only classes and "
                "numbers can be inferred; give it too, or leave out its descendants"
            )
    named = {name: frozenset({name, *scm.parents(name)}) for name in bearing}
    yield from ((n, named[n] - values.keys() | {n}) for n in scm.equations if n in named)
    read = frozenset().union(*named.values())
    yield from ((name, frozenset({name})) for name in scm.latents if name in read)
    for name in bearing:
        unknown = named[name] - values.keys()
        if name not in scm.equations and unknown and not scm.types[name].pictured:
            if not isinstance(scm.module(name), Likely):
                raise EvidenceError(
                    f"node '{name}': its mechanism tells no likelihood, so {sorted(unknown)} "
                    "cannot be inferred from it; give these too, or write `log_prob` for the "
                    "mechanism"
                )
            yield name, unknown | {name}
