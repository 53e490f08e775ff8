"""Batches of evidence on random models equal the enumeration of all worlds, row by row."""

import numpy as np
import pandas as pd
import pytest
from brute_force import Questions, brute_force, random_scm

from causalflow.exact.model import ExactModel


def keyed(table):
    """Cell (always a tuple) -> number, zeros left out."""
    return {
        cell if isinstance(cell, tuple) else (cell,): number
        for cell, number in table.to_dict(zeros=False).items()
    }


@pytest.mark.parametrize("seed", range(40))
def test_a_batch_of_evidence_is_answered_row_by_row(seed):
    scm = random_scm(1000 + seed)
    model = ExactModel(scm.graph)
    random = np.random.default_rng(seed)
    questions = Questions(scm, random)
    names = questions.some(questions.classes, 3)
    frame = pd.DataFrame({name: model.sample(12, generator=seed)[name] for name in names})
    outcome, world = questions.nodes[-1], questions.world(questions.classes)
    text = f"P({outcome}[{world}] | {', '.join(names)})"
    batch = model.ask(text, frame)
    assert batch.table.axes[0] == "row"
    for row, values in enumerate(frame.to_dict("records")):
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        expected = brute_force(scm, f"P({outcome}[{world}] | {given})")
        assert keyed(batch.table.at({"row": row})) == expected


@pytest.mark.parametrize("seed", range(20))
def test_counterfactual_tables_of_rows_equal_enumeration(seed):
    scm = random_scm(2000 + seed)
    model = ExactModel(scm.graph)
    random = np.random.default_rng(seed)
    questions = Questions(scm, random)
    evidence = {name: model.sample(5, generator=seed)[name] for name in questions.classes[-2:]}
    treatment, target = questions.classes[0], questions.nodes[-1]
    levels = random.integers(scm.sizes[treatment], size=5)
    answer = model.counterfactual(evidence, {treatment: levels}, [target])
    for row, level in enumerate(levels):
        given = ", ".join(f"{name}={column[row]}" for name, column in evidence.items())
        expected = brute_force(scm, f"P({target}[{treatment}={level}] | {given})")
        assert keyed(answer.table.at({"row": row})) == expected
