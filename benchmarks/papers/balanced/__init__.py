"""Balanced latent space: its experiment, on digits whose color is decided by the digit."""
