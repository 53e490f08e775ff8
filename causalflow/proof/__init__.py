"""Proofs: the lines of a derivation by the do-calculus, and the rules that each must pass."""
