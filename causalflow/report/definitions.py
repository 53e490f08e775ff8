"""Definitions: what each number of a report is, in a sentence or two, for its reader."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DEFINITIONS", "INTERVALS"]

INTERVALS = "an interval is over pictures alone: another fit, or other judges, may differ by more"

DEFINITIONS: Mapping[str, str] = {
    "composition": "Mean distance per pixel between a picture and what the null intervention makes "
    "of it, 0 to 255 grey levels, 0 at best; over again for several cycles. The residual is what "
    "decoding misses of a picture, kept as part of its noise.",
    "reversibility": "Mean distance per pixel between a picture and the one that comes back when "
    "the intervention is undone, 0 to 255 grey levels, 0 at best.",
    "effectiveness": "What a judge reads off the counterfactual picture against what was set. "
    "Classes: share of pictures read as set, 0 to 1, 1 at best. Numbers: mean distance, in the "
    "node's unit, 0 at best.",
    "kept": "The same of the attributes that were not set, held against their values in the "
    "counterfactual world (off-diagonal effectiveness).",
    "amplification": "How much further from its value an attribute that the intervention leaves "
    "alone is read on the counterfactual picture than on the reference (the true counterfactual "
    "where it is known, else the factual picture); 0 at best.",
    "true error": "Mean distance per pixel to the true counterfactual picture, which the data set "
    "draws with the same noise, 0 to 255 grey levels, 0 at best.",
    "true label": "The label of the counterfactual world held against that of the true one: share "
    "that agrees, or mean distance in the node's unit. Where data cannot tell it, no model can "
    "be sure of it.",
    "Fréchet distance": "Squared Fréchet distance between counterfactual and real pictures in the "
    "last hidden layer of the judge that is named; no FID. Its floor is that of the factual "
    "pictures, as many of them.",
    "network calls": "Passes of a picture through the diffusion network: abduction and prediction.",
    "time": "Seconds of wall time a picture: abduction and prediction, in batches.",
}
"""By the name of the measure, in the order in which a report explains them."""
