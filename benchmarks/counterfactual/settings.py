"""Settings: the rows of the table, solver by steps by guidance, for every net.

A setting is a name and options that `causalflow.Model.abduct` and `predict` take. They were fixed
before the test pictures were looked at; ``--split validation`` compares them there.

    main    the default and the papers' procedure, on all the images; seconds and pairs come from it
    others  on fewer images
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = [
    "FEW_CALLS",
    "MANY_CALLS",
    "PAPERS",
    "RELEASED",
    "Setting",
    "confounded_settings",
    "few_settings",
    "partial_settings",
    "settings",
]

DEFAULT = "default"
PAPERS = "papers: DDIM 1000"
RELEASED = "released Diff-SCM: 75 of 100 levels"
RELEASED_CLIPPED = f"{RELEASED}, clipped"
SCALES = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row.

    Attributes:
        name: shown in tables.
        solver: which line it is a point of in the plot.
        options: of the image node, in abduction and prediction.
        residual: whether what decoding misses is kept; both are scored then.
        main: whether it runs on all the images.
        levels: it runs on the released code's noise levels, with or without its clipping.
    """

    name: str
    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    residual: bool = True
    main: bool = False
    levels: str | None = None

    @property
    def steps(self) -> int:
        """Each way."""
        return int(self.options.get("steps", 20))


def _both(solver: str, steps: int, **options: Any) -> Setting:
    """The same solver up, down and guided down."""
    shown = "".join(f", {value}" for name, value in options.items() if name != "anticausal")
    return Setting(
        name=f"{solver} {steps}{shown}",
        solver=solver,
        options={"solver": solver, "guided_solver": solver, "steps": steps, **options},
    )


_SOLVERS = (
    *(_both("alf", steps) for steps in (5, 10, 20, 50)),
    *(_both("midpoint", steps) for steps in (5, 10, 20)),
    *(_both("heun", steps) for steps in (5, 10, 20)),
    *(_both("dpm++2m", steps) for steps in (10, 20, 50)),
    *(_both("edict", steps) for steps in (10, 25)),
    *(_both("leapfrog", steps) for steps in (20, 50)),
    *(_both("ddim", steps) for steps in (20, 50, 100)),
    *(_both("ddim-fixed-point", steps) for steps in (20, 50)),
    *(_both(solver, 20, grid="uniform") for solver in ("alf", "midpoint", "ddim")),
    _both("ddim", 100, grid="uniform"),
)


_SHORT = (
    _both("alf", 20),
    _both("alf", 50),
    _both("midpoint", 20),
    _both("edict", 25),
    _both("ddim", 100),
)


def _default(name: str = DEFAULT, **options: Any) -> Setting:
    return Setting(name=name, solver="default", options=options, main=name == DEFAULT)


def _papers(*, main: bool = True, **options: Any) -> Setting:
    return Setting(
        name=PAPERS,
        solver="ddim",
        options={"solver": "ddim", "guided_solver": "ddim", "steps": 1000, **options},
        residual=False,
        main=main,
    )


def _released() -> tuple[Setting, ...]:
    shared = {"steps": 75, "anticausal": "printed"}
    return tuple(
        Setting(name=name, solver="released", options=shared, residual=False, levels=levels)
        for name, levels in ((RELEASED, "plain"), (RELEASED_CLIPPED, "clipped"))
    )


def _anticausal() -> tuple[Setting, ...]:
    """Every guidance of anti-causal edges at every scale."""
    return tuple(
        _default(f"{aim}, scale {scale:g}", anticausal=aim, guidance=scale)
        for aim in ("printed", "hold", "contrast")
        for scale in (0.5, 1.0, 1.5, 2.0)
    )


def _neural() -> tuple[Setting, ...]:
    """Every guidance of neural edges at every strength."""
    return tuple(
        _default(f"{guidance}, strength {strength:g}", guidance=guidance, strength=strength)
        for guidance in ("delta", "grouped", "free")
        for strength in (1.5, 2.0, 3.0)
    )


def settings(net: str) -> tuple[Setting, ...]:
    """The rows of a net, the main ones first."""
    if net == "morpho":
        return (_default(), _papers(), _default("default, grain 1", grain=1.0), *_SOLVERS)
    if net == "morpho_plain":
        return (_default(), _papers(main=False), *_SHORT)
    if net == "bar":
        return (_default(), *_SOLVERS)
    if net == "bar_nulls":
        return (_default(), *_neural(), _both("ddim", 100))
    printed: dict[str, Any] = {"anticausal": "printed"}
    if net == "bar_papers":
        return (_default(), _papers(**printed), *_released(), _both("ddim", 100, **printed))
    guided = tuple(
        _default(f"alf 20 up, {solver} {steps} down", guided_solver=solver, guided_steps=steps)
        for solver, steps in (("midpoint", 8), ("midpoint", 20), ("heun", 8), ("dpm++2m", 32))
    )
    return (_default(), _papers(**printed), *_anticausal(), *guided, *_SHORT)


def confounded_settings(net: str) -> tuple[Setting, ...]:
    """The rows of a net of the confounding test."""
    if net == "confounded_neural":
        strong = (_default(f"{g}, strength 2", guidance=g, strength=2.0) for g in _GROUPS)
        return (_default("plain"), *strong, LATE)
    scaled = (_default(f"hold, scale {s:g}", anticausal="hold", guidance=s) for s in SCALES)
    return tuple(scaled)


def partial_settings(net: str) -> tuple[Setting, ...]:
    """The rows of a net of partly labelled data; strength 1.5 was chosen on 60 validation rows."""
    stronger = _default("delta, strength 1.5", guidance="delta", strength=1.5)
    return (_default(), stronger) if net == "labels_fifth_posterior" else (_default(),)


MANY_CALLS, FEW_CALLS = "alf 20", "difference 5"


def few_settings() -> tuple[Setting, ...]:
    """The difference by steps beside leap-frog; the first of each are compared on all images."""
    rows = (
        _both("alf", 20),
        *(_both("difference", steps) for steps in (5, 3, 4, 6)),
        *(_both("alf", steps) for steps in (3, 6)),
    )
    return tuple(replace(row, main=row.name in (MANY_CALLS, FEW_CALLS)) for row in rows)


_GROUPS = ("delta", "grouped", "free")
LATE = _default(
    "delta, strength 2, tau <= .2", guidance="delta", strength=2.0, guidance_interval=(0.02, 0.2)
)
"""Where "delta" may act without overshooting: the end was chosen on 100 validation pictures."""
