"""Exact answers at the borders: impossible rows of a batch, joint laws too wide to write out."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import causalflow as cf

BATCH = """
graph: b
nodes:
  x: {type: class, levels: 2, table: [0.5, 0.5]}
  y: {type: class, levels: 3, table: {0: [0.6, 0.4, 0], 1: [0.2, 0.8, 0]}}
edges: [x -> y]
"""


def test_an_impossible_row_is_said_and_the_others_are_answered():
    answer = cf.compile(cf.loads(BATCH)).ask("P(x=1 | y)", y=[0, 2, 1, 2])
    assert [answer.value[0], answer.value[2]] == [Fraction(1, 4), Fraction(2, 3)]
    assert all(math.isnan(answer.value[row]) for row in (1, 3))
    assert answer.impossible == (1, 3)
    assert "row 1 is impossible (the evidence has probability zero: P(y=2) = 0)" in str(answer)
    shown = answer.table.to_dataframe()["exact"].tolist()
    assert shown == ["1/4", "impossible", "2/3", "impossible"]


@pytest.mark.parametrize("query", ["P(x | y)", "E[x | y]", "P(x[y=0]=1 | y)"])
def test_each_possible_row_has_the_answer_that_it_has_alone(query):
    model = cf.compile(cf.loads(BATCH))
    rows = [2, 0, 1, 2, 1, 0]
    together = model.ask(query, y=rows)
    values = together.table.to_numpy()
    for row, y in enumerate(rows):
        if y == 2:
            assert np.all(np.isnan(values[row]))
            with pytest.raises(cf.CausalflowError, match="probability zero"):
                model.ask(query, y=y)
        else:
            assert np.allclose(values[row], model.ask(query, y=y).table.to_numpy(), atol=1e-15)


def test_a_batch_of_impossible_rows_is_all_nan():
    answer = cf.compile(cf.loads(BATCH)).ask("P(x=1 | y)", y=[2, 2])
    assert answer.impossible == (0, 1)
    assert np.all(np.isnan(np.asarray(answer.value, dtype=float)))


def wide(noise, levels=90, parents=4):
    """A node of many levels whose joint law in three worlds has 729,000 probabilities, and laws."""
    random = np.random.default_rng(0)
    weights = random.integers(1, 9, size=(parents, levels))
    laws = [[Fraction(int(w), int(row.sum())) for w in row] for row in weights]
    nodes = {
        "x": {"type": "class", "levels": parents, "table": [Fraction(1, parents)] * parents},
        "y": {"type": "class", "levels": levels, "noise": noise, "table": dict(enumerate(laws))},
    }
    return cf.compile(cf.Graph(nodes=nodes, edges=["x -> y"])), laws


def overlap(laws, places):
    """How much the intervals of u have in common in which each law has its place."""
    low = max(sum(law[:k], start=Fraction(0)) for law, k in zip(laws, places, strict=True))
    high = min(sum(law[: k + 1], start=Fraction(0)) for law, k in zip(laws, places, strict=True))
    return max(high - low, Fraction(0))


@pytest.mark.parametrize("noise", ["response", "monotone"])
def test_one_cell_of_three_worlds_is_answered_however_many_there_are(noise):
    model, laws = wide(noise)
    for a, b, c in [(1, 1, 0), (5, 5, 5), (40, 41, 40), (89, 89, 88)]:
        answer = model.ask(f"P(y[x=1]={a}, y[x=2]={b} | x=0, y={c})").value
        if noise == "response":
            assert answer == laws[1][a] * laws[2][b]
        else:
            assert answer == overlap([laws[0], laws[1], laws[2]], (c, a, b)) / laws[0][c]


def test_a_column_of_evidence_takes_the_cells_of_its_rows_only():
    model, laws = wide("monotone")
    rows = [3, 4, 3, 88]
    found = model.ask("P(y[x=1]=4, y[x=2]=4 | x=0, y)", y=rows).value
    wanted = [overlap(laws[:3], (c, 4, 4)) / laws[0][c] for c in rows]
    assert [*map(float, found)] == pytest.approx([*map(float, wanted)], abs=1e-12)


def test_a_gumbel_of_three_worlds_adds_up_to_that_of_two():
    """Summed over the third world, cell by cell, the joint law is that of the two others."""
    model, _ = wide("gumbel", levels=6)
    for a, c in [(0, 0), (1, 3), (5, 2)]:
        two = model.ask(f"P(y[x=1]={a} | x=0, y={c})").value
        three = [
            model.ask(f"P(y[x=1]={a}, y[x=2]={b}, y[x=3]={b} | x=0, y={c})").value for b in range(6)
        ]
        both = [model.ask(f"P(y[x=1]={a}, y[x=2]={b} | x=0, y={c})").value for b in range(6)]
        assert sum(both) == two
        assert all(part <= whole for part, whole in zip(three, both, strict=True))


def test_a_wide_question_is_still_refused_before_anything_is_made():
    model, _ = wide("response")
    with pytest.raises(cf.CausalflowError, match="too wide"):
        model.ask("P(y[x=1], y[x=2], y[x=3] | x=0)")
