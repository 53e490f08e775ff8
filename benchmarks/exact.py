"""Exact inference beside pgmpy and pyAgrum: the first call, the repeated call, 100,000 rows.

    python -m benchmarks.exact                         about ten minutes; the committed results
    python -m benchmarks.exact --networks asia --repeats 3 --rows 1000 --no-large --out results

What is timed is in the header of the printed report. Contestants take turns in one process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import click
import numpy as np

from benchmarks.networks import NAMES, Question, bnlearn, questions
from benchmarks.peers import PEERS, Peer
from benchmarks.report import machine, markdown
from benchmarks.scale import large_networks, many_rows
from benchmarks.timing import interleaved
from causalflow.discrete.scm import ExactModel
from causalflow.errors import CausalFlowError
from causalflow.graph.graph import Graph
from causalflow.graph.reader import load

TURNS = 64
TOLERANCE = 1e-7
Row = dict[str, Any]


@click.command(context_settings={"max_content_width": 100})
@click.option("--networks", "-n", multiple=True, default=NAMES, help="Networks (default: twelve).")
@click.option("--effects", default=5, show_default=True, help="Random pairs x, y a network.")
@click.option("--repeats", default=15, show_default=True, help="Turns of each contestant.")
@click.option("--rows", default=100_000, show_default=True, help="Rows of a batch of evidence.")
@click.option("--peer-seconds", default=4.0, show_default=True, help="For a peer's share of them.")
@click.option("--seed", default=0, show_default=True, help="Of questions, rows, random networks.")
@click.option("--large/--no-large", default=True, help="The random networks and the 10^6 rows.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(__file__).parent / "results",
    show_default="benchmarks/results",
    help="Where exact.json and exact.md are written.",
)
def main(
    networks: Sequence[str],
    effects: int,
    repeats: int,
    rows: int,
    peer_seconds: float,
    seed: int,
    large: bool,
    out: Path,
) -> None:
    """Time P(y | do(x)) and P(y | do(x), e) on real Bayesian networks, three engines in turns.

    Needs the extra: pip install -c constraints.txt -e ".[benchmarks]". Every answer is compared, on
    the first call and on the batch; a disagreement above 1e-7 ends the run with exit code 1.

    Example: python -m benchmarks.exact -n asia -n alarm --repeats 5 --rows 10000 --no-large
    """
    arguments: dict[str, Any] = {"effects": effects, "repeats": repeats, "rows": rows}
    arguments |= {"peer-seconds": peer_seconds, "seed": seed}
    result: dict[str, Any] = {"machine": machine(), "arguments": arguments, "networks": []}
    for name in networks:
        graph = load(bnlearn(name))
        contest = _Contest(graph, seed)
        asked = [contest.question(q, repeats) for q in questions(graph, effects, seed, (0, 2))]
        deep = contest.question(questions(graph, 1, seed + 1, (8,))[0], repeats)
        batch = contest.batch(questions(graph, 1, seed + 1, (8,))[0], rows, peer_seconds)
        found = {"network": name, "nodes": len(graph.nodes)} | {"batch": batch}
        result["networks"].append(found | {"questions": asked, "eight": deep})
        click.echo(markdown({**result, "networks": result["networks"][-1:]}, part="line"), nl=False)
    if large:
        result |= {"large": large_networks(seed), "many": many_rows(seed)}
    out.mkdir(parents=True, exist_ok=True)
    (out / "exact.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "exact.md").write_text(markdown(result), encoding="utf-8")
    click.echo("\n" + markdown(result))
    worst = max(_disagreements(result["networks"]), default=0.0)
    if worst > TOLERANCE:
        raise SystemExit(f"benchmarks: the engines disagree by {worst:.1e}, above {TOLERANCE:.0e}")


def _disagreements(networks: Sequence[Row]) -> list[float]:
    records = [each for row in networks for each in (*row["questions"], row["eight"], row["batch"])]
    return [each["disagreement"] for each in records if "disagreement" in each]


class _Contest:
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
        x = random.integers(len(node.levels), size=rows)  # type: ignore[union-attr]
        names = np.array(node.levels, dtype=object)  # type: ignore[union-attr]
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
        except CausalFlowError as error:
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
        except CausalFlowError as error:
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


if __name__ == "__main__":
    main()
