"""Abduction: the noise of factual worlds, whatever part of them was observed.

The rows are taken in groups that miss the same nodes. In each group the evidence is *completed*
(`causalflow.model.completion`): what it leaves open, and bears on it, is found or drawn from its
posterior, and missing nodes without known descendants stay free: their noise is drawn. Then every
mechanism abducts its own noise (`causalflow.model.scm.StructuralModel.abduct`).

Source: Pearl (2009), Causality, theorem 7.1.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import NetworkCalls
from causalflow.errors import CausalflowError, EvidenceError, RowError, shown
from causalflow.exact.model import ExactModel
from causalflow.graph.settings import InForce
from causalflow.mechanisms.mechanism import Noise, Values, labelled, take
from causalflow.model.completion import Completion, complete, completed
from causalflow.model.evidence import by_missing
from causalflow.model.posterior.posterior import EXACT, PYRO, RESAMPLING, ROUTES, check_route
from causalflow.model.scm import StructuralModel, WorldNoise
from causalflow.model.support import Watch
from causalflow.model.told.told import Told
from causalflow.values.likelihood import virtual_notes

__all__ = ["Abduction", "Info", "abduct", "refused"]

Part = TypeVar("Part")
Found = TypeVar("Found")

WEIGHED = {RESAMPLING: "weighed draws", PYRO: "the draws of a chain of Pyro's NUTS"}
"""The routes whose draws are worth fewer independent ones, in words."""


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
            was drawn: "exact", "linear-Gaussian", "resampling" or "pyro"
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
        """What such draws are worth, a sentence a route; none where the posterior is exact."""
        if self.effective_draws is None:
            return ()
        named = {
            way: sorted(n for n, each in self.routes.items() if each == way) for way in WEIGHED
        }
        return tuple(
            f"{', '.join(names)}: drawn from the posterior by {WEIGHED[way]}, worth "
            f"{self.effective_draws:,.0f} independent ones"
            for way, names in named.items()
            if names
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
        route: the route that was asked for; None: the best of each (`Info.route` has what came).
    """

    noise: WorldNoise
    rows: int
    info: Info
    draws: int = 1
    known: Values = field(default_factory=dict)
    ways: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    route: str | None = None

    def __str__(self) -> str:
        rows = self.rows // self.draws
        found = [f"Abduction: {rows:,} row{'s' * (rows != 1)}, draws of each: {self.draws:,}"]
        for route in dict.fromkeys(self.info.routes.values()):
            names = sorted(name for name, way in self.info.routes.items() if way == route)
            worth = self.info.effective_draws if route in WEIGHED else None
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
    check_route(route)
    if watch is not None:
        watch.evidence(values, scm.order)
    repeated = {name: torch.cat([value] * draws) for name, value in values.items()}
    rows = torch.arange(len(next(iter(values.values())))).repeat(draws)
    told = {name: each.at(rows) for name, each in told.items()}
    try:
        found = _abducted(scm, repeated, generator, route, told)
    except RowError as problem:
        first = problem.at(problem.row % len(next(iter(values.values()))))
        raise _explained(first, scm, values) from None
    except EvidenceError as problem:
        raise _explained(problem, scm, values) from None
    seen = () if watch is None else watch.sentences
    return replace(found, draws=draws, route=route, info=replace(found.info, warnings=seen))


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
    info = replace(
        _info(scm, completions),
        network_calls=calls.images / n,
        round_trip_error=_round_trip_error(scm, completions, noises),
        assumptions=tuple(virtual_notes(name for name, each in told.items() if each.virtual)),
    )
    known = _known(scm, values, rows, completions)
    left = {n: each for n, each in told.items() if any(n not in c.known for c in completions)}
    ways = {name: image.way for name, image in scm.images.items() if name in values}
    return Abduction(
        noise=_merged(noises, rows), rows=n, info=info, known=known, ways=ways, told=left
    )


def _info(scm: StructuralModel, completions: Sequence[Completion]) -> Info:
    """How the groups of rows were completed."""
    worths = (each.effective for each in completions if each.effective is not None)
    return Info(
        inferred={name: how for c in completions for name, how in c.inferred.items()},
        free=tuple(name for name in scm.order if any(name not in c.values for c in completions)),
        open_noise=tuple(sorted(frozenset().union(*(c.undetermined for c in completions)))),
        effective_draws=min(worths, default=None),
        routes={name: way for c in completions for name, way in c.routes.items()},
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
