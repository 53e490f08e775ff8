"""Contest: the questions about one network, put to three engines in turns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.exact.networks import Question
from benchmarks.exact.peers import PEERS, Peer
from benchmarks.timing import interleaved
from causalflow.errors import CausalflowError
from causalflow.exact.model import ExactModel
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class

TURNS = 64
Row = dict[str, Any]


class Contest:
    """One network in three engines."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self._graph, self._seed = graph, seed
        self._sampler = ExactModel(graph, "float")
        self._peers: dict[str, Peer] = {name: make(graph) for name, make in PEERS.items()}

    def _evidence(self, question: Question, rows: int) -> list[dict[str, int]]:
        """Positions of x and e in rows drawn from P(v | do(x)), x uniform."""
        columns = self._columns(question, rows)
        return [{name: int(c[k]) for name, c in columns.items()} for k in range(rows)]

    def _columns(self, question: Question, rows: int) -> dict[str, np.ndarray[Any, Any]]:
        node = self._graph.nodes[question.treatment]
        random = np.random.default_rng(self._seed)
        assert isinstance(node, Class)
        x = random.integers(len(node.levels), size=rows)
        names = np.array(node.levels, dtype=object)
        drawn = self._sampler.sample(rows, do={question.treatment: names[x]}, generator=self._seed)
        return {name: drawn[name] for name in (question.treatment, *question.evidence)}

    def _named(self, places: dict[str, Any]) -> dict[str, Any]:
        """Levels for positions: a name that is a number is a name first."""
        levels = {name: self._graph.nodes[name].levels for name in places}  # type: ignore[union-attr]
        return {name: np.array(levels[name], dtype=object)[place] for name, place in places.items()}

    def question(self, question: Question, repeats: int) -> Row:
        """Seconds of the first and the repeated call, and the disagreement."""
        rows, text = self._evidence(question, TURNS), str(question)
        named = [self._named(row) for row in rows]
        answers: dict[str, Any] = {}

        def first() -> None:
            answers["model"] = model = ExactModel(self._graph)
            answers["causalflow"] = model.ask(text, named[0]).table.to_numpy()

        def peer_first(name: str) -> Callable[[], None]:
            def call() -> None:
                peer = self._peers[name]
                answers[name] = peer.first(question.outcome, question.treatment, rows[0])

            return call

        record: Row = {"question": text}
        try:
            first()
        except CausalflowError as error:
            return record | {"refused": str(error)}
        calls = {"causalflow": first} | {name: peer_first(name) for name in self._peers}
        record["first"] = interleaved(calls, max(3, repeats // 3), budget=20)
        record["disagreement"] = self._spread(answers)
        turn = {name: count(1) for name in calls}

        def again() -> None:
            answers["model"].ask(text, named[next(turn["causalflow"]) % TURNS])

        def peer_again(name: str) -> Callable[[], None]:
            def call() -> None:
                places = rows[next(turn[name]) % TURNS]
                self._peers[name].again(question.outcome, question.treatment, places)

            return call

        calls = {"causalflow": again} | {name: peer_again(name) for name in self._peers}
        for call in calls.values():  # ours makes its table in the second call
            call()
        record["again"] = interleaved(calls, repeats, budget=20)
        return record

    def batch(self, question: Question, rows: int, peer_seconds: float) -> Row:
        """Seconds for all rows; a peer's are extrapolated from those it does in some seconds."""
        columns, text = self._columns(question, rows), str(question)
        named = self._named(columns)
        distinct = len(np.unique(np.stack(list(columns.values())), axis=1).T)
        record: Row = {"question": text, "rows": rows, "distinct": distinct}
        try:
            seconds = []
            for _ in range(3):
                model = ExactModel(self._graph)
                start, cpu = perf_counter(), process_time()
                table = model.ask(text, named).table.to_numpy()
                seconds.append((perf_counter() - start, process_time() - cpu))
        except CausalflowError as error:
            return record | {"refused": str(error)}
        record["seconds"] = {"causalflow": median(wall for wall, _ in seconds)}
        record["cpu"] = median(cpu for _, cpu in seconds)
        worst, done = 0.0, {}
        for name, peer in self._peers.items():
            cells = {key: int(column[0]) for key, column in columns.items()}
            peer.first(question.outcome, question.treatment, cells)
            start, done[name] = perf_counter(), 0
            while done[name] < rows and perf_counter() - start < peer_seconds:
                cells = {key: int(column[done[name]]) for key, column in columns.items()}
                found = peer.again(question.outcome, question.treatment, cells)
                worst = max(worst, float(np.abs(found - table[done[name]]).max()))
                done[name] += 1
            record["seconds"][name] = (perf_counter() - start) / done[name] * rows
        return record | {"timed_rows": done, "disagreement": worst}

    def _spread(self, answers: dict[str, Any]) -> float:
        ours = answers["causalflow"]
        return max(float(np.abs(answers[name] - ours).max()) for name in self._peers)
