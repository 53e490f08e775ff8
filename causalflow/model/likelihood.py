"""Likelihood: how a model's mechanisms are fitted to rows, and which columns that takes.

The likelihood of a world factorises over the nodes once every hidden cause is summed out of its
district, so each mechanism's loss stands alone: a node reads its own column and its parents', and
the nodes that share a latent class are fitted together, by exact enumeration of it
(`causalflow.mechanisms.latent_class`). A node that listens to the own noise of another is told what
that one's mechanism, as far as it is fitted, abducts of the row. In rows where a node was set its
mechanism has no part (`causalflow.values.regime`).

An image that is fitted under another law than the data's, with weights w of mean 1
(`causalflow.mechanisms.image.loss`), would learn little from the few rows that weigh most. So rows
are drawn from the mixture of all the laws, q = (1 + sum_k w_k) / (1 + K) over K such images, and
every loss is divided by q: each node still sees its own law, no row weighs more than 1 + K, and
rows that are rare in the data are seen as often as their law has them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from causalflow.data.collection import Collection
from causalflow.data.frame import Frame
from causalflow.data.habit import Habit
from causalflow.errors import CausalflowError, CausalflowWarning, one_line
from causalflow.graph.graph import Graph
from causalflow.graph.indicator import indicators_of
from causalflow.mechanisms.categorical import PSEUDO_COUNT, Categorical, smoothed_log
from causalflow.mechanisms.image.canvas import LatentCanvas
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.mechanisms.latent_class import LatentDistrict
from causalflow.mechanisms.mechanism import (
    Mechanism,
    Values,
    all_labelled,
    labelled,
    module_key,
    untouched,
)
from causalflow.mechanisms.own_noise import column
from causalflow.mechanisms.regression.regression_mechanism import RegressionMechanism
from causalflow.model.evidence import check_names
from causalflow.model.experience import FAR, Experience, experienced, far
from causalflow.model.missing.expected_counts import fit_tables
from causalflow.model.missing.gaps import (
    Joined,
    declared_gaps,
    gap_notes,
    joined,
    laws_of,
    shares,
    tables_of,
)
from causalflow.model.missing.imputation import TABLES, Completed, completions, first_copy
from causalflow.model.scm import StructuralModel
from causalflow.training.device import FitInterrupted, alone
from causalflow.training.fit import fit
from causalflow.training.heldout import parted
from causalflow.training.options import LATENT, USUAL, Fit, Size, sized
from causalflow.training.progress import followed
from causalflow.training.report import FitReport
from causalflow.training.state import GAPS, generator

__all__ = ["Fitted", "Trainee", "fit_nodes", "fitted_rows", "latent_districts"]

ROUND = 200
"""Gradient steps between two draws of the gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What fitting some nodes came to.

    Attributes:
        report: what was done.
        nodes: which were fitted.
        experience: to what.
        interruption: the signal that ended the fit before its time; its model can be used.
    """

    report: FitReport
    nodes: frozenset[str]
    experience: Experience
    interruption: FitInterrupted | None = None


def fit_nodes(scm: StructuralModel, data: Any, nodes: Iterable[str] | None, options: Fit) -> Fitted:
    """Fit some nodes (None: all), and leave the model in evaluation mode.

    Warns where draws from a continuous node's mechanism are far from its rows.

    Args:
        scm: the model; its weights go to the device of the fit.
        data: columns for the nodes and their parents (`causalflow.data.frame`).
        nodes: names; those that share a hidden cause with them are fitted too.
        options: how.

    Raises:
        CausalflowError: data that do not fit the graph, nothing to fit.
    """
    wanted = scm.order if nodes is None else check_names(scm.graph, nodes)
    part = Trainee(scm, wanted)
    if not part.nodes:
        raise CausalflowError(
            f"fit: {list(wanted)} have equations or tables; there is nothing to fit"
        )
    for name, image in scm.images.items():
        if name in part.nodes and image.editor is not None:
            raise CausalflowError(
                f"fit: node '{name}' has a distilled network, which a fit would leave as it is; "
                "fit the model that it was distilled from"
            )
    frame = _shown(Frame.read(data, scm.graph.subgraph(part.columns)))
    report, interruption, whole = fitted_rows(scm, part, frame, options)
    scm.to(report.device).eval()
    scm.forget()
    experience = replace(
        experienced(scm, frame, part.nodes, completed=whole.frame),
        habits=_habits(data, part.nodes),
        gaps=shares(frame.labels(), part.columns) if part.laws else {},
    )
    if apart := far(experience.distances, frame):
        warnings.warn(_warning(apart, scm.graph), CausalflowWarning, stacklevel=3)
    if whole.note:
        warnings.warn(f"fit: {whole.note}", CausalflowWarning, stacklevel=3)
    if experience.gaps.keys() & indicators_of(scm.graph.nodes).keys():
        found = declared_gaps(scm.graph, experience.gaps)
        if not found.recoverable:
            warnings.warn(f"fit: {found.said}", CausalflowWarning, stacklevel=3)
    report = replace(
        report,
        distances=experience.distances,
        gaps=experience.gaps,
        assumptions=gap_notes(experience.gaps, scm.graph),
    )
    if interruption is not None:
        interruption.report = report
    return Fitted(
        report=report,
        nodes=frozenset(part.nodes),
        experience=experience,
        interruption=interruption,
    )


def _shown(frame: Frame) -> Frame:
    """The rows of a table that have a cell; all of them where none has, or beside images."""
    if any(node.type.pictured for node in frame.nodes.values()):
        return frame
    cells = [labelled(column) for name, column in frame.labels().items() if name in frame.nodes]
    shown = torch.stack(cells).any(dim=0)
    return frame if shown.all() or not shown.any() else frame.part(shown.nonzero().flatten())


def fitted_rows(
    scm: StructuralModel, part: Trainee, frame: Frame, options: Fit
) -> tuple[FitReport, FitInterrupted | None, Completed]:
    """Fit a part of a model; the signal that ended it, if the model can be used; the rows it saw.

    Args:
        scm: the model.
        part: what is fitted.
        frame: the rows, with the part's columns, and gaps.
        options: how.
    """
    part.smooth(options.smoothing)
    completed, left = _filled(scm, part, frame, sized(options, part.size))
    whole = completed.frame
    part.copies = len(whole) // len(frame)
    signal: FitInterrupted | None = None
    try:
        with _threads(part):
            report = fit(part, whole, left, graph=scm.graph.to_yaml(layout=False))
    except FitInterrupted as interruption:
        if interruption.report is None:
            raise
        report, signal = interruption.report, interruption
    if report.resumed_from:
        part.count(parted(whole, left)[0].labels())
    part.settle(whole.labels(), generator("cpu", options.seed, GAPS))
    part.share()
    return report, signal, completed


def _filled(
    scm: StructuralModel, part: Trainee, frame: Frame, options: Fit
) -> tuple[Completed, Fit]:
    """The rows with those gaps drawn that no sum over levels takes care of; what time is left."""
    mixed = [each for each in part.joined(frame.labels()) if not part.is_finite(each)]
    if not mixed:
        return Completed(frame=frame), options
    begun, half = time.monotonic(), 30 * options.minutes
    fitted = Trainee(scm, {name for each in mixed for name in each.names} & set(part.nodes))
    brief = replace(
        options,
        steps=min(options.steps, ROUND),
        minutes=0.0,
        held_out=0.0,
        device="cpu",
        devices=1,
        checkpoint=None,
        log=None,
        logger=None,
        progress=False,
    )
    whole = completions(
        scm,
        mixed,
        frame,
        refit=lambda rows: _refit(fitted, rows, brief),
        generator=generator("cpu", options.seed, GAPS),
        tables=1 if options.held_out else TABLES,
        late=lambda: bool(half) and time.monotonic() - begun > half,
        shown=options.progress,
    )
    spent = (time.monotonic() - begun) / 60 if options.minutes else 0.0
    return whole, replace(options, minutes=options.minutes - min(spent, options.minutes / 2))


def _refit(part: Trainee, rows: Frame, options: Fit) -> None:
    """Fit completed rows; what a signal leaves cannot be used, as gaps are still to be drawn."""
    try:
        with followed(None):
            fit(part, rows, options)
    except FitInterrupted:
        raise FitInterrupted(
            "fit stopped while empty cells were filled, of which nothing is kept; the same call "
            "begins with them again"
        ) from None


@contextmanager
def _threads(part: Trainee) -> Iterator[None]:
    """One thread where no network is an image's: in small ones, others would only wait."""
    if not any(True for _ in part.networks()):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(part.threads)


def _habits(data: Any, nodes: Iterable[str]) -> dict[str, Habit]:
    """How the pictures of some nodes were read, if rows were."""
    surveys = data.surveys if isinstance(data, Collection) else {}
    return {name: surveys[name].habit for name in nodes if name in surveys}


class Trainee(nn.Module):
    """A part of a structural model, to be fitted.

    Args:
        scm: the model.
        names: the nodes to fit; those that share a latent class with them are added.

    Attributes:
        nodes: what is fitted: ``names`` and all that share a hidden cause with them, without nodes
            that have an equation or a table.
        columns: the nodes whose values that takes.
        threads: how many torch had when it was made.
        copies: how many rows of a fit stand for one, as its gaps were filled so many times over.
    """

    def __init__(self, scm: StructuralModel, names: Iterable[str]) -> None:
        super().__init__()
        names = _in_hearing(scm, names)
        self.threads, self.copies, self._reached = torch.get_num_threads(), 1, 0.0
        self.districts = [d for d in latent_districts(scm) if d.children.keys() & names]
        shared = {child for district in self.districts for child in district.children}
        alone = names - shared - scm.given
        self.nodes = [name for name in scm.order if name in shared | alone]
        self.alone = [name for name in self.nodes if name in alone]
        read = {p for n in self.nodes for p in scm.parents(n) if p not in scm.root_names}
        marks = indicators_of(scm.graph.nodes)
        read |= {name for name, own in marks.items() if own in self.nodes or own in read}
        self.columns = [name for name in scm.order if name in self.nodes or name in read]
        latents = [root for district in self.districts for root in district.latents.items()]
        modules = {name: scm.module(name) for name in self.nodes} | dict(latents)
        only_classes = all(kind.levels is not None for kind in scm.types.values())
        self._pseudo_count = 0.0 if only_classes and not scm.latents else PSEUDO_COUNT
        self._reweighted: list[ImageMechanism] = []
        self.hidden = [name for district in self.districts for name in district.latents]
        self.laws = laws_of(scm, self.hidden, self.nodes, self.columns)
        self.tables = tables_of(scm, self.laws)
        heard = {each.heard for each in scm.hearings if each.listener in self.nodes}
        self.listeners = [n for n in self.nodes if scm.listened(n)]
        self._told = {n: scm.told(n) for n in (*self.nodes, *heard)}
        self._listened = {n: scm.listened(n) for n in (*self.nodes, *heard)}
        given = {n: scm.module(n) for n in scm.order if n in heard and n not in self.nodes}
        self.modules_fitted = nn.ModuleDict({module_key(n): m for n, m in modules.items()})
        self.modules_heard = nn.ModuleDict({module_key(n): m for n, m in given.items()})

    def count(self, columns: Values) -> None:
        """Count the rows behind tables again, which the checkpoint of a fit does not hold."""
        for name in self.alone:
            table = self._mechanism(name)
            if isinstance(table, Categorical) and table.is_table:
                table.calibrate(untouched(columns, name), torch.Generator())
        self._fill_tables(columns)

    def smooth(self, pseudo_count: float | None) -> None:
        """Set the observations added to each row of the tables; None: as `PSEUDO_COUNT` says."""
        for table in map(self._mechanism, self.alone):
            if isinstance(table, Categorical):
                table.smoothing = self._pseudo_count if pseudo_count is None else pseudo_count

    def calibrate(self, columns: Values, generator: torch.Generator) -> None:
        """Fit tables, statistics and closed forms in one pass over the labels."""
        for name in self.alone:
            if name not in (*self._regressions, *self.listeners):
                self._mechanism(name).calibrate(untouched(columns, name), generator)
        self._calibrate_regressions(columns)
        for name in self.listeners:
            self._calibrate_listener(name, columns, generator)
        parts = self._finite_parts(columns)
        for district in self.districts:
            if any(district.latents.keys() <= set(part.open) for part in parts):
                district.begin(columns, generator)
            else:
                district.calibrate(columns, generator)
        self._fill_tables(columns)

    def _finite_parts(self, columns: Values) -> list[Joined]:
        return [part for part in self.joined(columns) if self.is_finite(part)]

    def _fill_tables(self, columns: Values) -> None:
        """Fit the tables that gaps join to all rows, from what they are."""
        for part in self._finite_parts(columns):
            laws = {name: self.tables[name] for name in part.names}
            rows = {name: column[part.usable] for name, column in columns.items()}
            fit_tables(laws, part.open, rows)

    def _calibrate_listener(self, name: str, columns: Values, generator: torch.Generator) -> None:
        """Fit what listens, to what the nodes before it have been fitted to say."""
        mechanism = self._mechanism(name)
        whole = self._with_heard(name, columns, generator)
        if isinstance(mechanism, RegressionMechanism):
            mechanism.calibrate(untouched(whole, name), torch.Generator(), self._first(columns))
        elif name in self.alone:
            mechanism.calibrate(untouched(whole, name), generator)

    def settle(self, columns: Values, generator: torch.Generator) -> None:
        """Fit what one pass determines again, where the noise that it hears has moved since."""
        for name in self.listeners:
            moved = {each.heard for each in self._listened[name]} - set(self._regressions)
            if name in self._regressions and moved & set(self.alone):
                self._calibrate_listener(name, columns, generator)

    def _with_heard(
        self, name: str, values: Values, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The columns, and what a node hears in their rows."""
        found = dict(values)
        for each in self._listened.get(name, ()):
            heard, above = each.heard, None
            if not each.value:  # a class is heard as what it is
                above = self._with_heard(heard, values, generator)
                above = {parent: above[parent] for parent in self._told[heard]}
            mechanism = self._mechanism(heard)
            found[each.name] = column(heard, mechanism, above, values, generator)
        return found

    def _with_values(self, name: str, values: Values) -> dict[str, Tensor]:
        """The columns, and of what a node hears in their rows the values that stand for noise."""
        heard = {each.name: each.heard for each in self._listened.get(name, ()) if each.value}
        return {**values, **{told: values[own] for told, own in heard.items()}}

    def _first(self, columns: Values) -> Tensor | None:
        """Which rows are of the first copy, where there are several."""
        rows = len(next(iter(columns.values()), ()))
        return first_copy(rows, self.copies) if self.copies > 1 else None

    def _calibrate_regressions(self, columns: Values) -> None:
        """Fit the regressions, which draw nothing: node by node, each on a thread of its own."""

        def fitted(name: str) -> None:
            regression = cast(RegressionMechanism, self._mechanism(name))
            regression.calibrate(untouched(columns, name), torch.Generator(), first)

        first = self._first(columns)
        names = [name for name in self._regressions if name not in self.listeners]
        threads, workers = torch.get_num_threads(), min(self.threads, len(names))
        if workers < 2:
            for name in names:
                fitted(name)
            return
        try:
            with ThreadPoolExecutor(workers, initializer=alone) as pool:
                for done in [pool.submit(fitted, name) for name in names]:
                    done.result()
        finally:
            torch.set_num_threads(threads)

    @torch.no_grad()
    def share(self) -> None:
        """Take the counts of the tables for those of one copy of the rows."""
        for name in self.alone if self.copies > 1 else ():
            table = self.tables.get(name)
            if isinstance(table, Categorical) and table.counts is not None:
                table.counts = table.counts / self.copies
                table.table.copy_(smoothed_log(table.counts, table.smoothing))

    def joined(self, columns: Values) -> list[Joined]:
        """The laws that the gaps of some columns join; none where there are images."""
        return joined(self.laws, self.hidden, columns)

    def is_finite(self, part: Joined) -> bool:
        """Whether all its laws are tables."""
        return self.tables.keys() >= set(part.names)

    @property
    def _regressions(self) -> list[str]:
        """The nodes whose mechanism is a regression."""
        return [n for n in self.alone if isinstance(self._mechanism(n), RegressionMechanism)]

    @property
    def milestones(self) -> tuple[float, ...]:
        """The shares of a fit at which the flow of an image begins."""
        return tuple(sorted({image.canvas.begins for image in self._images()} - {0.0}))

    def reach(self, share: float) -> None:
        """Tell the images which of them was reached last."""
        self._reached = share
        for image in self._images():
            image.canvas.reach(share)

    def precomputed(self, batch: Values) -> dict[str, Tensor]:
        """What the losses of images take as columns while their encoders stay as they are."""
        found: dict[str, Tensor] = {}
        for image in self._images():
            found |= image.precomputed(batch)
        return found

    def paces(self) -> Iterator[tuple[nn.Module, float]]:
        """The autoencoders that learn beside an image, and by how much faster than the rest."""
        for canvas in (image.canvas for image in self._images()):
            if canvas.latent is not None and isinstance(canvas, nn.Module):
                yield canvas, canvas.latent.pace

    @property
    def size(self) -> Size:
        """The steps and rows of a fit that says nothing of them."""
        images = self._images()
        if not any(image.canvas.latent for image in images):
            return USUAL
        return replace(LATENT, wide=all(image.of_the_package for image in images))

    def _images(self) -> list[ImageMechanism]:
        mechanisms = [self.modules_fitted[module_key(name)] for name in self.alone]
        return [each for each in mechanisms if isinstance(each, ImageMechanism)]

    def row_law(self, columns: Values) -> Tensor | None:
        """q of every row, shape (n,); None where every node is fitted under the data's law."""
        self._reweighted = [image for image in self._images() if image.reweights]
        return self._mixture(columns)

    def loss(self, batch: Values, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of every node, or district, that gradient steps improve, shape (batch,) each.

        The rows of the batch are drawn by `row_law`.
        """
        losses: dict[str, Tensor | None] = {}
        for name in self.alone:
            rows = self._with_heard(name, batch, generator) if name in self.listeners else batch
            loss = self._mechanism(name).loss(untouched(rows, name), generator)
            if isinstance(loss, Mapping):
                losses |= {f"{name}: {what}": part for what, part in loss.items()}
            else:
                losses[name] = loss
        for district in self.districts:
            losses[", ".join(district.children)] = district.loss(batch, generator)
        law = self._mixture(batch)
        return {
            name: loss if law is None else loss / law
            for name, loss in losses.items()
            if loss is not None
        }

    def pictures(self, batch: Values, generator: torch.Generator) -> dict[str, Tensor]:
        """Draws of the images whose parents are all in the batch, in [0, 1], grey or in colours."""
        found = {}
        for image in self._images():
            parents = {name: batch[name] for name in image.parents if name in batch}
            if len(parents) < len(image.parents) or image.canvas.begins > self._reached:
                continue
            whole = all_labelled(parents, parents) if parents else torch.ones(8, dtype=torch.bool)
            told = {name: values[whole] for name, values in parents.items()}
            noise = image.draw_noise(int(whole.sum()), generator)
            drawn = image.predict(told, noise)
            image.forget()
            if len(drawn) and drawn.shape[1] in (1, 3):
                found[image.name] = ((drawn + 1) / 2).clamp(0, 1)
        return found

    def networks(self) -> Iterator[nn.Module]:
        """The networks of the images, which hold nearly all weights and are run by being called."""
        for image in map(self._mechanism, self.alone):
            if isinstance(image, ImageMechanism):
                yield from _networks(image)

    def _mixture(self, columns: Values) -> Tensor | None:
        """q of these rows, of the images that `row_law` has found."""
        weights = [
            image.row_weights(self._with_values(image.name, columns)) for image in self._reweighted
        ]
        return (1 + torch.stack(weights).sum(dim=0)) / (1 + len(weights)) if weights else None

    def _mechanism(self, name: str) -> Mechanism:
        key = module_key(name)
        modules = self.modules_fitted if key in self.modules_fitted else self.modules_heard
        return cast(Mechanism, modules[key])


def _in_hearing(scm: StructuralModel, names: Iterable[str]) -> set[str]:
    """The nodes, and those that they listen to, or that listen to them."""
    found: set[str] = set()
    wider = set(names)
    while wider - found:
        found = set(wider)
        for each in scm.hearings:
            if found & {each.heard, each.listener}:
                wider |= {each.heard, each.listener}
    return found


def _networks(image: ImageMechanism) -> Iterator[nn.Module]:
    """The network of the flow, and the halves of an autoencoder that is fitted beside it."""
    if not image.denoiser.trained:
        yield image.denoiser.network
    if isinstance(image.canvas, LatentCanvas) and not image.canvas.trained:
        halves = dict(cast(nn.Module, image.canvas.autoencoder).named_children())
        yield from (halves[half] for half in ("encoder", "decoder") if half in halves)


def latent_districts(scm: StructuralModel) -> list[LatentDistrict]:
    """The latent classes with their children, in groups that no child joins."""
    readers = {
        name: frozenset(node for node in scm.order if name in scm.parents(node))
        for name in scm.latents
    }
    groups: list[frozenset[str]] = []
    for scope in readers.values():
        joined = scope.union(*(group for group in groups if group & scope))
        groups = [group for group in groups if not group & scope] + [joined]
    return [
        LatentDistrict(
            latents={name: scm.latents[name] for name, scope in readers.items() if scope <= group},
            children={n: cast(Categorical, scm.module(n)) for n in scm.order if n in group},
        )
        for group in groups
    ]


def _warning(distances: Mapping[str, float], graph: Graph) -> str:
    """What to say of nodes whose mechanisms do not draw what their rows hold."""
    widest = {name: (graph.nodes[name].type.noises or ("flow",))[-1] for name in distances}
    wider = dict.fromkeys(each for name, each in widest.items() if each != graph.noise_of(name))
    noises = "".join(f", noise: {each}" for each in wider) + ("," if wider else "")
    said = ", ".join(f"'{name}' {distance:.2g}" for name, distance in distances.items())
    return one_line(
        f"fit: what the mechanism draws differs from the rows in {said}",
        f" (Kolmogorov-Smirnov distance, 0 to 1; {FAR:g} is warned of): answers rest on the "
        f"mechanism; more steps{noises} or another scale of the column may fit better",
    )
