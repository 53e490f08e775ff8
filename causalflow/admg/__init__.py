"""Acyclic directed mixed graphs: set algebra, separation, several worlds in one graph."""
