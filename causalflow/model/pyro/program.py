"""Program: a model as a function that Pyro runs, conditions, intervenes on and infers.

Every variable is a *site* under its own name, rows are the plate "rows", and a node is made in one
of two ways:

    by its law    x ~ p(x | pa), so that it can be conditioned on, enumerated, inferred. Where x
                  determines its noise, that is a site too, which follows from x
    by its noise  u ~ p(u), then x = f(pa, u) follows, so that noise can be kept from one world to
                  another: abduct, act, predict

Both are the same joint law. Declared exogenous variables are sites under their own names; those of
a fitted node are called "noise of NODE"; the hidden cause of ``a <-> b`` is a site of that name.

A law is had of a fitted node whose mechanism tells a likelihood, and of one with an equation that
can be solved for a noise of its own (`causalflow.model.pyro.solved`). An equation of which nothing
is left open makes a value that is certain: a class, or a picture of levels, may be conditioned on
(log p is 0 or -inf); a number may not, as it has no density.

Under ``pyro.do`` a node keeps its site, of what it would have been, and its noise stays that one's.

Source: Bingham et al. (2019), Pyro; Richardson & Robins (2013), Single world intervention graphs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import pyro.distributions as dist
from torch import Tensor

from causalflow.mechanisms.mechanism import Smooth, to_public, to_scale
from causalflow.model.evidence import check_fitted, check_names, read_evidence
from causalflow.model.pyro.laws import Batch, exogenous_law
from causalflow.model.pyro.sites import (
    Certain,
    Made,
    Natural,
    NodeSite,
    SolvedNode,
    Told,
    site_value,
)
from causalflow.model.pyro.solved import Solved, solved
from causalflow.model.scm import StructuralModel

__all__ = ["PyroProgram", "pyro_program"]

PLATE = "rows"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PyroProgram:
    """A model as a Pyro program: call it with a number of rows.

    Classes are positions of levels, numbers are in the unit of the graph file, images in [0, 1].

    Attributes:
        scm: the model.
        roots: hidden root that is a site -> its law, and what it is.
        sites: node -> how it is made, causes first.
    """

    scm: StructuralModel
    roots: Mapping[str, tuple[Any, str]]
    sites: Mapping[str, NodeSite]

    def __call__(self, rows: int = 1) -> dict[str, Tensor]:
        """Run it.

        Args:
            rows: the size of the plate "rows", of which evidence has as many values.

        Returns:
            Node -> value; the rows are the last axis of a class or a number, the first of an
            image's own.
        """
        known: dict[str, Tensor] = {}
        with Natural() as natural, pyro.plate(PLATE, rows, dim=-1):
            for name, (law, _) in self.roots.items():
                known[name] = pyro.sample(name, law)
            shown = {name: self._node(name, rows, known, natural) for name in self.sites}
        return shown

    def _node(self, name: str, rows: int, known: dict[str, Tensor], natural: Natural) -> Tensor:
        kinds = self.scm.types
        parents = {p: known[p] for p in self.scm.told(name) if p in known}
        events = {p: len(kinds[p].shape) if p in kinds else 0 for p in parents}
        shown = self.sites[name].run(Batch.of(parents, events), natural)
        if shown.ndim == len(kinds[name].shape):  # one value, set in all rows
            shown = shown.expand(rows, *shown.shape)
        known[name] = self._engine(name, shown)
        for each in self.scm.hearings:
            if each.heard == name:
                by_nature = natural.values[name if each.value else each.name]
                known[each.name] = self._engine(name, by_nature) if each.value else by_nature
        return shown if kinds[name].pictured else site_value(kinds[name], known[name])

    def _engine(self, name: str, shown: Tensor) -> Tensor:
        """The engine value of a node's site."""
        kind = self.scm.types[name]
        if kind.pictured:
            return to_scale(kind, shown)
        return shown.long() if kind.levels is not None else shown.double()

    def read(self, evidence: object) -> dict[str, Tensor]:
        """Evidence as ``pyro.condition`` and ``pyro.do`` take it: one value a row of each node.

        Args:
            evidence: as for `Model.abduct`: levels by name or number.

        Raises:
            EvidenceError: as there.
        """
        values, kinds = read_evidence(self.scm, evidence), self.scm.types
        return {n: to_public(kinds[n], v) if kinds[n].pictured else v for n, v in values.items()}

    def __str__(self) -> str:
        made = {name: words for name, (_, words) in self.roots.items()}
        made |= {name: site.words for name, site in self.sites.items()}
        width = max(map(len, made))
        title = f"Pyro program of graph '{self.scm.graph.name}', plate '{PLATE}'"
        return "\n".join([title, *(f"  {name:{width}}  {words}" for name, words in made.items())])


def pyro_program(
    scm: StructuralModel,
    fitted: Collection[str],
    nodes: Iterable[str] | None,
    noises: Iterable[str] | bool,
) -> PyroProgram:
    """A model as a program.

    Args:
        scm: the model.
        fitted: the nodes that have a mechanism.
        nodes: those wanted, with all that they are made from; None: all.
        noises: those made by their noise; True: all.

    Raises:
        CausalflowError: an unknown or unfitted node, a noise or a law that Pyro has none for.
    """
    wanted = scm.needed(scm.order if nodes is None else check_names(scm.graph, nodes))
    every = scm.order if noises is True else noises or ()
    by_noise = {*check_names(scm.graph, every), *_heard(scm)}
    check_fitted(scm, fitted, wanted)
    order = [name for name in scm.order if name in wanted]
    known = {n: each for n in order if n not in by_noise and (each := _solved(scm, n, order))}
    inside = {each.noise.name for each in known.values()}
    return PyroProgram(
        scm=scm,
        roots=_roots(scm, order, inside),
        sites={name: _site(scm, name, name in by_noise, known.get(name)) for name in order},
    )


def _heard(scm: StructuralModel) -> set[str]:
    """The nodes that others listen to, and whose value does not tell their noise."""
    modules = {each.heard: scm.module(each.heard) for each in scm.hearings if not each.value}
    return {n for n, m in modules.items() if not (isinstance(m, Smooth) and m.is_smooth)}


def _solved(scm: StructuralModel, name: str, order: Collection[str]) -> Solved | None:
    """The equation of a node, solved for an exogenous variable that no other node reads."""
    if name not in scm.equations:
        return None
    read = {p for other in order if other != name for p in scm.hidden_parents.get(other, ())}
    own = {n: scm.exogenous[n] for n in scm.hidden_parents[name] if n not in read}
    return solved(scm.equations[name], own)


def _roots(
    scm: StructuralModel, order: Collection[str], inside: Collection[str]
) -> dict[str, tuple[Any, str]]:
    """The hidden roots that some node reads and none is solved for."""
    read = {p for name in order for p in scm.hidden_parents.get(name, ())} - set(inside)
    found: dict[str, tuple[Any, str]] = {}
    for name in scm.root_names:
        if name in scm.latents and name in read:
            logits = scm.latents[name].log_p.detach()
            found[name] = dist.Categorical(logits=logits), f"hidden cause of {len(logits)} levels"
        elif name in read:
            law = scm.exogenous[name]
            found[name] = exogenous_law(name, law.law), f"exogenous: {law.description}"
    return found


def _site(scm: StructuralModel, name: str, by_noise: bool, known: Solved | None) -> NodeSite:
    """How a node is made."""
    kind = scm.types[name]
    if known is not None:
        return SolvedNode(name=name, solved=known)
    if name in scm.equations:
        return Certain(name=name, kind=kind, mechanism=scm.equations[name])
    mechanism = scm.mechanism(name)
    if by_noise:
        return Made.of(name, kind, mechanism)
    return Told(name=name, kind=kind, mechanism=mechanism)
