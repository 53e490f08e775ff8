"""Told: evidence short of values, a likelihood of what a node is, and how it weighs worlds."""
