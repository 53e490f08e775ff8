"""The likeliest values are those that a known flow was made with, as far as the guess lets go."""

import itertools

import pytest
import torch

from causalflow.diffusion.likeliest import LONGEST, TIMES, likeliest, likeliest_levels

ROWS, SHAPE = 7, (2, 4, 4)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SHOWN = drawn(2, *SHAPE)
"""The pictures of the two numbers; a third is not seen."""


def picture(p):
    return torch.einsum("np,pchw->nchw", p[:, :2], SHOWN)


def velocity(y, tau, told):
    """Of images that are the picture of their numbers, no more: (y - x) / tau."""
    return (y - told["picture"]) / tau


def found(image, guess, spread):
    def told(p):
        return {"picture": picture(p)}

    return likeliest(velocity, image, told, guess, torch.full_like(guess, spread))


def test_numbers_come_out_as_the_image_was_made_whatever_the_guess():
    true = drawn(ROWS, 3, seed=1)
    guess = true + (drawn(ROWS, 3, seed=2) / 4).clamp(-LONGEST, LONGEST)
    read = found(picture(true), guess, spread=10.0)
    assert torch.allclose(read[:, :2], true[:, :2], atol=1e-6)
    assert torch.equal(read[:, 2], guess[:, 2])


def test_what_the_image_holds_besides_does_not_move_them():
    true, beside = drawn(ROWS, 3, seed=1), drawn(ROWS, *SHAPE, seed=3)
    flat, shown = beside.flatten(1), SHOWN.flatten(1)
    flat = flat - (flat @ shown.mT) @ torch.linalg.inv(shown @ shown.mT) @ shown
    read = found(picture(true) + flat.unflatten(1, SHAPE), true, spread=1e3)
    assert torch.allclose(read, true, atol=1e-6)


def test_a_guess_that_is_sure_of_itself_stays_and_no_step_is_longer_than_it_may_be():
    true = torch.zeros(ROWS, 3, dtype=torch.float64)
    guess = true + 5.0
    assert torch.allclose(found(picture(true), guess, spread=1e-4), guess, atol=1e-3)
    moved = (found(picture(true), guess, spread=1e3) - guess).abs()[:, :2]
    assert torch.allclose(moved, torch.full_like(moved, 2 * LONGEST))


def test_a_row_is_read_alike_alone_and_among_others():
    true = drawn(ROWS, 3, seed=1)
    image, guess = picture(true) + 0.3 * drawn(ROWS, *SHAPE, seed=4), true + 0.2
    together, alone = found(image, guess, 1.0), found(image[2:3], guess[2:3], 1.0)
    assert torch.allclose(together[2:3], alone, atol=1e-12)
    assert float((together - guess).abs().max()) > 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_answer_is_precise(dtype):
    true = drawn(ROWS, 3, seed=1)
    assert found(picture(true).to(dtype), true.float(), 1.0).dtype == torch.float64


PARTS = {"a": drawn(3, *SHAPE, seed=5), "b": drawn(4, *SHAPE, seed=6)}
"""The picture of every level of two classes."""


def level_picture(told, heard=("a", "b")):
    return sum(PARTS[name][told[name]] for name in heard)


def levels_drawn(seed):
    random = torch.Generator().manual_seed(seed)
    return {n: torch.randint(len(each), (ROWS,), generator=random) for n, each in PARTS.items()}


def odds_drawn(seed, height=3.0):
    return {
        name: (height * drawn(ROWS, len(each), seed=seed + place)).log_softmax(dim=1)
        for place, (name, each) in enumerate(PARTS.items())
    }


def levels_found(image, odds, heard=("a", "b")):
    """Of images that are the picture of their levels, no more."""
    return likeliest_levels(
        lambda y, tau, told: (y - level_picture(told, heard)) / tau, image, {}, odds
    )


def test_levels_come_out_as_the_image_was_made_whatever_was_held_probable():
    true, odds = levels_drawn(7), odds_drawn(8)
    read = levels_found(level_picture(true), odds)
    for name, each in true.items():
        assert torch.equal(read[name], each)
        assert not torch.equal(odds[name].argmax(dim=1), each)


def test_a_class_that_the_flow_does_not_hear_stays_as_it_was_held_most_probable():
    true, odds = levels_drawn(7), odds_drawn(8)
    read = levels_found(level_picture(true, ["a"]), odds, ["a"])
    assert torch.equal(read["a"], true["a"])
    assert torch.equal(read["b"], odds["b"].argmax(dim=1))


def test_levels_trade_the_errors_of_the_flow_against_the_odds_as_the_formula_says():
    true, odds = levels_drawn(7), odds_drawn(8, height=10.0)
    image = level_picture(true) + 3 * drawn(ROWS, *SHAPE, seed=9)
    numbers = len(TIMES) * image[0].numel()
    choices = list(itertools.product(*(range(len(each)) for each in PARTS.values())))
    weights = []
    for choice in choices:
        told = {n: torch.full((ROWS,), level) for n, level in zip(PARTS, choice, strict=True)}
        # r_k = (y_k - picture) / tau_k - (eps_k - x) = (x - picture) / tau_k, whatever the noise.
        error = (image - level_picture(told)).flatten(1).square().sum(1)
        error = error * sum(tau**-2 for tau in TIMES)
        held = sum(odds[n][:, level] for n, level in zip(PARTS, choice, strict=True))
        weights.append(held - numbers / 2 * error.log())
    best = torch.tensor(choices)[torch.stack(weights).argmax(0)]
    read = torch.stack([*levels_found(image, odds).values()], 1)
    assert torch.equal(read, best)
    alone = torch.stack([each.argmax(dim=1) for each in odds.values()], 1)
    shown = torch.stack([*levels_found(image, odds_drawn(8, height=0.0)).values()], 1)
    assert not torch.equal(read, alone)
    assert not torch.equal(read, shown)


def test_a_class_is_read_again_once_another_has_moved():
    # Under b = 0, which is held probable, the first picture looks like a = 1; then b moves to 1,
    # and under that it is the picture of a = 0.
    table = torch.tensor([[3.0, 1.0], [2.0, 1.5]], dtype=torch.float64)
    calls = []

    def velocity(y, tau, told):
        calls.append(len(y))
        return (y - table[told["a"], told["b"]][:, None, None, None]) / tau

    image = torch.full((2, *SHAPE), 1.0, dtype=torch.float64)
    image[1] = 3.0
    sure = torch.tensor([[0.9, 0.1]], dtype=torch.float64).log().expand(2, 2)
    read = likeliest_levels(velocity, image, {}, {"a": sure.flip(1), "b": sure})
    assert torch.equal(read["a"], torch.tensor([0, 0]))
    assert torch.equal(read["b"], torch.tensor([1, 0]))
    assert sum(calls) <= 2 * 2 * len(TIMES) * (1 + 2 + 2)


def test_the_levels_of_a_row_are_read_alike_alone_and_among_others():
    image = level_picture(levels_drawn(7)) + 3 * drawn(ROWS, *SHAPE, seed=9)
    odds = odds_drawn(8, height=10.0)
    together = levels_found(image, odds)
    for row in range(ROWS):
        alone = levels_found(image[row : row + 1], {n: e[row : row + 1] for n, e in odds.items()})
        assert all(torch.equal(together[name][row], each[0]) for name, each in alone.items())
