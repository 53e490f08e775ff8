"""Spaces: the latent spaces that are compared, each a way to the same counterfactuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.papers.balanced.ways import Way

__all__ = [
    "CHOSEN_ON",
    "FORMS",
    "ODDS",
    "ORIGINAL",
    "PRESERVING",
    "PRINTED",
    "RECOMMENDED",
    "SCALES",
    "Gammas",
    "balanced_way",
    "unbalanced_ways",
]

ORIGINAL = "original (DDIM)"
PRINTED, PRESERVING = "balanced, printed", "balanced, preserving"
ODDS = "balanced, odds (ours)"
SCALES = {"coloured": (5.0, 20.0, 60.0), "masked": (0.3, 1.0, 3.0)}

EDGE = {"coloured": "digit", "masked": "color"}
DDIM = {"solver": "ddim", "guided_solver": "ddim", "anticausal": "printed"}
RECOMMENDED = {
    "coloured": Way(
        name="recommended",
        guide="readers",
        scales=(30.0,),
        ratio={"digit": 1.0, "color": 0.1},
        options={"anticausal": "contrast"},
    ),
    "masked": Way(
        name="recommended",
        guide="readers",
        scales=(0.85,),
        ratio={"digit": 200.0, "color": 1.0},
        options={"anticausal": "contrast", "steps": 30, "guided_steps": 60},
    ),
}
CHOSEN_ON = {
    "coloured": "validation pictures, of which no table is kept",
    "masked": "300 validation pictures (98 % green; digit kept in 100 %, 94 % by the classifier) "
    "among a dozen, after an earlier choice had kept 92 % on test pictures",
}
"""What the recommended ways were chosen on."""


FORMS = {PRINTED: "printed", PRESERVING: "preserving", ODDS: "odds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gammas:
    """The constants of a balanced way up, which the paper does not print.

    Attributes:
        end: tau at which the way up ends.
        push: gamma_1.
        noise: gamma_2, of the whole way.
    """

    end: float
    push: float
    noise: float

    @property
    def options(self) -> dict[str, float]:
        """As options of inference."""
        return {
            "balance_end": self.end,
            "balance_push": self.push,
            "balance_noise": self.noise,
        }


def balanced_way(task: str, guide: str, name: str, gammas: Gammas, levels: int) -> Way:
    """The balanced space ``name`` of `FORMS`, with these constants and steps each way."""
    options = {**_ddim(levels), **gammas.options, "balance": FORMS[name]}
    return Way(name=name, guide=guide, scales=SCALES[task], ratio=_alone(task), options=options)


def unbalanced_ways(task: str, guide: str, levels: int) -> list[Way]:
    """The original space in the paper's steps; stopping and our default have steps of their own."""
    alone, both = _alone(task), {"digit": 1.0, "color": 1.0}
    stopping = {"balance": "stopping", "anticausal": "printed"}
    spaces: dict[str, tuple[dict[str, float], dict[str, Any]]] = {
        ORIGINAL: (alone, _ddim(levels)),
        "balanced stopping": (alone, stopping),
        "default": (both, {}),
    }
    return [
        Way(name=name, guide=guide, scales=SCALES[task], ratio=ratio, options=options)
        for name, (ratio, options) in spaces.items()
    ]


def _alone(task: str) -> dict[str, float]:
    """The edge that the paper's classifier stands for, and no other."""
    return {"digit": 0.0, "color": 0.0, EDGE[task]: 1.0}


def _ddim(levels: int) -> dict[str, Any]:
    return {**DDIM, "steps": levels, "guided_steps": levels}
