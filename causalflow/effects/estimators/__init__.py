"""Estimators: the methods by which rows answer a causal question."""
