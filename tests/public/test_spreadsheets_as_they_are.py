"""A spreadsheet as people keep one: cells that show no number, names of words, rows left."""

import json

import numpy as np
import pytest

import causalflow as cf

GRAPH = cf.loads(
    "graph: g\nnodes:\n"
    "  dose: {type: continuous}\n  drug given: {type: class, levels: [No, Yes]}\n"
    'edges:\n  - dose -> "drug given"\n'
)


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("79,002", "thousands carry no separator, decimals a point"),
        ("1,234,567.5", "thousands carry no separator, decimals a point"),
        ("2023-01-05", "a date goes in as a number, such as days"),
        (np.datetime64("2023-01-05"), "a date goes in as a number, such as days"),
        ("5/1/2023", "a date goes in as a number, such as days"),
        ("?", "leave the cell empty where nothing is known"),
        ("Unknown", "leave the cell empty where nothing is known"),
        ("12 %", "write the number without the percent sign"),
    ],
)
def test_a_cell_that_shows_no_number_is_refused_with_what_to_write(cell, remedy):
    rows = {"dose": np.array([1.5, cell], dtype=object), "drug given": ["Yes", "No"]}
    with pytest.raises(cf.CausalflowError, match=rf"row 1: not a number: .*; {remedy}$"):
        cf.compile(GRAPH).fit(rows, progress=False)


def test_part_of_a_name_of_several_words_is_refused_with_the_name_in_quotes():
    for text in ("P(drug=Yes | dose=1)", "TE(dose=1/0 -> drug)"):
        with pytest.raises(cf.CausalflowError, match="of several words is quoted: 'drug given'"):
            cf.identify(GRAPH, text)


def test_rows_of_a_file_that_are_not_taken_are_told(tmp_path, cli):
    text = "graph: g\nnodes:\n  x: {type: continuous}\n  y: {type: continuous, noise: linear}\n"
    random = np.random.default_rng(0)
    x = random.normal(size=30)
    lines = [f"{a:.4f},{b:.4f}" for a, b in zip(x, x + random.normal(size=30), strict=True)]
    (tmp_path / "rows.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    model = cf.compile(cf.loads(text + "edges:\n  - x -> y\n"))
    model.fit({"x": x, "y": x + random.normal(size=30)}, progress=False)
    model.save(tmp_path / "m.safetensors")
    words = ["counterfactual", str(tmp_path / "m.safetensors"), "--do", "x=0"]
    words += ["--data", str(tmp_path / "rows.csv")]
    assert "the first 8 of 30 rows; --rows 30 takes all" in cli(*words).out
    assert "takes all" not in cli(*words, "--rows", "30").out


def test_a_column_without_any_value_is_refused_by_its_name():
    rows = {"dose": [np.nan] * 30, "drug given": ["Yes", "No"] * 15}
    with pytest.raises(cf.CausalflowError, match="node 'dose': every row is missing; leave it out"):
        cf.compile(GRAPH).fit(rows, progress=False, steps=5)


def test_a_curve_over_a_column_of_one_value_is_refused():
    nodes = "  x: {type: continuous}\n  y: {type: continuous}\n"
    graph = cf.loads(f"graph: g\nnodes:\n{nodes}edges:\n  - x -> y\n")
    rows = {"x": [2.0] * 60, "y": np.random.default_rng(0).normal(size=60)}
    with pytest.raises(cf.CausalflowError, match="every row has one value of 'x'"):
        cf.identify(graph, "E[y | do(x)]").estimate(rows)


def test_json_of_an_estimate_names_every_assumption_that_the_text_names(tmp_path, cli):
    random = np.random.default_rng(0)
    x, z = random.integers(0, 2, 200), random.normal(size=200)
    y = [f"{each:.3f}" for each in x + z + random.normal(size=200)]
    y[::9] = [""] * len(y[::9])
    cells = [f"{a},{b:.3f},{c}" for a, b, c in zip(x, z, y, strict=True)]
    (tmp_path / "rows.csv").write_text("x,z,y\n" + "\n".join(cells) + "\n")
    nodes = "{x: {type: class, levels: 2}, z: {type: continuous}, y: {type: continuous}}"
    (tmp_path / "g.yaml").write_text(f"nodes: {nodes}\nedges: [x -> y, z -> x, z -> y]\n")
    (tmp_path / "two.csv").write_text("x,y\n" + "0,1\n1,1\n1,\n0,0\n" * 20)
    (tmp_path / "two.yaml").write_text("edges: [x -> y]\n")
    for graph, rows in (("g.yaml", "rows.csv"), ("two.yaml", "two.csv")):
        asked = ("estimate", graph, "ATE(x -> y)", "--data", rows, "--learners", "linear")
        said, told = cli(*asked), json.loads(cli(*asked, "--json").out)
        notes = [line.removeprefix("note: ") for line in said.out.splitlines() if "note: " in line]
        assert notes == told["assumptions"]
        assert "cells of 'y' are missing completely at random" in notes
