"""Bounds: what P(v) says of a question that it does not determine."""
