"""CausalDiffAE: the tables of Morpho-MNIST, the pendulum and the circuit."""

from __future__ import annotations

from benchmarks.papers.causal_diffae import circuit, morpho, pendulum, shares
from benchmarks.papers.experiment import Run


def run(run: Run) -> None:
    """Write them."""
    morpho.morpho_tables(run)
    pendulum.pendulum_tables(run)
    shares.share_tables(run)
    circuit.circuit_tables(run)
