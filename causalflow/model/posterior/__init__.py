"""Posterior: what the values that are known tell of those that are not."""
