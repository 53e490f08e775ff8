"""DCI is 1 for codes that give each factor its own numbers, and 0 for codes that mix them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from causalflow.errors import DataError
from causalflow.evaluation.dci import completeness, dci, disentanglement

ROWS = 600


def factors():
    draws = torch.Generator().manual_seed(0)
    return {name: torch.randn(ROWS, generator=draws, dtype=torch.float64) for name in ("a", "b")}


def test_a_number_for_each_factor_is_disentangled_complete_and_informative():
    given = factors()
    found = dci(torch.stack([given["b"], 3 - 2 * given["a"]], dim=1), given)
    # Independent factors: what a tree gains from the other's number is noise of a few splits.
    assert found.disentanglement > 0.97
    assert found.completeness > 0.97
    assert max(found.informativeness.values()) < 0.15  # trees are steps: not exact
    assert found.importances.argmax(axis=0).tolist() == [1, 0]
    np.testing.assert_allclose(found.importances.sum(axis=0), 1)


def test_a_rotation_by_half_a_right_angle_mixes_everything():
    given = factors()
    mixed = torch.stack([given["a"] + given["b"], given["a"] - given["b"]], dim=1)
    found = dci(mixed, given)
    assert found.disentanglement < 0.05
    assert found.completeness < 0.05


def test_a_code_of_nothing_informs_as_a_constant_does():
    given = factors() | {"c": torch.arange(ROWS) % 4}
    found = dci(torch.randn(ROWS, 2, generator=torch.Generator().manual_seed(1)), given)
    assert 0.95 < found.informativeness["a"] < 1.4  # trees fit noise, and pay for it
    assert 0.6 < found.informativeness["c"] < 0.9  # 3/4 are outside any level


def test_several_numbers_for_a_factor_are_disentangled_but_not_complete():
    importances = np.array([[0.25, 0.0], [0.25, 0.0], [0.25, 0.0], [0.25, 0.0], [0.0, 1.0]])
    assert disentanglement(importances) == pytest.approx(1)
    # Factor 0 is told by 4 of 5 numbers alike: its entropy is log 4 / log 5.
    assert completeness(importances) == pytest.approx(1 - np.log(4) / np.log(5) / 2)


def test_a_number_without_importance_has_no_weight():
    assert disentanglement(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])) == pytest.approx(1)
    assert disentanglement(np.zeros((2, 2))) == 0


@pytest.mark.parametrize(
    ("codes", "given", "message"),
    [
        (torch.zeros(30), {"a": torch.zeros(30), "b": torch.zeros(30)}, "codes of shape"),
        (torch.zeros(30, 2), {"a": torch.zeros(30)}, "1 factors; expected at least 2"),
        (torch.zeros(30, 2), {"a": torch.zeros(30), "b": torch.zeros(29)}, "'b' has shape"),
        (torch.zeros(30, 2), {"a": torch.zeros(30), "b": torch.full((30,), torch.nan)}, "finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(codes, given, message):
    with pytest.raises(DataError, match=message):
        dci(codes, given)
