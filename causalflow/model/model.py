"""Model: a graph with a mechanism for every node, at the public face.

Units outside: images in [0, 1], shape (batch, channel, height, width), or uint8; classes as the
levels' numbers, else as indices, names accepted (`causalflow.values.finite`); continuous values in
the unit of the graph file.

    sample          draw noise, act, predict
    abduct          find the noise of evidence
    predict         act, predict
    counterfactual  abduct, act, predict; of more rows than memory holds, batch by batch
    ask             one number or table, exact or simulated

What the user gives is read into engine values (`causalflow.model.evidence`), what the model is not
ready for is refused before anything is computed, `causalflow.model.scm` computes, and what comes of
it is a `World` in public units that knows its verdict.

Source: Pearl (2009), Causality, theorem 7.1.7.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack, overload

import torch

from causalflow.data.habit import Habit
from causalflow.display import html_of
from causalflow.errors import CausalflowWarning, CompileError
from causalflow.exact.model import ExactModel
from causalflow.exact.prepared import Prepared
from causalflow.exact.random_worlds import Enumeration
from causalflow.graph.graph import Graph
from causalflow.graph.image_options import (
    CallKeywords,
    Diffusion,
    Sampling,
    SamplingKeywords,
    call_options,
)
from causalflow.graph.method_options import Guidance
from causalflow.graph.node import diffusion_images
from causalflow.graph.settings import Settings
from causalflow.identify.judgement import Judgement
from causalflow.limits import PIECE_BYTES
from causalflow.model.abduction import Abduction, abduct
from causalflow.model.construction import (
    CompileOptions,
    Parts,
    read_options,
    structural_model,
)
from causalflow.model.distillation import distilled
from causalflow.model.ensemble import check_members, members
from causalflow.model.evidence import (
    Random,
    check_count,
    check_drawn,
    check_fitted,
    check_names,
    check_seed,
    factual_latents,
    read_call,
    read_evidence,
    read_generator,
    read_told_evidence,
)
from causalflow.model.exact_part.credible import with_interval
from causalflow.model.exact_part.finite_part import FinitePart, explicit, finite_part
from causalflow.model.exact_part.linear_part import LinearPart, LinearQuestion, linear_part
from causalflow.model.experience import Experience
from causalflow.model.hidden.family import Family, Reader, family
from causalflow.model.likelihood import fit_nodes
from causalflow.model.missing.gaps import gap_notes
from causalflow.model.posterior.posterior import check_route
from causalflow.model.pyro.extra import to_pyro
from causalflow.model.sampling import simulate
from causalflow.model.scm import StructuralModel, accelerate
from causalflow.model.sharing import CardKeywords, push_to_hub, save_pretrained
from causalflow.model.storage import Stored, read, transplant, write
from causalflow.model.stream import (
    StreamReport,
    stream_counterfactuals,
    stream_draws,
    target_of,
)
from causalflow.model.support import Watch
from causalflow.model.tensors import Tensors
from causalflow.model.world import World, counterfactual, replayed, sampled
from causalflow.options import read_size
from causalflow.query.answer import Answer
from causalflow.query.known import (
    Asked,
    Known,
    KnownParts,
    asked,
    columns,
    known_once,
    known_question,
    remembered,
)
from causalflow.training.device import existing_device
from causalflow.training.options import DISTILL, Fit, FitKeywords, fit_options
from causalflow.training.report import FitReport
from causalflow.values.dataframe import Tabular
from causalflow.values.likelihood import has_likelihoods

if TYPE_CHECKING:
    import pandas

    from causalflow.factors.table import Table
    from causalflow.model.pyro.program import PyroProgram
    from causalflow.query.combination import AnyQuery

__all__ = ["Model", "compile"]

Question: TypeAlias = Prepared | LinearQuestion | Known | KnownParts
"""A question that was asked before: answered in closed form, or to be simulated."""


class Model:
    """A structural causal model that can be fitted and asked; made by `compile` or `Model.load`.

    Attributes:
        device: where the weights are.
        experience: what it keeps of the rows it was fitted to: ranges, distances, digests of
            pictures (`causalflow.model.experience`).
        members: models like it, fitted to halves of the rows, if the fit was asked for some
            (`causalflow.model.ensemble`).
    """

    def __init__(
        self,
        scm: StructuralModel,
        options: CompileOptions,
        fitted: Iterable[str] = (),
        experience: Experience | None = None,
        parts: Parts | None = None,
        members: Sequence[StructuralModel] = (),
    ) -> None:
        self.scm = scm
        self.members = tuple(members)
        self.device = scm.device
        self.options = options
        self.parts = parts or Parts()
        self.fitted = scm.given | frozenset(fitted)
        self.experience = experience or Experience()
        self._questions: dict[Asked, Question] = {}

    @property
    def graph(self) -> Graph:
        """The declaration."""
        return self.scm.graph

    def to(self, device: str | torch.device) -> Model:
        """Move the weights; returns the model itself."""
        self.device = self.scm.to(existing_device(device)).device
        self.__dict__.pop("exact", None)
        self.scm.forget()
        self.members = tuple(member.to(self.device) for member in self.members)
        self._forget_answers()
        return self

    def _forget_answers(self) -> None:
        """Drop what was prepared of tables that have changed or moved."""
        self.__dict__.pop("finite", None)
        self.__dict__.pop("linear", None)
        self._questions.clear()

    def accelerate(
        self, *, precision: str = "32-true", graphs: bool = True, compile: bool = False
    ) -> Model:
        """Answer faster; returns the model itself. Training is not touched.

        Args:
            precision: "32-true", or "bf16-mixed": about twice as fast on networks that fill the
                GPU, and on CPUs that have bfloat16, with three digits in place of seven.
            graphs: record the launches of networks and of whole trajectories once for each batch
                size, and replay them (`causalflow.nn.replay`); pays for small networks. No effect
                elsewhere than on CUDA.
            compile: have ``torch.compile`` fuse the denoisers, on any device, which takes minutes
                and pays for long streams; where it cannot, a warning says why. Seven digits agree.

        Raises:
            CausalflowError: an unknown precision.
        """
        accelerate(self.scm, precision, graphs=graphs, compile=compile)
        return self

    def __repr__(self) -> str:
        state = "fitted" if self.fitted == set(self.scm.order) else "untrained"
        return f"Model({self.graph.name!r}, {len(self.scm.order)} nodes, {state})"

    def _repr_html_(self) -> str:
        return html_of(self)

    def fit(
        self,
        data: object,
        *,
        nodes: Iterable[str] | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        checkpoint: str | Path | None = None,
        seed: int | None = None,
        progress: bool | None = None,
        options: Fit | None = None,
        **further: Unpack[FitKeywords],
    ) -> FitReport:
        """Fit every mechanism to labelled data.

        Args:
            data: a data frame of any library, a mapping of arrays, a torch Dataset of mappings or a
                data set of `cf.data`, with a column for every node that is learned and for its
                parents; unlabelled entries are NaN, None or -1. A column ``do(NAME)`` of truth
                values says in which rows an experiment set NAME: its mechanism is not fitted to
                them.
            nodes: fit only these (default: all); the others keep what they have learned.
            steps: gradient steps in all.
            batch_size: rows a step.
            device: "auto" (CUDA, else CPU), "cpu", "cuda" or "cuda:1".
            checkpoint: file from which a killed fit goes on.
            seed: the seed of batches and noise.
            progress: show a bar on standard error.
            options: all of `cf.Fit`; what is spelt out here wins.
            further: others of them, as keywords (learning_rate, precision, ...).

        Raises:
            CausalflowError: data that do not fit the graph, an unknown option, nothing to fit.
            FitInterrupted: Ctrl-C or SIGTERM ended it after a whole step; the model is fitted as
                far as that, and can be asked and saved. A second Ctrl-C ends it at once.
        """
        spelt = {
            "steps": steps,
            "batch_size": batch_size,
            "device": device,
            "checkpoint": checkpoint,
            "seed": seed,
            "progress": progress,
        }
        chosen = fit_options(options, {**spelt, **further})
        if chosen.members:
            check_members(self.scm, chosen)
        end = time.monotonic() + 60 * chosen.minutes if chosen.minutes else math.inf
        wanted = None if nodes is None else check_names(self.graph, nodes)
        found = fit_nodes(self.scm, data, wanted, chosen)
        self.device = self.scm.device
        self.fitted |= found.nodes
        self.experience = self.experience.then(found.experience)
        self.members = ()
        self._forget_answers()
        if found.interruption is not None:
            raise found.interruption
        self.members = (
            members(self.scm, self.options, self.parts, data, wanted, chosen, end)
            if chosen.members
            else ()
        )
        return replace(found.report, members=len(self.members))

    def distill(
        self,
        data: object,
        calls: int = 4,
        *,
        teacher: Sampling | None = None,
        steps: int | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        checkpoint: str | Path | None = None,
        seed: int | None = None,
        progress: bool | None = None,
        options: Fit | None = None,
        **further: Unpack[FitKeywords],
    ) -> Model:
        """A copy of this model whose counterfactual pictures take ``calls`` network calls.

        It has a further network for each image, which serves counterfactuals alone: what is drawn,
        and what another solver or number of steps is asked for, is this model's.

        Args:
            data: rows as for `fit`, with the images and their parents.
            calls: an even number, both ways together; k interventions on one abduction take half of
                it, 1 + k times.
            teacher: the options under which this model makes the pictures that are learned; None:
                its own.
            steps: gradient steps in all.
            batch_size: rows a step.
            device: as for `fit`.
            checkpoint: file from which a killed distillation goes on.
            seed: the seed of rows and interventions.
            progress: show a bar on standard error.
            options: all of `cf.Fit`, in place of 400 steps of 32 rows at a rate of 3e-4; what is
                spelt out here wins.
            further: others of them, as keywords, as for `fit`.

        Raises:
            CompileError: an image that is guided, that has no parents, or a network trained
                elsewhere; an impossible number of calls.
            EvidenceError: an image that is not fitted yet.
            CausalflowError: data that do not fit the graph, an unknown option.
        """
        spelt = {
            "steps": steps,
            "batch_size": batch_size,
            "device": device,
            "checkpoint": checkpoint,
            "seed": seed,
            "progress": progress,
        }
        chosen = fit_options(options or DISTILL, {**spelt, **further})
        check_fitted(self.scm, self.fitted, self.scm.images)
        asked = {} if teacher is None else teacher.changed()
        scm = distilled(self.scm, data, calls, asked, chosen)
        return Model(scm, self.options, self.fitted, self.experience, self.parts)

    def transplant(self, name: str, donor: Model) -> Model:
        """Take over the mechanism that ``donor`` has fitted for a node; returns the model itself.

        Args:
            name: a node that is the same in both graphs, as are its parents and their edges.
            donor: the other model; its weights are copied.

        Raises:
            CompileError: the node is not the same in both, or reads a hidden cause.
            EvidenceError: the donor has not fitted it.
        """
        check_fitted(donor.scm, donor.fitted, [name])
        transplant(name, donor.scm, self.scm)
        self.scm.forget()
        self.members = ()
        self._forget_answers()
        self.fitted |= {name}
        self.experience = self.experience.then(donor.experience.of([name]))
        return self

    def recommend(
        self,
        *,
        node: str | None = None,
        scales: Mapping[str, float] | None = None,
        chosen: str = "",
        sampling: Sampling | None = None,
        **options: Unpack[SamplingKeywords],
    ) -> Model:
        """Make options of images those of every later call; returns the model itself.

        `save` keeps them as the file's settings. A call that spells an option out wins; so does a
        graph file for which the saved model is taken (`causalflow.graph.settings`).

        Args:
            node: the image node (default: every one that a diffusion model makes).
            scales: anti-causal parent -> scale of its gradient, >= 0.
            chosen: on what they were chosen, in one line.
            sampling: the options, as for `sample`; each stays what it was where none is given.
            options: single options, as for `sample`.

        Raises:
            CausalflowError: no such image node, option or anti-causal parent, or a value out of
                range.

        Example:
            >>> from causalflow.graph.graph import Graph
            >>> image = {"type": "image", "shape": [1, 8, 8]}
            >>> nodes = {"digit": {"type": "class", "levels": 10}, "x": image}
            >>> model = compile(Graph(nodes=nodes, edges=["digit -> x: anticausal"]))
            >>> model.recommend(scales={"digit": 9.0}, grain=1.0, chosen="on validation pictures")
            Model('graph', 2 nodes, untrained)
            >>> model.settings["x"].options
            {'grain': 1.0}
        """
        said = call_options(None, None, sampling, options)
        given = {name: value for name, value in said.items() if value is not None}
        each = Settings(options=given, scales=scales or {}, chosen=chosen)
        nodes = diffusion_images(self.graph.nodes) if node is None else [node]
        self.scm = self.scm.settled(dict.fromkeys(nodes, each))
        return self

    @property
    def settings(self) -> Mapping[str, Settings]:
        """Image node -> what was chosen for it, as `recommend` was told or the file says."""
        return self.scm.settings

    @property
    def habits(self) -> Mapping[str, Habit]:
        """Image node -> how the pictures of the fit were read from files (`cf.data.read`)."""
        return self.experience.habits

    @overload
    def sample(
        self,
        n: int,
        do: Mapping[str, object] | None = None,
        *,
        nodes: Iterable[str] | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        out: None = None,
        batch_size: int = 256,
        shards: str | None = None,
        shard_batches: int = 16,
        progress: bool = True,
        **options: Unpack[SamplingKeywords],
    ) -> World: ...

    @overload
    def sample(
        self,
        n: int,
        do: object = None,
        *,
        nodes: Iterable[str] | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        out: str | Path,
        batch_size: int = 256,
        shards: str | None = None,
        shard_batches: int = 16,
        progress: bool = True,
        **options: Unpack[SamplingKeywords],
    ) -> StreamReport: ...

    def sample(
        self,
        n: int,
        do: Any = None,
        *,
        nodes: Iterable[str] | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        out: str | Path | None = None,
        batch_size: int = 256,
        shards: str | None = None,
        shard_batches: int = 16,
        progress: bool = True,
        **options: Unpack[SamplingKeywords],
    ) -> World | StreamReport:
        """Draw n worlds from P(v | do).

        With ``out`` they go to disk batch by batch, as those of `counterfactual` do.

        Args:
            n: number of draws.
            do: node -> value (a level or a number, or one per draw), or a function of a continuous
                value. What stands for a level: `causalflow.values.finite`. With ``out`` one value
                for all draws, or a function from the numbers of a batch's draws, a range, to the
                intervention.
            nodes: what is wanted (default: all); only what it depends on is computed.
            generator: a generator or a seed; by default seed 0: the same call, the same draws.
            steps: solver steps of image nodes.
            guidance: a number that multiplies all guidance of image nodes, or the name of that of
                the neural parents.
            sampling: all options of image nodes that a call may change; what is spelt out wins.
            out: where the draws go, as for `counterfactual`; the generator is then a seed.
            batch_size: rows drawn at once, with ``out``.
            shards: the kind of files of a folder, as for `counterfactual`.
            shard_batches: batches that make a shard.
            progress: show a bar on standard error, with ``out``.
            options: others of them, as keywords (solver, grain, ...).
        """
        seed = generator if out is None else check_seed(generator)
        scm, draws, watch = self._call(seed, steps, guidance, sampling, options)
        target = (
            None
            if out is None and shards is None
            else target_of(out, batch_size, shards, shard_batches, progress=progress)
        )
        try:
            if target is None:
                return sampled(scm, self.fitted, n, do, nodes, draws, watch)
            check_count("n", n)
            asked = {
                "do": do,
                "n": n,
                "nodes": None if nodes is None else check_names(self.graph, nodes),
                **call_options(steps, guidance, sampling, options),
            }
            return stream_draws(scm, self.fitted, target, asked, watch, check_seed(seed))
        finally:
            if watch is not None:
                watch.tell("sample")

    def abduct(
        self,
        evidence: object,
        *,
        draws: int = 1,
        route: str | None = None,
        generator: Random = None,
        steps: int | None = None,
        sampling: Sampling | None = None,
        **options: Unpack[SamplingKeywords],
    ) -> Abduction:
        """Joint draws of the exogenous noise of factual worlds, given any part of their nodes.

        Args:
            evidence: some nodes -> values, or images alone when the graph has one image node;
                short of a value ``cf.likely``, ``cf.within``, ``cf.above``, ``cf.below``, one a
                row or one for all, and ``cf.seen`` for pictures of which a part is seen.
            draws: how many of each row, all of the same weight; draw k of row i is world
                k * rows + i.
            route: "exact", "linear-Gaussian", "resampling" or "pyro", for all the evidence leaves
                open (`causalflow.model.posterior.posterior`); None: the best of each.
            generator: a generator or a seed (default 0), for where several noises fit.
            steps: solver steps of image nodes.
            sampling: options of image nodes, as for `sample`.
            options: single options, as for `sample`; ``residual``: keep what decoding misses of an
                image.

        Raises:
            EvidenceError: the evidence does not fit the graph, or is impossible, or what it leaves
                open cannot be drawn, or not by that route.
        """
        scm, random, watch = self._call(generator, steps, None, sampling, options)
        check_fitted(scm, self.fitted, scm.order)
        check_count("draws", draws)
        values, told = read_told_evidence(self.scm, evidence)
        check_drawn(scm, draws * len(next(iter(values.values()))))
        abduction = abduct(scm, values, random, watch, draws, route, told)
        if watch is not None:
            watch.tell("abduct")
        return abduction

    def predict(
        self,
        abduction: Abduction,
        do: Mapping[str, object] | None = None,
        *,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        **options: Unpack[SamplingKeywords],
    ) -> World:
        """The worlds with the noise of ``abduction`` under ``do``; only policies draw, from seed 0.

        Args:
            abduction: the result of `abduct`; one may serve many interventions.
            do: the intervention, as for `sample`.
            steps: solver steps, as for `sample`.
            guidance: how strongly images are guided, as for `sample`.
            sampling: options of image nodes, as for `sample`.
            options: single options, as for `abduct`; without ``residual`` it leaves out what
                decoding missed.

        Raises:
            EvidenceError: an image's noise was abducted by another solver, in other steps.
        """
        scm, draws, watch = self._call(None, steps, guidance, sampling, options)
        world = replayed(scm, abduction, do, draws, watch)
        if watch is not None:
            watch.tell("predict")
        return world

    @overload
    def counterfactual(
        self,
        evidence: object,
        do: Mapping[str, object],
        n: int = 1,
        *,
        route: str | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        out: None = None,
        batch_size: int = 256,
        shards: str | None = None,
        shard_batches: int = 16,
        progress: bool = True,
        **options: Unpack[SamplingKeywords],
    ) -> World: ...

    @overload
    def counterfactual(
        self,
        evidence: object,
        do: object,
        n: int = 1,
        *,
        route: str | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        out: str | Path,
        batch_size: int = 256,
        shards: str | None = None,
        shard_batches: int = 16,
        progress: bool = True,
        **options: Unpack[SamplingKeywords],
    ) -> StreamReport: ...

    def counterfactual(
        self,
        evidence: object,
        do: Any,
        n: int = 1,
        *,
        route: str | None = None,
        generator: Random = None,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        out: str | Path | None = None,
        batch_size: int = 256,
        shards: str | None = None,
        shard_batches: int = 16,
        progress: bool = True,
        **options: Unpack[SamplingKeywords],
    ) -> World | StreamReport:
        """What ``evidence`` would have been, had ``do`` been done: abduct, act, predict.

        With ``out``, the answers go to disk batch by batch, in bounded memory, and the same call
        goes on where a killed one stopped. Under ``torchrun``, where every process makes the call,
        they share the work, and the bytes are those of one (`causalflow.model.stream`).

        Args:
            evidence: the factual rows, as for `abduct`; with ``out`` also an iterable of batches,
                as a DataLoader.
            do: the intervention, as for `sample`, with a value for all rows or one for each; with
                ``out`` one for all rows, or a function from a batch of evidence to the
                intervention.
            n: draws per row, where the evidence leaves the noise open; draw k of row i is row
                k * rows + i.
            route: how what the evidence leaves open is drawn, as for `abduct`.
            generator: the source of randomness, as for `abduct`; with ``out`` a seed.
            steps: solver steps of image nodes, each way.
            guidance: how strongly images are guided, as for `sample`.
            sampling: options of image nodes, as for `sample`.
            out: a .safetensors or .tar file, or a folder of images and labels.csv; it must not
                exist yet.
            batch_size: rows answered at once, with ``out``.
            shards: "safetensors" or "tar": ``out`` is a folder of such files, 000000.tar and so on,
                with an index.json (`cf.data.shards`); one that is there already is gone on with,
                or refused if it answers anything else.
            shard_batches: batches that make a shard.
            progress: show a bar on standard error, with ``out``.
            options: single options, as for `abduct`.

        Source: Pearl (2009), Causality, theorem 7.1.7.
        """
        seed = generator if out is None else check_seed(generator)
        scm, draws, watch = self._call(seed, steps, guidance, sampling, options)
        check_count("n", n)
        check_fitted(scm, self.fitted, scm.order)
        target = (
            None
            if out is None and shards is None
            else target_of(out, batch_size, shards, shard_batches, progress=progress)
        )
        if target is None:
            world = counterfactual(scm, evidence, do, n, draws, watch, route=route)
            if watch is not None:
                watch.tell("counterfactual")
            return world
        asked = {"do": do, "n": n, **call_options(steps, guidance, sampling, options)}
        asked |= {} if route is None else {"route": route}
        try:
            return stream_counterfactuals(scm, evidence, target, asked, watch, check_seed(seed))
        finally:
            if watch is not None:
                watch.tell("counterfactual")

    def reconstruct(
        self, evidence: object, *, steps: int | None = None, **options: Unpack[CallKeywords]
    ) -> World:
        """The null intervention: evidence, abducted and predicted back."""
        return self.counterfactual(evidence, {}, steps=steps, **options)

    def represent(self, evidence: object, *, node: str | None = None) -> dict[str, torch.Tensor]:
        """The representations of an image's parents in factual worlds, by its encoder.

        Args:
            evidence: the rows, as for `abduct`, with the image; labels that are given are believed.
            node: the image to read (default: all given); to be named where several show a parent.

        Returns:
            Node -> (rows, length), float32; those of a counterfactual world: ``world.latents``.

        Raises:
            EvidenceError: no image with represented parents, or several that show the same one.
        """
        check_fitted(self.scm, self.fitted, self.scm.images)
        values = read_evidence(self.scm, evidence)
        return factual_latents(self.scm, values, node)

    def ask(
        self,
        query: str | AnyQuery,
        evidence: Tabular | None = None,
        /,
        *,
        draws: int | None = None,
        generator: Random = None,
        steps: int | None = None,
        interval: float | None = None,
        route: str | None = None,
        **known: object,
    ) -> Answer:
        """The answer to a causal question: exact where it has a closed form, else simulated.

        It has one where it is about finite tables, or asks for a mean of linear equations with
        normal noise; what was fitted counts as what is given
        (`causalflow.model.exact_part.finite_part`, `causalflow.model.exact_part.linear_part`).

        Args:
            query: such as ``"P(bar[color=red] | image, bar=absent)"``, or a sum or
                ratio of several.
            evidence: free conditions and interventions of the query -> a value, or one a row.
            draws: how many are simulated; by default as in `causalflow.model.sampling`. Where they
                or a route are named, all but a finite model's answers are simulated.
            generator: the source of randomness, as for `abduct`.
            steps: solver steps, as for `abduct`.
            interval: the probability of a credible interval, such as 0.95: how far the counts
                behind fitted tables leave the answer open (a variable of this name: its value).
            route: how what the evidence leaves open is drawn, as for `abduct` (likewise).
            known: evidence as keywords.

        Raises:
            CausalflowError: a question that cannot be read or answered, impossible evidence, or no
                interval: the answer is not one of counted tables.
        """
        given = known_once(columns(evidence), known)
        named = {*self.graph.nodes, *self.graph.exogenous}
        if interval is not None and "interval" in named:
            given, interval = {**given, "interval": interval}, None
        if route is not None and "route" in named:
            given, route = {**given, "route": route}, None
        if route is not None:
            check_route(route)
        is_drawn = draws is not None or route is not None
        question = remembered(self._questions, asked(query, given), self._question)
        if isinstance(question, Prepared) and (not is_drawn or self.exact is not None):
            if generator is not None or steps is not None:
                self._call(generator, steps)
            answer = question.answer(given)
            if self.experience.unseen:
                watch = Watch(scm=self.scm, experience=self.experience)
                self.finite.watch(question.known, given, watch)
                watch.tell("ask")
        else:
            scm, generated, _ = self._call(generator, steps)
            watch = Watch(scm=scm, experience=self.experience)
            told = any(map(has_likelihoods, given.values()))
            if isinstance(question, LinearQuestion) and not (is_drawn or told):
                answer = question.answer(given, watch)
            else:
                whole = question if isinstance(question, Known | KnownParts) else question.known
                answer = simulate(scm, whole, given, self.fitted, draws, generated, watch, route)
                judgement = Judgement(self.graph, answer.query, fitted=answer.learned)
                answer = replace(answer, judgement=judgement)
            watch.tell("ask")
        if interval is not None:
            random = read_generator(generator, self.device)
            answer = with_interval(self.finite, question, given, answer, interval, random)
        if answer.learned and answer.judgement and (left := answer.judgement.open):
            warnings.warn(f"ask: {answer.query}: {left}", CausalflowWarning, stacklevel=2)
        gaps = self.experience.gaps
        return (
            replace(answer, notes=(*answer.notes, *gap_notes(gaps, self.graph))) if gaps else answer
        )

    def _question(self, asked: Asked) -> Question:
        """A question with a place for everything that is given, ready to be asked again."""
        known = known_question(*asked, self.graph)
        if self.exact is None:
            return self.finite.prepared(known) or self.linear.question(known) or known
        return self.exact.prepared(known, Judgement(self.graph, known.query))

    def family(
        self,
        query: str,
        rows: object = None,
        *,
        read: Mapping[str, Reader] | None = None,
        ratio: float | None = None,
        n: int = 2000,
        generator: Random = None,
    ) -> Family:
        """The ends between which a question's answer lies, where a hidden cause leaves it open.

        Args:
            query: a question about class nodes and attributes, such as ``"P(dark=1 | do(x=1))"``.
            rows: columns of labels and the picture; None: ``n`` draws of the model.
            read: attribute -> function of pictures in [0, 1], (rows, channels, height, width), that
                gives each its level, 0, 1, ...
            ratio: the largest density ratio between what is not seen and what is
                (`causalflow.model.hidden.family`); None: as the graph says of the attributes it is
                on.
            n: draws of the model.
            generator: their seed.

        Raises:
            CausalflowError: a question that cannot be read or bounded, or an impossible ratio.
        """
        return family(
            self.graph, query, read or {}, rows, ratio, lambda: self.sample(n, generator=generator)
        )

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

    @cached_property
    def finite(self) -> FinitePart:
        """The exact model of the nodes whose tables are known, given or fitted."""
        return finite_part(self.scm, self.fitted)

    @cached_property
    def linear(self) -> LinearPart:
        """The nodes that are lines with normal noise, by equation or by fit."""
        return linear_part(self.scm, self.fitted)

    def joint(self, nodes: Iterable[str] | None = None) -> Table:
        """P(nodes) (default: all) of finite nodes, from their tables.

        Raises:
            CausalflowError: a node that is not finite or not fitted, or too many of them.
        """
        names = tuple(self.graph.nodes) if nodes is None else check_names(self.graph, nodes)
        exact = self.exact or self.finite.exact
        if self.exact is None and not self.finite.holds(names):
            raise CompileError(
                f"joint: P({', '.join(names)}) is no table: it takes class nodes, fitted, that "
                "listen to classes alone"
            )
        return exact.joint(names)

    @property
    def explicit(self) -> Graph:
        """The graph with every fitted table written out, each ``<->`` as a node of its own.

        `cf.dumps` writes it, as BIF too; `cf.compile` makes a model of it that needs no fit.

        Raises:
            CompileError: a node that is no class, or whose parents are not, or that is not fitted.
        """
        return explicit(self.scm, self.fitted)

    def to_pyro(
        self, nodes: Iterable[str] | None = None, *, noises: Iterable[str] | bool = ()
    ) -> PyroProgram:
        """The model as a program of Pyro, which conditions, intervenes and infers (extra ``pyro``).

        Args:
            nodes: those wanted, with all that they are made from; None: all.
            noises: nodes whose noise is a site that is drawn, from which the node follows; True:
                all. The others are sites with a law, whose noise follows where they determine it.

        Raises:
            CausalflowError: no package pyro, an unknown or unfitted node, a law that Pyro has not.
        """
        return to_pyro(self.scm, self.fitted, nodes, noises)

    def describe(self) -> pandas.DataFrame:
        """One row a node and hidden root: type, parents, what it compiled to, its parameters."""
        import pandas

        return pandas.DataFrame(self.scm.describe())

    def save(self, path: str | Path, *, piece: str | int = PIECE_BYTES, bits: int = 32) -> None:
        """Write weights, graph text, options and versions in one safetensors file, atomically.

        Args:
            path: the file.
            piece: its largest size, in bytes or as a text such as "2GB". A larger model is written
                as pieces of that size beside ``path``, which is then their index; `load` takes it.
            bits: 32, or 16 or 8 of each weight (`causalflow.model.packing`): a file of a half or a
                quarter of the size, whose model answers nearly the same.

        Raises:
            CheckpointError: another number of bits, a weight that is not finite, or a file that
                cannot be written; an older one stays.
            CausalflowError: no size.
        """
        limit = read_size("save: piece", piece)
        stored = Stored(
            scm=self.scm,
            options=self.options,
            fitted=sorted(self.fitted),
            experience=self.experience,
            members=self.members,
        )
        write(path, stored, self.parts, limit, bits)

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        bits: int = 32,
        piece: str | int = PIECE_BYTES,
        **card: Unpack[CardKeywords],
    ) -> list[Path]:
        """Write a folder that others can read: graph, weights, digests, card and pictures.

        `cf.from_pretrained` reads it. A model that was saved there before is replaced; what else
        the folder holds is kept.

        Args:
            folder: it is made if it is not there.
            bits: the size of a weight, as for `save`.
            piece: the largest size of a file, as for `save`.
            card: what README.md says: ``name``, ``about``, ``limits``, ``license``; scores by
                ``data`` (rows, or the name of a data set) or ``evaluation`` (of `cf.evaluate`), of
                ``n`` pictures under ``do``; and whether bars show the ``progress``
                (`causalflow.model.sharing.CardKeywords`).

        Returns:
            The files.

        Raises:
            CheckpointError: as for `save`; or the folder holds other files of these names.
            CausalflowError: data that do not fit the graph, or a text that is none.
        """
        return save_pretrained(self, folder, bits, piece, card)

    def push_to_hub(
        self,
        repository: str,
        *,
        private: bool = False,
        branch: str | None = None,
        token: str | None = None,
        message: str = "A causalflow model",
        bits: int = 32,
        piece: str | int = PIECE_BYTES,
        **card: Unpack[CardKeywords],
    ) -> str:
        """Share the model on a model hub, as one commit of all its files (extra ``hub``).

        `cf.from_pretrained` reads it, by the same name.

        Args:
            repository: owner/name; it is made if it is not there.
            private: whether a new repository is hidden from others.
            branch: where the commit goes; None: the main branch.
            token: a writer's; None: that of HF_TOKEN, or the one that is logged in.
            message: the commit's.
            bits: the size of a weight, as for `save`.
            piece: the largest size of a file, as for `save`.
            card: what README.md says, as for `save_pretrained`.

        Returns:
            The address of the commit.

        Raises:
            CheckpointError: no such name or right, no network, or what `save_pretrained` refuses.
        """
        return push_to_hub(
            self,
            repository,
            private=private,
            branch=branch,
            token=token,
            message=message,
            bits=bits,
            piece=piece,
            card=card,
        )

    @staticmethod
    def load(
        path: str | Path,
        device: str = "cpu",
        *,
        networks: Mapping[str, torch.nn.Module] | None = None,
        predictors: Mapping[str, Mapping[str, Callable[..., torch.Tensor]]] | None = None,
    ) -> Model:
        """Read a model that `save` wrote; nothing in the file is executed.

        Args:
            path: the file.
            device: where the weights go.
            networks: the networks that the model was compiled with; the file has their weights
                only.
            predictors: the predictors that it was compiled with, alike.

        Raises:
            CheckpointError: missing, truncated, foreign, altered, or of another version.
            CausalflowError: no such device.
        """
        parts = Parts(networks=networks or {}, predictors=predictors or {})
        found = read(path, parts)
        return Model(
            found.scm, found.options, found.fitted, found.experience, parts, found.members
        ).to(device)

    def _call(
        self,
        generator: Random,
        steps: int | None = None,
        guidance: float | str | Guidance | None = None,
        sampling: Sampling | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[StructuralModel, torch.Generator, Watch | None]:
        """The model under a call's options, random numbers, and a watch if ranges are known."""
        scm = self.scm.configured(read_call(steps, guidance, sampling, options))
        kept = self.experience
        known = kept.ranges or kept.unseen or kept.gaps
        watch = Watch(scm=scm, experience=self.experience) if known else None
        return scm, read_generator(generator, self.device), watch


def compile(
    graph: Graph,
    *,
    networks: Mapping[str, torch.nn.Module] | None = None,
    predictors: Mapping[str, Mapping[str, Callable[..., torch.Tensor]]] | None = None,
    seed: int = 0,
    confounder_states: int | None = None,
    **images: Diffusion,
) -> Model:
    """A model with a mechanism for every node of ``graph``, untrained (equations need no training).

    Args:
        graph: typed nodes throughout.
        networks: the user's own, by image node: any module ``(x, tau, condition) -> prediction``.
        predictors: the user's own, by image node and class parent: any ``(y, tau)`` or ``(x) ->
            logits``.
        seed: the seed of the networks' initial weights.
        confounder_states: levels of the latent class of each ``<->``; None: as many as its larger
            end has.
        images: the options of each image node, by name, in place of the graph's.

    Raises:
        CompileError: the graph cannot be compiled; the message names the node.
    """
    if not isinstance(graph, Graph):
        given = type(graph).__name__
        raise CompileError(f"compile: given {given}; expected a Graph, as from cf.load(path)")
    parts = Parts(networks=networks or {}, predictors=predictors or {})
    own = {"seed": seed, "confounder_states": confounder_states}
    stated = {name: value for name, value in own.items() if value or name not in graph.nodes}
    declared, chosen = read_options(graph, stated | images)
    return Model(structural_model(declared, chosen, parts), chosen, parts=parts)
