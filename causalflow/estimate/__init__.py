"""Estimates: an estimand and rows of data become a number with its interval."""
