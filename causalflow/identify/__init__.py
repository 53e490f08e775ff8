"""Identification: whether a causal question follows from the graph and the data, and how."""
