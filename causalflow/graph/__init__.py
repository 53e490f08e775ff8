"""The graph language: declarations, equations, distributions, files, graph algebra; no torch."""
