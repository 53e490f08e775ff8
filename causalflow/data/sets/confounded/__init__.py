"""Confounded: pictures with a hidden cause that reaches them, and the truth about each."""
