"""CausalDiffAE: an image's causes enter it as vectors, read off it and aligned with their labels.

*The paper* (Komanduri et al. 2024; abstract, poster and code): an encoder reads latents z off a
picture, a prior aligns each with its label, networks make a latent from its causes', and a
diffusion model is told the latents. Its metrics are DCI of the latents, and effectiveness: factors
read off counterfactual pictures by regressors, held against the labels of the true counterfactual.

*Here*: `graphs/causal_diffae_morpho.yaml`, where `representation: 16` makes a node's label a vector
in the image (`causalflow.mechanisms.image.representation`), `graphs/causal_diffae_pendulum.yaml`
and `graphs/causal_diffae_circuit.yaml` likewise. On the pendulum, what meets the poster in every
cell has no representations: it is told which part of the picture each cause draws
(`graphs/pendulum_parts.yaml`). Nothing else is special: the labels' mechanisms are those of every
graph, and since by the paper's prior a latent is independent of those of its causes given its
label, they are the latents' mechanisms too. What differs from the paper's code: values reach
descendants in topological order (there the parents' noise is summed, and an intervention stops at
its node); the picture's own noise is abducted by a reversible solver (there it is drawn anew); an
intervention with the factual value changes nothing.

*Units.* The paper prints errors of normalised labels; here thickness is in pixels and intensity in
grey levels, read by morphology, which needs no regressor, and the paper's numbers are converted
(2.4 px and 94 grey levels a unit, the constants of its test script). So converted, .74 px of
thickness under do(intensity) is more than a constant guess errs by. The numbers may have been meant
in another unit: its released data loader gives raw labels. The row "a constant" shows both.

*What could not be compared.* The paper's regressors and the values it intervenes with are not
published; its informativeness compares floating-point numbers by equality; CausalCircuit's pictures
are not freely available: a look-alike stands in for them, whose true counterfactuals are known, and
says nothing of the published ones. Our nets of Morpho-MNIST and the pendulum begin with the weights
of nets that are told labels (`morpho`, `causal_diffae_pendulum_labels`).
"""

from __future__ import annotations

from benchmarks.papers.causal_diffae.circuit import NET as CIRCUIT
from benchmarks.papers.causal_diffae.circuit import circuit_tables
from benchmarks.papers.causal_diffae.morpho.bench import NET, Bench
from benchmarks.papers.causal_diffae.morpho.disentanglement import disentanglement
from benchmarks.papers.causal_diffae.morpho.effectiveness import effectiveness
from benchmarks.papers.causal_diffae.morpho.masking import masking
from benchmarks.papers.causal_diffae.morpho.reach import reach
from benchmarks.papers.causal_diffae.pendulum.bench import NETS as PENDULUM_NETS
from benchmarks.papers.causal_diffae.pendulum.tables import pendulum_tables
from benchmarks.papers.experiment import Experiment, Run

__all__ = ["EXPERIMENT"]


def run(run: Run) -> None:
    """The tables of Morpho-MNIST, the pendulum and the circuit."""
    if run.has_net(NET):
        bench = Bench(run)
        run.table("causal_diffae_dci", lambda: disentanglement(bench))
        run.table("causal_diffae_effectiveness", lambda: effectiveness(bench))
        run.table("causal_diffae_reach", lambda: reach(bench))
        run.table("causal_diffae_masking", lambda: masking(bench))
    pendulum_tables(run)
    circuit_tables(run)


EXPERIMENT = Experiment(
    name="causal_diffae",
    about="CausalDiffAE (Komanduri et al. 2024)",
    nets=(NET, *PENDULUM_NETS, CIRCUIT),
    run=run,
    tables=(
        "causal_diffae_effectiveness",
        "causal_diffae_reach",
        "causal_diffae_dci",
        "causal_diffae_masking",
        "causal_diffae_pendulum_effectiveness",
        "causal_diffae_pendulum_raw",
        "causal_diffae_pendulum_images",
        "causal_diffae_circuit_dci",
        "causal_diffae_circuit_effectiveness",
        "causal_diffae_circuit_images",
    ),
)
