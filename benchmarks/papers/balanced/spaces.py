"""Spaces: the latent spaces that are compared, each a way to the same counterfactuals."""

from __future__ import annotations

from typing import Any

from benchmarks.papers.balanced.ways import Way

__all__ = [
    "CHOSEN",
    "CHOSEN_ON",
    "MANY",
    "ORIGINAL",
    "PRINTED",
    "RECOMMENDED",
    "SCALES",
    "ways",
]

ORIGINAL, PRINTED = "original (DDIM)", "balanced, printed"
MANY = 1000
"""The paper's steps each way."""

SCALES = {"coloured": (1.0, 5.0, 20.0, 60.0), "masked": (0.3, 1.0, 3.0, 10.0)}

CHOSEN = {"coloured": (0.75, 0.5, 0.1), "masked": (0.75, 0.5, 0.1)}
"""End, gamma_1 and gamma_2 of the printed form, chosen on validation pictures."""

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


def ways(task: str, levels: int) -> list[Way]:
    """The latent spaces, each with the net's own predictor and with readers.

    Args:
        task: coloured or masked.
        levels: steps each way, of all but ours.
    """
    alone = {"digit": 0.0, "color": 0.0, EDGE[task]: 1.0}
    both = {"digit": 1.0, "color": 1.0}
    end, push, noise = CHOSEN[task]
    gammas = {"balance_end": end, "balance_push": push, "balance_noise": noise}
    ddim = {**DDIM, "steps": levels, "guided_steps": levels}
    stopping = {"balance": "stopping", "anticausal": "printed"}
    spaces: dict[str, tuple[dict[str, float], dict[str, Any]]] = {
        ORIGINAL: (alone, ddim),
        PRINTED: (alone, {**ddim, **gammas, "balance": "printed"}),
        "balanced, preserving": (alone, {**ddim, "balance": "preserving", "balance_push": push}),
        "balanced stopping": (alone, stopping),
        "default": (both, {}),
    }
    return [
        Way(name=name, guide=guide, scales=SCALES[task], ratio=ratio, options=options)
        for guide in ("learned", "readers")
        for name, (ratio, options) in spaces.items()
    ]
