"""World: values by node, how they came about, and what the evidence leaves open of them.

A world is predicted from a noise under interventions. Evidence that leaves noise open leaves its
counterfactuals open: what a world then holds is one draw. *Repeats* draw the noise given the same
evidence again and again, and tell which nodes that are, and how likely each of their levels is:

    P(node = level, had do been done | evidence of the row)

Images are read once, for the labels they show, and not drawn again: what they would have been is as
open as the labels above them.

A parent with a representation (`causalflow.mechanisms.image.representation`) has a *latent* in each
of its images, which moves with the parent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import NetworkCalls
from causalflow.diffusion.locality import Regions
from causalflow.display import html_of
from causalflow.errors import CausalflowWarning, EvidenceError, one_of
from causalflow.graph.node import Level
from causalflow.identify.verdict import Verdict
from causalflow.mechanisms.mechanism import Values, to_public
from causalflow.mechanisms.policy import PolicyAction
from causalflow.model.abduction import Abduction, Info, abduct
from causalflow.model.completion import completed_noise
from causalflow.model.evidence import (
    acting,
    by_missing,
    check_count,
    check_drawn,
    check_fitted,
    check_names,
    check_noise,
    read_interventions,
    read_told_evidence,
    single_values,
)
from causalflow.model.hidden.standing import Standing, standing
from causalflow.model.missing.gaps import gap_notes
from causalflow.model.scm import Intervention, StructuralModel, WorldNoise
from causalflow.model.support import Watch
from causalflow.model.told.told import Told
from causalflow.model.world_verdicts import counterfactual_verdict, sample_verdict
from causalflow.values.dataframe import PANDAS, frame_of, library_of
from causalflow.values.variable import NodeType

__all__ = ["Repeats", "World", "counterfactual", "replayed", "sampled"]

TRIED_ROWS, TRIED = 256, 20
"""Rows and draws that tell which nodes are open: a level of probability .14 is seen in 95 %."""
MOST_DRAWS, FEWEST_DRAWS, CELLS = 10_000, 100, 200_000
"""Draws for each row that probabilities are counted from: CELLS in all, within limits."""

ROUNDING = 1e-9
"""Of numbers that are computed in float64, in other places of a batch."""


def _unjudged() -> None:
    """Nothing was asked."""


class World(Mapping[str, Tensor]):
    """A world: the value of every node in public units, with the `Info` of how it came about.

    Attributes:
        latents: the representations of each image's parents in this world, (rows, length).
        info: how the values came about, and which of them are draws.
        types: each node's type.
    """

    def __init__(
        self,
        values: Mapping[str, Tensor],
        info: Info,
        judge: Callable[[], Verdict | None] = _unjudged,
        latents: Mapping[str, Mapping[str, Tensor]] | None = None,
        repeats: Repeats | None = None,
        types: Mapping[str, NodeType] | None = None,
        library: str = PANDAS,
    ) -> None:
        self._values = dict(values)
        self.info = info
        self._judge = judge
        self.latents = latents or {}
        self._repeats = repeats
        self.types, self._library = types or {}, library

    def judged(self, judge: Callable[[], Verdict | None], library: str = PANDAS) -> World:
        """The same world, with what makes its verdict, and the library of its data frame."""
        return World(
            self._values, self.info, judge, self.latents, self._repeats, self.types, library
        )

    def to_dataframe(self) -> Any:
        """One row a world, a column for each node that is no image: levels by name, and numbers.

        A data frame of the library that the evidence's was of; of pandas, where it was none.
        """
        columns = {
            name: kind.names(kind.read(self[name], where=f"node '{name}'"))
            for name, kind in self.types.items()
            if name in self and not kind.pictured
        }
        return frame_of(columns, self._library)

    @cached_property
    def verdict(self) -> Verdict | None:
        """Whether P(v) alone tells this answer, or it rests on the model; None: nothing was asked.

        Computed when it is first read.
        """
        return self._judge()

    @cached_property
    def repeats(self) -> Mapping[str, Tensor]:
        """Undetermined node -> values of further draws from the same evidence, (draws, rows).

        Drawn when they are first read; classes as positions of their levels.
        """
        if self._repeats is None or not self.info.undetermined:
            return {}
        drawn = self._repeats.drawn()
        return {name: drawn[name] for name in self.info.undetermined}

    @property
    def probabilities(self) -> Mapping[str, Tensor]:
        """Undetermined class -> P(level, had this been done | evidence), float64, (rows, levels).

        Counted in `repeats`.
        """
        return {} if self._repeats is None else self._repeats.probabilities(self.repeats)

    def __getstate__(self) -> dict[str, Any]:
        """With the further draws made: an action may be a function of this process alone."""
        kept = self._repeats if self.info.undetermined else None
        repeats = None if kept is None else replace(kept, actions={})
        return {**self.__dict__, "repeats": self.repeats, "_repeats": repeats}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._values:
            raise KeyError(f"no node '{name}' in this answer; {one_of(name, self._values)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {tuple(value.shape)}" for name, value in self.items())
        drawn = ", ".join(map(self._shown, self.info.undetermined))
        return f"World({shapes}{f'; one draw of several: {drawn}' if drawn else ''})"

    def _repr_html_(self) -> str:
        return html_of(self)

    def _shown(self, name: str) -> str:
        """An undetermined node, of a single row with the probabilities of its levels."""
        shares = self.probabilities.get(name) if len(self[name]) == 1 else None
        if shares is None or self._repeats is None:
            return name
        levels = self._repeats.levels(name)
        pairs = zip(levels, shares[0].tolist(), strict=True)
        return f"{name} ({', '.join(f'{level}: {share:.2g}' for level, share in pairs)})"


def sampled(
    scm: StructuralModel,
    fitted: Collection[str],
    n: int,
    do: Mapping[str, Any] | None,
    nodes: Iterable[str] | None,
    generator: torch.Generator,
    watch: Watch | None,
) -> World:
    """n worlds from P(v | do), of ``nodes`` (None: all) and what they depend on."""
    check_count("n", n)
    check_drawn(scm, n)
    wanted = list(scm.order) if nodes is None else check_names(scm.graph, nodes)
    if not wanted:
        raise EvidenceError(f"sample: no nodes; {one_of('', scm.graph.nodes)}")
    actions = read_interventions(scm, do, n)
    fixed = {name for name, action in actions.items() if isinstance(action, Tensor)}
    policies = {n: a.policy for n, a in actions.items() if isinstance(a, PolicyAction)}
    replaced = fixed | {name for name, each in policies.items() if not each.is_natural}
    needed = scm.needed(wanted, fixed, policies)
    check_fitted(scm, fitted, (needed - replaced) | scm.spoken_to(needed - replaced))
    stands = standing(scm, actions.keys(), wanted)
    info = Info(assumptions=stands.notes)
    drawn = Abduction(noise=scm.draw_noise(n, generator, needed), rows=n, info=info)
    _tell(stands, "sample")
    ready = acting(actions, n, generator)
    world = predicted(scm, drawn, ready, watch, wanted, tried=False)
    return world.judged(partial(sample_verdict, scm.graph, tuple(wanted), single_values(do)))


def counterfactual(
    scm: StructuralModel,
    evidence: Any,
    do: Mapping[str, Any],
    draws: int,
    generator: torch.Generator,
    watch: Watch | None,
    *,
    tried: bool = True,
    route: str | None = None,
) -> World:
    """The worlds of ``evidence`` under ``do``, so many of each row."""
    values, told = read_told_evidence(scm, evidence)
    rows = len(next(iter(values.values())))
    check_drawn(scm, rows * draws)
    actions = read_interventions(scm, do, rows, draws)
    check_noise(scm, actions)
    stands = Standing() if _is_null(values, actions, draws) else standing(scm, actions, scm.order)
    _tell(stands, "counterfactual")
    abduction = abduct(scm, values, generator, watch, draws, route, told)
    info = replace(abduction.info, assumptions=(*abduction.info.assumptions, *stands.notes))
    ready = acting(actions, abduction.rows, generator)
    world = predicted(scm, replace(abduction, info=info), ready, watch, tried=tried)
    said = single_values(do)
    judge = partial(counterfactual_verdict, scm.graph, tuple(values), said)
    return world.judged(judge, library_of(evidence))


def replayed(
    scm: StructuralModel,
    abduction: Abduction,
    do: Mapping[str, Any] | None,
    generator: torch.Generator,
    watch: Watch | None,
) -> World:
    """The worlds with the noise of an abduction under ``do``.

    Raises:
        EvidenceError: an image's noise was abducted by another solver, in other steps.
    """
    actions = read_interventions(scm, do, abduction.rows)
    check_noise(scm, actions)
    abduction.check_ways(scm)
    null = _is_null(abduction.known, actions, 1)
    stands = Standing() if null else standing(scm, actions, scm.order)
    _tell(stands, "predict")
    info = replace(abduction.info, assumptions=(*abduction.info.assumptions, *stands.notes))
    ready = acting(actions, abduction.rows, generator)
    return predicted(scm, replace(abduction, info=info), ready, watch)


def _tell(stands: Standing, call: str) -> None:
    """Warn whoever called the model's method of that name of what is not identified."""
    if stands.open:
        warnings.warn(f"{call}: {stands.open}", CausalflowWarning, stacklevel=4)


def _is_null(values: Values, actions: Mapping[str, Intervention], draws: int) -> bool:
    """Whether everything that is set is what it is already."""
    return all(
        isinstance(action, Tensor)
        and name in values
        and torch.equal(action, torch.cat([values[name]] * draws))
        for name, action in actions.items()
    )


def predicted(
    scm: StructuralModel,
    abduction: Abduction,
    actions: Mapping[str, Intervention],
    watch: Watch | None,
    wanted: Iterable[str] | None = None,
    *,
    tried: bool = True,
) -> World:
    """The worlds of a noise under interventions, in public units.

    With ``tried``, further draws tell which of them the evidence leaves open.
    """
    watched = watch.actions(actions, abduction.noise.keys()) if watch else actions
    with NetworkCalls(scm.denoisers) as calls, Regions() as regions:
        values = scm.predict(abduction.noise, watched, rows=abduction.rows)
    if watch is not None:
        watch.world(values, actions)
    public = {n: to_public(scm.types[n], values[n]) for n in wanted or scm.order}
    spent = abduction.info.network_calls + calls.images / abduction.rows
    outside = dict.fromkeys((*abduction.info.warnings, *(watch.sentences if watch else ())))
    for each in regions.unsure:
        warnings.warn(each, CausalflowWarning, stacklevel=4)
    repeats = Repeats(
        scm=scm,
        evidence=abduction.known,
        actions=actions,
        told=abduction.told,
        route=abduction.route,
    )
    info = replace(
        abduction.info,
        network_calls=spent,
        warnings=tuple(outside),
        undetermined=repeats.open() if tried else (),
        settings=scm.in_force,
        local={name: tuple(share.tolist()) for name, share in regions.shares.items()},
        assumptions=(
            *abduction.info.assumptions,
            *abduction.info.worth,
            *regions.assumptions,
            *regions.unsure,
            *(gap_notes(watch.experience.gaps, scm.graph) if watch else ()),
        ),
    )
    latents = _latents_of(scm, abduction.noise, values)
    return World(public, info, latents=latents, repeats=repeats, types=scm.types)


def _latents_of(
    scm: StructuralModel, noise: WorldNoise, values: Values
) -> dict[str, dict[str, Tensor]]:
    """The latents of a computed world, by image and parent: shape (rows, length).

    Args:
        scm: the model.
        noise: the noise that the world was computed from.
        values: the values of its nodes.
    """
    return {
        name: image.latents({p: values[p] for p in image.parents if p in values}, noise[name])
        for name, image in scm.images.items()
        if name in noise and image.representation is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeats:
    """A way to draw the labels of some counterfactual worlds once more.

    Attributes:
        scm: the fitted model.
        evidence: node -> engine values, given or read off an image, gaps among them.
        actions: the interventions.
        seed: the seed of the draws, which no others share.
        fresh: the nodes whose own noise is drawn whatever the evidence says of it.
        told: node -> what the evidence says of it short of a value.
        route: how what is unknown is drawn; None: the best way of each.
    """

    scm: StructuralModel
    evidence: Values
    actions: Mapping[str, Intervention] = field(default_factory=dict)
    seed: int = 1
    fresh: frozenset[str] = frozenset()
    told: Mapping[str, Told] = field(default_factory=dict)
    route: str | None = None

    @property
    def rows(self) -> int:
        """The number of rows of the evidence."""
        return len(next(iter(self.evidence.values()), ()))

    def open(self) -> tuple[str, ...]:
        """The nodes whose value the evidence leaves open in some of the first rows."""
        rows = self.rows if self._shifts else min(self.rows, TRIED_ROWS)
        tried = self._drawn(max(2, min(TRIED, TRIED * TRIED_ROWS // max(rows, 1))), rows)
        return tuple(name for name, drawn in tried.items() if _differs(drawn))

    def drawn(self, draws: int | None = None) -> dict[str, Tensor]:
        """Node -> engine values of so many further draws, shape (draws, rows)."""
        usual = max(FEWEST_DRAWS, min(MOST_DRAWS, CELLS // max(self.rows, 1)))
        return self._drawn(usual if draws is None else draws, self.rows)

    def levels(self, name: str) -> tuple[Level, ...]:
        """The levels of a class node."""
        return self.scm.types[name].levels or ()

    def probabilities(self, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Class node -> how often each level was drawn, shape (rows, levels), float64."""
        found = {}
        for name, value in drawn.items():
            if count := len(self.levels(name)):
                levels = torch.arange(count, device=value.device)
                found[name] = (value[..., None] == levels).double().mean(0)
        return found

    @property
    def _shifts(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """The actions that are functions: of a column with a value for each row."""
        return {
            n: act for n, act in self.actions.items() if not isinstance(act, Tensor | PolicyAction)
        }

    @property
    def _policies(self) -> dict[str, PolicyAction]:
        """The actions that are policies."""
        return {n: act for n, act in self.actions.items() if isinstance(act, PolicyAction)}

    @property
    def _fixed(self) -> frozenset[str]:
        """The nodes whose own mechanism is not asked."""
        natural = {name for name, each in self._policies.items() if each.is_natural}
        return frozenset(self.actions.keys() - self._shifts.keys() - natural)

    def _drawn(self, draws: int, rows: int) -> dict[str, Tensor]:
        """Nothing where the model cannot be asked without its images."""
        names = self._computed()
        if not names or not rows:
            return {}
        columns = {n: v[:rows].repeat(draws, *[1] * (v.ndim - 1)) for n, v in self.evidence.items()}
        generator = torch.Generator(self.scm.device).manual_seed(self.seed)
        try:
            groups = by_missing(columns, self.told)
            if self._shifts and len(groups) > 1:
                return {}
            parts = [(at, self._of(part, at, rows, generator)) for at, part in groups]
        except EvidenceError:
            return {}
        order = torch.cat([at for at, _ in parts]).argsort()
        joined = {n: torch.cat([world[n] for _, world in parts])[order] for n in names}
        return {n: value.reshape(draws, rows, *value.shape[1:]) for n, value in joined.items()}

    def _of(
        self, evidence: Values, at: Tensor, rows: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The labels of rows ``at`` among the repeated ones, which miss the same."""
        actions: dict[str, Intervention] = {
            name: action[:rows][at % rows]
            for name, action in self.actions.items()
            if isinstance(action, Tensor)
        }
        actions |= {name: _by_draw(action, rows) for name, action in self._shifts.items()}
        actions |= acting(self._policies, len(at), generator)
        nodes = frozenset(self._computed()) - self._fixed
        told = {name: each.at(at % rows) for name, each in self.told.items()}
        noise, _ = completed_noise(self.scm, evidence, generator, nodes, told, len(at), self.route)
        for name in self.fresh & noise.keys():
            noise[name] = self.scm.mechanism(name).draw_noise(len(at), generator)
        return self.scm.predict(noise, actions, rows=len(at))

    def _computed(self) -> list[str]:
        """The nodes that depend on no diffusion model under the actions."""
        fixed = self._fixed - self._policies.keys()
        policies = {name: each.policy for name, each in self._policies.items()}
        return [
            name
            for name in self.scm.order
            if name not in fixed
            and self.scm.images.keys().isdisjoint(self.scm.needed([name], fixed, policies))
        ]


def _by_draw(action: Callable[[Tensor], Tensor], rows: int) -> Intervention:
    """The same function of each draw's rows."""

    def act(natural: Tensor) -> Tensor:
        return torch.cat([action(part) for part in natural.split(rows)])

    return act


def _differs(drawn: Tensor) -> bool:
    """Whether draws differ by more than the rounding of a batch."""
    first = drawn[0]
    if not drawn.is_floating_point():
        return bool((drawn != first).any())
    return bool(((drawn - first).abs() > ROUNDING * (1 + first.abs())).any())
