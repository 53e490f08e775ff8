"""Outcomes: what a model answers when it is asked for the worlds of an evaluation.

Of every row, with all its labels and its picture as evidence: the null intervention with the
residual and without, each action, and each action undone; of the first rows, the null intervention
over and over.

A model answers in public units: shares in [0, 1], or the levels 0..K-1 of a discrete image. Metrics
and judges read *bright* pictures: a level k is the share k / (K - 1), 0 black and 1 full, so that
grey levels of 255 mean the same of either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from causalflow.bar import tqdm
from causalflow.errors import EvidenceError
from causalflow.evaluation.task import Action, Columns, Subject, image_node
from causalflow.graph.graph import Graph
from causalflow.graph.image_options import Sampling
from causalflow.graph.node import Image, Node, images_of
from causalflow.mechanisms.mechanism import to_engine, to_public
from causalflow.model.abduction import Abduction
from causalflow.model.model import Model
from causalflow.model.world import World
from causalflow.training.processes import processes
from causalflow.training.state import generator

__all__ = [
    "CYCLES",
    "CYCLE_ROWS",
    "Outcome",
    "Settings",
    "Worlds",
    "asked_worlds",
    "bright",
    "bright_subject",
    "bright_worlds",
]

BATCH = 50
FEWEST_BATCHES = 5  # so that the seconds of a row have an interval
CYCLES = 10
CYCLE_ROWS = 20
_THERE, _BACK, _ROUND = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings with which the model is asked in an evaluation.

    Attributes:
        steps: solver steps of the image, each way; None: the model's.
        guidance: multiplies all guidance; None: 1.
        sampling: further options of the image for these calls; None: the model's.
        seed: the seed of the draws.
        batch: rows asked at once, at most.
        progress: show bars on standard error.
    """

    steps: int | None = None
    guidance: float | None = None
    sampling: Sampling | None = None
    seed: int = 0
    batch: int = BATCH
    progress: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class Outcome:
    """The counterfactual worlds that the model answered for one action.

    Attributes:
        action: what was done.
        world: node -> values in the counterfactual worlds, shape (n, ...).
        returned: pictures after the action was undone, (n, channel, height, width); None where the
            model finds the counterfactual world impossible.
        calls: network calls a row; None where nobody counted them.
        seconds: the wall time a row, for each batch; none where nobody took it.
        refused: why nothing was returned.
        rows: the numbers of the subject's rows that it is of; None: all of them, in order.
        truth: the true counterfactuals, where the subject itself cannot tell them.
    """

    action: Action
    world: Columns
    returned: Tensor | None
    calls: float | None
    seconds: Tensor
    refused: str = ""
    rows: Tensor | None = None
    truth: Columns | None = None

    def of(self, chosen: Tensor) -> Outcome:
        """The same outcome of some of its rows, by their places, shape (chosen,)."""
        return replace(
            self,
            action=replace(self.action, values=self.action.rows(chosen)),
            world={name: column[chosen] for name, column in self.world.items()},
            returned=None if self.returned is None else self.returned[chosen],
            rows=chosen if self.rows is None else self.rows[chosen],
            truth=self.truth and {name: column[chosen] for name, column in self.truth.items()},
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Worlds:
    """All that the model answered in an evaluation, with the intervention and without any.

    Attributes:
        kept: pictures under the null intervention with the residual; None where there are none.
        decoded: the pictures without it; None where there are none.
        outcomes: the outcomes of the actions.
        cycles: whether with the residual -> the pictures of the first rows after each cycle.
    """

    kept: Tensor | None
    decoded: Tensor | None
    outcomes: Sequence[Outcome]
    cycles: Mapping[bool, Sequence[Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One action on one batch; the fields are those of an `Outcome`, ``seconds`` of a row."""

    world: Columns
    returned: Tensor | None
    calls: float
    seconds: float
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What the model answered for one batch: with the residual, without, and for each action."""

    kept: Tensor
    decoded: Tensor
    parts: Sequence[_Part]


def asked_worlds(
    model: Model, subject: Subject, actions: Sequence[Action], settings: Settings
) -> Worlds:
    """Ask the model for every world of the evaluation; several processes share the batches.

    Raises:
        EvidenceError: what the model cannot be asked, or evidence that it finds impossible.
    """
    run = _Run(model=model, subject=subject, settings=settings)
    size = max(1, min(settings.batch, -(-len(subject) // FEWEST_BATCHES)))
    batches, cycles = torch.arange(len(subject)).split(size), min(CYCLE_ROWS, len(subject))
    total = len(subject) * (1 + 2 * len(actions)) + 2 * CYCLES * cycles
    with processes("evaluate") as crew:
        share, quiet = total // crew.count, not settings.progress
        with tqdm(total=share, unit="world", desc="worlds", disable=quiet) as bar:
            own = [run.answers(rows, actions, bar) for rows in batches[crew.rank :: crew.count]]
            ways = (True, False)[crew.rank :: crew.count]
            repeated = {with_: run.cycles(cycles, with_, bar) for with_ in ways}
        answers = _in_order(crew.gathered(own))
        together = crew.gathered(repeated)
    return Worlds(
        kept=torch.cat([each.kept for each in answers]),
        decoded=torch.cat([each.decoded for each in answers]),
        outcomes=[_joined(a, [each.parts[k] for each in answers]) for k, a in enumerate(actions)],
        cycles={
            with_: found[with_] for with_ in (True, False) for found in together if with_ in found
        },
    )


def _in_order(shares: Sequence[Sequence[_Answers]]) -> list[_Answers]:
    """The batches of every process, dealt in turn, in the order of the rows."""
    dealt = zip_longest(*shares)
    return [each for turn in dealt for each in turn if each is not None]


@dataclass(slots=True, kw_only=True)
class _Run:
    """The model, the rows, and how it is asked."""

    model: Model
    subject: Subject
    settings: Settings

    def evidence(self, rows: Tensor) -> dict[str, Tensor]:
        """The images and labels of some rows, as the model takes them."""
        return self._given({name: column[rows] for name, column in self.subject.rows.items()})

    def _given(self, columns: Columns) -> dict[str, Tensor]:
        """Columns as the model takes them: classes as its face has them, not as positions."""
        nodes = self.model.graph.nodes
        return {
            name: to_public(nodes[name].type, column) if _is_label(nodes[name]) else column
            for name, column in columns.items()
        }

    def _taken(self, world: World) -> dict[str, Tensor]:
        """A world's columns as they are kept here: classes as positions."""
        nodes = self.model.graph.nodes
        return {
            name: (
                to_engine(name, nodes[name].type, value) if _is_label(nodes[name]) else value
            ).cpu()
            for name, value in world.items()
        }

    def abducted(self, rows: Tensor) -> Abduction:
        """The noise of some rows."""
        drawn = self._generator(int(rows[0]), _THERE)
        steps, sampling = self.settings.steps, self.settings.sampling
        evidence = self.evidence(rows)
        return self.model.abduct(evidence, generator=drawn, steps=steps, sampling=sampling)

    def _generator(self, first: int, way: int) -> torch.Generator:
        """Noise of its own for every batch, and for the way back."""
        return generator(self.model.device, self.settings.seed, first, way)

    def predicted(
        self, abduction: Abduction, do: Mapping[str, Any] | None = None, **options: Any
    ) -> World:
        """The worlds of a noise."""
        return self.model.predict(abduction, do, **self.asked, **options)

    @property
    def asked(self) -> dict[str, Any]:
        """The options of a call."""
        names = ("steps", "guidance", "sampling")
        return {name: getattr(self.settings, name) for name in names}

    def timed(self, call: Callable[[], Any]) -> tuple[Any, float]:
        """What a call gives, and how many seconds it took."""
        self._wait()
        start = time.perf_counter()
        result = call()
        self._wait()
        return result, time.perf_counter() - start

    def answers(self, rows: Tensor, actions: Sequence[Action], bar: tqdm[Any]) -> _Answers:
        """All that is asked of some rows."""
        image = image_node(self.model.graph)
        abduction, seconds = self.timed(lambda: self.abducted(rows))
        kept = self.predicted(abduction)[image].cpu()
        decoded = self.predicted(abduction, residual=False)[image].cpu()
        bar.update(len(rows))
        parts = []
        for action in actions:
            parts.append(self.act(abduction, action, rows, seconds))
            bar.update(2 * len(rows))
        return _Answers(kept=kept, decoded=decoded, parts=parts)

    def act(self, abduction: Abduction, action: Action, rows: Tensor, before: float) -> _Part:
        """One action on a batch, and back."""
        world, seconds = self.timed(
            lambda: self.predicted(abduction, self._given(action.rows(rows)))
        )
        returned, refused = self._undone(world, action, rows)
        return _Part(
            world=self._taken(world),
            returned=returned,
            calls=world.info.network_calls,
            seconds=(before + seconds) / len(rows),
            refused=refused,
        )

    def _undone(self, world: World, action: Action, rows: Tensor) -> tuple[Tensor | None, str]:
        """The pictures that come back, or why none do."""
        factual = self._given({name: self.subject.rows[name][rows] for name in action.values})
        drawn = self._generator(int(rows[0]), _BACK)
        try:
            back = self.model.counterfactual(dict(world), factual, generator=drawn, **self.asked)
        except EvidenceError as mistake:
            return None, " ".join(str(mistake).split())
        return back[image_node(self.model.graph)].cpu(), ""

    def cycles(self, rows: int, residual: bool, bar: tqdm[Any]) -> list[Tensor]:
        """The pictures of the first rows after each null intervention."""
        image, known = image_node(self.model.graph), self.evidence(torch.arange(rows))
        found = []
        for cycle in range(CYCLES):
            drawn = self._generator(cycle, _ROUND)
            world = self.model.counterfactual(
                known, {}, residual=residual, generator=drawn, **self.asked
            )
            found.append(world[image].cpu())
            known = {**known, image: found[-1]}
            bar.update(rows)
        return found

    def _wait(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize(self.model.device)


def _is_label(node: Node) -> bool:
    return not node.type.pictured


def _joined(action: Action, parts: Sequence[_Part]) -> Outcome:
    sizes = torch.tensor([float(len(next(iter(part.world.values())))) for part in parts])
    calls = float((torch.tensor([part.calls for part in parts]) * sizes).sum() / sizes.sum())
    refused = next((part.refused for part in parts if part.refused), "")
    back = [part.returned for part in parts if part.returned is not None]
    return Outcome(
        action=action,
        world={name: torch.cat([p.world[name] for p in parts]) for name in parts[0].world},
        returned=None if refused else torch.cat(back),
        calls=calls,
        seconds=torch.tensor([part.seconds for part in parts], dtype=torch.float64),
        refused=refused,
    )


def bright(node: Image, pictures: Tensor) -> Tensor:
    """Pictures as shares in [0, 1] or uint8; those of a real image are as they were.

    Example:
        >>> import torch
        >>> pixels = torch.tensor([[[[0, 1, 2]]]], dtype=torch.uint8)
        >>> bright(Image(shape=(1, 1, 3), levels=3), pixels).tolist()
        [[[[0.0, 0.5, 1.0]]]]
    """
    return pictures if node.levels is None else pictures.float() / max(node.levels - 1, 1)


def bright_subject(graph: Graph, subject: Subject) -> Subject:
    """The same rows, their pictures bright; the truth's too."""
    truth = subject.truth

    def seen(rows: Tensor, do: Mapping[str, Any]) -> Columns:
        assert truth is not None
        return _columns(graph, truth(rows, do))

    return replace(
        subject,
        rows=_columns(graph, subject.rows),
        training=_columns(graph, subject.training),
        reference=_columns(graph, subject.reference),
        truth=None if truth is None else seen,
    )


def bright_worlds(graph: Graph, worlds: Worlds) -> Worlds:
    """The same worlds, their pictures bright."""
    node = _node(graph)
    return Worlds(
        kept=_bright(node, worlds.kept),
        decoded=_bright(node, worlds.decoded),
        outcomes=[_outcome(graph, outcome) for outcome in worlds.outcomes],
        cycles={
            residual: [bright(node, each) for each in cycles]
            for residual, cycles in worlds.cycles.items()
        },
    )


def _outcome(graph: Graph, outcome: Outcome) -> Outcome:
    return replace(
        outcome,
        world=_columns(graph, outcome.world),
        returned=_bright(_node(graph), outcome.returned),
    )


def _bright(node: Image, pictures: Tensor | None) -> Tensor | None:
    return None if pictures is None else bright(node, pictures)


def _columns(graph: Graph, columns: Columns) -> Columns:
    name = image_node(graph)
    return {n: bright(_node(graph), c) if n == name else c for n, c in columns.items()}


def _node(graph: Graph) -> Image:
    return images_of(graph.nodes)[image_node(graph)]
