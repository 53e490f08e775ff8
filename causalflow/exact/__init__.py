"""Exact: finite structural causal models, answered by sum-product over tables."""
