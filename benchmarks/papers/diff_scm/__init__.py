"""Diff-SCM: its experiment, on MNIST."""
