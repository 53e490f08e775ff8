"""The ways to a counterfactual digit that Diff-SCM's experiment compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = [
    "FILE_SCALE",
    "HUNDRED",
    "OUR_NET",
    "PAPER_NET",
    "PRINTED",
    "REACHED",
    "SCALES",
    "SLOW",
    "Setting",
    "candidates",
    "chosen",
]

PAPER_NET, OUR_NET = "diff_scm_mnist", "diff_scm_velocity"
FILE_SCALE = 0.7
SCALES = (0.0, 0.7, 1.5, 3.0, 5.0, 8.0, 12.0, 18.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A way to a counterfactual.

    Attributes:
        name: shown.
        net: of `benchmarks.nets`.
        scale: s of the anti-causal edge.
        options: of inference.
        few: whether it is too slow for all pictures.
        paper: CLD, IM1 and IM2 as printed.
    """

    name: str
    net: str
    scale: float
    options: Mapping[str, Any] = field(default_factory=dict)
    few: bool = False
    paper: tuple[str, str, str] = ("-", "-", "-")


def _ddim(steps: int, **options: Any) -> dict[str, Any]:
    """DDIM both ways, as in the paper: guided everywhere, no residual."""
    both = {"solver": "ddim", "guided_solver": "ddim", "steps": steps, "guided_steps": steps}
    return {**both, "anticausal": "printed", "residual": False, **options}


PAPERS = _ddim(1000, guidance_interval=(0.0, 1.0))
HUNDRED = _ddim(100, guidance_interval=(0.0, 1.0))
WAYS: dict[str, dict[str, Any]] = {
    "hold": {"anticausal": "hold"},
}
"""Ours, at 56 network calls: the candidates of the search."""
REACHED = 0.95
PRINTED = {
    "paper": ("1.08 (.03)", ".94 (.02)", ".04 (.00)"),
    "looveren": ("1.25 (.03)", "1.10 (.03)", ".05 (.00)"),
    "schut": ("1.19 (.01)", "1.05 (.01)", ".10 (.00)"),
}
SLOW = (
    Setting(
        name="paper's procedure, 1000 DDIM steps each way, s = .7",
        net=PAPER_NET,
        scale=FILE_SCALE,
        options=PAPERS,
        few=True,
        paper=PRINTED["paper"],
    ),
    Setting(
        name="the same, 100 steps",
        net=PAPER_NET,
        scale=FILE_SCALE,
        options=HUNDRED,
        few=True,
    ),
)
"""The paper's own, on its own net."""


def candidates(net: str) -> dict[str, Setting]:
    """What is searched on a net, by name; the scale is that of the file."""
    found = {
        f"{net}: {way}": Setting(
            name=f"ours, {net}: {way}", net=net, scale=FILE_SCALE, options=options
        )
        for way, options in WAYS.items()
    }
    if net == PAPER_NET:
        name = f"{net}: paper's procedure, 100 steps"
        found[name] = Setting(name=name, net=net, scale=FILE_SCALE, options=HUNDRED, few=True)
    return found


def chosen(
    net: str, curves: Mapping[str, Sequence[Mapping[str, Any]]], *, papers: bool = False
) -> Setting:
    """Ours on a net: of what shows the target in `REACHED` of the pictures, the least CLD.

    If nothing does, what shows it most often.

    Args:
        net: of `benchmarks.nets`.
        papers: the same choice for the paper's procedure, with 100 steps.
        curves: by candidate, the scores at each of `SCALES`: {"cld": {"value": ...}, ...}.
    """
    found = []
    for name, setting in candidates(net).items():
        if (setting.options == HUNDRED) != papers:
            continue
        for scale, scores in zip(SCALES, curves.get(name, ()), strict=False):
            reached, cld = scores["target"]["value"], scores["cld"]["value"]
            key = (min(reached, REACHED), -cld)
            label = f"{setting.name}, s = {scale:g}"
            found.append((key, replace(setting, name=label, scale=scale)))
    if not found:
        return next(iter(candidates(net).values()))
    return max(found, key=lambda pair: pair[0])[1]
