"""Balanced latent space: a red 5 from red digits, and green grounds for digits that stand on red.

*The paper* (Yan et al. 2025): in training, digits 0 to 4 are red and 5 to 9 green, without
exception, as strokes (coloured) or as ground (masked). Asked for is what no picture shows. Its way
up pushes a picture until a classifier finds the factual and the counterfactual value equally
likely, and comes down guided; pictures show that this works and that the original latent space
(DDIM) does not. It prints no number, and neither the two gammas nor the scale of its guidance.

*Here*: `graphs/colored_mnist.yaml` and `graphs/masked_mnist.yaml`, one net each (noise prediction
on the linear schedule, told nothing; digit and color are anti-causal), test digits in the colors of
the training law. Every latent space named is given the same net, the same predictor and the same
scales; the rows "recommended" and "default" are the original space with both edges guided,
"recommended" with scales of its own and on more pictures.
The scale multiplies the edge that the paper's classifier stands for: the digit's (coloured) or the
color's (masked).

*What cannot be known from the data.* Color is a function of the digit, so that the effect of one
cannot be told from the effect of the other (`causalflow check` says so), and a classifier may read
either off the other: "red 5" is whatever its maker assumed. The rows named "readers" put that
assumption in the open (`benchmarks/papers/balanced/readers.py`): *a digit shows in R + G and B,
alike in both colors; a color shows in R - G, wherever its pixels are*. Under the stronger one that
exchanging the two channels is what do(color) does, the answer of the masked task is that exchange,
without a model: the row "channels exchanged".

*What could not be compared*: the paper's gammas, scale, networks and pictures are unpublished.
"""

from __future__ import annotations

from functools import partial

from benchmarks.papers.balanced.bench import Bench
from benchmarks.papers.balanced.gammas import gammas
from benchmarks.papers.balanced.likelihoods import likelihoods
from benchmarks.papers.balanced.sweep import sweep
from benchmarks.papers.balanced.tasks import TASKS
from benchmarks.papers.experiment import Experiment, Run

__all__ = ["EXPERIMENT"]


def run(run: Run) -> None:
    """Search the gammas, sweep the scales, follow the likelihoods."""
    benches = [Bench(run, task) for task in TASKS if run.has_net(task.net)]
    for bench in benches:
        name = bench.task.net.removesuffix("_mnist")
        run.table(f"balanced_gammas_{name}", partial(gammas, bench))
        run.table(f"balanced_{name}", partial(sweep, bench))
    if benches:
        run.table("balanced_forward", partial(likelihoods, benches))


EXPERIMENT = Experiment(
    name="balanced",
    about="Balanced latent space (Yan et al. 2025)",
    nets=tuple(task.net for task in TASKS),
    run=run,
    tables=(
        "balanced_colored",
        "balanced_masked",
        "balanced_forward",
    ),
)
