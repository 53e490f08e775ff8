"""Model: a graph with a mechanism for every node, at the public face.

Units outside: images in [0, 1], shape (batch, channel, height, width), or uint8; classes as level
indices, names accepted; continuous values in the unit of the graph file. `causalflow.model.scm`
computes in engine values; this module converts (`causalflow.model.evidence`), has the noise found
(`causalflow.model.abduction`), and reports what was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from causalflow.data.frame import Frame
from causalflow.discrete.answer import Answer
from causalflow.discrete.enumeration import Enumeration
from causalflow.discrete.scm import ExactModel
from causalflow.errors import CausalFlowError, CompileError, EvidenceError, one_of
from causalflow.graph.graph import Graph
from causalflow.identify.attempt import attempt
from causalflow.model.abduction import abduct
from causalflow.model.arguments import Random, check_count, read_generator
from causalflow.model.compile import CompileOptions, structural_model
from causalflow.model.description import describe
from causalflow.model.evidence import check_names, read_evidence, read_interventions
from causalflow.model.prediction import check_fitted, configured, predicted
from causalflow.model.scm import StructuralModel
from causalflow.model.simulation import simulate
from causalflow.model.storage import read, write
from causalflow.model.trainee import Trainee
from causalflow.model.world import Abduction, Info, World
from causalflow.options import options_of
from causalflow.training.device import existing_device
from causalflow.training.fit import FitReport, fit
from causalflow.training.options import FitOptions

if TYPE_CHECKING:
    import pandas

    from causalflow.query.query import Query

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
        self.fitted = scm.given | frozenset(fitted)

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
        self.scm.to(existing_device(device))
        return self

    def __repr__(self) -> str:
        state = "fitted" if self.fitted == set(self.scm.order) else "untrained"
        return f"Model({self.graph.name!r}, {len(self.scm.order)} nodes, {state})"

    def fit(self, data: Any, *, nodes: Iterable[str] | None = None, **options: Any) -> FitReport:
        """Fit every mechanism to labelled data.

        Args:
            data: a DataFrame, a mapping of arrays, a torch Dataset of mappings or a data set of
                `cf.data`, with a column for every node that is learned and for its parents;
                unlabelled entries are NaN, None or -1.
            nodes: fit only these (default: all); the others keep what they have learned.
            options: fields of `causalflow.training.options.FitOptions` (steps, device, ...).

        Raises:
            CausalFlowError: data that do not fit the graph, an unknown option, nothing to fit.
        """
        chosen = options_of(FitOptions, "fit", options)
        wanted = self.scm.order if nodes is None else check_names(self.graph, nodes)
        part = Trainee(self.scm, wanted)
        if not part.nodes:
            raise CausalFlowError(
                f"fit: {list(wanted)} have equations or tables; there is nothing to fit"
            )
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
            generator: a generator or a seed; by default seed 0: the same call, the same draws.
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
        check_fitted(self.scm, self.fitted, needed - set(fixed))
        scm = configured(self.scm, steps, guidance)
        noise = scm.draw_noise(n, read_generator(generator, self.device), needed)
        return predicted(scm, Abduction(noise=noise, rows=n, info=Info()), actions, wanted)

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
            evidence: some nodes -> values, or images alone when the graph has one image node.
            generator: a generator or a seed (default 0), for where several noises fit.
            steps: solver steps of image nodes.
            residual: keep what decoding misses of an image in its noise (default: as declared).

        Raises:
            EvidenceError: the evidence does not fit the graph, or is impossible.
        """
        check_fitted(self.scm, self.fitted, self.scm.order)
        values = read_evidence(self.graph, evidence, self.device)
        scm = configured(self.scm, steps, None, residual)
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
        return predicted(configured(self.scm, steps, guidance, residual), abduction, actions)

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
            do: as for `sample`, with a value for all rows or one for each.
            n: draws per row, where the evidence leaves the noise open; draw k of row i is row
                k * rows + i.
            generator: as for `abduct`.
            steps: solver steps of image nodes, each way.
            guidance: multiplies the scale of anti-causal edges.
            residual: as for `abduct`.

        Source: Pearl (2009), Causality, theorem 7.1.7.
        """
        check_count("n", n)
        check_fitted(self.scm, self.fitted, self.scm.order)
        values = read_evidence(self.graph, evidence, self.device)
        rows = len(next(iter(values.values())))
        actions = read_interventions(self.graph, do, rows, self.device, draws=n)
        repeated = {name: torch.cat([value] * n) for name, value in values.items()}
        scm = configured(self.scm, steps, guidance, residual)
        return predicted(
            scm, abduct(scm, repeated, read_generator(generator, self.device)), actions
        )

    def reconstruct(
        self, evidence: Any, *, steps: int | None = None, residual: bool | None = None
    ) -> World:
        """The null intervention: evidence, abducted and predicted back."""
        return self.counterfactual(evidence, do={}, steps=steps, residual=residual)

    def ask(
        self,
        query: str | Query,
        evidence: Mapping[str, Any] | pandas.DataFrame | None = None,
        /,
        *,
        draws: int | None = None,
        generator: Random = None,
        steps: int | None = None,
        **known: Any,
    ) -> Answer:
        """The answer to a causal question: exact if the graph is a finite model, else simulated.

        Args:
            query: such as ``"P(bar[color=red] | image, bar=absent)"``.
            evidence: free conditions and interventions of the query -> a value, or one a row.
            draws: how many are simulated; by default as in `causalflow.model.simulation`.
            generator: as for `abduct`.
            steps: as for `abduct`.
            known: evidence as keywords.
        """
        given = {} if evidence is None else {str(n): value for n, value in evidence.items()}
        if self.exact is not None:
            answer = self.exact.ask(query, given | known)
        else:
            scm, random = configured(self.scm, steps), read_generator(generator, self.device)
            answer = simulate(scm, query, given | known, self.fitted, draws, random)
        return replace(answer, verdict=attempt(self.graph, answer.query))

    def enumerate(self) -> Enumeration:
        """The whole table of a finite model: exogenous values, the world they make, P."""
        return (self.exact or ExactModel(self.graph)).enumerate()

    @cached_property
    def exact(self) -> ExactModel | None:
        """The exact model, if every node has an equation or table over finite levels."""
        return ExactModel(self.graph) if ExactModel.supports(self.graph) else None

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
            CheckpointError: missing, truncated, foreign, altered, or of another version.
            CausalFlowError: no such device.
        """
        return Model(*read(path)).to(device)
