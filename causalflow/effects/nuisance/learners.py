"""Learners: functions of covariates, learned on other rows, the best by its loss there.

Notation: f the mean of a target given features, or the probabilities of its levels. For each fold
every candidate learns on the rows of all others and predicts those of the fold; the candidate whose
predictions have the least loss (squared error of a number, log loss of levels) is taken. One that
is clearly worse on the folds so far learns no more.

    "linear"    ridge or logistic regression on the features
    "smooth"    the same on cubic splines of the features, and on the products of each two
    "boosting"  trees, gradient boosted on binned features

Source: van der Laan, Polley & Hubbard (2007), the choice by cross-validated loss (discrete super
learner); scikit-learn for the learners.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.complete_rows import Array
from causalflow.effects.nuisance.spline import Spline, spline_of
from causalflow.errors import CausalflowError, DataError, one_line, one_of

__all__ = [
    "LEARNERS",
    "Candidates",
    "Learned",
    "Smooth",
    "learned_levels",
    "learned_mean",
    "predicted_by",
    "read_learners",
]

LEARNERS = ("linear", "smooth", "boosting")
Candidates: TypeAlias = Sequence[tuple[str, Any]]
"""Names of learners, each with the user's own estimator or None."""

_PENALTIES = np.logspace(-3, 4, 15)
_KNOTS = 6
_PRODUCTS_OF = 12
_LEAST = 1e-6
_MANY = 3_000
_BINS = 64
_CLEARLY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What was learned of a target.

    Attributes:
        predictions: what learners that have not seen a row say of it: a mean, shape (rows,), or
            probabilities, shape (rows, levels).
        learner: the name of the candidate that was taken.
        losses: each candidate's loss on rows that it has not seen.
        loss: what the loss is.
    """

    predictions: Array
    learner: str
    losses: Mapping[str, float]
    loss: str = "squared error"

    def __str__(self) -> str:
        return f"{self.learner} ({self.loss} {self.losses[self.learner]:.4g})"


def read_learners(given: object) -> tuple[tuple[str, Any], ...]:
    """The candidates that a call names: "auto", names of `LEARNERS`, estimators of scikit-learn.

    Raises:
        DataError: something else.
    """
    if isinstance(given, str) and given == "auto":
        return tuple((name, None) for name in LEARNERS)
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    found: list[tuple[str, Any]] = []
    for each in listed:
        if isinstance(each, str):
            if each not in LEARNERS:
                raise DataError(f"estimate: no learner '{each}'; {one_of(each, LEARNERS)}")
            found.append((each, None))
        elif hasattr(each, "fit") and hasattr(each, "predict") and hasattr(each, "get_params"):
            found.append((type(each).__name__, each))
        else:
            raise DataError(
                f"estimate: learners: {type(each).__name__} is no learner; expected 'auto', names"
                f" of {list(LEARNERS)}, or estimators of scikit-learn's form"
            )
    if not found:
        raise DataError("estimate: learners: none is given")
    return tuple(found)


def learned_mean(
    candidates: Candidates,
    features: Array,
    target: Array,
    folds: NDArray[Any],
    *,
    among: NDArray[np.bool_] | None = None,
    at: Sequence[Array] = (),
) -> Learned:
    """The mean of a target given features, at every row by learners that have not seen it.

    Args:
        candidates: as `read_learners` gives them; those that classify are left out.
        features: shape (rows, features).
        target: shape (rows,).
        folds: the fold of each row.
        among: the rows to learn from and to judge by; None: all.
        at: other settings of the rows' features, each (rows, features), to predict at too.

    Returns:
        Predictions of shape (rows,); with settings (1 + settings, rows), the rows' own first.

    Raises:
        DataError: a fold leaves no rows to learn from.
        CausalflowError: a learner of the user's own failed.
    """
    among = np.ones(len(target), dtype=bool) if among is None else among
    settings = [*map(_or_constant, (features, *at))]

    def predicted(own: Any, train: NDArray[Any], test: NDArray[Any]) -> Array:
        fitted = own.fit(settings[0][train], target[train])
        return np.stack([fitted.predict(each[test]) for each in settings], axis=-1)

    def losses(predictions: Array, rows: NDArray[Any]) -> Array:
        return np.asarray((predictions[:, 0] - target[rows]) ** 2)

    makers = {name: partial(_regressor, name, own) for name, own in candidates if not _sorts(own)}
    makers = makers or {"linear": partial(_regressor, "linear", None)}
    best = _best(makers, predicted, losses, folds, among)
    return replace(best, predictions=best.predictions.T if at else best.predictions[:, 0])


def learned_levels(
    candidates: Candidates,
    features: Array,
    places: NDArray[np.int64],
    count: int,
    folds: NDArray[Any],
) -> Learned:
    """The probabilities of a target's levels given features, of rows that learners have not seen.

    Args:
        candidates: as `read_learners` gives them; those that do not classify are left out.
        features: shape (rows, features).
        places: the position of each row's level.
        count: how many levels there are.
        folds: the fold of each row.

    Returns:
        Predictions of shape (rows, levels), each row's with sum one.
    """
    among, features = np.ones(len(places), dtype=bool), _or_constant(features)

    def predicted(own: Any, train: NDArray[Any], test: NDArray[Any]) -> Array:
        shares = np.zeros((int(test.sum()), count))
        if len(seen := np.unique(places[train])) == 1:
            shares[:, seen] = 1.0
        else:
            fitted = own.fit(features[train], places[train])
            shares[:, fitted.classes_] = fitted.predict_proba(features[test])
        return shares

    def losses(predictions: Array, rows: NDArray[Any]) -> Array:
        own = predictions[np.arange(len(predictions)), places[rows]]
        return np.asarray(-np.log(own.clip(_LEAST)))

    makers = {n: partial(_classifier, n, own) for n, own in candidates if _sorts(own, True)}
    makers = makers or {"linear": partial(_classifier, "linear", None)}
    return replace(_best(makers, predicted, losses, folds, among), loss="log loss")


def _best(
    makers: Mapping[str, Callable[[int], Any]],
    predicted: Callable[[Any, NDArray[Any], NDArray[Any]], Array],
    losses: Callable[[Array, NDArray[Any]], Array],
    folds: NDArray[Any],
    among: NDArray[np.bool_],
) -> Learned:
    """The candidate of least loss at rows that it has not seen.

    Those that are clearly worse than another on the folds so far learn no more.
    """
    parts: dict[str, dict[int, Array]] = {name: {} for name in makers}
    for fold in np.unique(folds):
        test, train = folds == fold, (folds != fold) & among
        if not train.any():
            raise DataError("estimate: too few rows of a treatment to learn from; merge levels")
        for name in parts:
            learner = makers[name](int(train.sum()))
            parts[name][fold] = _tried(name, learner, predicted, train, test)
        if len(parts) > 1:
            rows = np.flatnonzero(among & np.isin(folds, [*next(iter(parts.values()))]))
            seen = {n: losses(_joined(folds, each)[rows], rows) for n, each in parts.items()}
            parts = {name: parts[name] for name in _hopeful(seen)}
    whole = {name: _joined(folds, each) for name, each in parts.items()}
    rows = np.flatnonzero(among)
    means = {name: float(losses(each[rows], rows).mean()) for name, each in whole.items()}
    best = min(means, key=means.__getitem__)
    return Learned(predictions=whole[best], learner=best, losses=means)


def _hopeful(losses: Mapping[str, Array]) -> list[str]:
    """The candidates that are not worse than the best by more than chance does."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    worse = {name: each - losses[best] for name, each in losses.items()}
    return [
        name
        for name, each in worse.items()
        if each.mean() <= _CLEARLY * each.std() / np.sqrt(len(each))
    ]


def _tried(
    name: str,
    learner: Any,
    predicted: Callable[[Any, NDArray[Any], NDArray[Any]], Array],
    train: NDArray[Any],
    test: NDArray[Any],
) -> Array:
    """What a learner predicts; its own failures in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return predicted(learner, train, test)
    except (ValueError, TypeError, AttributeError) as error:
        reason = f"estimate: learner '{name}' failed: {type(error).__name__}: {error}"
        raise CausalflowError(one_line(reason)) from error


def _joined(folds: NDArray[Any], parts: Mapping[int, Array]) -> Array:
    """The predictions of all folds in the order of the rows."""
    first = next(iter(parts.values()))
    whole = np.empty((len(folds), first.shape[1]))
    for fold, part in parts.items():
        whole[folds == fold] = part
    return whole


def _sorts(own: Any, unknown: bool = False) -> bool:
    """Whether a learner of the user's own classifies; ``unknown`` of those that come with us."""
    return unknown if own is None else hasattr(own, "predict_proba")


def predicted_by(candidate: tuple[str, Any], features: Array, target: Array, at: Array) -> Array:
    """What a learner of all rows predicts at some features, shape (places,).

    Args:
        candidate: its name, and the user's own estimator or None.
        features: shape (rows, features).
        target: shape (rows,).
        at: shape (places, features).

    Raises:
        CausalflowError: a learner of the user's own failed.
    """
    name, own = candidate
    every = np.arange(len(target))

    def predicted(learner: Any, train: NDArray[Any], test: NDArray[Any]) -> Array:
        return np.asarray(learner.fit(features[train], target[train]).predict(at), dtype=np.float64)

    return _tried(name, _regressor(name, own, len(target)), predicted, every, every)


def _regressor(name: str, own: Any, rows: int) -> Any:
    """A fresh learner of a mean."""
    from sklearn.base import clone
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV

    if own is not None:
        return clone(own)
    if name == "boosting":
        return HistGradientBoostingRegressor(**_boosting(rows))
    return _on_columns(name, RidgeCV(_PENALTIES))


def _classifier(name: str, own: Any, rows: int) -> Any:
    """A fresh learner of probabilities."""
    from sklearn.base import clone
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if own is not None:
        return clone(own)
    if name == "boosting":
        return HistGradientBoostingClassifier(**_boosting(rows))
    return _on_columns(name, LogisticRegression(max_iter=300))


def _on_columns(name: str, linear: Any) -> Any:
    """A linear learner on standardised features, or on their splines and products."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scaled = [StandardScaler()] if name == "linear" else [Smooth(), StandardScaler()]
    return make_pipeline(*scaled, linear)


def _boosting(rows: int) -> dict[str, Any]:
    """Few and small trees for few rows; for many as many as improve on rows kept back."""
    small = {"max_leaf_nodes": 8, "max_iter": 60, "max_bins": _BINS, "early_stopping": False}
    large = {"max_leaf_nodes": 31, "max_iter": 400, "early_stopping": True}
    return {"learning_rate": 0.1, "random_state": 0, **(small if rows < _MANY else large)}


def _or_constant(features: Array) -> Array:
    """The features, or a constant where there are none."""
    return features if features.shape[1] else np.ones((len(features), 1))


class Smooth:
    """Splines of features, and the products of each two, as a transformer of scikit-learn."""

    def fit(self, features: Array, target: object = None) -> Self:
        """Place the knots."""
        centre, scale = features.mean(axis=0), features.std(axis=0)
        self._centre, self._scale = centre, np.where(scale > 0, scale, 1)
        self._splines: list[Spline] = [spline_of(column, _KNOTS) for column in features.T]
        pairs = combinations(range(features.shape[1]), 2)
        self._pairs = [*pairs] if features.shape[1] <= _PRODUCTS_OF else []
        return self

    def transform(self, features: Array) -> Array:
        """The splines' functions, but for the constants, then the products."""
        splines = [
            spline(column)[:, 1:] for spline, column in zip(self._splines, features.T, strict=True)
        ]
        scaled = (features - self._centre) / self._scale
        products = [(scaled[:, i] * scaled[:, j])[:, None] for i, j in self._pairs]
        return np.hstack([*splines, *products, features[:, :1]])

    def fit_transform(self, features: Array, target: object = None) -> Array:
        """`fit`, then `transform`."""
        return self.fit(features).transform(features)
