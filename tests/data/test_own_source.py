"""A source of one's own, entered by its name, is read as those that come with the package."""

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.data.decoding import raw_of
from causalflow.data.sources.source import Opened, Source
from causalflow.errors import CausalflowError, DataError

GRAPH = cf.Graph(
    nodes={"x": {"type": "continuous"}, "image": {"type": "image", "shape": [1, 2, 2]}},
    edges=["x -> image"],
)


class Ramps:
    def __len__(self):
        return 5

    def name(self, row):
        return f"ramp {row}"

    def raw(self, row, channels, cut):
        if row == 3:
            raise DataError("ramp 3: gone")
        return raw_of(np.arange(4, dtype=np.uint8).reshape(2, 2) + row, self.name(row), channels)


def ramps(place):
    return Opened(about="ramps", columns={"x": [0.5, 1, 2, 3, 4]}, pictures={"image": Ramps()})


@pytest.mark.usefixtures("restored")
def test_a_source_of_ones_own_is_read_by_its_place():
    source = Source(name="", claims=lambda place: place.text.startswith("ramps:"), open=ramps)
    cf.register("source of rows", "ramps")(source)
    rows = cf.data.read("ramps:all", GRAPH, on_error="skip", workers=3)
    assert rows.skipped == (("ramp 3", "ramp 3: gone"),)
    assert rows.columns["x"] == [0.5, 1, 2, 4]
    wanted = [torch.arange(4).reshape(1, 2, 2) + row for row in (0, 1, 2, 4)]
    assert torch.equal(rows.columns["image"], torch.stack(wanted).byte())
    with pytest.raises(CausalflowError, match="expected a"):
        cf.register("source of rows", "other")(ramps)


@pytest.mark.usefixtures("restored")
def test_the_first_damaged_row_is_named_whatever_the_workers():
    source = Source(name="", claims=lambda place: place.text == "ramps", open=ramps)
    cf.register("source of rows", "ramps")(source)
    for given in ({"workers": 0}, {"workers": 4}, {"memory": 0}):
        with pytest.raises(DataError, match=r"^ramp 3: gone; on_error=skip leaves such rows out$"):
            cf.data.read("ramps", GRAPH, **given)
