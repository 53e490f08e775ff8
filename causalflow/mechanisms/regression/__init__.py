"""Regression: a real node's mechanism, fitted in closed form and by convex problems."""
