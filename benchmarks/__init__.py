"""Benchmarks: a package and a command for each claim; results in `results/`."""
