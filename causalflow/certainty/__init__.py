"""Certainty: how far a fitted model of a table, and what it says of one person, can be trusted."""
