"""Two thousand random models, every kind of question: the engine against the definition.

`finite_models` solves every world in every exogenous combination; the noise of a table is written
out there as an exogenous variable. Fractions are asked all the questions, floats every other one,
so that each kind meets floats on a thousand models: that halves the time, most of which goes into
reading questions and planning.
"""

from collections import Counter

import numpy as np
import pytest
from finite_models import random_model, with_tables
from questions import Questions, probability

from causalflow.errors import EvidenceError
from causalflow.exact.model import ExactModel
from causalflow.graph.graph import Graph

BLOCKS = 20
BLOCK = 100
ROUNDING = 1e-12  # sums of a few hundred products of float64 numbers below 10
KINDS = {
    *("observational", "interventional", "conditional_interventional", "counterfactual"),
    *("interventional_for_every_level", "counterfactual_for_every_level", "several_worlds"),
    *("nested", "expectation", "posterior", "PN", "PS", "PNS", "ETT", "NDE", "NIE"),
}


def cells(table):
    """Cell, always a tuple -> number; zeros left out."""
    found = table.to_dict(zeros=False)
    one = len(table.axes) == 1
    return {(cell,) if one else cell: number for cell, number in found.items()}


def hold(expected, table, exact, question):
    """Fractions are the fractions, floats are theirs but for rounding."""
    found = cells(table)
    assert table.is_exact == exact
    if exact:
        assert found == {cell: p for cell, p in expected.items() if p}, question
        return
    error = (abs(found.get(c, 0.0) - float(expected.get(c, 0))) for c in found | expected)
    assert max(error, default=0.0) <= ROUNDING, question


def asked(models, question, expected):
    """Whether the question has an answer; it is the expected one, or the error is."""
    for exact, model in models.items():
        if expected is None:
            with pytest.raises(EvidenceError, match=r"the evidence has probability zero: P\(.*= 0"):
                model.ask(question.asked)
        else:
            hold(expected, model.ask(question.asked).table, exact, question)
    return expected is not None


def by_row(models, questions):
    """A batch of evidence, and a table of counterfactuals under a level a row."""
    text, rows, singles = questions.batch(3)
    for exact, model in models.items():
        table = model.ask(text, rows).table
        for row, single in enumerate(singles):
            hold(single.answer(questions.model), table.at({"row": row}), exact, single)
    treatment, target = questions.classes[0], questions.nodes[-1]
    levels = questions.random.integers(questions.model.sizes[treatment], size=3)
    for exact, model in models.items():
        table = model.distribution(rows, {treatment: levels}, [target]).table
        for row, level in enumerate(levels.tolist()):
            given = [(name, (), column[row]) for name, column in rows.items()]
            single = probability([(target, ((treatment, level),), None)], given)
            hold(single.answer(questions.model), table.at({"row": row}), exact, single)


@pytest.mark.parametrize("block", range(BLOCKS + 1))
def test_every_kind_of_question_is_answered_as_by_enumeration(block):
    answered = Counter()
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        random = np.random.default_rng(seed)
        model = random_model(random) if block < BLOCKS else with_tables(random)
        graph = Graph(**model.declaration)
        fractions = {True: ExactModel(graph, "fraction")}
        both = {**fractions, False: ExactModel(graph, "float")}
        questions = Questions(model, random)
        for place, (kind, question) in enumerate(questions.every(), start=seed):
            models = both if place % 2 else fractions
            answered[kind] += asked(models, question, question.answer(model))
        by_row(both if seed % 2 else fractions, questions)
    assert answered.keys() == KINDS
    assert min(answered.values()) > BLOCK / 2
