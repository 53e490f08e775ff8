"""Equations as mechanisms: evaluated, inverted, and enclosed in intervals."""
