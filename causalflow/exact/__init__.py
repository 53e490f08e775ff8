"""Exact: questions to finite structural causal models, answered by sums and products of tables."""
