"""Gaussian: questions to linear equations with normal noise, answered in closed form."""
