"""Diffusion NCM: its questions, on Bar-MNIST, and the four-pixel SCM."""
