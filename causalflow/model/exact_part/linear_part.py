"""Linear part: the nodes of a model that are lines with normal noise, as one linear model.

A node is a *line* where its equation is linear in its parents and in normal exogenous variables, or
where it was fitted with ``noise: linear`` on numbers alone and its values have no ends. A question
for a mean that needs no other node, in any of its worlds, has a closed form
(`causalflow.gaussian`): so has E[y | do(x=1)] where x has any mechanism, and y is a line of x.

What the mechanisms were fitted to is watched as it is for draws: in place of draws stand the
quantiles of each node that an intervention moves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import torch

from causalflow.gaussian.linear_model import Line, LinearModel, lines_of
from causalflow.gaussian.mean import Means, is_closed
from causalflow.identify.judgement import Judgement
from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.model.drawn_question import reached
from causalflow.model.hidden.standing import assumed_of
from causalflow.model.scm import StructuralModel
from causalflow.model.support import Watch
from causalflow.query.answer import Answer, combined_answer
from causalflow.query.known import Known, KnownParts
from causalflow.query.query import World

__all__ = ["LinearPart", "LinearQuestion", "linear_part"]

QUANTILES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearQuestion:
    """A question to the linear part, with a place for everything that is given.

    Attributes:
        part: the linear part.
        known: the question.
        judgement: what its answers say of identification.
    """

    part: LinearPart
    known: Known | KnownParts
    judgement: Judgement

    def answer(self, given: Mapping[str, Any], watch: Watch) -> Answer:
        """The answer with these values of what is given."""
        if isinstance(self.known, KnownParts):
            parts = self.known.parts
            answers = {p: self.part.answer(k, k.own(given), watch) for p, k in parts.items()}
            return replace(combined_answer(self.known.query, answers), judgement=self.judgement)
        return replace(self.part.answer(self.known, given, watch), judgement=self.judgement)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearPart:
    """A linear model of some nodes.

    Attributes:
        scm: the model that they are a part of.
        model: their lines.
    """

    scm: StructuralModel
    model: LinearModel

    def question(self, known: Known | KnownParts) -> LinearQuestion | None:
        """The question, ready to be asked; None where it has no closed form here."""
        parts = known.parts.values() if isinstance(known, KnownParts) else [known]
        if not all(self._has(each) for each in parts):
            return None
        learned = any(self._needed(each) & self.scm.learned for each in parts)
        judgement = Judgement(self.scm.graph, known.query, fitted=learned)
        return LinearQuestion(part=self, known=known, judgement=judgement)

    def answer(self, known: Known, given: Mapping[str, Any], watch: Watch) -> Answer:
        """The answer to one question; ``watch`` is told of what lies outside of the fit's rows."""
        means = Means.of(self.model, known, given)
        needed = self._needed(known)
        self._watch(means, needed, watch)
        hidden = assumed_of(self.scm, _worlds(known))
        notes = (*means.answer.notes, *self._assumed(known, needed), *hidden, *watch.sentences)
        return replace(means.answer, notes=notes, learned=bool(needed & self.scm.learned))

    def _has(self, known: Known) -> bool:
        if known.query.policies or not is_closed(known.query, known.graph, known.keys):
            return False
        terms = (each for top in known.query.terms for each in top.walk())
        exogenous = {term.name for term in terms} - self.scm.graph.nodes.keys()
        return self._needed(known) | exogenous <= self.model.lines.keys()

    def _needed(self, known: Known) -> frozenset[str]:
        """The nodes whose mechanisms the answer depends on."""
        return frozenset().union(*(reached(self.scm, *each) for each in _worlds(known).items()))

    def _assumed(self, known: Known, needed: frozenset[str]) -> Collection[str]:
        """What a counterfactual takes for granted of fitted lines."""
        learned = sorted(needed & self.scm.learned)
        if not learned or not known.query.is_counterfactual:
            return ()
        listed = ", ".join(f"'{name}'" for name in learned)
        return (
            f"the counterfactual of {listed} assumes a line and noise added to it, which no data "
            "can test",
        )

    def _watch(self, means: Means, needed: frozenset[str], watch: Watch) -> None:
        """Tell of values outside of the ranges that the lines were fitted to."""
        watch.evidence({n: _rows(v) for n, v in means.evidence.items()}, needed)
        for subscript, world in means.worlds.items():
            done = {each.variable for each in subscript}
            read = reached(self.scm, subscript, frozenset(world))
            for name in done & world.keys():
                watch.setting(name, _rows(world[name].constant), read)
            moved = {
                name: _rows(means.posterior.quantiles(each, _NORMAL))
                for name, each in world.items()
                if name in self.scm.graph.nodes
            }
            watch.world({n: each for n, each in moved.items() if n in read}, done)


def _worlds(known: Known) -> dict[World, frozenset[str]]:
    """World -> the variables that a question reads in it."""
    found: dict[World, frozenset[str]] = {}
    for top in known.query.counterfactual_form().terms:
        for each in top.walk():
            found[each.subscript] = found.get(each.subscript, frozenset()) | {each.name}
    return found


_NORMAL = np.array([NormalDist().inv_cdf((k + 0.5) / QUANTILES) for k in range(QUANTILES)])


def _rows(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, np.float64).reshape(-1))


def linear_part(scm: StructuralModel, fitted: Collection[str]) -> LinearPart:
    """The linear part of a model.

    Args:
        scm: the model.
        fitted: the nodes that have a mechanism.
    """
    made = lines_of(scm.graph)
    lines = {name: made[name] for name in scm.graph.exogenous if name in made}
    for name in scm.order:
        module = scm.module(name)
        line = made.get(name)
        if name in fitted and isinstance(module, ContinuousMechanism):
            line = _fitted(scm, module)
        if line is not None:
            lines[name] = line
    return LinearPart(scm=scm, model=LinearModel(lines=lines))


def _fitted(scm: StructuralModel, module: ContinuousMechanism) -> Line | None:
    """The line of a fitted node; None where it is bent, has ends, or reads classes."""
    heard = {each.name: each.heard for each in scm.listened(module.name)}
    if not all(scm.types[name].numeric for name in heard.values()):
        return None
    numeric = all(kind.type.numeric and kind.type.scalar for kind in module.parents.values())
    unbounded = np.isinf(module.node.support).all()
    if module.node.noise != "linear" or not (numeric and unbounded and module.bend.isinf()):
        return None
    weights = dict(zip(module.tabular, module.weights.tolist(), strict=True))
    noise = {own: weights.pop(name) for name, own in heard.items()}
    noise[module.name] = float(module.scale)
    return Line(intercept=float(module.intercept), weights=weights, noise=noise)
