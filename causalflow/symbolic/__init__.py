"""Symbolic formulas of probability: frozen terms, the laws that simplify them, text and numbers."""
