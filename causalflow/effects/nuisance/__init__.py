"""Nuisance: what estimators need to learn besides the answer, and whether the rows allow it."""
