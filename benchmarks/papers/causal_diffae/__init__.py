"""CausalDiffAE: its experiments, on Morpho-MNIST and the pendulum."""
