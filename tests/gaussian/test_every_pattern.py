"""Linear models: every pattern of observed and missing nodes against covariances, by other algebra.

Notation: v = a + B v + u with u ~ N(0, W), so v ~ N(m, S) with T = (I - B)^-1, m = T a and
S = T W T'. Given e = v[E]: the mean of u is W T' [:, E] S[E, E]^-1 (e - m[E]), and a world with x
set has T and a of its own. Nothing here knows of loadings or singular values.
"""

from __future__ import annotations

import numpy as np
import pytest

from causalflow.errors import EvidenceError
from causalflow.gaussian.linear_model import Line, LinearModel
from causalflow.gaussian.mean import Posterior

GRAPHS = 100
MOST = 8


def drawn(seed):
    """a, B and the loadings of u on independent noises, one of which two nodes may share."""
    random = np.random.default_rng(seed)
    n = int(random.integers(2, MOST + 1))
    weights = np.tril(random.normal(size=(n, n)) * (random.random((n, n)) < 0.5), -1)
    noise = np.diag(random.uniform(0.4, 2.0, n))
    if random.random() < 0.5:
        shared = np.zeros((n, 1))
        shared[random.choice(n, 2, replace=False)] = random.normal(size=(2, 1))
        noise = np.hstack([noise, shared])
    return random, random.normal(size=n), weights, noise


def lines(intercepts, weights, noise):
    names = [f"v{k}" for k in range(len(intercepts))]
    return LinearModel(
        lines={
            name: Line(
                intercept=intercepts[k],
                weights={names[p]: weights[k, p] for p in np.flatnonzero(weights[k])},
                noise={f"z{j}": noise[k, j] for j in np.flatnonzero(noise[k])},
            )
            for k, name in enumerate(names)
        }
    )


def patterns(n):
    return (np.flatnonzero([code >> k & 1 for k in range(n)]) for code in range(2**n))


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_every_pattern_of_observed_nodes_has_the_means_and_covariances_of_the_closed_form(seed):
    random, intercepts, weights, noise = drawn(seed)
    model, n = lines(intercepts, weights, noise), len(intercepts)
    names = list(model.lines)
    total = np.linalg.inv(np.eye(n) - weights)
    error = noise @ noise.T
    mean, covariance = total @ intercepts, total @ error @ total.T
    x, value = int(random.integers(n)), float(random.normal())
    cut, shift = weights.copy(), intercepts.copy()
    cut[x], shift[x] = 0, value
    own = np.eye(n)
    own[x, x] = 0  # what is set takes no noise
    other = np.linalg.inv(np.eye(n) - cut)
    actual = model.world({}, names)
    changed = model.world({names[x]: model.number(value)}, names)
    factual = mean + random.normal(size=(3, n)) @ np.linalg.cholesky(covariance).T
    for seen in patterns(n):
        posterior = Posterior.of(
            [actual[names[k]] for k in seen], [factual[:, k] for k in seen], len(model.noises)
        )
        gain = error @ total.T[:, seen] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        noises = (factual[:, seen] - mean[seen]) @ gain.T
        left = error - gain @ total[seen] @ error
        for world, matrix, start in (
            (actual, total, intercepts),
            (changed, other @ own, other @ shift),
        ):
            first = start @ total.T if world is actual else start
            expected = np.broadcast_to(first + noises @ matrix.T, (3, n))
            found = [np.broadcast_to(posterior.expectation(world[name]), 3) for name in names]
            np.testing.assert_allclose(np.stack(found, axis=1), expected, rtol=0, atol=1e-9)
            spread = posterior.covariance([world[name] for name in names])
            np.testing.assert_allclose(spread, matrix @ left @ matrix.T, rtol=0, atol=1e-9)


def test_draws_of_the_noise_give_back_the_evidence_and_its_law():
    _, intercepts, weights, noise = drawn(3)
    model = lines(intercepts, weights, noise)
    world = model.world({}, list(model.lines))
    last = list(world)[-1]
    posterior = Posterior.of([world[last]], [np.array([1.5, -2.0])], len(model.noises))
    drawn_noise = posterior.draw(4_000, np.random.default_rng(0))
    given = world[last].constant + drawn_noise @ world[last].loading
    np.testing.assert_allclose(given, np.broadcast_to([1.5, -2.0], (4_000, 2)), rtol=0, atol=1e-9)
    first = world["v0"]
    values = first.constant + drawn_noise @ first.loading
    error = posterior.deviation(first) / 4_000**0.5
    assert (np.abs(values.mean(axis=0) - posterior.expectation(first)) < 5 * error).all()


def test_evidence_that_determines_itself_is_kept_and_contradictions_are_refused():
    """b = 2 a without noise of its own: one of both says it all."""
    model = LinearModel(
        lines={
            "a": Line(intercept=1.0, noise={"z": 3.0}),
            "b": Line(intercept=0.0, weights={"a": 2.0}),
        }
    )
    world = model.world({}, ["a", "b"])
    both = [world["a"], world["b"]]
    posterior = Posterior.of(both, [np.asarray(4.0), np.asarray(8.0)], 1)
    assert posterior.expectation(world["a"]) == pytest.approx(4.0, abs=1e-12)
    assert posterior.deviation(world["a"]) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(EvidenceError, match="density zero"):
        Posterior.of(both, [np.asarray(4.0), np.asarray(8.1)], 1)
