"""Benchmarks: one script a claim, side by side with the peer in one run; results in `results/`."""
