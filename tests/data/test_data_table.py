from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import causalflow as cf
from causalflow.data.files import read_table
from causalflow.data.frame import Frame
from causalflow.errors import DataError

NODES = {
    "grade": {"type": "class", "levels": ["None", "NA", "01"]},
    "order": {"type": "class", "levels": ["2", "1"]},
    "size": {"type": "continuous"},
}


def test_levels_keep_the_spelling_they_have_in_the_file(tmp_path):
    (tmp_path / "t.csv").write_text("grade,order,size\nNone,2,1\nNA,1,NA\n01,2,\n,,2e1\n")
    frame = Frame.read(read_table(tmp_path / "t.csv"), cf.Graph(nodes=NODES))
    assert frame.columns["grade"].tolist() == [0, 1, 2, -1]
    assert frame.columns["order"].tolist() == [0, 1, 0, -1]
    assert frame.columns["size"].nan_to_num(-1).tolist() == [1, -1, -1, 20]


def test_a_row_that_ends_early_is_refused_and_named(tmp_path):
    (tmp_path / "t.csv").write_text("grade,size\n\nNA,1\nNA\n")
    with pytest.raises(DataError, match=r"t.csv:4: .*: 1 cells; the header names 2 columns"):
        read_table(tmp_path / "t.csv")


def test_a_row_with_too_many_cells_is_refused_and_shifts_nothing(tmp_path):
    (tmp_path / "t.csv").write_text("grade,size\n1,NA,3\n2,NA,4\n")
    with pytest.raises(DataError, match=r"t.csv:2: no readable CSV file: 3 cells"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_row_of_other_marks_and_another_length_is_named(tmp_path, mark):
    file = tmp_path / "rows.csv"
    file.write_text(f"x{mark}y\n1{mark}0{mark}5\n")
    with pytest.raises(DataError, match=r"rows\.csv:2: .*3 cells; the header names 2 columns"):
        read_table(file)


def test_columns_of_numbers_are_held_as_numbers_and_say_where_one_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("causalflow.data.files._AT_ONCE", 4)
    rows = [["1.5"], [""], ["NA"], ["-2e3"], ["7"], ["nan"], [" 3 "]]
    table = tmp_path / "t.csv"
    table.write_text("size\n" + "\n".join(f'"{cell}"' for (cell,) in rows) + "\n")
    found = read_table(table, ["size"])
    assert found["size"].dtype == "float64"
    assert found["size"].fillna(-1).tolist() == [1.5, -1, -1, -2000, 7, -1, 3]
    graph = cf.Graph(nodes={"size": NODES["size"]})
    table.write_text(table.read_text().replace("nan", "1_0"))
    with pytest.raises(DataError, match=r"t\.csv:7: node 'size', row 5: not a number: '1_0'$"):
        Frame.read(read_table(table, ["size"]), graph)


def test_a_table_of_numbers_takes_the_memory_of_its_numbers(tmp_path):
    rows, columns = 60_000, 4
    names = [f"v{k}" for k in range(columns)]
    numbers = np.random.default_rng(0).normal(size=(rows, columns))
    pd.DataFrame(numbers, columns=names).to_csv(tmp_path / "t.csv", index=False)
    tracemalloc.start()
    try:
        found = read_table(tmp_path / "t.csv", names)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.to_numpy() == pytest.approx(numbers)
    assert peak < 40 * rows * columns  # 8 bytes a number and the texts of some rows; 80 as text
