"""Abduction: the noise of factual worlds, whatever part of them was observed.

The rows are taken in groups that miss the same nodes. In each group the evidence is *completed*:

0. Nodes whose equation has known parents and no exogenous variable are computed.
1. Parents of an observed image are read off it by its anti-causal predictors (the mode); numbers,
   in a latent, by its flow from there (`causalflow.diffusion.likeliest`).
2. What else is unknown and bears on the evidence, hidden roots and missing nodes, is drawn from its
   joint posterior (`causalflow.model.posterior.posterior`): exactly where that is a table, a list
   of points or normal, else by weighed draws, whose worth the answer states.
3. A missing node without known descendants stays free: its noise is drawn, not abducted.

What is told short of a value weighs in (`causalflow.model.told.told`): a parent that is told is
drawn from what an image's predictor holds of it, times what is told; the rest of a picture that is
seen in part is drawn given those pixels and its parents (`causalflow.diffusion.inpainting`); and of
the worlds of a row one is chosen by what is told of other nodes (`causalflow.model.told.telling`).

Then every mechanism abducts its own noise (`causalflow.model.scm.StructuralModel.abduct`).

Source: Pearl (2009), Causality, theorem 7.1.7.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import NetworkCalls
from causalflow.errors import CausalflowError, EvidenceError, RowError, shown
from causalflow.exact.model import ExactModel
from causalflow.graph.hearing import Hearing, noise_name
from causalflow.graph.settings import InForce
from causalflow.mechanisms.mechanism import Noise, Values, labelled, take
from causalflow.mechanisms.own_noise import with_number
from causalflow.model.evidence import by_missing
from causalflow.model.posterior.posterior import (
    EXACT,
    LINEAR,
    PYRO,
    RESAMPLING,
    ROUTES,
    draw_unknown,
)
from causalflow.model.scm import StructuralModel, WorldNoise
from causalflow.model.support import Watch
from causalflow.model.told.pictures import Pictures
from causalflow.model.told.telling import Telling
from causalflow.model.told.told import Told
from causalflow.values.likelihood import virtual_notes

__all__ = [
    "Abduction",
    "Completion",
    "Info",
    "abduct",
    "complete",
    "completed",
    "completed_noise",
    "refused",
]

Part = TypeVar("Part")
Found = TypeVar("Found")

DRAWN = {
    EXACT: "drawn from its exact posterior under the model",
    LINEAR: "drawn from its exact posterior under the model",
    RESAMPLING: "drawn from its posterior under the model, by resampling weighed draws",
    PYRO: "drawn from its posterior under the model, by a chain of Pyro's NUTS",
}
"""How a missing node was found, by the route."""
DRAWN_AS_TOLD = "drawn from its posterior given what is told of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """How an answer came about.

    Attributes:
        network_calls: passes of an image through a diffusion network, per row of the answer.
        round_trip_error: mean absolute error, in [0, 1], of the factual images decoded without
            residual; None where no image was observed or no residual is kept.
        inferred: node missing from the evidence -> how its value was found.
        free: nodes of which the evidence says nothing; their noise was drawn.
        open_noise: declared exogenous variables that the evidence leaves more than one value (in
            some row); they were drawn from their posterior.
        routes: what the evidence left to be found, hidden root or missing node -> how its posterior
            was drawn: "exact", "linear-Gaussian" or "resampling"
            (`causalflow.model.posterior.posterior`).
        effective_draws: how many independent draws those of importance sampling were worth, in the
            worst row; None where the posterior is exact.
        undetermined: nodes whose value in this world the evidence leaves open: what the world holds
            of them is a draw (`World.probabilities`).
        warnings: what lies outside of the ranges that the mechanisms were fitted to.
        local: image node whose parents act locally -> the share of each row's picture inside of the
            region where they do (`causalflow.diffusion.locality`); NaN where no parent changed.
        assumptions: what the answer rests on beside the graph and the model, one sentence each.
        settings: image node -> option that is not the package's -> its value, and where it comes
            from: "call", "graph" or "checkpoint" (`causalflow.graph.settings`).
    """

    network_calls: float = 0.0
    round_trip_error: float | None = None
    inferred: Mapping[str, str] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    undetermined: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    open_noise: tuple[str, ...] = ()
    effective_draws: float | None = None
    settings: InForce = field(default_factory=dict)
    local: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    routes: Mapping[str, str] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """The least exact of the routes."""
        return max(self.routes.values(), key=list(ROUTES).index, default=EXACT)

    @property
    def worth(self) -> tuple[str, ...]:
        """What weighed draws are worth, in a sentence; none where the posterior is exact."""
        if self.effective_draws is None:
            return ()
        names = sorted(name for name, way in self.routes.items() if way == RESAMPLING)
        return (
            f"{', '.join(names)}: drawn from the posterior by weighed draws, worth "
            f"{self.effective_draws:,.0f} independent ones",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Abduction:
    """The noise of factual worlds: `Model.predict` replays them, or their counterfactuals, from it.

    Draw k of row i of the evidence is world k * (rows // draws) + i; all draws weigh the same.

    Attributes:
        noise: the noise of each node and hidden root, by name.
        rows: the number of worlds, of all draws together.
        draws: how many of them each row of the evidence has.
        info: how it was found.
        known: node -> engine values that were given or read off an image, gaps among them; without
            the images that diffusion models make.
        ways: observed image -> the options of the solver that read its noise.
        told: node -> what is told of it short of a value, and was not read off an image.
    """

    noise: WorldNoise
    rows: int
    info: Info
    draws: int = 1
    known: Values = field(default_factory=dict)
    ways: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = self.rows // self.draws
        found = [f"Abduction: {rows:,} row{'s' * (rows != 1)}, draws of each: {self.draws:,}"]
        for route in dict.fromkeys(self.info.routes.values()):
            names = sorted(name for name, way in self.info.routes.items() if way == route)
            worth = self.info.effective_draws if route in (RESAMPLING, PYRO) else None
            end = "" if worth is None else f" (worth {worth:,.0f} independent draws)"
            found.append(f"  {route}: {', '.join(names)}{end}")
        if self.info.free:
            found.append(f"  free, drawn from their laws: {', '.join(self.info.free)}")
        return "\n".join(found)

    def check_ways(self, scm: StructuralModel) -> None:
        """Refuse to draw images by another solver than read their noise.

        Raises:
            EvidenceError: an option that differs.
        """
        for name, way in self.ways.items():
            now = scm.images[name].way
            if other := [option for option in way if way[option] != now.get(option)]:
                first = other[0]
                raise EvidenceError(
                    f"node '{name}': its noise was abducted with {first}={shown(way[first])} and "
                    f"is predicted with {first}={shown(now.get(first))}, under which it is another "
                    "picture's; give both calls the same"
                )


def abduct(
    scm: StructuralModel,
    values: Values,
    generator: torch.Generator,
    watch: Watch | None,
    draws: int = 1,
    route: str | None = None,
    told: Mapping[str, Told] = MappingProxyType({}),
) -> Abduction:
    """The noise of the worlds of ``values``, drawn so many times.

    Args:
        scm: the fitted model.
        values: engine values of some nodes, with as many rows each; entries may be unlabelled.
        generator: draws where several noises fit.
        watch: told of values outside of the mechanisms' ranges; None: they have none.
        draws: the number of draws of every row; draw k of row i is row k * rows + i.
        route: how what is unknown is drawn, a name of `ROUTES`; None: the best way of each.
        told: what is told of nodes short of a value, in as many rows, or in all alike.

    Raises:
        EvidenceError: the evidence is impossible, of which a finite model names the part, or
            leaves open what cannot be inferred.
    """
    if watch is not None:
        watch.evidence(values, scm.order)
    repeated = {name: torch.cat([value] * draws) for name, value in values.items()}
    rows = torch.arange(len(next(iter(values.values())))).repeat(draws)
    told = {name: each.at(rows) for name, each in told.items()}
    try:
        found = replace(_abducted(scm, repeated, generator, route, told), draws=draws)
    except RowError as problem:
        first = problem.at(problem.row % len(next(iter(values.values()))))
        raise _explained(first, scm, values) from None
    except EvidenceError as problem:
        raise _explained(problem, scm, values) from None
    if watch is None:
        return found
    return replace(found, info=replace(found.info, warnings=watch.sentences))


def _abducted(
    scm: StructuralModel,
    values: Values,
    generator: torch.Generator,
    route: str | None,
    told: Mapping[str, Told],
) -> Abduction:
    with NetworkCalls(scm.denoisers) as calls:
        rows, parts = zip(*by_missing(values, told), strict=True)
        groups = list(zip(rows, parts, strict=True))
        completions = _by_part(
            rows,
            groups,
            lambda group: completed(
                scm, group[1], _told_at(told, group[0]), generator, len(group[0]), route
            ),
        )
        noises = _by_part(
            rows, completions, lambda whole: scm.abduct(whole.values, whole.roots, generator)
        )
    n = sum(map(len, rows))
    info = Info(
        network_calls=calls.images / n,
        round_trip_error=_round_trip_error(scm, completions, noises),
        inferred={name: how for c in completions for name, how in c.inferred.items()},
        free=tuple(name for name in scm.order if any(name not in c.values for c in completions)),
        open_noise=tuple(sorted(frozenset().union(*(c.undetermined for c in completions)))),
        effective_draws=min(
            (c.effective for c in completions if c.effective is not None), default=None
        ),
        routes={name: way for c in completions for name, way in c.routes.items()},
        assumptions=tuple(virtual_notes(name for name, each in told.items() if each.virtual)),
    )
    known = _known(scm, values, rows, completions)
    left = {n: each for n, each in told.items() if any(n not in c.known for c in completions)}
    ways = {name: image.way for name, image in scm.images.items() if name in values}
    return Abduction(
        noise=_merged(noises, rows), rows=n, info=info, known=known, ways=ways, told=left
    )


def _told_at(told: Mapping[str, Told], rows: Tensor) -> dict[str, Told]:
    """What is told in some rows, where any of them is told it."""
    some = {name: each.at(rows) for name, each in told.items()}
    return {name: each for name, each in some.items() if any(each.words)}


def _by_part(
    rows: Sequence[Tensor], parts: Sequence[Part], find: Callable[[Part], Found]
) -> list[Found]:
    """What is found of each group of rows; a refusal names the row among all."""
    found = []
    for at, part in zip(rows, parts, strict=True):
        try:
            found.append(find(part))
        except RowError as problem:
            raise problem.at(int(at[problem.row])) from None
    return found


def refused(scm: StructuralModel, values: Values) -> dict[int, str]:
    """Row with gaps -> why its noise cannot be found, by one try of each pattern of gaps.

    Args:
        scm: the fitted model.
        values: engine values of some nodes; entries may be unlabelled.
    """
    empty = ~torch.stack([labelled(value) for value in values.values()]).any(0)
    found = dict.fromkeys(empty.nonzero()[:, 0].tolist(), "every cell is empty")
    rows, generator = (~empty).nonzero()[:, 0], torch.Generator(scm.device).manual_seed(0)
    for at, part in by_missing(take(values, rows)) if len(rows) else ():
        if len(part) == len(values):
            continue
        try:
            complete(scm, take(part, at.new_zeros(1)), generator)
        except RowError:  # of this row's values, not of its gaps
            continue
        except EvidenceError as problem:
            found |= dict.fromkeys(rows[at].tolist(), str(problem))
    return dict(sorted(found.items()))


def _explained(problem: EvidenceError, scm: StructuralModel, values: Values) -> EvidenceError:
    """The refusal; it names the impossible part of the evidence where a finite model finds it."""
    known = all(labelled(value).all() for value in values.values())
    if not (known and ExactModel.supports(scm.graph)):
        return problem
    rows = {name: value.cpu().numpy() for name, value in values.items()}
    try:
        ExactModel(scm.graph).draw_counterfactual(rows, do={})
    except EvidenceError as impossible:
        return impossible
    except CausalflowError:  # too wide a question for exact inference
        return problem
    return problem


def completed_noise(
    scm: StructuralModel,
    evidence: Values,
    generator: torch.Generator,
    nodes: Collection[str] | None = None,
    told: Mapping[str, Told] = MappingProxyType({}),
    rows: int | None = None,
) -> tuple[dict[str, Noise], Completion]:
    """The noise of ``nodes`` in the worlds of ``evidence``, and how these were completed.

    Args:
        scm: the fitted model.
        evidence: engine values of nodes, labelled throughout.
        generator: draws.
        nodes: those to be computed, with all that they depend on; None: all.
        told: what is told of others short of a value.
        rows: how many worlds; None: as the evidence has, which is then of at least one node.
    """
    count = len(next(iter(evidence.values()))) if rows is None else rows
    completion = completed(scm, evidence, told, generator, count)
    return scm.abduct(completion.values, completion.roots, generator, nodes), completion


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
    read = {name: how for name, how in pictures.how.items() if name not in evidence}
    known |= _read_images(scm, known, generator)
    found: list[Completion] = []

    def drawn(values: Values, count: int) -> Completion:
        if values:
            found.append(complete(scm, values, generator, route))
        else:
            roots = {n: scm.root(n).draw_noise(count, generator)["value"] for n in scm.root_names}
            found.append(Completion(values={}, roots=roots, inferred={}, known={}))
        return found[-1]

    left = {name: each for name, each in told.items() if name not in known}
    if not left:
        whole = complete(scm, known, generator, route)
        weighed = () if pictures.worth is None else read
        return replace(
            whole,
            inferred={**whole.inferred, **read},
            effective=_least(pictures.worth, whole.effective),
            routes={**whole.routes, **dict.fromkeys(weighed, RESAMPLING)},
        )
    telling = Telling(
        scm=scm,
        evidence={n: v for n, v in known.items() if not pictures.is_spent(n, known)},
        told=left,
        complete=drawn,
        generator=generator,
    )
    chosen = telling.chosen(rows)
    last = found[-1]
    drawn_too = (*chosen.values.keys() - known.keys(), *last.routes)
    return replace(
        last,
        values={**known, **chosen.values},
        roots=chosen.roots,
        inferred={**last.inferred, **read, **dict.fromkeys(left, DRAWN_AS_TOLD)},
        known=known,
        undetermined=last.undetermined | (scm.exogenous.keys() - last.roots.keys()),
        effective=_least(chosen.worth, pictures.worth, *(each.effective for each in found)),
        routes=dict.fromkeys(sorted(drawn_too), RESAMPLING),
    )


def _least(*worths: float | None) -> float | None:
    """The smallest of those that there are."""
    return min((each for each in worths if each is not None), default=None)


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


def _known(
    scm: StructuralModel, values: Values, rows: Sequence[Tensor], completions: Sequence[Completion]
) -> Values:
    """What was given, but for diffusion models' images, or read off those; gaps elsewhere."""
    names = {name for completion in completions for name in completion.known}
    found = {n: values[n] for n in values if n not in names and n not in scm.images}
    for name in (name for name in scm.order if name in names and name not in scm.images):
        given = [c.known[name] for c in completions if name in c.known]
        shape = (sum(map(len, rows)), *given[0].shape[1:])
        gap = -1 if given[0].dtype == torch.int64 else torch.nan
        found[name] = torch.full(shape, gap, dtype=given[0].dtype, device=given[0].device)
        for at, completion in zip(rows, completions, strict=True):
            if name in completion.known:
                found[name][at] = completion.known[name]
    return found


def _merged(noises: Sequence[dict[str, Noise]], rows: Sequence[Tensor]) -> WorldNoise:
    """The noises of groups of rows, put back in the order of the rows."""
    order = torch.cat(list(rows)).argsort()
    return {
        name: {key: torch.cat([part[name][key] for part in noises])[order] for key in noise}
        for name, noise in noises[0].items()
    }


def _round_trip_error(
    scm: StructuralModel, completions: Sequence[Completion], noises: Sequence[dict[str, Noise]]
) -> float | None:
    """Mean absolute residual of the observed images, in [0, 1]; None where none was kept."""
    residuals = [part.abs().flatten() / 2 for part in _residuals(scm, completions, noises)]
    return float(torch.cat(residuals).mean()) if residuals else None


def _residuals(
    scm: StructuralModel, completions: Sequence[Completion], noises: Sequence[dict[str, Noise]]
) -> Iterator[Tensor]:
    kept = {n: image.canvas for n, image in scm.images.items() if image.options.residual}
    for completion, noise in zip(completions, noises, strict=True):
        yield from (kept[n].missed(noise[n]) for n in kept if n in completion.values)
