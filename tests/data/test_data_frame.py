from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from causalflow.data.frame import Frame
from causalflow.errors import DataError
from causalflow.graph.graph import Graph

GRAPH = Graph(
    nodes={
        "color": {"type": "class", "levels": ["green", "red"]},
        "thickness": {"type": "continuous", "support": [0, 10]},
        "image": {"type": "image", "shape": [3, 2, 2]},
    },
    edges=["color, thickness -> image"],
)
LABELS = Graph(nodes={name: GRAPH.nodes[name] for name in ("color", "thickness")}, edges=[])
N = 5
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 3, 2, 2), dtype=np.uint8)
COLUMNS = {
    "color": ["red", "green", None, "red", "green"],
    "thickness": [1.0, 2.0, 3.0, float("nan"), 5.0],
    "image": PIXELS,
    "unused": ["a", "b", "c", "d", "e"],
}
ROWS = [{name: column[row] for name, column in COLUMNS.items()} for row in range(N)]


class Dataset(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


FORMS = {
    "mapping": COLUMNS,
    "tensors": {
        "color": torch.tensor([1, 0, -1, 1, 0]),
        "thickness": torch.tensor(COLUMNS["thickness"], dtype=torch.float64),
        "image": torch.from_numpy(PIXELS),
    },
    "float images": {**COLUMNS, "image": PIXELS / 255},
    "data frame": pd.DataFrame({**COLUMNS, "image": list(PIXELS)}),
    "dataset": Dataset(ROWS),
    "dataset of tensors": Dataset(
        [{**row, "image": torch.from_numpy(row["image"])} for row in ROWS]
    ),
    "list of rows": ROWS,
    "frame": Frame.read(COLUMNS, GRAPH),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_data_gives_the_same_rows(form):
    rows = Frame.read(FORMS[form], GRAPH).rows(torch.tensor([3, 0, 2]))
    assert rows.keys() == {"color", "thickness", "image"}
    assert rows["color"].tolist() == [1, 1, -1]
    assert torch.equal(
        rows["thickness"].nan_to_num(-9), torch.tensor([-9.0, 1, 3], dtype=torch.float64)
    )
    expected = torch.from_numpy(PIXELS[[3, 0, 2]].astype(np.float64) / 127.5 - 1)
    # float32 rounding of values below 1
    assert torch.allclose(rows["image"].double(), expected, atol=3e-7, rtol=0)


def test_two_columns_of_one_name_are_refused():
    table = pd.DataFrame([[0, 1, 2.0], [1, 1, 3.0]], columns=["x", "x", "y"])
    graph = Graph(nodes={"x": {"type": "class", "levels": 2}, "y": {"type": "continuous"}})
    with pytest.raises(
        DataError, match=r"node 'x': a column of shape \(2, 2\); expected one value"
    ):
        Frame.read(table, graph)


def test_images_given_as_bytes_are_kept_as_bytes():
    frame = Frame.read(COLUMNS, GRAPH)
    assert frame.columns["image"].dtype == torch.uint8
    assert len(frame) == N
    assert frame.labels().keys() == {"color", "thickness"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"colour": COLUMNS["color"], "color": ...},
            "node 'color': no such column in the data; expected one of "
            "['thickness', 'image', 'unused', 'colour']; "
            "did you mean 'colour'?",
        ),
        (
            {"thickness": [1, 2, 3]},
            "columns of unequal lengths: 'color' 5, 'thickness' 3, 'image' 5",
        ),
        (
            {"thickness": np.ones((5, 1))},
            "node 'thickness': a column of shape (5, 1); expected one value a row",
        ),
        (
            {"image": PIXELS[:, :2]},
            "node 'image': images of shape (5, 2, 2, 2); expected (n, 3, 2, 2)",
        ),
        ({"image": PIXELS / 127.5 - 1}, None),
    ],
)
def test_data_that_do_not_fit_are_a_one_line_error(change, message):
    data = {name: column for name, column in {**COLUMNS, **change}.items() if column is not ...}
    with pytest.raises(DataError) as caught:
        Frame.read(data, GRAPH)
    assert "\n" not in str(caught.value)
    assert message is None or str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "data of type int; expected a DataFrame"),
        ("table.csv", "data of type str; expected a DataFrame"),
        ([(1, 2)], "row 0: a dataset's rows must be mappings"),
        (
            [{"color": 1, "thickness": 1.0}, {"color": 1}],
            r"row 1: fields \['color'\]; expected \['color', 'thickness'\]",
        ),
        ({"color": [], "thickness": []}, "the data have no rows"),
    ],
)
def test_what_is_no_table_is_refused(data, message):
    with pytest.raises(DataError, match=f"^{message}"):
        Frame.read(data, LABELS)


def test_a_graph_without_types_has_no_columns_to_read():
    with pytest.raises(DataError, match=r"^node 'a' has no type"):
        Frame.read({"a": [1], "b": [2]}, Graph(edges=["a -> b"]))
