"""Counterfactuals: what each row would have been, with what is not known of it, told apart.

Notation: e the evidence of a row, x' a node's value had ``do`` been done.

    open       what e leaves open under the fitted model: draws of the noise given e; where that
               leaves one value, nothing
    fit        the error of the fitted mechanisms, whose rows were a sample: the spread of x' over
               the model's members (`causalflow.model.ensemble`)
    any noise  what no rows can tell (`causalflow.certainty.coupling_bounds`): the noise of a
               mechanism meets another value of its parents as the mechanism assumes (monotone,
               Gumbel-max); these ends hold under every other assumption too, and never leave out
               the interval

The interval of a number joins the first two (`causalflow.certainty.ranges`). It rests on the graph
and on the noise assumed; the last on the graph alone.

Source: Pearl (2009), Causality, theorem 7.1.7.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.certainty.coupling_bounds import bounds, fresh_world
from causalflow.certainty.individuals import Individuals
from causalflow.certainty.ranges import Parts, Ranges, hull, joined, one_hot, quantiles, spread
from causalflow.errors import CausalflowWarning, EvidenceError
from causalflow.mechanisms.mechanism import labelled
from causalflow.model.abduction import abduct
from causalflow.model.evidence import (
    Random,
    check_count,
    check_drawn,
    check_fitted,
    check_noise,
    policies_of,
    read_evidence,
    read_generator,
    read_interventions,
)
from causalflow.model.hidden.standing import standing
from causalflow.model.model import Model
from causalflow.model.support import Watch
from causalflow.model.world import Repeats
from causalflow.query.policy import Policy

__all__ = ["individuals"]

MEMBER_CELLS, FEWEST = 50_000, 20
"""Draws of a member, over all rows; and the fewest a row."""

CHUNK = 2_000
"""Rows that are answered together."""

Draws = Mapping[str, Tensor]


def individuals(
    model: Model,
    evidence: object,
    do: Mapping[str, object],
    *,
    draws: int = 200,
    level: float = 0.95,
    generator: Random = None,
) -> Individuals:
    """What each row of ``evidence`` would have been under ``do``, and how sure that is.

    Args:
        model: fitted, without images; its members, if it has some, tell the error of the fit:
            ``model.fit(rows, members=20)``.
        evidence: the factual rows, as `Model.counterfactual` takes them; gaps are inferred.
        do: the intervention, alike.
        draws: how many stand behind the means, probabilities and ranges of a row.
        level: the probability that an interval holds.
        generator: a seed, or a generator, for the draws.

    Raises:
        EvidenceError: a model with images, or evidence or an intervention that it cannot take.

    Example:
        >>> from causalflow.graph.graph import Graph
        >>> from causalflow.model.model import compile
        >>> nodes = {"x": {"type": "continuous", "equation": "u"},
        ...          "y": {"type": "continuous", "equation": "2 * x + v"}}
        >>> noise = {"u": {"type": "normal"}, "v": {"type": "normal"}}
        >>> found = individuals(
        ...     compile(Graph(nodes=nodes, exogenous=noise)), {"x": [1.0], "y": [2.5]}, {"x": 3.0}
        ... )
        >>> found["y"].value.tolist()
        [[6.5]]
    """
    scm = model.scm
    _check(model, draws, level)
    values = read_evidence(scm, evidence)
    rows = len(next(iter(values.values())))
    check_drawn(scm, min(rows, CHUNK) * draws)
    actions = read_interventions(scm, do, rows)
    check_noise(scm, actions)
    draw = read_generator(generator, model.device)
    watch = Watch(scm=scm, experience=model.experience)
    stands = standing(scm, actions, scm.order)
    if stands.open:
        warnings.warn(f"individuals: {stands.open}", CausalflowWarning, stacklevel=2)
    abduct(scm, values, draw, watch)  # refuses what is impossible, and warns
    watch.actions(actions, scm.order)
    watch.tell("individuals")
    seed = int(torch.randint(2**62, (), generator=draw, device=draw.device))
    asked = Repeats(scm=scm, evidence=values, actions=actions, seed=seed)
    found = _found(model, asked, do, draws, level)
    return replace(found, assumptions=(*found.assumptions, *stands.notes))


def _check(model: Model, draws: int, level: float) -> None:
    check_count("draws", draws)
    if not (isinstance(level, float) and 0 < level < 1):
        raise EvidenceError(f"level={level!r}; expected a number between 0 and 1")
    pictured = [name for name, kind in model.scm.types.items() if kind.pictured]
    if pictured:
        raise EvidenceError(
            f"individuals: node '{pictured[0]}' is an image; model.counterfactual(...) answers, and"
            " its .probabilities tell what is open"
        )
    check_fitted(model.scm, model.fitted, model.scm.order)


def _found(
    model: Model, asked: Repeats, do: Mapping[str, object], draws: int, level: float
) -> Individuals:
    names, chunks = _moved(asked), torch.arange(asked.rows).split(CHUNK)
    parts = [
        _part(model, asked if len(chunks) == 1 else _of(asked, at), names, draws, level)
        for at in chunks
    ]
    nodes = {name: reduce(Ranges.then, (part[name] for part in parts)) for name in names}
    return Individuals(
        do=tuple(_done(model, name, value) for name, value in do.items()),
        numbers=tuple(range(asked.rows)),
        draws=draws,
        members=min(len(each.refits) for each in nodes.values()) if nodes else 0,
        level=level,
        nodes=nodes,
        assumptions=tuple(
            f"{name}: {model.scm.mechanism(name).assumption}"
            for name in nodes
            if name in model.scm.learned
        ),
    )


def _of(asked: Repeats, rows: Tensor) -> Repeats:
    """The same question to some of the rows."""
    at = rows.to(asked.scm.device)
    actions = {n: a[at] if isinstance(a, Tensor) else a for n, a in asked.actions.items()}
    evidence = {name: value[at] for name, value in asked.evidence.items()}
    return replace(asked, evidence=evidence, actions=actions, seed=asked.seed + int(rows[0]))


def _part(
    model: Model, asked: Repeats, names: Sequence[str], draws: int, level: float
) -> dict[str, Ranges]:
    is_open = _is_open(asked)
    main = asked.drawn(draws if is_open else 1)
    if missing := [name for name in names if name not in main]:
        raise EvidenceError(
            f"individuals: node '{missing[0]}' cannot be drawn given these rows, of which some miss"
            " what others show, under a shift; set values in place of the shift"
        )
    few = max(2, min(draws, max(FEWEST, MEMBER_CELLS // asked.rows))) if is_open else 1
    others = [found for each in model.members if (found := replace(asked, scm=each).drawn(few))]
    world = fresh_world(asked, draws)
    return {name: _ranges(asked, name, main, others, world, level) for name in names}


def _moved(asked: Repeats) -> list[str]:
    """The nodes whose value is not known beforehand: below what is set, or missing somewhere."""
    scm, actions = asked.scm, asked.actions
    fixed = [name for name, action in actions.items() if isinstance(action, Tensor)]
    below = scm.below(actions, fixed)
    known = {name for name, value in asked.evidence.items() if bool(labelled(value).all())}
    return [
        name for name in scm.order if name not in actions and (name in below or name not in known)
    ]


def _is_open(asked: Repeats) -> bool:
    """Whether draws given the same evidence may differ."""
    known = all(bool(labelled(value).all()) for value in asked.evidence.values())
    return not known or len(asked.evidence) < len(asked.scm.order) or bool(asked.open())


def _ranges(
    asked: Repeats,
    name: str,
    main: Draws,
    others: Sequence[Draws],
    world: Draws,
    level: float,
) -> Ranges:
    kind, levels = asked.scm.types[name], asked.levels(name)
    value, _ = _summed(main[name], len(levels))
    found = [_summed(each[name], len(levels)) for each in others]
    fit = spread(value, [mean for mean, _ in found], [noise for _, noise in found], level)
    if levels:
        ends = np.repeat(value[..., None], 2, axis=-1)
    else:
        ends = quantiles(main[name], level)[:, None]
    low, high = (0.0, 1.0) if levels else kind.extent
    interval = np.clip(joined(value, ends, fit), low, high)
    return Ranges(
        node=name,
        unit=kind.unit,
        levels=tuple(map(str, levels)) or None,
        factual=_shown(asked, name),
        known=_known(asked, name, len(levels)),
        value=value,
        interval=interval,
        fit=None if fit is None else np.clip(fit, low, high),
        any_noise=hull(interval, bounds(asked, name, world, value, level)),
        refits=np.stack([mean for mean, _ in found]) if found else np.empty((0, *value.shape)),
    )


def _summed(draws: Tensor, levels: int) -> tuple[Parts, Parts]:
    """The mean of draws, (rows, parts), and its variance by their number."""
    each = one_hot(draws, levels) if levels else draws.double()[..., None]
    mean = each.mean(0)
    variance = (each - mean).square().sum(0) / max(len(draws) - 1, 1) / len(draws)
    return mean.cpu().numpy(), variance.cpu().numpy()


def _known(asked: Repeats, name: str, levels: int) -> Parts:
    """The factual value as parts, (rows, parts); NaN in a gap."""
    value = asked.evidence.get(name)
    if value is None:
        return np.full((asked.rows, levels or 1), np.nan)
    parts = one_hot(value, levels) if levels else value.double()[:, None]
    return torch.where(labelled(value)[:, None], parts, torch.nan).cpu().numpy()


def _shown(asked: Repeats, name: str) -> tuple[Any, ...]:
    value, kind = asked.evidence.get(name), asked.scm.types[name]
    if value is None:
        return (None,) * asked.rows
    shown = kind.names(value.cpu().numpy()).tolist()
    return tuple(
        each if known else None for each, known in zip(shown, labelled(value).tolist(), strict=True)
    )


def _done(model: Model, name: str, value: object) -> str:
    """An intervention in a few characters."""
    policy = policies_of(model.graph, {name: value}).get(name)
    return str(policy) if isinstance(policy, Policy) else f"{name}={_said(value)}"


def _said(value: object) -> str:
    """A value of do() in a few characters."""
    if isinstance(value, str | int | float):
        return str(value)
    return "a function of its value" if callable(value) else "a value for each row"
