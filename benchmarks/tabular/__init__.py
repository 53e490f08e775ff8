"""Tabular: counterfactuals of fitted tables held against the true ones, beside other packages."""
