"""Networks: the real ones of the bnlearn repository, and random ones of a small treewidth.

pgmpy's wheel ships the real networks as ``.bif.gz``; nobody here wrote them. A random one is a
*partial k-tree*: every node's parents lie in one clique of a random k-tree, so that the moral graph
is part of that k-tree and its treewidth is at most k.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from causalflow.admg.parallel_worlds import twin_network
from causalflow.factors.plan import min_fill_order
from causalflow.graph.graph import Graph

NAMES = (
    *("asia", "sachs", "child", "insurance", "alarm", "hailfinder", "win95pts"),
    *("hepar2", "andes", "pigs", "link", "munin"),
)

_RECENT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """P(outcome | do(treatment), evidence)."""

    outcome: str
    treatment: str
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"P({self.outcome} | {', '.join([f'do({self.treatment})', *self.evidence])})"


def bnlearn(name: str) -> Path:
    """The file of a network, in pgmpy's wheel."""
    package = find_spec("pgmpy")
    if package is None or package.origin is None:
        raise SystemExit("benchmarks: pgmpy is not installed; pip install -e '.[benchmarks]'")
    path = Path(package.origin).parent / "utils" / "example_models" / f"{name}.bif.gz"
    if not path.exists():
        known = sorted(file.name.removesuffix(".bif.gz") for file in path.parent.glob("*.bif.gz"))
        raise SystemExit(f"benchmarks: unknown network '{name}'; expected one of {known}")
    return path


def questions(graph: Graph, count: int, seed: int, evidence: Sequence[int]) -> list[Question]:
    """For each of ``count`` random effects, a question with so many nodes as evidence, each."""
    random = np.random.default_rng(seed)
    found: list[Question] = []
    names = list(graph.nodes)
    while len(found) < count * len(evidence):
        treatment = names[random.integers(len(names))]
        below = sorted(graph.descendants(treatment) - {treatment})
        if not below:
            continue
        outcome = below[random.integers(len(below))]
        others = [name for name in names if name not in (treatment, outcome)]
        for size in evidence:
            chosen = random.choice(len(others), min(size, len(others)), replace=False)
            known = tuple(others[k] for k in sorted(chosen.tolist()))
            found.append(Question(outcome=outcome, treatment=treatment, evidence=known))
    return found


def random_network(nodes: int, k: int, seed: int) -> Graph:
    """A random network of two-level nodes with tables, of treewidth at most k.

    New nodes join one of the latest cliques, so that the last have nearly all as ancestors and
    little can be pruned. Noise is monotone, so that counterfactuals are defined; probabilities are
    hundredths.
    """
    random = np.random.default_rng(seed)
    cliques: list[tuple[int, ...]] = [tuple(range(k))]
    declared, edges = {}, []
    for place in range(nodes):
        recent = cliques[-_RECENT:]
        clique = recent[random.integers(len(recent))] if place >= k else tuple(range(place))
        count = min(len(clique), 1 + int(random.integers(3)))
        parents = sorted(random.choice(clique, count, replace=False).tolist()) if clique else []
        if place >= k:
            cliques += [(*(v for v in clique if v != out), place) for out in clique]
        edges += [f"v{parent} -> v{place}" for parent in parents]
        declared[f"v{place}"] = {
            "type": "class",
            "levels": 2,
            "noise": "monotone",
            "table": _table(len(parents), random),
        }
    return Graph(nodes=declared, edges=edges, name=f"random-{nodes}-{k}")


def _table(parents: int, random: np.random.Generator) -> object:
    """A random table in a graph file's form: nested by the parents' levels."""
    if parents:
        return {level: _table(parents - 1, random) for level in (0, 1)}
    p = int(random.integers(5, 96))
    return [f"{100 - p}/100", f"{p}/100"]


def elimination_width(graph: Graph, treatment: str | None = None) -> int:
    """An upper bound of the treewidth, by min-fill: of the network, or of its twin network.

    The twin has the factual world and that of ``do(treatment)``, and one explicit exogenous
    variable a node; the whole of it, nothing pruned.
    """
    if treatment is None:
        families = [{name, *graph.parents(name)} for name in graph.nodes]
    else:
        variables = twin_network(graph.admg, {treatment: 1}).variables
        fixed = {node for node, variable in variables.items() if variable.fixed}
        families = [
            {str(node), *variable.exogenous, *(str(p) for p in variable.parents if p not in fixed)}
            for node, variable in variables.items()
            if node not in fixed
        ]
    return _width(families)


def _width(families: Iterable[set[str]]) -> int:
    """The largest clique that min-fill elimination makes, less one."""
    scopes = [sorted(family) for family in families]
    number = {name: k for k, name in enumerate(sorted({n for scope in scopes for n in scope}))}
    numbered = [[number[name] for name in scope] for scope in scopes]
    near: dict[int, set[int]] = {v: set() for v in number.values()}
    for scope in numbered:
        for v in scope:
            near[v] |= set(scope) - {v}
    widest = 0
    for v in min_fill_order(numbered, dict.fromkeys(near, 2), ()):
        around = near.pop(v)
        widest = max(widest, len(around))
        for w in around:
            near[w] |= around - {w}
            near[w] -= {v}
    return widest
