from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.graph.node import Class, Continuous
from causalflow.mechanisms.categorical import NOISES, Categorical

DRAWS = 200_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def standard_error(p: torch.Tensor, n: int = DRAWS) -> torch.Tensor:
    return (p * (1 - p) / n).sqrt().clamp_min(1 / n)


def shares(value: torch.Tensor, levels: int) -> torch.Tensor:
    return torch.bincount(value, minlength=levels).double() / len(value)


extreme = st.floats(-2000, 2000) | st.floats(-5, 5)


@pytest.mark.parametrize("name", list(NOISES))
@settings(max_examples=200, deadline=None)
@given(logits=st.lists(extreme, min_size=1, max_size=6), seed=st.integers(0, 2**31))
def test_abducted_noise_predicts_the_value_whatever_the_logits(name, logits, seed):
    noise = NOISES.get(name)
    value = torch.arange(len(logits)).repeat(20)
    rows = torch.tensor(logits, dtype=torch.float64).expand(len(value), -1)
    assert torch.equal(noise.predict(rows, noise.abduct(rows, value, generator(seed))), value)


@pytest.mark.parametrize("name", list(NOISES))
def test_draws_have_the_probabilities_of_the_logits(name):
    noise = NOISES.get(name)
    logits = torch.tensor([[0.3, -2.0, 1.0, -6.0]], dtype=torch.float64)
    value = noise.predict(logits, noise.draw(DRAWS, 4, generator()))
    p = logits.softmax(-1)[0]
    assert ((shares(value, 4) - p).abs() <= 5 * standard_error(p)).all()


@pytest.mark.parametrize("name", list(NOISES))
def test_noise_abducted_from_draws_is_again_the_prior(name):
    noise = NOISES.get(name)
    logits = torch.tensor([[0.3, -2.0, 1.0]], dtype=torch.float64).expand(DRAWS, -1)
    value = noise.predict(logits, noise.draw(DRAWS, 3, generator(1)))
    (prior,) = noise.draw(DRAWS, 3, generator(2)).values()
    (again,) = noise.abduct(logits, value, generator(3)).values()
    # Kolmogorov-Smirnov: two samples of n differ by more than 2.3 sqrt(1/n) once in 10,000 times.
    for left, right in zip(prior.reshape(DRAWS, -1).T, again.reshape(DRAWS, -1).T, strict=True):
        both = torch.sort(torch.cat([left, right])).values
        gap = torch.searchsorted(left.sort().values, both) - torch.searchsorted(
            right.sort().values, both
        )
        assert gap.abs().max() / DRAWS < 2.5 / DRAWS**0.5


def test_gumbel_never_leaves_a_level_whose_odds_only_rose():
    # Stability (Oberst & Sontag 2019): x can become k only if k's odds against x rose.
    noise = NOISES.get("gumbel")
    factual = torch.randn((2000, 5), generator=generator(), dtype=torch.float64)
    value = torch.randint(5, (2000,), generator=generator(1))
    lifted = factual + torch.nn.functional.one_hot(value, 5)
    assert torch.equal(noise.predict(lifted, noise.abduct(factual, value, generator())), value)


def test_monotone_counterfactual_never_crosses_the_order():
    noise = NOISES.get("monotone")
    low = torch.randn((2000, 5), generator=generator(), dtype=torch.float64)
    high = low + 0.7 * torch.arange(5)
    value = torch.randint(5, (2000,), generator=generator(1))
    assert (noise.predict(high, noise.abduct(low, value, generator())) >= value).all()


def two_level_table(n: int) -> tuple[Categorical, dict[str, torch.Tensor], torch.Tensor]:
    p = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.39, 0.01]], dtype=torch.float64)
    a = torch.randint(2, (n,), generator=generator(3))
    x = torch.multinomial(p[a], 1, generator=generator(4)).squeeze(-1)
    mechanism = Categorical("x", Class(levels=(0, 1, 2)), {"a": Class(levels=(0, 1))})
    return mechanism, {"a": a, "x": x}, p


def test_a_table_is_the_counted_frequencies():
    mechanism, values, p = two_level_table(20_000)
    mechanism.calibrate(values, generator())
    fitted = mechanism.logits({"a": torch.arange(2)}).exp()
    counted = torch.stack([shares(values["x"][values["a"] == a], 3) for a in range(2)])
    assert (fitted - counted).abs().max() < 2e-4  # the pseudo-count moves a row by < .5 / 10,000
    assert ((fitted - p).abs() <= 5 * standard_error(p, 9_900) + 2e-4).all()


def test_a_table_ignores_rows_with_a_missing_label():
    whole, values, _ = two_level_table(5_000)
    partly, _, _ = two_level_table(1)
    gaps = {name: torch.cat([value, torch.tensor([-1, 1])]) for name, value in values.items()}
    gaps["x"][-1] = -1
    whole.calibrate(values, generator())
    partly.calibrate(gaps, generator())
    assert torch.equal(whole.table, partly.table)


def test_table_rows_do_not_mix_parents_of_different_size():
    nodes = {"a": Class(levels=(0, 1)), "b": Class(levels=(0, 1, 2))}
    mechanism = Categorical("x", Class(levels=tuple(range(6))), nodes)
    a, b = torch.cartesian_prod(torch.arange(2), torch.arange(3)).repeat(4000, 1).T
    x = 3 * a + b
    mechanism.calibrate({"a": a, "b": b, "x": x}, generator())
    assert torch.equal(mechanism.logits({"a": a, "b": b}).argmax(-1), x)


def test_a_root_has_the_marginal_frequencies():
    mechanism = Categorical("x", Class(levels=(0, 1)), {})
    mechanism.calibrate({"x": torch.tensor([0, 0, 0, 1]).repeat(5000)}, generator())
    assert mechanism.log_prob(torch.tensor([1, 0, 1]), {}).exp() == pytest.approx(
        [0.25, 0.75, 0.25], abs=1e-4
    )


def test_a_network_learns_a_continuous_parents_effect():
    n = 4000
    a = torch.randn(n, generator=generator(), dtype=torch.float64)
    p = torch.sigmoid(2 * a - 1)
    x = torch.bernoulli(p, generator=generator(1)).long()
    torch.manual_seed(0)
    mechanism = Categorical("x", Class(levels=(0, 1)), {"a": Continuous()})
    values = {"a": a, "x": x}
    mechanism.calibrate(values, generator())
    optimizer = torch.optim.Adam(mechanism.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        mechanism.loss(values, generator()).mean().backward()
        optimizer.step()
    # Chance error of a smooth fit to 4,000 coin flips is about .02.
    assert (mechanism.logits(values)[:, 1].exp() - p).abs().mean() < 0.04


def test_an_unlabelled_row_has_no_loss_in_a_network():
    mechanism = Categorical("x", Class(levels=(0, 1)), {"a": Continuous()})
    values = {"a": torch.tensor([0.0, 1.0, torch.nan]).double(), "x": torch.tensor([-1, 1, 0])}
    loss = mechanism.loss(values, generator())
    assert loss[0] == 0
    assert (loss[1:] > 0).all()
