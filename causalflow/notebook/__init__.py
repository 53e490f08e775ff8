"""Notebook: what a notebook shows of each noun, as HTML that fits on a screen."""
