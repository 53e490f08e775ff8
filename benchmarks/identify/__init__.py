"""Identification beside y0, ananke and pyAgrum."""
