"""Mechanisms: how each kind of node is made from its parents and its noise (see `causalflow.mechanisms.base`)."""
