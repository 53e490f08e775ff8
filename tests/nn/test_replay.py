"""Replay: the same numbers, whether a network is called or its launches are replayed."""

import os
import shutil

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from causalflow.errors import CausalflowWarning
from causalflow.nn.replay import Replay

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_without_cuda_a_function_is_called_as_it_is():
    calls = []

    def double(x):
        calls.append(x)
        return 2 * x

    x = torch.arange(3.0)
    assert torch.equal(Replay(graphs=True).part("double", double, x), 2 * x)
    assert calls == [x]


def test_bf16_rounds_what_a_network_computes_and_float32_does_not():
    torch.manual_seed(0)
    network, x = nn.Linear(64, 64), torch.randn(8, 64)
    with torch.no_grad():
        exact = network(x)
        assert torch.equal(Replay().part("network", network, x), exact)
        rounded = Replay(precision="bf16-mixed").part("network", network, x)
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
            torch.testing.assert_close(replay.part("network", network, x), network(x))


@needs_cuda
def test_a_replayed_gradient_is_the_gradient():
    network = nn.Linear(8, 1).cuda()

    def slope(x):
        with torch.enable_grad():
            point = x.detach().clone().requires_grad_()
            return torch.autograd.grad(network(point).square().sum(), point)[0]

    replay, x = Replay(graphs=True), torch.randn(5, 8, device="cuda")
    torch.testing.assert_close(replay.part("slope", slope, x), slope(x))


@needs_cuda
def test_moved_weights_are_seen_once_the_records_are_forgotten():
    network, x = nn.Linear(8, 8).cuda(), torch.randn(4, 8, device="cuda")
    replay = Replay(graphs=True)
    with torch.no_grad():
        replay.part("network", network, x)
        network.cpu()
        network.weight.mul_(2)
        network.cuda()
        replay.forget()
        torch.testing.assert_close(replay.part("network", network, x), network(x))


def test_on_a_cpu_a_batch_is_taken_in_portions_of_equal_size_up_to_a_row():
    seen = []

    def network(x, scale):
        seen.append(len(x))
        return x * scale[:, None, None, None]

    x, scale = torch.randn(65, 1, 4, 4), torch.arange(65.0)
    replay = Replay(positions=20 * 16 // torch.get_num_threads())
    with torch.no_grad():
        assert torch.equal(replay.network(network, x, scale), x * scale[:, None, None, None])
    assert max(seen) - min(seen) <= 1
    assert max(seen) <= 20
    assert sum(seen) == replay.images == 65


def test_what_cannot_be_compiled_is_called_and_said_once(monkeypatch):
    def refuse(*inputs):
        raise RuntimeError("no compiler found\nand a long story")

    monkeypatch.setattr(torch, "compile", lambda function: refuse)
    replay, x = Replay(compile=True), torch.randn(3, 1, 2, 2)
    with torch.no_grad():
        with pytest.warns(CausalflowWarning, match=r"^accelerate: .*no compiler found$"):
            assert torch.equal(replay.network(torch.square, x), x.square())
        assert torch.equal(replay.network(torch.square, x), x.square())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of its compiler
def test_a_compiled_network_answers_like_the_called_one_and_is_compiled_once_for_all_times():
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("needs a C++ compiler")
    torch.manual_seed(0)
    linear = nn.Linear(6, 6)

    def network(x, tau):
        return nn.functional.silu(linear(x)) * tau[:, None, None, None]

    replay, x = Replay(compile=True), torch.randn(4, 1, 5, 6)
    counters.clear()
    with torch.no_grad():
        for tau in (0.1, 0.5, 0.9):
            given = x, torch.full((4,), tau)
            called = nn.functional.silu(linear(x)) * tau
            # Fused, sums and exponentials round otherwise: a few units of the last of 24 bits.
            torch.testing.assert_close(
                replay.network(network, *given), called, rtol=1e-5, atol=1e-6
            )
    assert counters["stats"]["unique_graphs"] == 1
