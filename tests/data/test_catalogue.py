import pytest

from causalflow.data.sets.catalogue import DATA_SETS, data_set, data_set_of
from causalflow.data.shipped import graph_path
from causalflow.errors import DataError
from causalflow.formats.formats import load


def test_every_graph_of_a_data_set_is_a_file_that_ships():
    for each in map(DATA_SETS.get, DATA_SETS):
        assert all(load(graph_path(name)).nodes for name in each.graphs)
        assert all(data_set_of(name) is each for name in each.graphs)
    assert data_set_of("ascm_xy") is None


def test_a_data_set_is_drawn_at_a_split_number_and_size():
    drawn = data_set("bar-digits").draw("test", n=5, size=8)
    assert drawn.images.shape == (5, 3, 8, 8)
    assert drawn.scm.name.startswith("bar-mnist-frontdoor")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data_set("morpho_minst"), "did you mean 'morpho_mnist'"),
        (lambda: data_set("mnist").draw(size=16), "mnist: its images have one size"),
        (lambda: data_set("mnist").draw(n=0), "mnist: n is 0"),
        (lambda: data_set("bar_digits").draw("tests"), "unknown split 'tests'"),
    ],
)
def test_what_no_data_set_has_is_one_line(call, message):
    with pytest.raises(DataError, match=message):
        call()
