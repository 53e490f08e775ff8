"""Exact part: what of a model is answered in closed form, and how sure its counts are."""
