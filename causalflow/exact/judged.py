"""Judged: a question to a graph that is a finite model, answered with what the answer rests on."""

from __future__ import annotations

from dataclasses import replace

from causalflow.exact.model import ExactModel
from causalflow.exact.verification import missing_support
from causalflow.graph.graph import Graph
from causalflow.identify.judgement import Judgement
from causalflow.query.answer import Answer
from causalflow.query.known import Evidence

__all__ = ["judged_answer"]


def judged_answer(graph: Graph, query: str, given: Evidence | None = None) -> Answer:
    """The exact answer, and whether data would tell it.

    Args:
        graph: a finite model.
        query: the question.
        given: values of conditions and interventions that it leaves free.

    Raises:
        CompileError: the graph is no finite model.
        QueryError: the question cannot be read, or does not fit the graph.
        EvidenceError: what is known cannot be.

    Example:
        >>> coin = {"type": "class", "levels": 2, "table": ["1/3", "2/3"]}
        >>> print(judged_answer(Graph(nodes={"x": coin}), "P(x=1)"))
        P(x=1) = 2/3
    """
    model = ExactModel(graph)
    answer = model.ask(query, given or {})
    judgement = Judgement(graph, answer.query)
    verdict = judgement.verdict
    empty = missing_support(model, verdict) if verdict and not given else ()
    notes = (f"positivity fails: {each}: the answer rests on the model" for each in empty)
    return replace(answer, judgement=judgement, notes=(*answer.notes, *notes))
