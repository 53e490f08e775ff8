"""Model: a graph with a mechanism for every node, at the public face.

Units outside: images in [0, 1], shape (batch, channel, height, width), or uint8; classes as level
indices, names accepted; continuous values in the unit of the graph file. `causalflow.model.scm`
computes in engine values; this module converts (`causalflow.model.evidence`), has the noise found
(`causalflow.model.abduction`), and reports what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import torch

from causalflow.data.frame import Frame
from causalflow.discrete.answer import Answer
from causalflow.discrete.enumeration import Enumeration
from causalflow.discrete.scm import ExactModel
from causalflow.errors import CausalFlowError, CompileError, EvidenceError, one_of
from causalflow.graph.graph import Graph
from causalflow.identify.attempt import attempt
from causalflow.mechanisms.base import Values
from causalflow.model.abduction import abduct, explained
from causalflow.model.arguments import Random, check_count, check_seed, read_generator
from causalflow.model.compile import CompileOptions, Parts, read_options, structural_model
from causalflow.model.description import describe
from causalflow.model.evidence import check_names, read_evidence, read_interventions
from causalflow.model.prediction import check_fitted, check_noise, configured, predicted
from causalflow.model.scm import StructuralModel
from causalflow.model.simulation import simulate
from causalflow.model.storage import fingerprint, read, write
from causalflow.model.stream import (
    StreamReport,
    batch_generator,
    batches_of,
    described,
    stream,
)
from causalflow.model.tensors import Tensors
from causalflow.model.trainee import Trainee
from causalflow.model.transplant import transplant
from causalflow.model.verdicts import counterfactual_verdict, sample_verdict
from causalflow.model.world import Abduction, Info, World
from causalflow.options import options_of
from causalflow.training.device import existing_device
from causalflow.training.fit import FitReport, fit
from causalflow.training.options import FitOptions

if TYPE_CHECKING:
    import pandas

    from causalflow.query.query import Query

__all__ = ["Model", "compile"]


def compile(
    graph: Graph,
    *,
    networks: Mapping[str, torch.nn.Module] | None = None,
    predictors: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Model:
    """A mechanism for every node of ``graph``, untrained (equations need no training).

    Args:
        graph: typed nodes throughout.
        networks: by image node, any module ``(x, tau, condition) -> prediction``.
        predictors: by image node and class parent, any ``(y, tau)`` or ``(x) -> logits``.
        options: fields of `causalflow.model.compile.CompileOptions`; and by image node a
            `causalflow.graph.diffusion.Diffusion`, in place of the graph's.

    Raises:
        CompileError: the graph cannot be compiled; the message names the node.
    """
    if not isinstance(graph, Graph):
        given = type(graph).__name__
        raise CompileError(f"compile: given {given}; expected a Graph, as from cf.load(path)")
    parts = Parts(networks=networks or {}, predictors=predictors or {})
    declared, chosen = read_options(graph, options)
    return Model(structural_model(declared, chosen, parts), chosen, parts=parts)


class Model:
    """A structural causal model that can be fitted and asked; made by `compile` or `Model.load`."""

    def __init__(
        self,
        scm: StructuralModel,
        options: CompileOptions,
        fitted: Iterable[str] = (),
        parts: Parts | None = None,
    ) -> None:
        self.scm = scm
        self.options = options
        self.parts = parts or Parts()
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
        self.__dict__.pop("exact", None)
        self._forget_records()
        return self

    def accelerate(
        self, *, precision: str = "32-true", graphs: bool = True, compile: bool = False
    ) -> Model:
        """Answer faster on CUDA; returns the model itself. Training is not touched.

        Args:
            precision: "32-true", or "bf16-mixed": about twice as fast on networks that fill the
                GPU, with three digits in place of seven.
            graphs: record the networks' launches once for each batch size, and replay them
                (`causalflow.nn.replay`); pays for small networks. No effect elsewhere than on CUDA.
            compile: have ``torch.compile`` fuse the denoisers, which takes minutes and pays for
                long streams.

        Raises:
            CausalFlowError: an unknown precision.
        """
        if precision not in ("32-true", "bf16-mixed"):
            allowed = one_of(precision, ("32-true", "bf16-mixed"))
            raise CausalFlowError(f"accelerate: unknown precision {precision!r}; {allowed}")
        for image in self.scm.images.values():
            image.denoiser.replay.set(graphs=graphs, precision=precision)
            if compile:
                image.denoiser.network.compile()
        return self

    def _forget_records(self) -> None:
        for image in self.scm.images.values():
            image.denoiser.replay.forget()

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
        self._forget_records()
        self.fitted |= frozenset(part.nodes)
        return report

    def transplant(self, name: str, donor: Model) -> Model:
        """Take over the mechanism that ``donor`` has fitted for a node; returns the model itself.

        Args:
            name: of a node that is the same in both graphs, as are its parents and their edges.
            donor: the other model; its weights are copied.

        Raises:
            CompileError: the node is not the same in both, or reads a hidden cause.
            EvidenceError: the donor has not fitted it.
        """
        check_fitted(donor.scm, donor.fitted, [name])
        transplant(name, donor.scm, self.scm)
        self._forget_records()
        self.fitted |= {name}
        return self

    def sample(
        self,
        n: int,
        do: Mapping[str, Any] | None = None,
        *,
        nodes: Iterable[str] | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | None = None,
        **options: Any,
    ) -> World:
        """Draw n worlds from P(v | do).

        Args:
            n: number of draws.
            do: node -> value (a level by name or index, a number, one per draw), or a function of
                a continuous value.
            nodes: what is wanted (default: all); only what it depends on is computed.
            generator: a generator or a seed; by default seed 0: the same call, the same draws.
            steps: solver steps of image nodes.
            guidance: of image nodes: multiplies all of it, or names that of the neural parents.
            options: further options of image nodes, `causalflow.graph.diffusion.INFERENCE`.
        """
        check_count("n", n)
        wanted = list(self.scm.order) if nodes is None else check_names(self.graph, nodes)
        if not wanted:
            raise EvidenceError(f"sample: no nodes; {one_of('', self.graph.nodes)}")
        actions = read_interventions(self.graph, do, n, self.device)
        fixed = [name for name, action in actions.items() if isinstance(action, torch.Tensor)]
        needed = self.graph.admg.do(fixed).ancestors(wanted)
        check_fitted(self.scm, self.fitted, needed - set(fixed))
        scm = configured(self.scm, steps, guidance, **options)
        noise = scm.draw_noise(n, read_generator(generator, self.device), needed)
        world = predicted(scm, Abduction(noise=noise, rows=n, info=Info()), actions, wanted)
        return world.judged(partial(sample_verdict, self.graph, tuple(wanted), do))

    def abduct(
        self,
        evidence: Any,
        *,
        generator: Random = None,
        steps: int | None = None,
        **options: Any,
    ) -> Abduction:
        """The exogenous noise of factual worlds.

        Args:
            evidence: some nodes -> values, or images alone when the graph has one image node.
            generator: a generator or a seed (default 0), for where several noises fit.
            steps: solver steps of image nodes.
            options: as for `sample`; ``residual``: keep what decoding misses of an image.

        Raises:
            EvidenceError: the evidence does not fit the graph, or is impossible.
        """
        check_fitted(self.scm, self.fitted, self.scm.order)
        values = read_evidence(self.graph, evidence, self.device)
        scm = configured(self.scm, steps, **options)
        return self._abducted(scm, values, read_generator(generator, self.device))

    def _abducted(
        self, scm: StructuralModel, values: Values, generator: torch.Generator, draws: int = 1
    ) -> Abduction:
        """The noise of ``values``, drawn so many times; a finite model names what is impossible."""
        repeated = {name: torch.cat([value] * draws) for name, value in values.items()}
        try:
            return abduct(scm, repeated, generator)
        except EvidenceError as problem:
            raise explained(problem, self.exact, values) from None

    def predict(
        self,
        abduction: Abduction,
        do: Mapping[str, Any] | None = None,
        *,
        steps: int | None = None,
        guidance: float | str | None = None,
        **options: Any,
    ) -> World:
        """The worlds with the noise of ``abduction`` under ``do``; draws nothing.

        Args:
            abduction: from `abduct`; one may serve many interventions.
            do: as for `sample`.
            steps: as for `sample`.
            guidance: as for `sample`.
            options: as for `abduct`; without ``residual`` it leaves out what decoding missed.
        """
        actions = read_interventions(self.graph, do, abduction.rows, self.device)
        check_noise(self.graph, actions)
        scm = configured(self.scm, steps, guidance, **options)
        return predicted(scm, abduction, actions)

    @overload
    def counterfactual(
        self,
        evidence: Any,
        do: Mapping[str, Any],
        n: int = 1,
        *,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | None = None,
        out: None = None,
        **options: Any,
    ) -> World: ...

    @overload
    def counterfactual(
        self,
        evidence: Any,
        do: Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]],
        n: int = 1,
        *,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | None = None,
        out: str | Path,
        batch_size: int = 256,
        progress: bool = True,
        **options: Any,
    ) -> StreamReport: ...

    def counterfactual(
        self,
        evidence: Any,
        do: Any,
        n: int = 1,
        *,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | None = None,
        out: str | Path | None = None,
        batch_size: int = 256,
        progress: bool = True,
        **options: Any,
    ) -> World | StreamReport:
        """What ``evidence`` would have been, had ``do`` been done: abduct, act, predict.

        With ``out``, the answers go to disk batch by batch, in bounded memory, and the same call
        goes on where a killed one stopped (`causalflow.model.stream`).

        Args:
            evidence: as for `abduct`; with ``out`` also an iterable of batches, as a DataLoader.
            do: as for `sample`, with a value for all rows or one for each; with ``out`` one for
                all rows, or a function from a batch of evidence to the intervention.
            n: draws per row, where the evidence leaves the noise open; draw k of row i is row
                k * rows + i.
            generator: as for `abduct`; with ``out`` a seed.
            steps: solver steps of image nodes, each way.
            guidance: as for `sample`.
            out: a .safetensors file, or a folder of images and labels.csv; it must not exist yet.
            batch_size: rows answered at once, with ``out``.
            progress: show a bar on standard error, with ``out``.
            options: as for `abduct`.

        Source: Pearl (2009), Causality, theorem 7.1.7.
        """
        check_count("n", n)
        check_fitted(self.scm, self.fitted, self.scm.order)
        scm = configured(self.scm, steps, guidance, **options)
        if out is not None:
            asked = {"do": do, "n": n, "steps": steps, "guidance": guidance, **options}
            seed = check_seed(generator)
            return self._streamed(scm, evidence, asked, out, seed, batch_size, progress)
        return self._world(scm, evidence, do, read_generator(generator, self.device), n)

    def _world(
        self,
        scm: StructuralModel,
        evidence: Any,
        do: Mapping[str, Any],
        generator: torch.Generator,
        draws: int = 1,
    ) -> World:
        """The counterfactual worlds of ``evidence``."""
        values = read_evidence(self.graph, evidence, self.device)
        rows = len(next(iter(values.values())))
        actions = read_interventions(self.graph, do, rows, self.device, draws=draws)
        check_noise(self.graph, actions)
        world = predicted(scm, self._abducted(scm, values, generator, draws), actions)
        return world.judged(partial(counterfactual_verdict, self.graph, tuple(values), do))

    def _streamed(
        self,
        scm: StructuralModel,
        evidence: Any,
        asked: Mapping[str, Any],
        out: str | Path,
        seed: int,
        batch_size: int,
        progress: bool,
    ) -> StreamReport:
        """The worlds of every batch, written to ``out``; a resumed call shares ``asked``."""
        check_count("batch_size", batch_size)
        if asked["n"] != 1:
            raise EvidenceError(
                f"counterfactual: n={asked['n']} with out=...; a stream has one draw a row"
            )
        do = asked["do"]

        def answer(batch: Mapping[str, Any], index: int) -> World:
            action = do(batch) if callable(do) else do
            return self._world(scm, batch, action, batch_generator(self.device, seed, index))

        batches, total = batches_of(evidence, batch_size)
        identity = {**asked, "model": fingerprint(self.scm), "do": described(do), "seed": seed}
        return stream(
            answer,
            batches,
            out,
            graph=self.graph,
            identity=identity,
            total=total,
            progress=progress,
        )

    def reconstruct(self, evidence: Any, *, steps: int | None = None, **options: Any) -> World:
        """The null intervention: evidence, abducted and predicted back."""
        return self.counterfactual(evidence, do={}, steps=steps, **options)

    def represent(self, evidence: Any) -> dict[str, torch.Tensor]:
        """The representations of an image's parents in factual worlds, by its encoder.

        Args:
            evidence: as for `abduct`, with the image; labels that are given are believed.

        Returns:
            Node -> (rows, length), float32; those of a counterfactual world: ``world.latents``.

        Raises:
            EvidenceError: no image, or none whose parents have a representation.
        """
        check_fitted(self.scm, self.fitted, self.scm.images)
        values = read_evidence(self.graph, evidence, self.device)
        found = [i.represent(values[n], values) for n, i in self.scm.images.items() if n in values]
        latents = {name: z for part in found for name, z in part.items()}
        if not latents:
            raise EvidenceError(
                f"graph '{self.graph.name}': no image with represented parents is given; a node "
                "declares its vector as representation: 16"
            )
        return latents

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
        verdict = attempt(self.graph, answer.query)
        warnings = verdict.warnings if verdict else ()
        return replace(answer, verdict=verdict, assumptions=(*answer.assumptions, *warnings))

    def enumerate(self) -> Enumeration:
        """The whole table of a finite model: exogenous values, the world they make, P."""
        return (self.exact or ExactModel(self.graph)).enumerate()

    @cached_property
    def exact(self) -> ExactModel | None:
        """The exact model, if every node has an equation or table over finite levels."""
        if not ExactModel.supports(self.graph):
            return None
        backend = None if self.device.type == "cpu" else Tensors(self.device)
        return ExactModel(self.graph, backend=backend)

    def describe(self) -> pandas.DataFrame:
        """One row a node and hidden root: type, parents, what it compiled to, its parameters."""
        import pandas

        return pandas.DataFrame(describe(self.scm))

    def save(self, path: str | Path) -> None:
        """Write weights, graph text, options and versions in one safetensors file, atomically."""
        write(path, self.scm, self.options, self.fitted, self.parts)

    @staticmethod
    def load(
        path: str | Path,
        device: str = "cpu",
        *,
        networks: Mapping[str, torch.nn.Module] | None = None,
        predictors: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Model:
        """Read a model that `save` wrote; nothing in the file is executed.

        Args:
            path: of the file.
            device: where the weights go.
            networks: those that the model was compiled with; the file has their weights only.
            predictors: likewise.

        Raises:
            CheckpointError: missing, truncated, foreign, altered, or of another version.
            CausalFlowError: no such device.
        """
        parts = Parts(networks=networks or {}, predictors=predictors or {})
        return Model(*read(path, parts), parts=parts).to(device)
