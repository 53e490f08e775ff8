"""Model: a graph with a mechanism for every node, at the public face.

Units outside: images in [0, 1], shape (batch, channel, height, width), or uint8; classes as level
indices, names accepted; continuous values in the unit of the graph file. `causalflow.model.scm`
computes in engine values; this module converts (`causalflow.model.evidence`), has the noise found
(`causalflow.model.abduction`), and reports what was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from causalflow.checkpoint import Metadata, load_into, load_state, save_state
from causalflow.data.frame import Frame
from causalflow.data.units import to_public
from causalflow.diffusion.calls import NetworkCalls
from causalflow.errors import CausalFlowError, CheckpointError, EvidenceError
from causalflow.graph.graph import Graph
from causalflow.graph.reader import loads
from causalflow.model.abduction import abduct
from causalflow.model.compile import CompileOptions, structural_model
from causalflow.model.description import describe
from causalflow.model.evidence import check_names, read_evidence, read_interventions
from causalflow.model.scm import Intervention, StructuralModel, WorldNoise
from causalflow.model.trainee import Trainee
from causalflow.model.world import Abduction, Info, World
from causalflow.options import options_of
from causalflow.training.fit import FitReport, fit
from causalflow.training.options import FitOptions

if TYPE_CHECKING:
    import pandas

__all__ = ["Model", "compile"]


def compile(graph: Graph, **options: Any) -> Model:
    """A mechanism for every node of ``graph``, untrained (equations need no training).

    Args:
        graph: typed nodes throughout.
        options: fields of `causalflow.model.compile.CompileOptions`.

    Raises:
        CompileError: the graph cannot be compiled; the message names the node.
    """
    chosen = options_of(CompileOptions, "compile", options)
    return Model(structural_model(graph, chosen), chosen)


class Model:
    """A structural causal model that can be fitted and asked; made by `compile` or `Model.load`."""

    def __init__(
        self, scm: StructuralModel, options: CompileOptions, fitted: Iterable[str] = ()
    ) -> None:
        self.scm = scm
        self.options = options
        self.fitted = frozenset(scm.equations) | frozenset(fitted)

    @property
    def graph(self) -> Graph:
        """The declaration."""
        return self.scm.graph

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        tensors = (*self.scm.parameters(), *self.scm.buffers())
        return tensors[0].device if tensors else torch.device("cpu")

    def to(self, device: str | torch.device) -> Model:
        """Move the weights; returns the model itself."""
        self.scm.to(device)
        return self

    def __repr__(self) -> str:
        state = "fitted" if self.fitted == set(self.scm.order) else "untrained"
        return f"Model({self.graph.name!r}, {len(self.scm.order)} nodes, {state})"

    def fit(self, data: Any, *, nodes: Iterable[str] | None = None, **options: Any) -> FitReport:
        """Fit every mechanism to labelled data.

        Args:
            data: a DataFrame, a mapping of arrays, a torch Dataset of mappings, `cf.data.image_folder(...)` or a data set of
                `cf.data`, with a column for every node; unlabelled entries are NaN, None or -1.
            nodes: fit only these (default: all); the others keep what they have learned.
            options: fields of `causalflow.training.options.FitOptions` (steps, batch_size, checkpoint, device, ...).

        Raises:
            DataError: the data do not fit the graph.
        """
        chosen = options_of(FitOptions, "fit", options)
        part = Trainee(self.scm, self.scm.order if nodes is None else self._names(nodes))
        frame = Frame.read(data, self.graph.subgraph(part.columns))
        report = fit(part, frame, chosen, graph=self.graph.to_yaml())
        self.scm.to(report.device).eval()
        self.fitted |= frozenset(part.nodes)
        return report

    def sample(
        self,
        n: int,
        do: Mapping[str, Any] | None = None,
        *,
        nodes: Iterable[str] | None = None,
        generator: torch.Generator | int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> World:
        """n draws from P(v | do).

        Args:
            n: number of draws.
            do: node -> value (a level by name or index, a number, one per row), or a function of a continuous value.
            nodes: what is wanted (default: all); only their ancestors are computed.
            generator: a generator or a seed; by default seed 0, so that the same call gives the same draws.
            steps: solver steps of image nodes.
            guidance: multiplies the scale of anti-causal edges.
        """
        wanted = list(self.scm.order) if nodes is None else self._names(nodes)
        needed = self.graph.ancestors(wanted)
        self._check_fitted(needed)
        scm = self._configured(steps, guidance)
        noise = scm.draw_noise(n, self._generator(generator), needed)
        return self._predict(scm, noise, do, Info(), n, wanted)

    def abduct(
        self,
        evidence: Any,
        *,
        generator: torch.Generator | int | None = None,
        steps: int | None = None,
        residual: bool | None = None,
    ) -> Abduction:
        """The exogenous noise of factual worlds.

        Args:
            evidence: node -> values for any subset of the nodes, or images alone when the graph has one image node.
            generator: a generator or a seed (default 0): draws where several noises fit the evidence.
            steps: solver steps of image nodes.
            residual: keep what decoding misses of an image as part of its noise (default: as declared).

        Raises:
            EvidenceError: the evidence does not fit the graph, or is impossible.
        """
        self._check_fitted(self.scm.order)
        values = self._evidence(evidence)
        scm = self._configured(steps, None, residual)
        return self._abduct(scm, values, self._generator(generator))

    def predict(
        self,
        abduction: Abduction,
        do: Mapping[str, Any] | None = None,
        *,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> World:
        """The worlds with the noise of ``abduction`` under ``do``; draws nothing."""
        scm, noise = self._configured(steps, guidance), abduction.noise
        return self._predict(scm, noise, do, abduction.info, _rows(noise))

    def counterfactual(
        self,
        evidence: Any,
        do: Mapping[str, Any],
        n: int = 1,
        *,
        generator: torch.Generator | int | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        residual: bool | None = None,
    ) -> World:
        """What ``evidence`` would have been, had ``do`` been done: abduct, act, predict.

        Args:
            evidence: as for `abduct`.
            do: as for `sample`; several nodes may be intervened on at once.
            n: draws per row, where the evidence leaves the noise open; draw k of row i is row k * rows + i.
            generator: as for `abduct`.
            steps: solver steps of image nodes, each way.
            guidance: multiplies the scale of anti-causal edges.
            residual: as for `abduct`.

        Source: Pearl (2009), Causality, theorem 7.1.7.
        """
        self._check_fitted(self.scm.order)
        values = {name: torch.cat([value] * n) for name, value in self._evidence(evidence).items()}
        scm = self._configured(steps, guidance, residual)
        abduction = self._abduct(scm, values, self._generator(generator))
        return self._predict(scm, abduction.noise, do, abduction.info, _rows(abduction.noise))

    def reconstruct(
        self, evidence: Any, *, steps: int | None = None, residual: bool | None = None
    ) -> World:
        """The null intervention: evidence, abducted and predicted back."""
        return self.counterfactual(evidence, do={}, steps=steps, residual=residual)

    def describe(self) -> pandas.DataFrame:
        """One row a node and hidden root: type, parents, what it compiled to, number of parameters."""
        import pandas

        return pandas.DataFrame(describe(self.scm))

    def save(self, path: str | Path) -> None:
        """Write the model: weights, graph text, options and versions, in one safetensors file, atomically."""
        options = {"compile": asdict(self.options), "fitted": sorted(self.fitted)}
        metadata = Metadata(kind="model", graph=self.graph.to_yaml(), options=options)
        save_state(path, self.scm.state_dict(), metadata)

    @staticmethod
    def load(path: str | Path, device: str = "cpu") -> Model:
        """Read a model that `save` wrote; nothing in the file is executed.

        Raises:
            CheckpointError: the file is missing, truncated, foreign, altered, or of another version.
        """
        state = load_state(path, kind="model")
        options = state.metadata.options
        try:
            graph = loads(state.metadata.graph, source=str(path))
            chosen = options_of(CompileOptions, "compile", options["compile"])
            fitted = [name for name in graph.nodes if name in options["fitted"]]
        except (CausalFlowError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: the graph or options inside cannot be read ({error})"
            ) from None
        scm = structural_model(graph, chosen)
        load_into(scm, state.tensors, path)
        return Model(scm.eval(), chosen, fitted).to(device)

    def _abduct(self, scm: StructuralModel, values: Values, generator: torch.Generator) -> Abduction:
        with NetworkCalls(scm.networks) as calls:
            parts = [
                (rows, complete(scm, part, generator)) for rows, part in _patterns(values)
            ]
            noises = [scm.abduct(c.values, c.roots, generator) for _, c in parts]
        n = len(next(iter(values.values())))
        info = Info(
            network_calls=calls.images / n,
            round_trip_error=_round_trip_error(noises),
            inferred={name: how for _, c in parts for name, how in c.inferred.items()},
            free=tuple(n for n in scm.order if any(n not in c.values for _, c in parts)),
        )
        return Abduction(noise=_merged(noises, [rows for rows, _ in parts]), info=info)

    def _predict(
        self,
        scm: StructuralModel,
        noise: WorldNoise,
        do: Mapping[str, Any] | None,
        info: Info,
        n: int,
        wanted: Iterable[str] | None = None,
    ) -> World:
        actions = {name: self._action(name, value, n) for name, value in (do or {}).items()}
        with NetworkCalls(scm.networks) as calls:
            values = scm.predict(noise, actions)
        public = {
            name: to_public(name, self.graph.nodes[name], values[name])
            for name in (wanted or self.scm.order)
        }
        return World(public, replace(info, network_calls=info.network_calls + calls.images / n))

    def _action(self, name: str, value: Any, n: int) -> Intervention:
        """One intervention in engine values: a value for each of n rows, or a function."""
        self._names([name], "the intervention")
        node = self.graph.nodes[name]
        if callable(value) and not isinstance(value, Tensor):
            if isinstance(node, Continuous):
                return value  # type: ignore[no-any-return]
            raise EvidenceError(
                f"do({name}): a function fits continuous nodes only; expected a value"
            )
        action = to_engine(name, node, value).to(self.device)
        return _expanded(f"do({name})", action, 3 if isinstance(node, Image) else 0, n)

    def _evidence(self, evidence: Any) -> dict[str, Tensor]:
        """Evidence in engine values, one row each."""
        given = evidence if isinstance(evidence, Mapping) else self._bare(evidence)
        self._names(given, "the evidence")
        if not given:
            raise EvidenceError("the evidence is empty; give at least one node")
        values = {
            name: to_engine(name, self.graph.nodes[name], value).to(self.device)
            for name, value in given.items()
        }
        rank = {n: 3 if isinstance(self.graph.nodes[n], Image) else 0 for n in values}
        rows = {name: len(value) for name, value in values.items() if value.ndim > rank[name]}
        n = max(rows.values(), default=1)
        return {name: _expanded(name, value, rank[name], n) for name, value in values.items()}

    def _bare(self, evidence: Any) -> Mapping[str, Any]:
        """Evidence that is not a mapping: a DataFrame, or the images of the one image node."""
        if hasattr(evidence, "columns") and hasattr(evidence, "to_dict"):
            return {str(name): evidence[name] for name in evidence.columns}
        images = [name for name, node in self.graph.nodes.items() if isinstance(node, Image)]
        if len(images) != 1:
            raise EvidenceError(
                f"evidence without names needs a graph with one image node, this one has "
                f"{len(images)}; expected a mapping of node -> values"
            )
        return {images[0]: evidence}

    def _names(self, names: Iterable[str], where: str = "the request") -> list[str]:
        """``names`` as a list of nodes."""
        chosen = [names] if isinstance(names, str) else list(names)
        for name in chosen:
            if name not in self.graph.nodes:
                raise EvidenceError(
                    f"unknown node {name!r} in {where}; {one_of(name, self.graph.nodes)}"
                )
        return chosen

    def _configured(
        self, steps: int | None, guidance: float | None, residual: bool | None = None
    ) -> StructuralModel:
        """The structural model with other options for its image nodes."""
        further = {} if residual is None else {"residual": residual}
        if steps is None and guidance is None and not further:
            return self.scm
        if steps is not None and steps < 1:
            raise EvidenceError(f"steps={steps}; expected at least 1")
        return self.scm.replaced(
            {
                name: image.configured(steps=steps, guidance=guidance, **further)
                for name, image in self.scm.images.items()
            }
        )

    def _generator(self, given: torch.Generator | int | None) -> torch.Generator:
        """A generator on the model's device."""
        if isinstance(given, torch.Generator):
            if given.device.type == self.device.type:
                return given
            given = int(torch.randint(2**62, (), generator=given, device=given.device))
        return torch.Generator(self.device).manual_seed(given or 0)

    def _check_fitted(self, needed: Iterable[str]) -> None:
        untrained = [n for n in self.scm.order if n in needed and n not in self.fitted]
        if untrained:
            raise EvidenceError(
                f"graph '{self.graph.name}': the mechanisms of {untrained} are untrained; "
                "call fit(data) or load a model first"
            )


def _expanded(name: str, value: Tensor, rank: int, n: int) -> Tensor:
    """``value`` with n rows; a single row stands for all."""
    rows = value[None] if value.ndim == rank else value
    if len(rows) not in (1, n):
        raise EvidenceError(f"{name}: {len(rows)} rows; expected {n}, as many as the others, or 1")
    return rows.expand(n, *rows.shape[1:])


def _patterns(values: Values) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """The rows in groups that have the same labels missing, each without the columns missing there."""
    names = list(values)
    known = torch.stack([labelled(values[name]) for name in names], dim=1)
    patterns, group = known.unique(dim=0, return_inverse=True)
    parts = []
    for index, pattern in enumerate(patterns):
        rows = (group == index).nonzero()[:, 0]
        present = [name for name, mark in zip(names, pattern.tolist(), strict=True) if mark]
        if not present:
            raise EvidenceError(f"row {int(rows[0])} of the evidence is unlabelled throughout")
        parts.append((rows, {name: values[name][rows] for name in present}))
    return parts


def _merged(noises: list[dict[str, Noise]], rows: list[Tensor]) -> WorldNoise:
    """The noises of groups of rows, put back in the order of the rows."""
    if len(noises) == 1:
        return noises[0]
    order = torch.cat(rows).argsort()
    return {
        name: {key: torch.cat([part[name][key] for part in noises])[order] for key in noise}
        for name, noise in noises[0].items()
    }


def _round_trip_error(noises: list[dict[str, Noise]]) -> float | None:
    """Mean absolute residual of the images, in [0, 1]."""
    residuals = [
        noise["residual"].abs().flatten() / 2
        for part in noises
        for noise in part.values()
        if "residual" in noise
    ]
    return float(torch.cat(residuals).mean()) if residuals else None


def _rows(noise: WorldNoise) -> int:
    return len(next(tensor for part in noise.values() for tensor in part.values()))
