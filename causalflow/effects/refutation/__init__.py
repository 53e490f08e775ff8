"""Refutation: estimates tried where the answer is known, and against hidden causes."""
