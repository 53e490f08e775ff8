"""Discrete: finite structural causal models, answered exactly by sum-product over tables."""
