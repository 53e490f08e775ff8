"""Programs: what is given row by row, small numbers, and torch as the backend."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from causalflow.errors import EvidenceError
from causalflow.exact.model import ExactModel
from causalflow.factors.rows import joined, of_column
from causalflow.graph.graph import Graph
from causalflow.model.tensors import Tensors


def network(seed: int, nodes: int = 9) -> Graph:
    """A random network of tables; every node has up to three of the four nodes before it."""
    random = np.random.default_rng(seed)
    declared, edges = {}, []
    for place in range(nodes):
        above = range(max(0, place - 4), place)
        parents = sorted(random.permutation(above)[: random.integers(0, 4)].tolist())
        edges += [f"v{parent} -> v{place}" for parent in parents]
        declared[f"v{place}"] = {"type": "class", "levels": 3, "table": table(len(parents), random)}
    return Graph(nodes=declared, edges=edges)


def table(parents: int, random: np.random.Generator) -> object:
    if parents:
        return {level: table(parents - 1, random) for level in range(3)}
    counts = random.integers(1, 9, size=3)
    return [f"{count}/{counts.sum()}" for count in counts.tolist()]


def batch(model: ExactModel, names: list[str], rows: int) -> dict[str, np.ndarray]:
    drawn = model.sample(rows, generator=4)
    return {name: drawn[name] for name in names}


@pytest.mark.parametrize("seed", range(6))
def test_each_row_of_a_batch_has_the_answer_of_its_evidence_alone(seed, monkeypatch):
    monkeypatch.setattr("causalflow.exact.prepared._BATCH_CELLS", 0)  # no table of all evidence
    graph = network(seed)
    model = ExactModel(graph, "float")
    known = batch(model, ["v1", "v3", "v4", "v6", "v8"], 200)
    found = model.ask("P(v7 | do(v2=1), v1, v3, v4, v6, v8)", known).table.to_numpy()
    for row in range(0, 200, 20):
        single = {name: int(column[row]) for name, column in known.items()}
        alone = ExactModel(graph, "fraction").ask("P(v7 | do(v2=1), v1, v3, v4, v6, v8)", single)
        # nine factors in float64: a few roundings
        np.testing.assert_allclose(found[row], alone.table.to_numpy(), atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_the_table_of_all_evidence_gives_the_same_as_asking(seed):
    graph = network(seed)
    model = ExactModel(graph)
    known = batch(model, ["v1", "v4"], 60)
    fresh = [
        ExactModel(graph).ask("P(v7 | do(v2), v1, v4)", v2=k % 3, v1=a, v4=b).table.to_dict()
        for k, (a, b) in enumerate(product(range(3), repeat=2))
    ]
    again = [
        model.ask("P(v7 | do(v2), v1, v4)", v2=k % 3, v1=a, v4=b).table.to_dict()
        for k, (a, b) in enumerate(product(range(3), repeat=2))
    ]
    assert again == fresh
    rows = model.ask("P(v7 | do(v2), v1, v4)", known, v2=1).table
    for row in range(60):
        one = model.ask(
            "P(v7 | do(v2), v1, v4)", v2=1, **{n: int(c[row]) for n, c in known.items()}
        )
        assert rows.at({"row": row}).to_dict() == one.table.to_dict()


def test_impossible_evidence_is_named_after_the_table_was_made():
    nodes = {
        "x": {"type": "class", "levels": 2, "table": [0.5, 0.5]},
        "y": {"type": "class", "levels": 2, "table": {0: [1, 0], 1: [1, 0]}},
    }
    model = ExactModel(Graph(nodes=nodes, edges=["x -> y"]))
    for _ in range(3):
        assert model.ask("P(x=1 | y)", y=0).value == 0.5
    with pytest.raises(EvidenceError, match="probability zero"):
        model.ask("P(x=1 | y)", y=1)
    answer = model.ask("P(x=1 | y)", y=np.array([0, 1, 0]))
    assert [*map(float, answer.value[[0, 2]])] == [0.5, 0.5]
    assert np.isnan(answer.value[1])
    assert answer.impossible == (1,)
    assert "row 1 is impossible (the evidence has probability zero: P(y=1) = 0)" in str(answer)


def test_rows_whose_probabilities_differ_by_hundreds_of_digits_do_not_underflow():
    """Naive Bayes with 300 leaves: P(e) is about 1e-600 in one row, about 0.4 in another."""
    leaves = [f"e{k}" for k in range(300)]
    rare = {0: [0.999, 0.001], 1: [0.99, 0.01]}
    nodes = {
        "c": {"type": "class", "levels": 2, "table": [0.5, 0.5]},
        **{leaf: {"type": "class", "levels": 2, "table": rare} for leaf in leaves},
    }
    model = ExactModel(Graph(nodes=nodes, edges=[f"c -> {leaf}" for leaf in leaves]), "float")
    seen = np.zeros((3, 300), dtype=np.int64)
    seen[1] = 1
    seen[2, :10] = 1
    query = f"P(c=1 | {', '.join(leaves)})"
    counts = seen.sum(axis=1)
    logs = counts * np.log(10.0) + (300 - counts) * np.log(0.99 / 0.999)
    truth = 1 / (1 + np.exp(-logs))
    for backend in (None, Tensors("cpu")):
        model = ExactModel(model.graph, "float", backend=backend)
        found = model.ask(query, dict(zip(leaves, seen.T, strict=True))).value
        np.testing.assert_allclose(found, truth, rtol=1e-10)  # 300 roundings of 1e-16
        single = model.ask(query, dict(zip(leaves, seen[1].tolist(), strict=True))).value
        assert single == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_torch_gives_what_numpy_gives(seed, monkeypatch):
    monkeypatch.setattr("causalflow.exact.prepared._BATCH_CELLS", 0)
    graph = network(seed)
    model = ExactModel(graph, "float")
    torch_model = ExactModel(graph, "float", backend=Tensors("cpu"))
    known = batch(model, ["v0", "v3", "v6", "v8"], 300)
    for query, given in (
        ("P(v7, v2 | v0, v3, v6, v8)", known),
        ("P(v8 | do(v4))", {}),
        ("E[v7 | do(v5), v3]", {"v3": known["v3"]}),
    ):
        found, truth = (each.ask(query, given).table for each in (torch_model, model))
        assert found.allclose(truth, atol=1e-12)


def test_combinations_of_columns_are_those_that_occur():
    random = np.random.default_rng(0)
    columns = [random.integers(-1, 3, size=500) for _ in range(3)]
    rows = of_column(columns[0])
    for column in columns[1:]:
        rows = joined(rows, of_column(column))
    cells = list(zip(*(column.tolist() for column in columns), strict=True))
    for code, cell in zip(rows.codes.tolist(), cells, strict=True):
        assert cells[rows.first[code]] == cell
    assert len(rows.first) == len(set(cells))
