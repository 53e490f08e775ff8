"""Laws of the embeddings of time and parents."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from causalflow.errors import CompileError
from causalflow.graph.node import Class, Continuous, Image, Symbol
from causalflow.nn.embedding import ParentEmbedding, TimeEmbedding

DIGIT = Class(levels=tuple(range(10)))
NODES = {"digit": DIGIT, "thickness": Continuous(), "scan": Image(shape=(1, 8, 8))}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rows(n: int) -> dict[str, Tensor]:
    return {"digit": torch.arange(n) % 10, "thickness": draw(n).double(), "scan": draw(n, 1, 8, 8)}


def test_no_parents_give_zeros() -> None:
    assert torch.equal(ParentEmbedding({}, 4)({}, 3), torch.zeros(3, 4))


def test_the_embedding_is_the_sum_over_the_parents() -> None:
    embedding, values = ParentEmbedding(NODES, 6), rows(5)
    total = sum(part(values[name]) for name, part in zip(NODES, embedding.parts, strict=True))
    # 1e-6: three float32 terms of order 1.
    torch.testing.assert_close(embedding(values, 5), total, rtol=0, atol=1e-6)


def test_one_row_stands_for_all() -> None:
    embedding, values = ParentEmbedding({"digit": DIGIT}, 6), {"digit": torch.tensor([7])}
    assert torch.equal(embedding(values, 3), embedding({"digit": torch.full((3,), 7)}, 3))


def test_the_unit_of_a_continuous_parent_does_not_matter_once_calibrated() -> None:
    embedding, pixels = ParentEmbedding({"thickness": Continuous()}, 6), draw(50).double()
    embedding.calibrate({"thickness": pixels})
    in_pixels = embedding({"thickness": pixels}, 50)
    embedding.calibrate({"thickness": 100 * pixels + 3000})
    # 1e-6: float64 standardisation, float32 network of order 1.
    in_other_unit = embedding({"thickness": 100 * pixels + 3000}, 50)
    torch.testing.assert_close(in_other_unit, in_pixels, rtol=0, atol=1e-6)


def test_calibration_overlooks_missing_values_and_stands_a_constant() -> None:
    embedding = ParentEmbedding({"thickness": Continuous()}, 6)
    embedding.calibrate({"thickness": torch.tensor([2.0, float("nan"), 2.0])})
    (part,) = embedding.parts
    assert (part.location, part.scale) == (2, 1)
    embedding.calibrate({"thickness": torch.tensor([float("nan")])})
    assert (part.location, part.scale) == (2, 1)


def test_missing_parents_share_one_vector_and_keep_gradients_finite() -> None:
    embedding = ParentEmbedding(NODES, 6)
    missing = {
        "digit": torch.tensor([-1, -1]),
        "thickness": torch.full((2,), float("nan"), dtype=torch.float64),
        "scan": torch.full((2, 1, 8, 8), float("nan")),
    }
    first, second = embedding(missing, 2)
    assert torch.equal(first, second)
    embedding(missing, 2).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in embedding.parameters())


def test_a_row_with_a_missing_parent_leaves_the_other_rows_alone() -> None:
    embedding, values = ParentEmbedding(NODES, 6), rows(4)
    partly = {name: value.clone() for name, value in values.items()}
    partly["digit"][0], partly["thickness"][0], partly["scan"][0] = -1, torch.nan, torch.nan
    whole, part = embedding(values, 4), embedding(partly, 4)
    assert torch.equal(whole[1:], part[1:])
    assert not torch.allclose(whole[0], part[0], atol=1e-3)


@pytest.mark.parametrize("name", ["keys", "forward", "a.b", "bar <-> digit", "train", ""])
def test_a_parent_may_have_any_name(name: str) -> None:
    embedding = ParentEmbedding({name: DIGIT}, 4)
    values = {name: torch.tensor([1, 2])}
    first, second = embedding(values, 2)
    assert not torch.equal(first, second)


def test_a_parent_without_type_is_named_in_the_error() -> None:
    with pytest.raises(CompileError, match=r"node 'z'.*has no type"):
        ParentEmbedding({"z": Symbol()}, 4)


def test_near_times_have_near_embeddings_and_the_small_ones_are_told_apart() -> None:
    embedding = TimeEmbedding(32)
    angles = torch.tensor([0.01, 0.01 + 1e-5, 0.02])[:, None] * embedding.omega
    waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
    # The highest frequency is 100: 1e-5 moves a wave by at most 1e-3, .01 moves one by about 1.
    assert (waves[1] - waves[0]).abs().max() <= 1.1e-3
    assert (waves[2] - waves[0]).abs().max() > 0.5
    assert embedding(torch.tensor([0.5, 0.25])).shape == (2, 32)
