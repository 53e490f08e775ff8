"""Imagine: counterfactual pictures of a fitted model."""

from __future__ import annotations

from causalflow.app.handler import Handler

__all__ = ["HANDLERS"]

HANDLERS: dict[str, Handler] = {}
