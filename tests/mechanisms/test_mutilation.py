"""Mutilation weights against a count of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from causalflow.errors import DataError
from causalflow.graph.node import Class, Continuous
from causalflow.mechanisms.image.loss import MutilationWeights

BINARY = Class(levels=(0, 1))
LEAST_SHARE = 0.02


def confounded(n, agreement=0.99, seed=0):
    """Shape and color, equal in a share ``agreement`` of the rows."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, size=n)
    color = np.where(rng.random(n) < agreement, shape, 1 - shape)
    return {"shape": torch.from_numpy(shape), "color": torch.from_numpy(color)}


def row_weights(*columns):
    """w(pa) of every row by counting rows, with mean 1; nothing is clipped."""
    columns = [np.asarray(column) for column in columns]
    n = len(columns[0])
    joint = np.array([np.all([c == c[i] for c in columns], axis=0).sum() / n for i in range(n)])
    each = [np.array([(c == c[i]).sum() / n for i in range(n)]) for c in columns]
    w = np.prod(each, axis=0) / joint
    return w / w.mean()


@pytest.mark.parametrize("agreement", [0.5, 0.9, 0.99])
def test_weights_and_effective_share_equal_a_count_of_rows(agreement):
    values = confounded(500, agreement)
    made = MutilationWeights({"shape": BINARY, "color": BINARY})
    made.calibrate(values)
    expected = row_weights(values["shape"], values["color"])
    share = expected.sum() ** 2 / (len(expected) * (expected**2).sum())
    assert float(made.effective_share) == pytest.approx(share, rel=1e-6)
    np.testing.assert_allclose(made(values), expected, rtol=1e-5)


def test_a_confounder_of_99_percent_is_undone_entirely_and_a_stronger_one_up_to_the_bound():
    parents = {"shape": BINARY, "color": BINARY}
    made, bounded = MutilationWeights(parents), MutilationWeights(parents)
    values = confounded(20_000)
    made.calibrate(values)
    w = made(values).double()
    agree = (values["shape"] == values["color"]).double()
    assert float((w * agree).mean()) == pytest.approx(0.5, abs=0.01)  # by counts of 200 rows
    assert LEAST_SHARE < float(made.effective_share) < 0.06
    values = confounded(20_000, agreement=0.998)
    bounded.calibrate(values)
    assert float(bounded.effective_share) == pytest.approx(LEAST_SHARE, rel=1e-3)


def test_a_row_that_misses_a_label_has_weight_one():
    made = MutilationWeights({"shape": BINARY, "color": BINARY})
    made.calibrate(confounded(500, 0.9))
    holes = {"shape": torch.tensor([0, -1, 1]), "color": torch.tensor([1, 1, -1])}
    weights = made(holes)
    assert weights[1:].tolist() == [1.0, 1.0]
    assert weights[0] > 1


def test_weights_of_three_parents_with_a_continuous_one_cut_at_its_quartiles():
    values = confounded(400, 0.8)
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=400))
    values["width"] = noise + 2 * values["color"]
    made = MutilationWeights({"shape": BINARY, "width": Continuous(), "color": BINARY})
    made.calibrate(values)
    width = values["width"].numpy()
    quarter = np.searchsorted(np.quantile(width, [0.25, 0.5, 0.75]), width)
    expected = row_weights(values["shape"], quarter, values["color"])
    np.testing.assert_allclose(made(values), expected, rtol=1e-5)


def test_under_the_weights_the_parents_are_independent():
    values = confounded(2_000, 0.9)
    w = row_weights(values["shape"], values["color"])
    shape, color = values["shape"].numpy(), values["color"].numpy()
    both = (w * shape * color).mean()
    assert both == pytest.approx((w * shape).mean() * (w * color).mean(), abs=1e-9)
    made = MutilationWeights({"shape": BINARY, "color": BINARY})
    made.calibrate(values)
    np.testing.assert_allclose(made(values), w, rtol=1e-5)


def test_rows_that_miss_a_label_do_not_count():
    values = confounded(300)
    made, other = (MutilationWeights({"shape": BINARY, "color": BINARY}) for _ in range(2))
    made.calibrate(values)
    padded = {
        "shape": torch.cat([values["shape"], torch.tensor([-1, 1])]),
        "color": torch.cat([values["color"], torch.tensor([0, -1])]),
    }
    other.calibrate(padded)
    assert other.weights.equal(made.weights)


def test_parents_without_any_common_label_are_refused():
    made = MutilationWeights({"shape": BINARY, "color": BINARY})
    unknown = torch.tensor([-1, -1])
    with pytest.raises(DataError, match="no row has a label of all of them"):
        made.calibrate({"shape": torch.tensor([0, 1]), "color": unknown})


def test_too_many_cells_leave_every_row_its_weight():
    many = {f"p{i}": Class(levels=tuple(range(10))) for i in range(6)}
    values = {
        name: torch.randint(10, (50,), generator=torch.Generator().manual_seed(i))
        for i, name in enumerate(many)
    }
    made = MutilationWeights(many)
    made.calibrate(values)
    np.testing.assert_allclose(made(values).expand(50), np.ones(50))
