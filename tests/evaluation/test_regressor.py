import pytest
import torch

from causalflow.errors import DataError
from causalflow.evaluation.networks import ImageRegressor
from causalflow.evaluation.readers import reading_error


def bright(rows, seed):
    """Flat grey pictures, and their brightness in a unit of its own."""
    values = torch.rand(rows, generator=torch.Generator().manual_seed(seed))
    pictures = (255 * values)[:, None, None, None].expand(rows, 1, 8, 8).round().to(torch.uint8)
    return pictures, 40 + 20 * values.double()


def test_regressor_reads_a_number_in_its_own_unit():
    pictures, values = bright(300, 0)
    read = ImageRegressor.fit(pictures, values, epochs=8, batch_size=32)
    unseen, wanted = bright(100, 1)
    error = reading_error(read(unseen), wanted, "grains")
    # Reading the mean would err by 5; a line through grey levels errs by rounding alone.
    assert error.value < 1.5
    assert read(unseen).dtype == torch.float64
    assert read(unseen.float() / 255) == pytest.approx(read(unseen), abs=1e-4)


def test_regressor_is_the_same_for_the_same_seed_and_leaves_the_global_generator_alone():
    pictures, values = bright(40, 0)
    state = torch.random.get_rng_state()
    first, same, other = (
        ImageRegressor.fit(pictures, values, epochs=1, batch_size=8, seed=seed)(pictures)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_has_nothing_to_read_is_refused():
    pictures, values = bright(10, 0)
    with pytest.raises(DataError, match="10 images and 9 values"):
        ImageRegressor.fit(pictures, values[:9])
    with pytest.raises(DataError, match="the values do not vary"):
        ImageRegressor.fit(pictures, torch.ones(10))
