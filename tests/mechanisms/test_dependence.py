"""The dependence of a code on the parents: zero in the mean where there is none, and seen where."""

import torch

from causalflow.mechanisms.image.semantic_code import dependence

ROWS, LENGTH = 400, 8
GENERATOR = torch.Generator().manual_seed(0)
CODE = torch.randn(ROWS, LENGTH, generator=GENERATOR)
COLOR = torch.randint(0, 2, (ROWS,), generator=GENERATOR)
SIZE = torch.randn(ROWS, generator=GENERATOR, dtype=torch.float64)


def told(parent):
    code = CODE.clone()
    code[:, 3] = parent.float()
    return code


def shuffled(parent):
    """What chance gives: the mean over parents that are not the rows' own."""
    orders = [torch.randperm(ROWS, generator=GENERATOR) for _ in range(20)]
    return torch.stack([dependence(told(parent), {"a": parent[order]}) for order in orders]).mean()


def test_one_number_of_many_that_tells_a_class_is_seen():
    assert dependence(told(COLOR), {"a": COLOR}) > 5 * shuffled(COLOR)


def test_one_number_of_many_that_tells_a_number_is_seen():
    assert dependence(told(SIZE), {"a": SIZE}) > 5 * shuffled(SIZE)


def test_two_numbers_that_tell_a_class_only_together_are_seen():
    code = CODE.clone()
    code[:, 1] = code[:, 1].sign()
    code[:, 0] = code[:, 1] * (2 * COLOR - 1)
    alone = dependence(CODE, {"a": COLOR})
    assert dependence(code, {"a": COLOR}) > 1.5 * alone


def test_an_unlabelled_row_counts_for_nothing():
    hidden = COLOR.clone()
    hidden[200:] = -1
    expected = dependence(told(COLOR)[:200], {"a": COLOR[:200]})
    torch.testing.assert_close(dependence(told(COLOR), {"a": hidden}), expected)
    nan = SIZE.clone()
    nan[200:] = torch.nan
    expected = dependence(told(SIZE)[:200], {"a": SIZE[:200]})
    torch.testing.assert_close(dependence(told(SIZE), {"a": nan}), expected)


def test_descending_the_dependence_removes_what_is_told():
    code = told(COLOR).requires_grad_()
    before = dependence(code, {"a": COLOR})
    for _ in range(100):
        (slope,) = torch.autograd.grad(dependence(code, {"a": COLOR}), code)
        code = (code - 20 * slope).detach().requires_grad_()
    assert dependence(code, {"a": COLOR}) < before / 4
