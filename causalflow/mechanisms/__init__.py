"""Mechanisms: how a node is made from its parents and its noise; `causalflow.mechanisms.base`."""
