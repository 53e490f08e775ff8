"""The graph language: declarations, equations, distributions, files, and the algebra of mixed graphs; no torch here."""
