"""Counterfactual images, held against the truth: solvers, guidances, confounding, speed."""
