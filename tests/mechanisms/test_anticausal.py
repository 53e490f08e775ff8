"""The anti-causal predictor: its weights against a count, its readings against Bayes' rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from causalflow.errors import DataError
from causalflow.graph.schema import Class, Continuous, Diffusion, Image
from causalflow.mechanisms.anticausal import AnticausalPredictor

IMAGE = Image(shape=(2, 8, 8), diffusion=Diffusion(predictor_width=8))
BINARY = Class(levels=(0, 1))
CLIP = 20.0


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def predictor(parents, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AnticausalPredictor(IMAGE, parents)


def confounded(n, agreement=0.99, seed=0):
    """Shape and color, equal in a share ``agreement`` of the rows."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, size=n)
    color = np.where(rng.random(n) < agreement, shape, 1 - shape)
    return {"shape": torch.from_numpy(shape), "color": torch.from_numpy(color)}


def row_weights(*columns):
    """w(pa) of every row by counting rows: clipped, then with mean 1."""
    columns = [np.asarray(column) for column in columns]
    n = len(columns[0])
    joint = np.array([np.all([c == c[i] for c in columns], axis=0).sum() / n for i in range(n)])
    each = [np.array([(c == c[i]).sum() / n for i in range(n)]) for c in columns]
    w = np.minimum(np.prod(each, axis=0) / joint, CLIP)
    return w / w.mean()


def weights_of(made, values):
    """What each row's loss is multiplied by: its loss over that with weights 1."""
    n = len(next(iter(values.values())))
    image = torch.zeros(n, *IMAGE.shape)
    weighted = made.loss(image, values, generator())
    made.weights.fill_(1)
    return (weighted / made.loss(image, values, generator())).detach().numpy()


@pytest.mark.parametrize("agreement", [0.5, 0.9, 0.99])
def test_weights_and_effective_share_equal_a_count_of_rows(agreement):
    values = confounded(500, agreement)
    made = predictor({"shape": BINARY, "color": BINARY})
    made.calibrate(values)
    expected = row_weights(values["shape"], values["color"])
    share = expected.sum() ** 2 / (len(expected) * (expected**2).sum())
    assert float(made.effective_share) == pytest.approx(share, rel=1e-6)
    np.testing.assert_allclose(weights_of(made, values), expected, rtol=1e-5)


def test_weights_of_three_parents_with_a_continuous_one_cut_at_its_quartiles():
    values = confounded(400, 0.8)
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=400))
    values["width"] = noise + 2 * values["color"]
    made = predictor({"shape": BINARY, "width": Continuous(), "color": BINARY})
    made.calibrate(values)
    width = values["width"].numpy()
    quarter = np.searchsorted(np.quantile(width, [0.25, 0.5, 0.75]), width)
    expected = row_weights(values["shape"], quarter, values["color"])
    np.testing.assert_allclose(weights_of(made, values), expected, rtol=1e-5)


def test_under_the_weights_the_parents_are_independent():
    values = confounded(2_000, 0.9)
    w = row_weights(values["shape"], values["color"])
    shape, color = values["shape"].numpy(), values["color"].numpy()
    both = (w * shape * color).mean()
    assert both == pytest.approx((w * shape).mean() * (w * color).mean(), abs=1e-9)
    made = predictor({"shape": BINARY, "color": BINARY})
    made.calibrate(values)
    np.testing.assert_allclose(weights_of(made, values), w, rtol=1e-5)


def test_rows_that_miss_a_label_do_not_count():
    values = confounded(300)
    made, other = (predictor({"shape": BINARY, "color": BINARY}) for _ in range(2))
    made.calibrate(values)
    padded = {
        "shape": torch.cat([values["shape"], torch.tensor([-1, 1])]),
        "color": torch.cat([values["color"], torch.tensor([0, -1])]),
    }
    other.calibrate(padded)
    assert other.weights.equal(made.weights)


def test_parents_without_any_common_label_are_refused():
    made = predictor({"shape": BINARY, "color": BINARY})
    unknown = torch.tensor([-1, -1])
    with pytest.raises(DataError, match="no row has a label of all of them"):
        made.calibrate({"shape": torch.tensor([0, 1]), "color": unknown})


def test_one_row_is_enough_to_calibrate():
    made = predictor({"width": Continuous()})
    made.calibrate({"width": torch.tensor([3.0], dtype=torch.float64)})
    found = made.infer(torch.zeros(1, *IMAGE.shape), ["width"])
    assert found["width"].isfinite().all()


def test_too_many_cells_leave_every_row_its_weight():
    many = {f"p{i}": Class(levels=tuple(range(10))) for i in range(6)}
    values = {name: torch.randint(10, (50,), generator=generator(i)) for i, name in enumerate(many)}
    made = predictor(many)
    made.calibrate(values)
    np.testing.assert_allclose(weights_of(made, values), np.ones(50))


PIXEL_NOISE, TINT = 0.3, 0.045


def pictures(values, seed):
    """A shape that is plain to see, in a tint that noisy pixels all but hide.

    The tint is +-TINT in one channel against the other, so that a row's evidence of its color has
    the mean 2 * 64 TINT^2 * 2 / PIXEL_NOISE^2 nats, about 5.8, and as variance twice that: less
    than a confounder of 99 % (4.6 nats) often enough to be overruled by it.
    """
    rng = np.random.default_rng(seed)
    shape, color = (values[name].numpy() for name in ("shape", "color"))
    image = rng.normal(0, PIXEL_NOISE, (len(shape), 2, 8, 8))
    image[shape == 0, :, 2:4] += 0.8
    image[shape == 1, :, :, 2:4] += 0.8
    tint = TINT * (2 * color - 1)[:, None, None]
    image[:, 0] += tint
    image[:, 1] -= tint
    return torch.from_numpy(image).float()


def trained(weighted, steps=300):
    values = confounded(4_000)
    image = pictures(values, seed=1)
    made = predictor({"shape": BINARY, "color": BINARY})
    made.calibrate(values)
    if not weighted:
        made.weights.fill_(1)
    optimiser = torch.optim.Adam(made.parameters(), lr=3e-3)
    draws = generator(2)
    for _ in range(steps):
        rows = torch.randint(len(image), (128,), generator=draws)
        batch = {name: value[rows] for name, value in values.items()}
        optimiser.zero_grad()
        made.loss(image[rows], batch, draws).mean().backward()
        optimiser.step()
    return made.eval()
