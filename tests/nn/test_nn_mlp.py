"""Laws of the multilayer perceptron."""

from __future__ import annotations

import torch

from causalflow.nn.encoder import MLP


def test_without_hidden_layers_it_is_the_affine_map_of_its_weights() -> None:
    mlp = MLP(3, 2, hidden=(), dtype=torch.float64)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight, bias = mlp.parameters()
    # 1e-12: one float64 matrix product, summed in another order.
    torch.testing.assert_close(mlp(x), x @ weight.T + bias, rtol=0, atol=1e-12)


def test_a_zero_start_is_the_constant_zero() -> None:
    assert not MLP(3, 2, zero=True)(torch.ones(4, 3)).any()


def test_no_inputs_give_a_constant_that_can_be_learned() -> None:
    mlp = MLP(0, 2, dtype=torch.float64)
    first, second = mlp(torch.empty(2, 0))
    assert torch.equal(first, second)
    first.sum().backward()
    assert mlp.layers[-1].bias.grad.any()
