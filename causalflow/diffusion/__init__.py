"""Diffusion in flow coordinates: the path, the denoiser, the solvers of its flow, and guidance."""
