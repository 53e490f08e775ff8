"""Peers: EconML and DoWhy on the rows of a design, each as its user would call it.

EconML: `LinearDRLearner` for levels, `LinearDML` for a number, nuisances by scikit-learn's gradient
boosting, covariates in W, so that one constant effect is told with its interval. DoWhy: back door
by linear regression, its default for effects with an interval.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.effects.designs import Columns, Design

BOOSTING: dict[str, Any] = {"max_iter": 60, "max_leaf_nodes": 8, "random_state": 0}

Answer = tuple[float, float, float]
"""The estimate, and the lower and upper end of its interval."""


def covariates(design: Design, columns: Columns) -> list[str]:
    """What peers adjust for: all columns but treatment and outcome."""
    return [name for name in columns if name not in (design.treatment, "y")]


def econml(design: Design, columns: Columns) -> Answer:
    """The effect between the design's two treatments."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    w = np.stack([columns[name] for name in covariates(design, columns)], axis=1)
    x, y = columns[design.treatment], np.asarray(columns["y"], dtype=np.float64)
    low, high = design.levels
    if x.dtype.kind == "f":
        from econml.dml import LinearDML

        model = LinearDML(
            model_y=HistGradientBoostingRegressor(**BOOSTING),
            model_t=HistGradientBoostingRegressor(**BOOSTING),
            cv=5,
            random_state=0,
        ).fit(y, x, W=w)
        ends = model.const_marginal_ate_interval(alpha=0.05)
        scale = high - low
        found = (model.const_marginal_ate(), *ends)
        return tuple(float(np.ravel(each)[0]) * scale for each in found)  # type: ignore[return-value]
    from econml.dr import LinearDRLearner

    model = LinearDRLearner(
        model_propensity=HistGradientBoostingClassifier(**BOOSTING),
        model_regression=HistGradientBoostingRegressor(**BOOSTING),
        cv=5,
        random_state=0,
    ).fit(y, x, W=w)
    ends = model.intercept__interval(T=high, alpha=0.05)
    return float(model.intercept_(T=high)), float(ends[0]), float(ends[1])


def dowhy(design: Design, columns: Columns) -> Answer:
    """The effect between the design's two treatments, by linear regression."""
    from dowhy import CausalModel

    as_dowhy_expects()

    model = CausalModel(
        pd.DataFrame(columns),
        treatment=design.treatment,
        outcome="y",
        common_causes=covariates(design, columns),
    )
    estimate = model.estimate_effect(
        model.identify_effect(proceed_when_unidentifiable=True),
        method_name="backdoor.linear_regression",
        control_value=design.levels[0],
        treatment_value=design.levels[1],
        confidence_intervals=True,
    )
    low, high = np.ravel(estimate.get_confidence_intervals())
    return float(estimate.value), float(low), float(high)


def as_dowhy_expects() -> None:
    """Give networkx and pandas back what DoWhy 0.12 calls and they have no more."""
    import networkx

    if not hasattr(networkx.algorithms, "d_separated"):
        setattr(networkx.algorithms, "d_separated", networkx.is_d_separator)  # noqa: B010
        by_label = pd.Series.__getitem__

        def by_label_or_place(series: Any, key: Any) -> Any:
            try:
                return by_label(series, key)
            except KeyError:
                if isinstance(key, int):
                    return series.iloc[key]
                raise

        pd.Series.__getitem__ = by_label_or_place  # type: ignore[method-assign]


PEERS: Mapping[str, Callable[[Design, Columns], Answer]] = {"EconML": econml, "DoWhy": dowhy}


def quiet() -> None:
    """Keep peers from writing to the screen."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
