"""Model: a graph with a mechanism for every node, at the public face.

Units outside: images in [0, 1], shape (batch, channel, height, width), or uint8; classes as level
indices, names accepted; continuous values in the unit of the graph file. `causalflow.model.scm`
computes in engine values; this module converts (`causalflow.model.evidence`), has the noise found
(`causalflow.model.abduction`), and reports what was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from causalflow.data.frame import Frame
from causalflow.data.units import to_public
from causalflow.diffusion.calls import NetworkCalls
from causalflow.errors import CausalFlowError, CompileError, EvidenceError, one_of
from causalflow.graph.graph import Graph
from causalflow.model.abduction import abduct
from causalflow.model.arguments import Random, check_count, check_number, read_generator
from causalflow.model.compile import CompileOptions, structural_model
from causalflow.model.description import describe
from causalflow.model.evidence import check_names, read_evidence, read_interventions
from causalflow.model.scm import Intervention, StructuralModel
from causalflow.model.storage import read, write
from causalflow.model.trainee import Trainee
from causalflow.model.world import Abduction, Info, World
from causalflow.options import options_of
from causalflow.training.device import existing_device
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
    if not isinstance(graph, Graph):
        given = type(graph).__name__
        raise CompileError(f"compile: given {given}; expected a Graph, as from cf.load(path)")
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
        """Move the weights; returns the model itself.

        Raises:
            CausalFlowError: no such device.
        """
        self.scm.to(existing_device(device))
        return self

    def __repr__(self) -> str:
        state = "fitted" if self.fitted == set(self.scm.order) else "untrained"
        return f"Model({self.graph.name!r}, {len(self.scm.order)} nodes, {state})"

    def fit(self, data: Any, *, nodes: Iterable[str] | None = None, **options: Any) -> FitReport:
        """Fit every mechanism to labelled data.

        Args:
            data: a DataFrame, a mapping of arrays, a torch Dataset of mappings,
                `cf.data.image_folder(...)` or a data set of `cf.data`, with a column for every
                node that has no equation and for its parents; unlabelled entries are NaN, None or
                -1.
            nodes: fit only these (default: all); the others keep what they have learned.
            options: fields of `causalflow.training.options.FitOptions` (steps, batch_size,
                checkpoint, device, ...).

        Raises:
            DataError: the data do not fit the graph.
            CausalFlowError: an unknown option, or nothing to fit.
        """
        chosen = options_of(FitOptions, "fit", options)
        wanted = self.scm.order if nodes is None else check_names(self.graph, nodes)
        part = Trainee(self.scm, wanted)
        if not part.nodes:
            raise CausalFlowError(f"fit: {list(wanted)} have equations; there is nothing to fit")
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
        generator: Random = None,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> World:
        """Draw n worlds from P(v | do).

        Args:
            n: number of draws.
            do: node -> value (a level by name or index, a number, one per draw), or a function of
                a continuous value.
            nodes: what is wanted (default: all); only what it depends on is computed.
            generator: a generator or a seed; by default seed 0, so that the same call gives the
                same draws.
            steps: solver steps of image nodes.
            guidance: multiplies the scale of anti-causal edges.
        """
        check_count("n", n)
        wanted = list(self.scm.order) if nodes is None else check_names(self.graph, nodes)
        if not wanted:
            raise EvidenceError(f"sample: no nodes; {one_of('', self.graph.nodes)}")
        actions = read_interventions(self.graph, do, n, self.device)
        fixed = [name for name, action in actions.items() if isinstance(action, torch.Tensor)]
        needed = self.graph.admg.do(fixed).ancestors(wanted)
        self._check_fitted(needed - set(fixed))
        scm = self._configured(steps, guidance)
        noise = scm.draw_noise(n, read_generator(generator, self.device), needed)
        return _predict(scm, Abduction(noise=noise, rows=n, info=Info()), actions, wanted)

    def abduct(
        self,
        evidence: Any,
        *,
        generator: Random = None,
        steps: int | None = None,
        residual: bool | None = None,
    ) -> Abduction:
        """The exogenous noise of factual worlds.

        Args:
            evidence: node -> values for any subset of the nodes, or images alone when the graph
                has one image node.
            generator: a generator or a seed (default 0): draws where several noises fit the
                evidence.
            steps: solver steps of image nodes.
            residual: keep what decoding misses of an image as part of its noise (default: as
                declared).

        Raises:
            EvidenceError: the evidence does not fit the graph, or is impossible.
        """
        self._check_fitted(self.scm.order)
        values = read_evidence(self.graph, evidence, self.device)
        scm = self._configured(steps, None, residual)
        return abduct(scm, values, read_generator(generator, self.device))

    def predict(
        self,
        abduction: Abduction,
        do: Mapping[str, Any] | None = None,
        *,
        steps: int | None = None,
        guidance: float | None = None,
        residual: bool | None = None,
    ) -> World:
        """The worlds with the noise of ``abduction`` under ``do``; draws nothing.

        Args:
            abduction: from `abduct`; one may serve many interventions.
            do: as for `sample`.
            steps: as for `sample`.
            guidance: as for `sample`.
            residual: False leaves out what decoding missed of the factual images.
        """
        actions = read_interventions(self.graph, do, abduction.rows, self.device)
        return _predict(self._configured(steps, guidance, residual), abduction, actions)

    def counterfactual(
        self,
        evidence: Any,
        do: Mapping[str, Any],
        n: int = 1,
        *,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | None = None,
        residual: bool | None = None,
    ) -> World:
        """What ``evidence`` would have been, had ``do`` been done: abduct, act, predict.

        Args:
            evidence: as for `abduct`.
            do: as for `sample`, with a value for all rows or one for each; several nodes may be
                intervened on at once.
            n: draws per row, where the evidence leaves the noise open; draw k of row i is row
                k * rows + i.
            generator: as for `abduct`.
            steps: solver steps of image nodes, each way.
            guidance: multiplies the scale of anti-causal edges.
            residual: as for `abduct`.

        Source: Pearl (2009), Causality, theorem 7.1.7.
        """
        check_count("n", n)
        self._check_fitted(self.scm.order)
        values = read_evidence(self.graph, evidence, self.device)
        rows = len(next(iter(values.values())))
        actions = read_interventions(self.graph, do, rows, self.device, draws=n)
        repeated = {name: torch.cat([value] * n) for name, value in values.items()}
        scm = self._configured(steps, guidance, residual)
        return _predict(scm, abduct(scm, repeated, read_generator(generator, self.device)), actions)

    def reconstruct(
        self, evidence: Any, *, steps: int | None = None, residual: bool | None = None
    ) -> World:
        """The null intervention: evidence, abducted and predicted back."""
        return self.counterfactual(evidence, do={}, steps=steps, residual=residual)

    def describe(self) -> pandas.DataFrame:
        """One row a node and hidden root: type, parents, what it compiled to, its parameters."""
        import pandas

        return pandas.DataFrame(describe(self.scm))

    def save(self, path: str | Path) -> None:
        """Write weights, graph text, options and versions in one safetensors file, atomically."""
        write(path, self.scm, self.options, self.fitted)

    @staticmethod
    def load(path: str | Path, device: str = "cpu") -> Model:
        """Read a model that `save` wrote; nothing in the file is executed.

        Raises:
            CheckpointError: the file is missing, truncated, foreign, altered, or of another
                version.
            CausalFlowError: no such device.
        """
        return Model(*read(path)).to(device)

    def _configured(
        self, steps: int | None, guidance: float | None, residual: bool | None = None
    ) -> StructuralModel:
        """The structural model with other options for its image nodes."""
        further = {} if residual is None else {"residual": residual}
        if steps is None and guidance is None and not further:
            return self.scm
        if steps is not None:
            check_count("steps", steps)
        if guidance is not None:
            check_number("guidance", guidance)
        return self.scm.replaced(
            {
                name: image.configured(steps=steps, guidance=guidance, **further)
                for name, image in self.scm.images.items()
            }
        )

    def _check_fitted(self, needed: Iterable[str]) -> None:
        untrained = [n for n in self.scm.order if n in needed and n not in self.fitted]
        if untrained:
            raise EvidenceError(
                f"graph '{self.graph.name}': the mechanisms of {untrained} are untrained; "
                "call fit(data) or load a model first"
            )


def _predict(
    scm: StructuralModel,
    abduction: Abduction,
    actions: Mapping[str, Intervention],
    wanted: Iterable[str] | None = None,
) -> World:
    """The worlds of a noise under interventions, in public units."""
    with NetworkCalls(scm.networks) as calls:
        values = scm.predict(abduction.noise, actions, rows=abduction.rows)
    public = {n: to_public(n, scm.graph.nodes[n], values[n]) for n in wanted or scm.order}
    spent = abduction.info.network_calls + calls.images / abduction.rows
    return World(public, replace(abduction.info, network_calls=spent))
