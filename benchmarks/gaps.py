"""Rows with empty cells: the error of a fit beside that of the full rows, on random networks.

python -m benchmarks.gaps     two minutes of CPU; writes results/gaps.md
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import click
import numpy as np
from scipy.linalg import block_diag

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.markdown import markdown

NODES, ROWS, NETWORKS = 8, 5_000, 20
SHARES = (0.1, 0.2, 0.3, 0.4)
Array = np.ndarray[Any, np.dtype[Any]]
HEAD = """# Rows with empty cells

{networks} random networks of {nodes} class nodes of 2 or 3 levels and up to two parents, laws drawn
evenly and kept .05 from 0, and {rows:,} rows of each. The first two columns are full, and what they
show decides, by logistic functions of slope 2, whether a cell of another column is empty: missing
at random, the same share of every such column. Errors are root mean squares against the truth: of
the tables' cells, weighted by how often the parents have these values, and of P(y | do(x)) over all
pairs of nodes. *Full* is the fit to the rows before any cell was emptied; *whole rows* the fit to
the rows without an empty cell. The ratio is that of the two columns before it. Every network is
emptied by every share.

*Floor*: what no estimate falls below on average, by the bound of van Trees (Cramer-Rao's, with the
prior): the inverse of the information that the rows show, sum over rows of s s^T, s the gradient of
a row's log-likelihood at the true tables, and of the even law from which these were drawn, which
tells as much as a row of each level does. Its root mean square, as above; its ratio is what the
empty cells cost whatever one does.
Command: `{command}`.
"""


class Network:
    """A random network of classes: v0, v1, ... in topological order."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.names = [f"v{k}" for k in range(NODES)]
        self.levels = {name: int(rng.integers(2, 4)) for name in self.names}
        self.parents = {
            name: [self.names[j] for j in sorted(rng.permutation(k)[: rng.integers(3)])]
            for k, name in enumerate(self.names)
        }
        self.laws = {name: self._law(name, rng) for name in self.names}

    def _law(self, name: str, rng: np.random.Generator) -> Array:
        """P(name | parents), the parents' axes first."""
        sizes = [self.levels[parent] for parent in self.parents[name]]
        law = rng.dirichlet(np.ones(self.levels[name]), size=sizes or None)
        return 0.05 + (1 - 0.05 * self.levels[name]) * law

    @property
    def graph(self) -> cf.Graph:
        nodes = {name: {"type": "class", "levels": size} for name, size in self.levels.items()}
        return cf.Graph(
            nodes=nodes, edges=[f"{p} -> {name}" for name in self.names for p in self.parents[name]]
        )

    def rows(self, rng: np.random.Generator) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for name in self.names:
            law = self.laws[name][tuple(found[p] for p in self.parents[name])]
            cumulative = np.broadcast_to(law, (ROWS, self.levels[name])).cumsum(axis=1)
            found[name] = (rng.random((ROWS, 1)) > cumulative[:, :-1]).sum(axis=1)
        return found

    def joint(self, laws: Mapping[str, Array], do: Mapping[str, int]) -> Array:
        """P(v | do), an axis a node."""
        letters = {name: chr(97 + k) for k, name in enumerate(self.names)}
        scopes, tables = [], []
        for name in self.names:
            if name in do:
                scopes.append(letters[name])
                tables.append(np.eye(self.levels[name])[do[name]])
            else:
                scopes.append("".join(letters[p] for p in (*self.parents[name], name)))
                tables.append(laws[name])
        result: Array = np.einsum(",".join(scopes) + "->" + "".join(letters.values()), *tables)
        return result

    def effects(self, laws: Mapping[str, Array]) -> Array:
        """P(y | do(x)) of all pairs, in one row."""
        found = []
        for k, x in enumerate(self.names):
            for level in range(self.levels[x]):
                joint = self.joint(laws, {x: level})
                for at in range(k + 1, NODES):
                    found.append(joint.sum(axis=tuple(n for n in range(NODES) if n != at)))
        return np.concatenate(found)

    def weights(self, name: str) -> Array:
        """How often the parents have each of their values."""
        joint, own = self.joint(self.laws, {}), [self.names.index(p) for p in self.parents[name]]
        left: Array = joint.sum(axis=tuple(n for n in range(NODES) if n not in own))
        return left

    def floor(self, rows: Mapping[str, Array]) -> float:
        """The mean square error of tables that the information in some rows allows at best."""
        states = np.indices([self.levels[name] for name in self.names]).reshape(NODES, -1)
        chances = self.joint(self.laws, {}).ravel()
        cells, maps = [], []
        for name in self.names:
            law = self.laws[name].reshape(-1, self.levels[name])
            places = np.ravel_multi_index(
                [states[self.names.index(each)] for each in (*self.parents[name], name)],
                self.laws[name].shape,
            )
            for k, shares in enumerate(law):
                kept = places // len(shares) == k
                cells.append(np.eye(len(shares))[places % len(shares)] * kept[:, None])
                cells[-1] -= kept[:, None] * shares
                maps.append(np.diag(shares) - np.outer(shares, shares))
        turned = block_diag(*maps)
        prior = block_diag(*(len(each) * each for each in maps))
        information = self._information(rows, states, chances, np.hstack(cells)) + prior
        variances = np.diag(turned @ np.linalg.pinv(information, hermitian=True) @ turned)
        return self._weighted(variances)

    def _information(
        self, rows: Mapping[str, Array], states: Array, chances: Array, scores: Array
    ) -> Array:
        """The sum over rows of s s^T; a row's s is the mean score of the states that it allows."""
        shown = np.stack([rows[name] for name in self.names])
        distinct, counts = np.unique(shown, axis=1, return_counts=True)
        found = np.zeros((scores.shape[1], scores.shape[1]))
        for part in np.array_split(np.arange(len(counts)), 1 + len(counts) // 200):
            row = distinct[:, part, None]
            allowed = ((row < 0) | (row == states[:, None])).all(axis=0) * chances
            own = allowed @ scores / allowed.sum(axis=1, keepdims=True)
            found += own.T @ (own * counts[part, None])
        return found

    def _weighted(self, variances: Array) -> float:
        """The mean over tables of a number for each of their cells, weighted as errors are."""
        means, start = [], 0
        for name in self.names:
            law = self.laws[name]
            part = variances[start : start + law.size].reshape(law.shape)
            means.append((self.weights(name)[..., None] * part).mean(axis=-1).sum())
            start += law.size
        return float(np.mean(means))

    def errors(self, rows: Mapping[str, Array]) -> tuple[float, float]:
        """Mean square errors of tables and of effects, of the model that is fitted to some rows."""
        model = cf.compile(self.graph)
        model.fit(dict(rows), progress=False)
        laws = {}
        for name, node in model.explicit.nodes.items():
            table = [[float(p) for p in law] for _, law in node.table or ()]
            laws[name] = np.reshape(table, self.laws[name].shape)
        squares = [
            (self.weights(name)[..., None] * (laws[name] - self.laws[name]) ** 2)
            .mean(axis=-1)
            .sum()
            for name in self.names
        ]
        effects = (self.effects(laws) - self.effects(self.laws)) ** 2
        return float(np.mean(squares)), float(effects.mean())


def emptied(rows: Mapping[str, Array], share: float, rng: np.random.Generator) -> dict[str, Array]:
    """The rows with empty cells, which the first two columns alone decide."""
    first, second, *others = rows
    found = dict(rows)
    for name in others:
        slopes = 2 * rng.choice([-1, 1], size=2)
        pull = slopes[0] * rows[first] + slopes[1] * rows[second]
        empty = rng.random(len(pull)) < 1 / (1 + np.exp(-pull - _start(pull, share)))
        found[name] = np.where(empty, -1, rows[name])
    return found


def _start(pull: Array, share: float) -> float:
    """The intercept with which the mean probability is the share, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        above = (1 / (1 + np.exp(-pull - middle))).mean() > share
        low, high = (low, middle) if above else (middle, high)
    return low


@click.command()
@click.option(
    "--networks", default=NETWORKS, show_default=True, help="How many, by seeds 0, 1, ..."
)
def main(networks: int) -> None:
    """Measure, and write results/gaps.md."""
    found: dict[float, list[list[tuple[float, ...]]]] = defaultdict(list)
    begun = time.process_time()
    for seed in range(networks):
        rng = np.random.default_rng(seed)
        network = Network(rng)
        full = network.rows(rng)
        whole_fit = (*network.errors(full), network.floor(full))
        for share in SHARES:
            gaps = emptied(full, share, rng)
            whole = np.stack(list(gaps.values())).min(axis=0) >= 0
            kept = {name: column[whole] for name, column in full.items()}
            with_gaps = (*network.errors(gaps), network.floor(gaps))
            found[share].append([whole_fit, with_gaps, (*network.errors(kept), np.nan)])
            click.echo(f"{seed} {share:.0%} {np.sqrt(found[share][-1]).round(4).tolist()}")
    lines = [_line(f"{share:.0%}", cases) for share, cases in sorted(found.items())]
    lines.append(_line("all", [case for cases in found.values() for case in cases]))
    head = ["empty", "networks"]
    for what in ("tables", "do()"):
        head += [f"{what}: full", "with gaps", "ratio", "whole rows"]
    head += ["floor of tables: full", "with gaps", "ratio"]
    command = "python -m benchmarks.gaps" + (f" --networks {networks}" * (networks != NETWORKS))
    text = HEAD.format(networks=networks, nodes=NODES, rows=ROWS, command=command)
    spent = f"{time.process_time() - begun:.0f} seconds of CPU for all fits and truths."
    (RESULTS / "gaps.md").write_text("\n".join([text, *markdown(head, lines), "", spent, ""]))


def _line(share: str, cases: list[list[tuple[float, ...]]]) -> list[str]:
    roots = np.sqrt(np.mean(cases, axis=0))
    cells = [share, str(len(cases))]
    for full, gaps, whole in roots.T:
        cells += [f"{full:.4f}", f"{gaps:.4f}", f"{gaps / full:.2f}", f"{whole:.4f}"]
    return cells[:-1]


if __name__ == "__main__":
    main()
