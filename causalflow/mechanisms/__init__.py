"""Mechanisms: how a node is made from its parents and its noise, x = f(parents, u)."""
