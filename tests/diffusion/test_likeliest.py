"""The likeliest numbers are those that a known flow was made with, as far as the guess lets go."""

import pytest
import torch

from causalflow.diffusion.likeliest import LONGEST, likeliest

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
