"""Scores with exact nuisances, on all cells of random models with hidden causes."""

from types import SimpleNamespace

import numpy as np
import pytest
from finite_models import latent_model
from questions import random_graph

from causalflow.admg.admg import ADMG
from causalflow.design.stages import Stage, stages_of
from causalflow.effects.estimators.nested_means import felt_scores, set_scores
from causalflow.effects.nuisance.nuisances import Nuisances


class Exact(Nuisances):
    """Nuisances of a known distribution: the rows are its cells, of known weights.

    ``mistaken`` are the functions that are off: "means", "propensities".
    """

    def __init__(self, cells, weights, treatment, mistaken=()):
        self.cells, self.weights, self.mistaken = cells, weights, mistaken
        self.rows, self.treatment, self.places = weights, treatment, cells[treatment]
        self.levels = tuple(range(int(self.places.max()) + 1))
        self._settings = SimpleNamespace(least=1e-12)

    def propensities(self, given):
        if "propensities" in self.mistaken:
            codes = self._codes(given)
            wrong = np.random.default_rng(len(given)).dirichlet([5, 5], codes.max() + 1)
            return wrong[codes]
        columns = [self._average(1.0 * self.has(a), given, self.weights) for a in self.levels]
        return np.stack(columns, axis=1)

    def mean(self, target, given, what, level=None):
        kept = self.weights if level is None else self.weights * self.has(level)
        found = self._average(target, given, kept)
        if "means" in self.mistaken:
            return found + np.sin(3.0 * self._codes(given) + 1 + (level or 0))
        return found

    def _average(self, target, given, weights):
        codes = self._codes(given)
        return (np.bincount(codes, weights * target) / np.bincount(codes, weights))[codes]

    def _codes(self, given):
        names = sorted(given)
        stacked = np.stack([self.cells[n] for n in names] or [np.zeros(len(self.rows), int)], 1)
        return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)


def cells_of(model):
    joint = model.joint()
    places = np.unravel_index(np.arange(joint.size), joint.shape)
    return dict(zip(model.names, places, strict=True)), joint.ravel() / joint.sum()


def models(count, size=5):
    """Random graphs with one stage or several from a treatment to an outcome, and models."""
    generator, found = np.random.default_rng(5), {True: 0, False: 0}
    while sum(found.values()) < count:
        names, directed, bidirected = random_graph(generator, size, 0.5, 0.4)
        admg = ADMG(names, directed, map(frozenset, bidirected))
        order = admg.topological_order()
        x, y = order[generator.integers(0, 2)], order[-1]
        stages = None if y not in admg.descendants(x) else stages_of(admg, x, [y])
        if stages is not None and found[len(stages.stages) > 1] < count // 2:
            found[len(stages.stages) > 1] += 1
            yield admg, stages, x, y, latent_model(generator, names, directed, bidirected)


MODELS = list(models(12))


@pytest.mark.parametrize("mistaken", [(), ("means",), ("propensities",)], ids=str)
def test_mean_score_is_the_effect_even_where_means_or_propensities_are_wrong(mistaken):
    tried = 0
    for _, stages, x, y, model in MODELS:
        if mistaken == ("propensities",) and len(stages.stages) > 1:
            continue  # the law of x's own district is then a weight of the means themselves
        tried += 1
        cells, weights = cells_of(model)
        exact = Exact(cells, weights, x, mistaken)
        truth = model.truth([y], [x])
        for level in (0, 1):
            scores = set_scores(exact, 1.0 * cells[y], stages, level)
            assert weights @ scores == pytest.approx(truth[1, level], abs=1e-9)
    assert tried >= 4


def test_scores_of_those_who_had_each_level_add_up_to_the_scores_of_all():
    for _, stages, x, y, model in MODELS:
        cells, weights = cells_of(model)
        exact = Exact(cells, weights, x)
        whole = set_scores(exact, 1.0 * cells[y], stages, 1)
        parts = [set_scores(exact, 1.0 * cells[y], stages, 1, whom) for whom in (0, 1)]
        assert sum(parts) == pytest.approx(whole, abs=1e-9)
        # Of those who had level 1, the mean under do(x=1) is the one that is seen.
        seen = weights @ (cells[y] * (cells[x] == 1))
        assert weights @ parts[1] == pytest.approx(seen, abs=1e-9)


@pytest.mark.parametrize("mistaken", [(), ("means",), ("propensities",)], ids=str)
def test_mean_behind_mediators_is_the_mediation_formula(mistaken):
    names = ["w", "x", "m", "y"]
    directed = [("w", "x"), ("w", "m"), ("w", "y"), ("x", "m"), ("x", "y"), ("m", "y")]
    model = latent_model(np.random.default_rng(3), names, directed, [])
    cells, weights = cells_of(model)
    exact = Exact(cells, weights, "x", mistaken)
    w, wm = frozenset("w"), frozenset("wm")
    stages = [
        Stage(names=("m",), pillow=w, given=w, is_set=True, feels=True),
        Stage(names=("y",), pillow=wm, given=wm, is_set=True, feels=True),
    ]
    joint = model.joint() / model.joint().sum()
    scores = felt_scores(exact, 1.0 * cells["y"], stages, w, [0, 1])
    assert weights @ scores == pytest.approx(_mediated(joint), abs=1e-9)


def _mediated(joint):
    """sum_w P(w) sum_m P(m | x=0, w) E[y | x=1, m, w], axes w, x, m, y."""
    p_w = joint.sum((1, 2, 3))
    p_m = joint[:, 0].sum(2) / joint[:, 0].sum((1, 2))[:, None]
    mean = joint[:, 1, :, 1] / joint[:, 1].sum(2)
    return float((p_w[:, None] * p_m * mean).sum())
