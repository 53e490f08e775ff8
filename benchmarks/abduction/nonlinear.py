"""Nonlinear: random explicit models of numbers and classes, against rejection runs in numpy.

A number is x = g(pa) + s(pa) u with u ~ N(0, 1), or its exponential; a class is 1 where u < p(pa),
u uniform. Some nodes read a hidden cause that another reads too: h ~ N(0, 1), or a coin.

The judge draws all that is hidden from its law, node by node, and keeps a draw with probability

    known number     exp(-u^2 / 2) s_min / s(pa), with u what gives its value
    known class      p(its level | pa)

so that what it keeps follows the posterior exactly; no distance, no kernel. Its noise of a known
class is then uniform on the side of p that gives the level. What would have been is computed from
the noises that were kept.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import causalflow as cf

Array = np.ndarray[Any, np.dtype[Any]]
CHUNK = 200_000


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node of a random model.

    Attributes:
        kind: "number", "exponential" or "class".
        intercept: the constant in it.
        straight: parent or hidden cause -> its coefficient.
        bent: parent -> the coefficient of its hyperbolic tangent.
        wide: the parent that widens a number's noise; "" for none.
        spread: s, or its middle.
    """

    kind: str
    intercept: float
    straight: dict[str, float]
    bent: dict[str, float]
    wide: str
    spread: float

    def level(self, world: dict[str, Any]) -> Any:
        """What the noise is added to."""
        found = self.intercept + sum(c * world[p] for p, c in self.straight.items())
        return found + sum(c * np.tanh(2 * world[p]) for p, c in self.bent.items())

    def width(self, world: dict[str, Any]) -> Any:
        """s(pa)."""
        return self.spread * (0.5 + sigmoid(world[self.wide])) if self.wide else self.spread

    def value(self, world: dict[str, Any], u: Any) -> Any:
        """The node's value; u is uniform for a class, else normal."""
        if self.kind == "class":
            return (u < sigmoid(self.level(world))).astype(float)
        found = self.level(world) + self.width(world) * u
        return np.exp(0.5 * found) if self.kind == "exponential" else found

    def equation(self, own: str) -> str:
        """The equation in a graph file's words."""
        terms = [f"{self.intercept:.3f}"]
        terms += [f"({c:.3f}) * {p}" for p, c in self.straight.items()]
        terms += [f"({c:.3f}) * tanh(2 * {p})" for p, c in self.bent.items()]
        level = " + ".join(terms)
        if self.kind == "class":
            return f"{own} < sigmoid({level})"
        width = f"{self.spread:.3f}"
        width += f" * (0.5 + sigmoid({self.wide}))" if self.wide else ""
        found = f"{level} + {width} * {own}"
        return f"exp(0.5 * ({found}))" if self.kind == "exponential" else found


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """A random model.

    Attributes:
        nodes: name -> node, causes first.
        hidden: hidden cause -> the probability of a coin; None: standard normal.
    """

    nodes: dict[str, Node]
    hidden: dict[str, float | None]

    @staticmethod
    def random(rng: np.random.Generator) -> Mixed:
        """4 to 6 nodes, up to three parents each, one or two hidden causes of two nodes."""
        names = [f"v{k}" for k in range(int(rng.integers(4, 7)))]
        hidden: dict[str, float | None] = {}
        reads: dict[str, list[str]] = {name: [] for name in names}
        for k in range(int(rng.integers(1, 3))):
            hidden[f"h{k}"] = (
                None if rng.random() < 0.5 else float(np.round(rng.uniform(0.3, 0.7), 2))
            )
            for name in rng.choice(names, 2, replace=False):
                reads[name].append(f"h{k}")
        nodes: dict[str, Node] = {}
        for k, name in enumerate(names):
            parents = sorted(rng.permutation(names[:k])[: rng.integers(0, 4)].tolist())
            nodes[name] = _node(rng, parents, reads[name], nodes)
        return Mixed(nodes=nodes, hidden=hidden)

    @property
    def graph(self) -> cf.Graph:
        """The graph file."""
        text = ["graph: mixed", "exogenous:"]
        for name, p in self.hidden.items():
            law = "{type: normal}" if p is None else f"{{p: [{1 - p:.2f}, {p:.2f}]}}"
            text.append(f"  {name}: {law}")
        for name, node in self.nodes.items():
            text.append(f"  u{name}: {{type: {'uniform' if node.kind == 'class' else 'normal'}}}")
        text.append("nodes:")
        for name, node in self.nodes.items():
            kind = "class, levels: 2" if node.kind == "class" else "continuous"
            text.append(f'  {name}: {{type: {kind}, equation: "{node.equation(f"u{name}")}"}}')
        return cf.loads("\n".join(text) + "\n")

    def drawn(self, n: int, rng: np.random.Generator) -> dict[str, Array]:
        """The noises and hidden causes of n worlds."""
        found = {
            name: rng.normal(size=n) if p is None else (rng.random(n) < p).astype(float)
            for name, p in self.hidden.items()
        }
        for name, node in self.nodes.items():
            own = rng.random(n) if node.kind == "class" else rng.normal(size=n)
            found[f"u{name}"] = own
        return found

    def world(self, noise: dict[str, Array], done: dict[str, float]) -> dict[str, Any]:
        """The world of some noises."""
        world: dict[str, Any] = {name: noise[name] for name in self.hidden}
        for name, node in self.nodes.items():
            world[name] = done[name] if name in done else node.value(world, noise[f"u{name}"])
        return world

    def kept(self, seen: dict[str, float], n: int, rng: np.random.Generator) -> dict[str, Array]:
        """The noises of the draws, of n, that are kept."""
        noise = self.drawn(n, rng)
        world: dict[str, Any] = {name: noise[name] for name in self.hidden}
        chance = np.ones(n)
        for name, node in self.nodes.items():
            if name not in seen:
                world[name] = node.value(world, noise[f"u{name}"])
                continue
            world[name] = np.full(n, seen[name])
            chance = chance * self._known(name, seen[name], world, noise)
        keep = rng.random(n) < chance
        return {name: value[keep] for name, value in noise.items()}

    def _known(
        self, name: str, value: float, world: dict[str, Any], noise: dict[str, Array]
    ) -> Array:
        """The chance to be kept by a known node, whose noise is set to what gives it."""
        node, own = self.nodes[name], f"u{name}"
        if node.kind == "class":
            p = sigmoid(node.level(world)) + np.zeros_like(noise[own])
            noise[own] = noise[own] * p if value else p + noise[own] * (1 - p)
            return p if value else 1 - p
        target = 2 * np.log(value) if node.kind == "exponential" else value
        width = node.width(world) + np.zeros_like(noise[own])
        noise[own] = (target - node.level(world)) / width
        least = node.spread / 2 if node.wide else node.spread
        return np.exp(-(noise[own] ** 2) / 2) * least / width


def _node(
    rng: np.random.Generator, parents: list[str], hidden: list[str], nodes: dict[str, Node]
) -> Node:
    kind = str(rng.choice(["number", "exponential", "class"], p=[0.5, 0.15, 0.35]))
    numbers = [p for p in parents if nodes[p].kind == "number"]
    bent = [p for p in numbers if rng.random() < 0.5]

    def size() -> float:
        return float(np.round(rng.uniform(0.5, 1.3) * rng.choice([-1, 1]), 3))

    wide = numbers[0] if kind == "number" and numbers and rng.random() < 0.4 else ""
    return Node(
        kind=kind,
        intercept=float(np.round(rng.normal() / 2, 3)),
        straight={p: size() for p in [*parents, *hidden] if p not in bent},
        bent={p: size() for p in bent},
        wide=wide,
        spread=float(np.round(rng.uniform(0.4, 1.0), 3)),
    )


@dataclass(kw_only=True)
class Judged:
    """Means of two computations, and how far they are apart in standard errors."""

    errors: list[float] = field(default_factory=list)

    def add(self, ours: Array, worth: float, theirs: Array) -> None:
        """Compare the means of draws that are worth so many with those that a judge kept."""
        spread = max(float(ours.std()), float(theirs.std()))
        error = spread * (1 / worth + 1 / len(theirs)) ** 0.5
        gap = abs(float(ours.mean()) - float(theirs.mean()))
        if error > 1e-9 or gap > 1e-9:  # what is known exactly has no error
            self.errors.append(round(gap / error, 3) if error else math.inf)


def judged(seed: int, draws: int, kept: int) -> dict[str, Any]:
    """The engine's means on one model beside the judge's.

    Args:
        seed: of the model and its row.
        draws: draws of the engine.
        kept: draws that the judge keeps.
    """
    rng = np.random.default_rng(seed)
    mixed = Mixed.random(rng)
    names = list(mixed.nodes)
    one = mixed.world(mixed.drawn(1, rng), {})
    known = sorted(rng.choice(names, round(2 * len(names) / 3), replace=False).tolist())
    seen = {name: float(np.asarray(one[name]).reshape(-1)[0]) for name in known}
    treated = names[int(rng.integers(len(names) // 2))]
    done = {treated: 1.0}
    start = time.process_time()
    model = cf.compile(mixed.graph)
    given = {n: int(v) if mixed.nodes[n].kind == "class" else v for n, v in seen.items()}
    abduction = model.abduct(given, draws=draws, generator=seed)
    world, other = model.predict(abduction), model.predict(abduction, {treated: 1})
    seconds = time.process_time() - start
    start, parts, tried, count = time.process_time(), [], 0, 0
    while count < kept and tried < 20_000_000:
        parts.append(mixed.kept(seen, CHUNK, rng))
        tried, count = tried + CHUNK, count + len(next(iter(parts[-1].values())))
    noise = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rejection = time.process_time() - start
    info, found = abduction.info, Judged()
    worth = 1 / (1 / draws + (1 / info.effective_draws if info.effective_draws else 0))
    for name in mixed.hidden:
        found.add(abduction.noise[name]["value"].numpy().astype(float), worth, noise[name])
    truth, would = mixed.world(noise, {}), mixed.world(noise, done)
    for name in (n for n in names if n not in seen):
        found.add(world[name].numpy().astype(float), worth, truth[name])
    for name in (n for n in names if n in model.graph.descendants(treated) and n != treated):
        found.add(other[name].numpy().astype(float), worth, would[name])
    return {
        "nodes": len(names),
        "known": len(known),
        "route": info.route,
        "worth": info.effective_draws and round(info.effective_draws),
        "errors": found.errors,
        "kept": count,
        "tried": tried,
        "seconds": round(seconds, 3),
        "rejection": round(rejection, 3),
    }
