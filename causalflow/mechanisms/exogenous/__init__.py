"""Exogenous variables: hidden roots, and their joint posterior given what was observed."""
