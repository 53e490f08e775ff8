"""Diffusion NCM: Bar-MNIST's counterfactual questions, read off pixels; the four-pixel SCM, fitted.

*The paper* (Sardesai, *Ctf-Editing using a Diffusion NCM*): every label is a vector, made by a
network from its parents' vectors, noise and *the picture*; an auto-encoder for each label maps a
set value to such a vector; all labels' vectors condition a diffusion model, and everything is
trained together (200 epochs on an A100, about 100 million weights, 1000 steps for a picture). It
shows reconstructions and counterfactuals of eight images, and no number. So there is no number of
the paper's to stand beside ours; what can be held against something is its claim that do(color)
keeps the digit, and the questions that its data set has true answers to.

*What composes here, and how it differs.* The engine has the paper's parts: a vector for each
label (the denoiser's embedding of its parents, trained with it), an exogenous cause shared by a
district (`<->`, a latent class with its exact posterior), a diffusion model of the picture. What
differs is what is done under an intervention. The paper's mechanism of a label reads the factual
picture, under do() as well: it is p(label | picture, parents), an anti-causal classifier. The
factual picture tells it the factual label, whatever the parents have been set to, so that arrows of
the graph need carry nothing, and a descendant stays as it was (the report is surprised that the
colour does not move under do(digit)). Its printed loss leaves out the parentheses of the mean over
labels. The picture itself is not abducted: fresh noise is drawn, and what of the style is kept has
to pass through the labels' vectors. Here noise is abducted once, of the labels from the labels, of
the picture from the picture and its factual labels, and then mechanisms run without the factual
picture, on changed parents and the same noise.

*Not compared:* the paper's pictures, for want of numbers and of released weights; its training
through the graph, since with every label observed the likelihood is a product over nodes and
districts, and fitting them together or apart is the same. A node may also have a `representation`
of its own, aligned with its level (see CausalDiffAE above); no net of Bar-MNIST has been fitted
that way, and the tables below are without.

*Counterfactuals of labels are not determined by data*: every model of the graph with the data's
law answers within the bounds, and which answer it gives is its own choice of noise. Two choices
are shown.
"""

from __future__ import annotations

import torch

from benchmarks.papers.diffusion_ncm.ascm import ascm
from benchmarks.papers.diffusion_ncm.models import LABELS
from benchmarks.papers.diffusion_ncm.pictures import Changed
from benchmarks.papers.diffusion_ncm.queries import BARS, COLORS
from benchmarks.papers.diffusion_ncm.study import Study
from benchmarks.papers.diffusion_ncm.tables import invariances, queries
from benchmarks.papers.experiment import Experiment, Run

__all__ = ["EXPERIMENT", "run"]

SHOWN = 8


def run(run: Run) -> None:
    """Write the three tables, and a picture of both graphs."""
    run.table("diffusion_ncm_ascm", ascm)
    if not run.has_net("bar"):
        return
    study = Study(run=run)
    run.table("diffusion_ncm_queries", lambda: queries(study))
    run.table("diffusion_ncm_invariances", lambda: invariances(study))
    if "answered" in vars(study) and "further" in vars(study):
        _grid(study)


def _grid(study: Study) -> None:
    """Factual pictures and their counterfactuals, with the labels of each world."""
    from causalflow.plot.images import image_grid, save_figure

    rows: dict[str, torch.Tensor] = {}
    captions: dict[str, list[str]] = {}
    chosen = [study.answered[0][1], study.answered[1][1], study.answered[-1][1], *study.further]
    for number, pictures in enumerate(chosen):
        factual = f"{pictures.kind} {number + 1}"
        rows[factual] = pictures.before[:SHOWN]
        captions[factual] = _captions(pictures, "seen")
        rows[f"do({pictures.target}) {number + 1}"] = pictures.after[:SHOWN].clamp(0, 1)
        captions[f"do({pictures.target}) {number + 1}"] = _captions(pictures, "there")
    study.run.out.mkdir(parents=True, exist_ok=True)
    figure = image_grid(rows, captions, title="Bar-MNIST: factual, and what it would have been")
    save_figure(figure, study.run.out / "diffusion_ncm_grid.png")


def _captions(pictures: Changed, side: str) -> list[str]:
    columns = (getattr(pictures, side)[name][:SHOWN].tolist() for name in LABELS)
    shown = zip(*columns, strict=True)
    return [f"{digit} {COLORS[color]} {BARS[bar]}" for digit, color, bar in shown]


EXPERIMENT = Experiment(
    name="diffusion_ncm",
    about="Diffusion NCM (Sardesai, Ctf-Editing using a Diffusion NCM)",
    nets=("bar",),
    run=run,
    tables=(
        "diffusion_ncm_queries",
        "diffusion_ncm_invariances",
    ),
)
