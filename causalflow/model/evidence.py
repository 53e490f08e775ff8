"""Evidence: what a user gives to one call, read into engine values and checked.

A value is one for all rows, or one per row. Evidence may leave entries unlabelled; an intervention
may not. Rows with the same entries missing are abducted together (`by_missing`). Counts, seeds and
the options of images are read here too, and what the model is not ready for is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from math import prod
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from causalflow.diffusion.guidance.contrast import GUIDANCES
from causalflow.errors import EvidenceError, one_of, shown
from causalflow.graph.conditional import depends_on_noise
from causalflow.graph.graph import Graph
from causalflow.graph.image_options import CALL_OPTIONS, Sampling, call_options
from causalflow.graph.method_options import Guidance
from causalflow.limits import DRAWN_NUMBERS, DRAWN_ROWS
from causalflow.mechanisms.categorical import NOISES
from causalflow.mechanisms.mechanism import Values, labelled, to_engine
from causalflow.mechanisms.policy import PolicyAction
from causalflow.model.scm import Intervention, StructuralModel
from causalflow.model.told.told import Told, read_told
from causalflow.query.policy import Policy
from causalflow.query.policy_reader import Variables, spelt_policy, word_mark
from causalflow.query.policy_rows import told as told_of_rows
from causalflow.query.query import Intervention as QueryIntervention
from causalflow.query.query import Value
from causalflow.query.regime import parents_under
from causalflow.values.column import GAP, is_gap
from causalflow.values.dataframe import table_of
from causalflow.values.likelihood import has_likelihoods, told_to_be_set
from causalflow.values.variable import NodeType

__all__ = [
    "Random",
    "acting",
    "by_missing",
    "check_count",
    "check_drawn",
    "check_fitted",
    "check_names",
    "check_noise",
    "check_number",
    "check_seed",
    "factual_latents",
    "policies_of",
    "policy_action",
    "read_call",
    "read_evidence",
    "read_generator",
    "read_interventions",
    "read_told_evidence",
    "single_values",
]

Random = torch.Generator | int | None


def read_evidence(scm: StructuralModel, evidence: Any) -> dict[str, Tensor]:
    """Evidence in engine values, the same number of rows each.

    Args:
        scm: the model.
        evidence: node -> values, a data frame, or images alone when the graph has one image node.

    Raises:
        EvidenceError: empty, unknown nodes or levels, unequal lengths, ...
    """
    given = evidence if isinstance(evidence, Mapping) else _named(scm, evidence)
    if not check_names(scm.graph, given, "the evidence"):
        raise EvidenceError("the evidence is empty; give at least one node")
    if told := next((name for name, value in given.items() if has_likelihoods(value)), None):
        raise EvidenceError(f"node '{told}': a likelihood where values are needed; give values")
    types, device = scm.types, scm.device
    values = {n: to_engine(n, types[n], value).to(device) for n, value in given.items()}
    several = {n: len(v) for n, v in values.items() if v.ndim > len(types[n].shape)}
    rows = max(several.values(), default=1)
    if not rows:
        raise EvidenceError(f"node '{next(iter(several))}': the evidence has no rows")
    return {n: _expanded(f"node '{n}'", types[n], v, rows) for n, v in values.items()}


def read_told_evidence(
    scm: StructuralModel, evidence: Any
) -> tuple[dict[str, Tensor], dict[str, Told]]:
    """Evidence in engine values, and what is told short of values, by node.

    A node that is told is a gap in the rows where it is.

    Args:
        scm: the model.
        evidence: as for `read_evidence`; entries and columns may be likelihoods
            (`causalflow.values.likelihood`).

    Raises:
        EvidenceError: as of `read_evidence`, or a likelihood that does not fit its node.
    """
    given = evidence if isinstance(evidence, Mapping) else _named(scm, evidence)
    check_names(scm.graph, given, "the evidence")
    plain, told = dict(given), {}
    for name in [name for name, value in given.items() if has_likelihoods(value)]:
        told[name], rest = read_told(name, scm.types[name], plain.pop(name), scm.device)
        if rest is not None and not all(map(is_gap, rest)):
            plain[name] = rest
    values = read_evidence(scm, plain) if plain or not told else {}
    several = [*map(len, values.values()), *(each.rows for each in told.values())]
    rows = max(several, default=1)
    if wrong := next((n for n, each in told.items() if each.rows not in (1, rows)), None):
        raise EvidenceError(f"node '{wrong}': {told[wrong].rows} rows; expected {rows}, or 1")
    found = {n: _expanded(f"node '{n}'", scm.types[n], v, rows) for n, v in values.items()}
    return {**found, **{n: _gaps(scm.types[n], rows) for n in told if n not in found}}, told


def _gaps(kind: NodeType, rows: int) -> Tensor:
    """A column without values."""
    if kind.levels is not None:
        return torch.full((rows,), GAP)
    if kind.pictured:
        return torch.full((rows, *kind.shape), math.nan)
    return torch.full((rows,), math.nan, dtype=torch.float64)


def read_interventions(
    scm: StructuralModel, do: Mapping[str, Any] | None, rows: int, draws: int = 1
) -> dict[str, Intervention]:
    """Interventions in engine values: for each node a value per row, or a function of its value.

    Args:
        scm: the model.
        do: node -> value, values, a function of a continuous node's value, or the text of a policy
            (`causalflow.query.policy`): ``"~ {0: 0.3, 1: 0.7}"``, ``"= z + 1"``, ``"+= 1"``.
        rows: the number of rows of the evidence.
        draws: the values of the rows are repeated so many times.

    Raises:
        EvidenceError: no mapping, unknown node or level, a missing value, another number of rows,
            ...
    """
    given = {} if do is None else do
    if not isinstance(given, Mapping):
        raise EvidenceError(f"do={shown(do)}; expected a mapping of node -> value")
    actions: dict[str, Intervention] = {}
    policies = policies_of(scm.graph, given)
    for name in check_names(scm.graph, given, "the intervention"):
        value, kind = policies.get(name, given[name]), scm.types[name]
        if has_likelihoods(value):
            raise told_to_be_set(name, value)
        if isinstance(value, Policy):
            actions[name] = policy_action(scm, value)
        elif callable(value) and not isinstance(value, Tensor):
            actions[name] = _function(name, kind, value)
        else:
            action = _action(name, kind, value, rows, scm.device)
            actions[name] = action.repeat(draws, *[1] * len(kind.shape))
    return actions


def policies_of(graph: Graph, do: Mapping[str, Any]) -> dict[str, Policy | Value]:
    """The policies among what ``do`` sets, by node; a value where one always gives the same.

    Raises:
        QueryError: one that cannot be read, or reads what comes after its own node.
    """
    variables = {**graph.nodes, **graph.exogenous}
    for name, value in do.items():
        _check_spelling(name, value, variables)
    found = {
        name: each
        for name, value in do.items()
        if name in graph.nodes
        and isinstance(value, str)
        and value.lstrip()[:1] in tuple("~=+-*")
        and (each := spelt_policy(name, value, variables)) is not None
    }
    if any(isinstance(each, Policy) for each in found.values()):
        world = (QueryIntervention(variable=name, value=found.get(name)) for name in do)
        parents_under(graph.admg, tuple(world))
    return found


def _check_spelling(name: str, value: object, variables: Variables) -> None:
    """Refuse what is a policy by its form and lacks the sign that it begins with."""
    if isinstance(value, Mapping):
        raise EvidenceError(
            f"do({name}): a law is a text that begins with '~', as in '~ {{0: 0.3, 1: 0.7}}'"
        )
    if not isinstance(value, str) or name not in variables or not variables[name].type.scalar:
        return
    named = any(each in value for each in variables)
    if named and word_mark(name, value.strip(), variables) is not None:
        raise EvidenceError(
            f"do({name}): '{value}' is no value; a plan begins with '=', as in '= {value}'"
        )


def policy_action(scm: StructuralModel, policy: Policy) -> PolicyAction:
    """The policy, ready to draw and to act."""
    names = {policy.variable, *told_of_rows(policy).reads}
    return PolicyAction(policy=policy, types={name: scm.types[name] for name in names})


def acting(
    actions: Mapping[str, Intervention], rows: int, generator: torch.Generator
) -> dict[str, Intervention]:
    """The interventions, what policies draw being drawn for so many rows."""
    return {
        name: each.drawn(rows, generator) if isinstance(each, PolicyAction) else each
        for name, each in actions.items()
    }


def read_call(
    steps: int | None,
    guidance: float | str | Guidance | None,
    sampling: Sampling | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The options of image nodes that a call gives, as `StructuralModel.configured` takes them.

    Args:
        steps: solver steps, each way.
        guidance: a factor of all guidance, or that of the neural parents, by name or as a method.
        sampling: options of the call; those that are spelt out win.
        options: further ones of `causalflow.graph.image_options.CALL_OPTIONS`, such as solver.

    Raises:
        EvidenceError: an option that is none, or that only training can change.
    """
    if steps is None and guidance is None and sampling is None and not options:
        return {}
    asked = call_options(steps, guidance, sampling, options)
    for name in asked:
        if name not in CALL_OPTIONS:
            raise EvidenceError(f"unknown option '{name}'; {one_of(name, CALL_OPTIONS)}")
    given = {name: value for name, value in asked.items() if value is not None}
    if "steps" in given:
        check_count("steps", given["steps"])
        given["steps"] = int(given["steps"])
    factor = given.get("guidance")
    if factor is not None and not (isinstance(factor, str) and factor in GUIDANCES):
        check_number("guidance", factor, list(GUIDANCES))
        given["guidance"] = float(factor)
    return given


def read_generator(given: Random, device: torch.device) -> torch.Generator:
    """A generator on ``device``: the given one, or one seeded by it (None: by 0)."""
    if isinstance(given, torch.Generator):
        if given.device.type == device.type:
            return given
        given = int(torch.randint(2**62, (), generator=given, device=given.device))
    return torch.Generator(device).manual_seed(check_seed(given))


def factual_latents(
    scm: StructuralModel, values: Values, node: str | None = None
) -> dict[str, Tensor]:
    """The latents of factual images, by parent: shape (rows, length).

    Each image's own encoder reads them: those of two images mean different things.

    Args:
        scm: the model.
        values: evidence, the images among it.
        node: the image to read; None: all that are given.

    Raises:
        EvidenceError: ``node`` is no image with represented parents, or is not given; no such image
            is; or several show the same parent.
    """
    images = {n: image for n, image in scm.images.items() if image.representation is not None}
    if node is not None and node not in images:
        raise EvidenceError(
            f"node {node!r} is no image with represented parents; {one_of(node, images)}"
        )
    read = {n: images[n].represent(values[n], values) for n in _given(images, values, node)}
    if not read:
        what = "image with represented parents" if node is None else f"image of node '{node}'"
        raise EvidenceError(
            f"graph '{scm.graph.name}': no {what} is given; a node declares its vector as "
            "representation: 16"
        )
    _check_shared(read)
    return {name: latent for found in read.values() for name, latent in found.items()}


def single_values(do: Mapping[str, object] | None) -> dict[str, object]:
    """What ``do`` sets, None in place of all but texts and numbers: what a verdict can name."""
    return {n: v if isinstance(v, str | int | float) else None for n, v in (do or {}).items()}


def by_missing(
    values: Values, told: Mapping[str, Told] = MappingProxyType({})
) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """The rows in groups that miss the same labels, each without the columns missing there.

    Args:
        values: the columns.
        told: what is told besides, for which a row needs no label.

    Raises:
        EvidenceError: a row without any label.
    """
    names = list(values)
    known = torch.stack([labelled(values[name]) for name in names], dim=1)
    patterns, group = known.unique(dim=0, return_inverse=True)
    parts = []
    for index, pattern in enumerate(patterns.tolist()):
        rows = (group == index).nonzero()[:, 0]
        present = [name for name, mark in zip(names, pattern, strict=True) if mark]
        if not present and not told:
            raise EvidenceError(f"row {int(rows[0])} of the evidence is unlabelled throughout")
        parts.append((rows, {name: values[name][rows] for name in present}))
    return parts


def check_names(graph: Graph, names: Iterable[str], where: str = "the request") -> list[str]:
    """``names``, or a single name, as a list of nodes.

    Raises:
        EvidenceError: a name that is no node of the graph.
    """
    chosen = [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in graph.nodes:
            raise EvidenceError(f"unknown node {name!r} in {where}; {one_of(name, graph.nodes)}")
    return chosen


def check_fitted(scm: StructuralModel, fitted: Iterable[str], needed: Iterable[str]) -> None:
    """Refuse to use nodes that have not been fitted.

    Raises:
        EvidenceError: some of ``needed`` are not among ``fitted``.
    """
    ready, wanted = frozenset(fitted), frozenset(needed)
    if untrained := [name for name in scm.order if name in wanted - ready]:
        raise EvidenceError(
            f"graph '{scm.graph.name}': the mechanisms of {untrained} are untrained; "
            "call fit(data) or load a model first"
        )


def check_noise(scm: StructuralModel, changed: Iterable[str]) -> None:
    """Refuse a counterfactual that depends on a choice which the graph file has not made.

    Args:
        scm: the model.
        changed: the nodes that are set.

    Raises:
        EvidenceError: below them a table does not say how its noise enters.
    """
    moved = scm.below(changed)
    for name, node in scm.graph.nodes.items():
        is_open = name in moved and node.table is not None and node.noise is None
        if is_open and depends_on_noise(law for _, law in node.table or ()):
            raise EvidenceError(
                f"node '{name}' has a table, and what it would have been depends on how its noise "
                f"enters; state 'noise' at the node, one of {sorted(NOISES)}"
            )


def check_count(name: str, value: object) -> None:
    """Refuse what is no whole number, 1 to `DRAWN_ROWS`."""
    whole = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else 0
    if not 1 <= whole <= DRAWN_ROWS:
        raise EvidenceError(
            f"{name}={shown(value)}; expected a whole number, at least 1 and at most {DRAWN_ROWS:,}"
        )


def check_drawn(scm: StructuralModel, rows: int) -> None:
    """Refuse more numbers than one call may draw."""
    sizes = (prod(kind.shape) for kind in scm.types.values())
    if (numbers := rows * sum(sizes)) > DRAWN_NUMBERS:
        raise EvidenceError(
            f"{rows:,} rows of graph '{scm.graph.name}' are {numbers:,} numbers; at most "
            f"{DRAWN_NUMBERS:,} are drawn at once: ask for fewer, or stream to out="
        )


def check_number(name: str, value: object, words: Collection[str] = ()) -> None:
    """Refuse what is no finite number; the message lists the ``words`` that would do as well."""
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        allowed = one_of(value, words).replace("expected", "expected a number or", 1)
        raise EvidenceError(f"{name}={value!r}; {allowed if words else 'expected a number'}")


def check_seed(given: object) -> int:
    """A seed; None is 0."""
    seed = 0 if given is None else given
    if not isinstance(seed, Integral) or not 0 <= int(seed) < 2**63:
        raise EvidenceError(
            f"generator={shown(given)}; expected a torch.Generator or a seed, 0 or more"
        )
    return int(seed)


def _given(images: Mapping[str, object], values: Values, node: str | None) -> list[str]:
    return [name for name in images if name in values and node in (None, name)]


def _check_shared(read: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Refuse to choose between the encoders of several images."""
    for parent in dict.fromkeys(name for found in read.values() for name in found):
        showing = [image for image, found in read.items() if parent in found]
        if len(showing) > 1:
            raise EvidenceError(
                f"represent: '{parent}' has a latent in each of the images {showing}; "
                f"name one, as node='{showing[0]}'"
            )


def _named(scm: StructuralModel, evidence: Any) -> Mapping[str, Any]:
    """Evidence that is no mapping: a data frame, or the images of the one image node."""
    if (table := table_of(evidence)) is not None:
        return table
    images = [name for name, kind in scm.types.items() if kind.pictured]
    if len(images) != 1:
        raise EvidenceError(
            "evidence without names needs a graph with one image node, this one has "
            f"{len(images)}; expected a mapping of node -> values"
        )
    return {images[0]: evidence}


def _expanded(where: str, kind: NodeType, value: Tensor, rows: int) -> Tensor:
    """``value`` with so many rows; a single row stands for all."""
    several = value if value.ndim > len(kind.shape) else value[None]
    if several.ndim != len(kind.shape) + 1:
        raise EvidenceError(f"{where}: shape {tuple(value.shape)}; expected one value a row")
    if len(several) not in (1, rows):
        raise EvidenceError(
            f"{where}: {len(several)} rows; expected {rows}, as many as the others, or 1"
        )
    return several.expand(rows, *several.shape[1:])


def _action(name: str, kind: NodeType, value: Any, rows: int, device: torch.device) -> Tensor:
    action = _expanded(f"do({name})", kind, to_engine(name, kind, value).to(device), rows)
    missing = ~labelled(action)
    if missing.any():
        row = int(missing.nonzero()[0])
        raise EvidenceError(f"do({name}): no value in row {row}; expected one in every row")
    return action


def _function(name: str, kind: NodeType, function: Callable[[Tensor], Any]) -> Intervention:
    """A function of the value that the node would have had; what it returns is checked."""
    if not kind.numeric:
        raise EvidenceError(f"do({name}): a function fits continuous nodes only; expected a value")

    def action(natural: Tensor) -> Tensor:
        return _action(name, kind, function(natural), len(natural), natural.device)

    return action
