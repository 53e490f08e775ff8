"""The anti-causal predictor: contrasts by hand, and what it reads when the confounder misleads."""

from __future__ import annotations

import numpy as np
import torch

from causalflow.diffusion.path import TAU_MIN, enter
from causalflow.graph.node import Class, Continuous, Diffusion, Image
from causalflow.mechanisms.image.loss import MutilationWeights
from causalflow.mechanisms.image.parent_reader import AnticausalPredictor

IMAGE = Image(shape=(2, 8, 8), diffusion=Diffusion(predictor_width=8))
BINARY = Class(levels=(0, 1))


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


def test_one_row_is_enough_to_calibrate():
    made = predictor({"width": Continuous()})
    made.calibrate({"width": torch.tensor([3.0], dtype=torch.float64)})
    found = made.infer(torch.zeros(1, *IMAGE.shape), ["width"])
    assert found["width"].isfinite().all()


PIXEL_NOISE, TINT = 0.3, 0.15


def pictures(values, seed):
    """A shape that is plain to see, in a tint that noise all but hides.

    A confounder of 99 % is worth log 99 = 4.6 nats, so that the shape overrules the tint where the
    noise leaves it less evidence than that.
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
    parents = {"shape": BINARY, "color": BINARY}
    made, mutilation = predictor(parents), MutilationWeights(parents)
    made.calibrate(values)
    if weighted:
        mutilation.calibrate(values)
    optimiser = torch.optim.Adam(made.parameters(), lr=3e-3)
    draws = generator(2)
    for _ in range(steps):
        rows = torch.randint(len(image), (128,), generator=draws)
        batch = {name: value[rows] for name, value in values.items()}
        optimiser.zero_grad()
        (mutilation(batch) * made.loss(image[rows], batch, draws)).mean().backward()
        optimiser.step()
    return made.eval()


def reads_color(made, tau):
    """How often the contrast names the color of rows in which shape and color disagree."""
    values = confounded(1_000, agreement=0.0, seed=5)
    clean = pictures(values, seed=6)
    noise = torch.randn(clean.shape, generator=generator(9))
    target, other = {"color": values["color"]}, {"color": 1 - values["color"]}
    posterior = made((1 - tau) * clean + tau * noise, tau)
    gain = posterior(target)["color"] - posterior(other)["color"]
    return float((gain > 0).double().mean())


def test_the_reweighted_predictor_reads_the_color_where_the_naive_one_reads_the_shape():
    weighted, naive = trained(weighted=True), trained(weighted=False)
    # .85 and .23 measured; a guess is .5, and the naive one is misled by the shape.
    assert reads_color(weighted, tau=0.5) > 0.7
    assert reads_color(naive, tau=0.5) < 0.55


def test_the_posterior_is_that_of_the_heads_and_ignores_what_is_unlabelled():
    made = predictor({"shape": BINARY, "color": BINARY, "width": Continuous()})
    y = torch.randn(4, 2, 8, 8, generator=generator(1))
    shape = torch.tensor([0, 1, -1, 0])
    width = torch.tensor([0.5, -1.0, 2.0, torch.nan], dtype=torch.float64)
    point = y.clone().requires_grad_()
    found = made(point, 0.3)({"shape": shape, "width": width, "other": shape})
    assert set(found) == {"shape", "width"}
    logits = torch.stack([-minus_log_p(made, y, "shape", level) for level in (0, 1)], dim=1)
    expected = torch.stack([logits[0, 0], logits[1, 1], torch.zeros(()), logits[3, 0]])
    torch.testing.assert_close(found["shape"], expected, rtol=1e-5, atol=1e-5)
    features = made.encoder(y, made.time(torch.full((4,), 0.3)))
    mean, spread = made.heads["node:width"](features).unbind(-1)
    normal = torch.distributions.Normal(mean, torch.nn.functional.softplus(spread) + 1e-2)
    expected = normal.log_prob(width.nan_to_num().float())
    expected[3] = 0
    torch.testing.assert_close(found["width"], expected, rtol=1e-5, atol=1e-5)
    (found["shape"] + found["width"]).sum().backward()
    assert point.grad.isfinite().all()
    assert made(y, torch.full((4,), 0.3))({"shape": shape})["shape"].equal(found["shape"])


def test_what_is_read_of_a_parent_is_inside_its_support():
    made = predictor({"width": Continuous(support=(0.0, 2.0))})
    made.calibrate({"width": torch.tensor([0.1, 1.0, 1.9], dtype=torch.float64)})
    with torch.no_grad():
        made.heads["node:width"].bias[0] = -40.0
    found = made.infer(torch.rand(5, *IMAGE.shape, generator=generator()), ["width"])["width"]
    assert ((found > 0) & (found < 0.1)).all()


def minus_log_p(made, y, name, level, tau=0.3):
    """-log p(name = level | y, tau), from the head's logits."""
    logits = made.heads[f"node:{name}"](made.encoder(y, made.time(torch.full((len(y),), tau))))
    return -logits.log_softmax(-1)[:, level]


DRAWS = 4_000


def test_missing_parents_are_drawn_from_the_posterior_given_the_clean_image():
    made = predictor({"shape": Class(levels=(0, 1, 2)), "width": Continuous(support=(1.0, 3.0))})
    image = torch.rand(1, *IMAGE.shape, generator=generator(4)).expand(DRAWS, -1, -1, -1)
    missing = {
        "shape": torch.full((DRAWS,), -1),
        "width": torch.full((DRAWS,), torch.nan, dtype=torch.float64),
    }
    found = made.completed(image, missing, generator(5))
    law = [
        made(enter(image[:1]), TAU_MIN)({"shape": torch.tensor([k])})["shape"].exp().item()
        for k in range(3)
    ]
    seen = torch.bincount(found["shape"], minlength=3) / DRAWS
    for share, p in zip(seen.tolist(), law, strict=True):
        assert abs(share - p) < 5 * (p * (1 - p) / DRAWS) ** 0.5
    median = made.infer(image[:1], ["width"])["width"]
    below = (found["width"] < median).double().mean().item()
    assert abs(below - 0.5) < 5 * 0.5 / DRAWS**0.5
    assert ((found["width"] > 1) & (found["width"] < 3)).all()
    assert found["width"].std() > 0.01


def test_labels_that_are_known_are_left_as_they_are():
    made = predictor({"shape": BINARY, "width": Continuous()})
    image = torch.rand(4, *IMAGE.shape, generator=generator(6))
    given = {
        "shape": torch.tensor([1, -1, 0, -1]),
        "width": torch.tensor([2.0, 3.0, torch.nan, torch.nan], dtype=torch.float64),
    }
    found = made.completed(image, given, generator(7))
    assert found["shape"][[0, 2]].tolist() == [1, 0]
    assert found["width"][:2].tolist() == [2.0, 3.0]
    assert (found["shape"] >= 0).all()
    assert found["width"].isfinite().all()
