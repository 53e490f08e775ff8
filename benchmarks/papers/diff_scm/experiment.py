"""Diff-SCM: the digit of an MNIST picture is changed by the gradient of a predictor of the digit.

*The paper* (Sanchez & Tsaftaris 2022): digit -> image, a denoiser that is told nothing and a
predictor p(digit | noisy image). DDIM goes up 1000 levels of the linear schedule and comes down
again, guided at scale .7 (its equations corrected: `docs/solvers.md`, the docstrings of
`causalflow.diffusion`). Test pictures, each with a random digit other than its own, are scored by
IM1, IM2 and CLD; its Table 1 gives means, and in parentheses standard deviations, of what is not
said: they are far below those of pictures.

*Here*: `graphs/diff_scm_mnist.yaml`, two nets. `diff_scm_mnist` has the paper's parametrisation
(noise prediction, 1000 levels of the linear schedule), `diff_scm_velocity` is the same graph with
the velocity on the rectified path. "paper's procedure" is the paper's up and down on its own net,
printed guidance, scale .7; "ours" are settings chosen on validation pictures (table of scales).
Where the digit changes, `hold` and the printed guidance are the same pull: what sets "ours" apart
is the scale and the solver. The paper's procedure is shown at its own scale and, with 100 steps, at
the one that the same search chooses for it: it then shows the target about as often, in 200 calls
for our 56. The baselines are those of the paper, rebuilt small
(`benchmarks/papers/diff_scm/baselines.py`).

*What cannot be compared.* CLD, IM1 and IM2 depend on the networks that measure them, and the paper
publishes neither these nor its data set D, so its numbers and ours are read with different
instruments: the rows of pictures left as they were and of real pictures of the target say what ours
show. It reports no share of pictures that show the target, so neither IM1 nor CLD there says that
an intervention took. Its ImageNet pictures need checkpoints of 2.4 GB, and come without a number.
"""

from __future__ import annotations

from benchmarks.papers.diff_scm.bench import Bench
from benchmarks.papers.diff_scm.settings import OUR_NET, PAPER_NET, chosen
from benchmarks.papers.diff_scm.tables import interventional, scale_search, scores
from benchmarks.papers.experiment import Experiment, Run, read_tables

__all__ = ["EXPERIMENT"]


def run(run: Run) -> None:
    """Search the scale, score the methods, draw interventional pictures."""
    bench = Bench(run)
    nets = [net for net in EXPERIMENT.nets if run.has_net(net)]
    run.table("diff_scm_scale", lambda: scale_search(bench, nets))
    found = read_tables(run.out, "diff_scm").get("diff_scm_scale", {}).get("values", {})
    ours = [chosen(net, found) for net in nets]
    papers = [chosen(net, found, papers=True) for net in nets if net == PAPER_NET]
    run.table("diff_scm_scores", lambda: scores(bench, [*papers, *ours]))
    run.table("diff_scm_interventional", lambda: interventional(bench, ours))


EXPERIMENT = Experiment(
    name="diff_scm",
    about="Diff-SCM (Sanchez & Tsaftaris 2022)",
    nets=(PAPER_NET, OUR_NET),
    run=run,
    tables=(
        "diff_scm_scores",
        "diff_scm_scale",
        "diff_scm_interventional",
    ),
)
