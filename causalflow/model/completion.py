"""Completion: evidence with every value that it leaves open found or drawn.

0. Nodes whose equation has known parents and no exogenous variable are computed.
1. Parents of an observed image are read off it by its anti-causal predictors (the mode); in a
   latent by its flow from there (`causalflow.diffusion.likeliest`).
2. What else is unknown and bears on the evidence, hidden roots and missing nodes, is drawn from its
   joint posterior (`causalflow.model.posterior.posterior`): exactly where that is a table, a list
   of points or normal, else by weighed draws, whose worth the answer states.
3. A missing node without known descendants stays free: its noise is drawn, not abducted.

What is told short of a value weighs in (`causalflow.model.told.told`): a parent that is told is
drawn from what an image's predictor holds of it, times what is told; the rest of a picture that is
seen in part is drawn given those pixels and its parents (`causalflow.diffusion.inpainting`); and of
the worlds of a row one is chosen by what is told of other nodes (`causalflow.model.told.telling`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.graph.hearing import Hearing, noise_name
from causalflow.mechanisms.mechanism import Noise, Values
from causalflow.mechanisms.own_noise import with_number
from causalflow.model.posterior.posterior import (
    EXACT,
    LINEAR,
    PYRO,
    RESAMPLING,
    check_route,
    draw_unknown,
)
from causalflow.model.scm import StructuralModel
from causalflow.model.told.pictures import DRAWN_AS_SHOWN, Pictures
from causalflow.model.told.telling import Telling
from causalflow.model.told.told import Told

__all__ = ["Completion", "complete", "completed", "completed_noise"]

DRAWN = {
    EXACT: "drawn from its exact posterior under the model",
    LINEAR: "drawn from its exact posterior under the model",
    RESAMPLING: "drawn from its posterior under the model, by resampling weighed draws",
    PYRO: "drawn from its posterior under the model, by a chain of Pyro's NUTS",
}
"""How a missing node was found, by the route."""
DRAWN_AS_TOLD = "drawn from its posterior given what is told of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Evidence with every unobserved value found or drawn.

    Attributes:
        values: every node but the free ones.
        roots: every hidden root.
        inferred: node -> how its value was found.
        known: the evidence, and what was read off its images.
        undetermined: declared exogenous variables that the evidence leaves more than one value.
        effective: how many independent draws those of importance sampling are worth, in the worst
            row; None where none were needed.
        routes: unknown variable -> the route by which it was drawn.
    """

    values: Mapping[str, Tensor]
    roots: Mapping[str, Tensor]
    inferred: Mapping[str, str]
    known: Mapping[str, Tensor]
    undetermined: frozenset[str] = frozenset()
    effective: float | None = None
    routes: Mapping[str, str] = field(default_factory=dict)


def completed_noise(
    scm: StructuralModel,
    evidence: Values,
    generator: torch.Generator,
    nodes: Collection[str] | None = None,
    told: Mapping[str, Told] = MappingProxyType({}),
    rows: int | None = None,
    route: str | None = None,
) -> tuple[dict[str, Noise], Completion]:
    """The noise of ``nodes`` in the worlds of ``evidence``, and how these were completed.

    Args:
        scm: the fitted model.
        evidence: engine values of nodes, labelled throughout.
        generator: draws.
        nodes: those to be computed, with all that they depend on; None: all.
        told: what is told of others short of a value.
        rows: how many worlds; None: as the evidence has, which is then of at least one node.
        route: how what is unknown is drawn; None: the best way of each.
    """
    count = len(next(iter(evidence.values()))) if rows is None else rows
    completion = completed(scm, evidence, told, generator, count, route)
    return scm.abduct(completion.values, completion.roots, generator, nodes), completion


def completed(
    scm: StructuralModel,
    evidence: Values,
    told: Mapping[str, Told],
    generator: torch.Generator,
    rows: int,
    route: str | None = None,
) -> Completion:
    """Fill in what ``evidence`` leaves open, where nodes are told short of a value.

    Args:
        scm: the fitted model.
        evidence: engine values of nodes, labelled throughout; none is needed.
        told: what is told of other nodes, in as many rows, or in all alike.
        generator: draws from the posteriors.
        rows: how many.
        route: how what is unknown is drawn; None: the best way of each.

    Raises:
        EvidenceError: as of `complete`, or what is told cannot be, or leaves too few draws.
    """
    if not told:
        return complete(scm, evidence, generator, route)
    pictures = Pictures(scm=scm, evidence=evidence, told=told, generator=generator)
    known = pictures.whole()
    how = {name: said for name, said in pictures.how.items() if name not in evidence}
    known |= _read_images(scm, known, generator)
    if left := {name: each for name, each in told.items() if name not in known}:
        telling = {n: v for n, v in known.items() if not pictures.is_spent(n, known)}
        whole = _chosen(scm, telling, left, generator, rows, route)
        whole = replace(whole, values={**known, **whole.values}, known=known)
    else:
        whole = complete(scm, known, generator, route)
    shown = [name for name, said in how.items() if said == DRAWN_AS_SHOWN]
    way = EXACT if pictures.worth is None else RESAMPLING
    return replace(
        whole,
        inferred={**whole.inferred, **how},
        effective=_least(whole.effective, pictures.worth),
        routes={**whole.routes, **dict.fromkeys(shown, way)},
    )


def _chosen(
    scm: StructuralModel,
    evidence: Values,
    told: Mapping[str, Told],
    generator: torch.Generator,
    rows: int,
    route: str | None,
) -> Completion:
    """A world of each row of evidence, of many drawn, by what is told of other nodes.

    Raises:
        EvidenceError: another route than weighed draws is asked for.
    """
    check_route(route)
    if route not in (None, RESAMPLING):
        raise EvidenceError(
            f"route={route!r} does not fit {sorted(told)}, which the evidence tells short of a "
            "value; leave out the route, or give the values"
        )
    found: list[Completion] = []

    def drawn(values: Values, count: int) -> Completion:
        whole = complete(scm, values, generator, route) if values else _free(scm, count, generator)
        found.append(whole)
        return whole

    telling = Telling(scm=scm, evidence=evidence, told=told, complete=drawn, generator=generator)
    chosen, last = telling.chosen(rows), found[-1]
    above = (scm.hidden_parents.get(name, ()) for name in scm.needed(told))
    weighed = {*last.routes, *told}.union(*above)
    return replace(
        last,
        values=chosen.values,
        roots=chosen.roots,
        inferred={**last.inferred, **dict.fromkeys(told, DRAWN_AS_TOLD)},
        effective=_least(chosen.worth, *(each.effective for each in found)),
        routes=dict.fromkeys(sorted(weighed), RESAMPLING),
    )


def _least(*worths: float | None) -> float | None:
    """What the worst of some weighed draws are worth; None where nothing was weighed."""
    return min((each for each in worths if each is not None), default=None)


def _free(scm: StructuralModel, rows: int, generator: torch.Generator) -> Completion:
    """Worlds of which nothing is known."""
    return Completion(
        values={},
        roots={n: scm.root(n).draw_noise(rows, generator)["value"] for n in scm.root_names},
        inferred={},
        known={},
        undetermined=frozenset(scm.exogenous),
    )


def complete(
    scm: StructuralModel,
    evidence: Values,
    generator: torch.Generator,
    route: str | None = None,
) -> Completion:
    """Fill in what ``evidence`` leaves open.

    Args:
        scm: the fitted model.
        evidence: engine values of at least one node, labelled throughout.
        generator: draws from the posteriors.
        route: how what is unknown is drawn; None: the best way of each.

    Raises:
        EvidenceError: the equations cannot produce the evidence, or a missing node can be neither
            inferred nor left free.
    """
    values = dict(evidence)
    n = len(next(iter(values.values())))
    certain = _compute(scm, values, {})
    values |= certain
    read = _read_images(scm, values, generator)
    values |= read
    found = draw_unknown(scm, values, generator, route)
    roots = {name: value for name, value in found.values.items() if name in scm.root_names}
    nodes = {name: value for name, value in found.values.items() if name not in roots}
    later = _compute(scm, values | nodes, roots)
    inferred = {name: _how_read(scm, values, name) for name in read}
    inferred |= dict.fromkeys([*certain, *later], "computed by its equation")
    inferred |= {name: DRAWN[found.routes[name]] for name in nodes}
    for name in scm.root_names:
        if name not in roots:
            roots[name] = scm.root(name).draw_noise(n, generator)["value"]
    return Completion(
        values={**values, **nodes, **later},
        roots=roots,
        inferred=inferred,
        known={**evidence, **read},
        undetermined=(found.open | (scm.exogenous.keys() - found.values.keys()))
        & scm.exogenous.keys(),
        effective=found.worth,
        routes=found.routes,
    )


def _read_images(
    scm: StructuralModel, values: Values, generator: torch.Generator
) -> dict[str, Tensor]:
    """The missing parents of observed images, as their predictors see them.

    A missing node that the image listens to is what its noise, as seen, makes of its parents.
    """
    found: dict[str, Tensor] = {}
    for name, image in scm.images.items():
        known = {**values, **found}
        unread = [each for each in scm.listened(name) if each.heard not in known]
        missing = [p for p in image.parents if p in scm.types and p not in known]
        unread = [each for each in unread if each.heard not in missing]
        if name in values and (missing or unread):
            known |= _heard(scm, name, known)
            read = image.infer(values[name], [*missing, *(e.name for e in unread)], known)
            found |= {parent: read[parent] for parent in missing}
            for each in unread:
                found[each.heard] = _spoken(scm, each, read, {**values, **found}, generator)
    return found


def _heard(scm: StructuralModel, name: str, known: Values) -> dict[str, Tensor]:
    """What an image hears of nodes whose noise can be found."""
    return {
        each.name: scm.heard(each, known)
        for each in scm.listened(name)
        if known.keys() >= {each.heard, *(() if each.value else scm.parents(each.heard))}
    }


def _spoken(
    scm: StructuralModel,
    each: Hearing,
    read: Values,
    known: Values,
    generator: torch.Generator,
) -> Tensor:
    """The value of a node whose noise was read off an image.

    Raises:
        EvidenceError: a parent of it is missing.
    """
    if each.value:
        return read[each.name]
    for parent in scm.parents(each.heard):
        if parent not in known:
            raise EvidenceError(
                f"node '{each.heard}': missing from the evidence while '{each.listener}' listens "
                f"to its noise, and its parent '{parent}' is missing too; give one of them"
            )
    mechanism = scm.mechanism(each.heard)
    heard = read[each.name]
    noise = with_number(mechanism.draw_noise(len(heard), generator), heard)
    value = mechanism.predict(scm.arguments(each.heard, known), noise)
    return value.expand(len(heard))


def _how_read(scm: StructuralModel, values: Values, name: str) -> str:
    """By what a parent was read off the first observed image that shows it."""
    image = next(
        image
        for shown, image in scm.images.items()
        if shown in values and (name in image.parents or noise_name(name) in image.parents)
    )
    if image.reads_by_flow:
        return "read off the image, as what its predictor and its flow hold most probable"
    return "read off the image, as what its predictor holds most probable"


def _compute(scm: StructuralModel, values: Values, roots: Values) -> dict[str, Tensor]:
    """The missing nodes with an equation whose arguments are known."""
    rows = len(next(iter(values.values())))
    known, found = {**values, **roots}, {}
    for name in scm.equations:
        if name not in known and all(parent in known for parent in scm.parents(name)):
            known[name] = found[name] = scm.computed(name, known, {}, rows)
    return found
