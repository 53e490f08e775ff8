"""Replay: the same numbers, whether a network is called or its launches are replayed."""

import pytest
import torch
from torch import nn

from causalflow.nn.replay import Replay

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_without_cuda_a_function_is_called_as_it_is():
    calls = []

    def double(x):
        calls.append(x)
        return 2 * x

    x = torch.arange(3.0)
    assert torch.equal(Replay(graphs=True)("double", double, x), 2 * x)
    assert calls == [x]


def test_bf16_rounds_what_a_network_computes_and_float32_does_not():
    torch.manual_seed(0)
    network, x = nn.Linear(64, 64), torch.randn(8, 64)
    with torch.no_grad():
        exact = network(x)
        assert torch.equal(Replay()("network", network, x), exact)
        rounded = Replay(precision="bf16-mixed")("network", network, x)
    assert rounded.dtype == torch.bfloat16
    # Eight bits of mantissa in sums of 64 terms.
    torch.testing.assert_close(rounded.float(), exact, atol=2e-2, rtol=0)


@needs_cuda
@pytest.mark.parametrize("rows", [3, 16, 20])
def test_a_replayed_network_gives_what_the_called_one_gives(rows):
    network = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8)).cuda()
    replay = Replay(graphs=True)
    with torch.no_grad():
        for _ in range(3):
            x = torch.randn(rows, 8, device="cuda")
            torch.testing.assert_close(replay("network", network, x), network(x))


@needs_cuda
def test_a_replayed_gradient_is_the_gradient():
    network = nn.Linear(8, 1).cuda()

    def slope(x):
        with torch.enable_grad():
            point = x.detach().clone().requires_grad_()
            return torch.autograd.grad(network(point).square().sum(), point)[0]

    replay, x = Replay(graphs=True), torch.randn(5, 8, device="cuda")
    torch.testing.assert_close(replay("slope", slope, x), slope(x))


@needs_cuda
def test_moved_weights_are_seen_once_the_records_are_forgotten():
    network, x = nn.Linear(8, 8).cuda(), torch.randn(4, 8, device="cuda")
    replay = Replay(graphs=True)
    with torch.no_grad():
        replay("network", network, x)
        network.cpu()
        network.weight.mul_(2)
        network.cuda()
        replay.forget()
        torch.testing.assert_close(replay("network", network, x), network(x))
