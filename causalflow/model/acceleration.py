"""Acceleration: how the networks of a model are run when it answers; training is not touched."""

from __future__ import annotations

from causalflow.errors import CausalflowError, one_of
from causalflow.model.scm import StructuralModel

__all__ = ["PRECISIONS", "accelerate", "forget_records"]

PRECISIONS = ("32-true", "bf16-mixed")


def accelerate(scm: StructuralModel, precision: str, *, graphs: bool, compile: bool) -> None:
    """Set how every denoiser is run.

    Args:
        scm: the model.
        precision: of `PRECISIONS`.
        graphs: record and replay the launches (`causalflow.nn.replay`).
        compile: have ``torch.compile`` fuse the networks.

    Raises:
        CausalflowError: an unknown precision.
    """
    if precision not in PRECISIONS:
        allowed = one_of(precision, PRECISIONS)
        raise CausalflowError(f"accelerate: unknown precision {precision!r}; {allowed}")
    for denoiser in scm.denoisers:
        denoiser.replay.set(graphs=graphs, precision=precision)
        if compile:
            denoiser.network.compile()


def forget_records(scm: StructuralModel) -> None:
    """Drop what was recorded of weights that have changed or moved."""
    for denoiser in scm.denoisers:
        denoiser.replay.forget()
