"""Equations: explicit mechanisms as data, terms, their text, and the laws of what drives them."""
