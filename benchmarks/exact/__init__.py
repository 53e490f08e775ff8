"""Exact inference beside pgmpy and pyAgrum."""
