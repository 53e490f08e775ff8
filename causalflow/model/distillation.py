"""Distillation: a model whose counterfactual pictures take a few network calls, learned of itself.

Every image node gets an editor (`causalflow.mechanisms.image.editor`): a network, times and weights
that answer in so many calls what the node's own, the teacher's, answer in many. Nothing else
changes: what is drawn, and what any other solver or number of steps computes, is as before.

The steps are those of a fit (`causalflow.training.fit`): seeded, kept in a checkpoint, killed and
resumed at will.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, cast

import torch
from torch import Tensor, nn

from causalflow.checkpoint import tensor_digest
from causalflow.data.frame import Frame
from causalflow.errors import CompileError, shown
from causalflow.graph.settings import Settings
from causalflow.mechanisms.image.editor import Student
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.mechanisms.mechanism import Values, module_key
from causalflow.model.scm import StructuralModel
from causalflow.training.fit import fit
from causalflow.training.options import Fit

__all__ = ["distilled"]

LEAST, MOST = 4, 100


def distilled(
    scm: StructuralModel, data: Any, calls: int, teacher: Mapping[str, Any], options: Fit
) -> StructuralModel:
    """A copy of the model that answers counterfactual pictures in ``calls`` network calls.

    Args:
        scm: the model.
        data: columns for the images and their parents (`causalflow.data.frame`).
        calls: how many, both ways together.
        teacher: the options of the image nodes that the teacher has; those left out are the
            model's.
        options: how.

    Raises:
        CompileError: a model that cannot be distilled, or an impossible number of calls.
        CausalflowError: data that do not fit the graph.
    """
    _check(scm, calls)
    pupils = Pupils(scm, calls, teacher)
    frame = Frame.read(data, scm.graph.subgraph(pupils.columns))
    told = {name: asdict(image.options) for name, image in scm.images.items()}
    further = {"calls": calls, "teacher": repr(sorted(teacher.items())), "of": repr(told)}
    further["weights"] = tensor_digest(scm.state_dict())[:16]
    report = fit(pupils, frame, options, graph=scm.graph.to_yaml(layout=False), further=further)
    other = copy.deepcopy(scm).to(report.device)
    settings = {}
    for name, student in pupils.students.items():
        editor = student.editor()
        other.images[name].edited_by(editor)
        chosen = f"distilled in {report.steps:,} steps of {options.batch_size} rows"
        settings[name] = Settings(options=editor.options, chosen=chosen)
    return other.settled(settings).eval()


class Pupils(nn.Module):
    """The students of all images, to be fitted.

    Attributes:
        columns: the nodes whose values that takes.
    """

    def __init__(self, scm: StructuralModel, calls: int, teacher: Mapping[str, Any]) -> None:
        super().__init__()
        self._parents = {name: scm.parents(name) for name in scm.images}
        read = {*scm.images, *(p for above in self._parents.values() for p in above)}
        self.columns = [name for name in scm.order if name in read]
        students = {
            module_key(name): image.student(image.configured(**teacher), calls)
            for name, image in scm.images.items()
        }
        self._students = nn.ModuleDict(students)

    @property
    def students(self) -> dict[str, Student]:
        """By image node."""
        return {name: cast(Student, self._students[module_key(name)]) for name in self._parents}

    def calibrate(self, columns: Values, generator: torch.Generator) -> None:
        """Nothing: the students begin calibrated."""

    def loss(self, batch: Values, generator: torch.Generator) -> dict[str, Tensor]:
        """The distance of every image from its teacher's, shape (batch,) each."""
        return {
            name: student.loss(
                batch[name], {each: batch[each] for each in self._parents[name]}, generator
            )
            for name, student in self.students.items()
        }


def _check(scm: StructuralModel, calls: int) -> None:
    if type(calls) is not int or calls not in range(LEAST, MOST + 1, 2):
        expected = f"expected an even number from {LEAST} to {MOST}"
        raise CompileError(f"distill: calls={shown(calls)}; {expected}")
    if not scm.images:
        raise CompileError(f"distill: graph '{scm.graph.name}' has no image that a diffusion makes")
    for name, image in scm.images.items():
        _check_image(name, image, (*scm.hidden_parents[name], *scm.listened(name)))


def _check_image(name: str, image: ImageMechanism, hidden: Collection[object]) -> None:
    if image.trajectory.guides or image.options.balance != "none":
        raise CompileError(
            f"distill: node '{name}' is decoded under guidance, which a distilled network is not"
        )
    if hidden or not image.parents:
        raise CompileError(f"distill: node '{name}' has no parents, or a hidden cause, to be set")
    if image.denoiser.trained or image.editor is not None:
        raise CompileError(
            f"distill: the network of node '{name}' was trained elsewhere, or distilled already"
        )
