"""Pictures: what images say where they, or their parents, are told short of a value.

A picture of which a part is seen becomes a whole one, drawn given those pixels and its parents, and
is evidence from there on. A parent of an observed picture that is told short of a value is drawn
from what the picture's predictor holds of it, times the likelihood that is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.mechanisms.mechanism import Values
from causalflow.model.scm import StructuralModel
from causalflow.model.told.told import Told

__all__ = ["DRAWN_AS_SHOWN", "Pictures"]

DRAWN_AS_SHOWN = "drawn from what the image shows of it, times what is told of it"


@dataclass(kw_only=True, eq=False)
class Pictures:
    """The pictures of some rows, and what they say of their parents.

    Attributes:
        scm: the model.
        evidence: engine values of nodes, labelled throughout.
        told: what is told of other nodes.
        generator: draws.
        how: node -> how it was found.
    """

    scm: StructuralModel
    evidence: Values
    told: Mapping[str, Told]
    generator: torch.Generator
    how: dict[str, str] = field(default_factory=dict)
    _worth: float = math.inf

    @property
    def worth(self) -> float | None:
        """How many independent draws those of the worst row are worth; None: all was weighed."""
        return self._worth if math.isfinite(self._worth) else None

    def whole(self) -> dict[str, Tensor]:
        """The evidence, with whole pictures, and the told parents of pictures.

        Raises:
            EvidenceError: a parent of a picture that is seen in part is not known, or what is told
                of one is ruled out by its picture.
        """
        known = dict(self.evidence)
        for name, image in self.scm.images.items():
            self._check(name, known)
            if name in self.told:
                known[name] = self._painted(name, known)
            parents = [p for p in image.parents if p in self.told and p not in known]
            if name in known and parents:
                weigh = {parent: self.told[parent].weights for parent in parents}
                read, worth = image.infer_told(known[name], weigh, self.generator)
                known |= read
                self._worth = min(self._worth, worth)
                self.how |= dict.fromkeys(parents, DRAWN_AS_SHOWN)
        return known

    def is_spent(self, name: str, known: Values) -> bool:
        """Whether a picture tells nothing of other nodes, its parents being known."""
        if name not in self.scm.images or self.scm.graph.children(name):
            return False
        if self.scm.listened(name):
            return False
        return all(parent in known for parent in self.scm.parents(name))

    def _check(self, name: str, known: Values) -> None:
        """Refuse what is told beside a picture that hears a hidden cause of another node."""
        told = [n for n in (name, *self.scm.parents(name)) if n in self.told]
        if told and (name in known or name in self.told) and self.scm.listened(name):
            raise EvidenceError(
                f"node '{told[0]}': told short of a value while the picture '{name}' shares a "
                "hidden cause with another node; give the value"
            )

    def _painted(self, name: str, known: Values) -> Tensor:
        """The whole pictures of a node that is seen in part."""
        image, part = self.scm.images[name], self.told[name].seen
        for parent in image.parents:
            if parent not in known:
                raise EvidenceError(
                    f"node '{parent}': not known while its picture '{name}' is seen in part; give "
                    "its value too"
                )
        assert part is not None
        rows = len(next(iter(known.values()), part[0]))
        pixels, mask = (each.expand(rows, *each.shape[1:]) for each in part)
        self.how[name] = "drawn where it is not seen, given the pixels that are and its parents"
        parents = {parent: known[parent] for parent in image.parents}
        return image.inpaint(pixels, mask, parents, self.generator)
