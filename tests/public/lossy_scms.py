"""Random models whose equations lose information, and an oracle of their counterfactuals.

Nothing but numpy: every equation is written twice, as the text of a graph file and as a function of
arrays. The oracle draws noise, and keeps the draws that give the evidence: exactly where exact hits
occur (an atom), else within a band of half-width h; the mean over them is taken for h and for h/2,
and twice its change bounds what the band still does. What differs from the package is looked at
again with a band an eighth as wide and eight times the draws: where an equation saturates, the
first band is not narrow. Draws are kept block by block, a block being
the noises that the evidence ties together: given the evidence blocks are independent.

    python tests/public/lossy_scms.py 500        # models 0 .. 499: differences, refusals by reason
    python tests/public/lossy_scms.py 100 400    # models 400 .. 499
    python tests/public/lossy_scms.py 500 -v     # shows the models that are refused
"""

from __future__ import annotations

import collections
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
Function = Callable[[dict[str, Array]], Array]
BATCH, MOST, WANTED, EXACT = 250_000, 4_000_000, 3_000, 30

NOISES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "{type: normal}": lambda g, n: g.normal(size=n),
    "{type: normal, mean: 0.5, std: 1.5}": lambda g, n: g.normal(0.5, 1.5, n),
    "{type: uniform, low: -1, high: 2}": lambda g, n: g.uniform(-1, 2, n),
    "{type: exponential, rate: 1.5}": lambda g, n: g.exponential(1 / 1.5, n),
    "{type: laplace}": lambda g, n: g.laplace(size=n),
    "{type: logistic, scale: 0.5}": lambda g, n: g.logistic(0, 0.5, n),
}
COINS = {"{p: [1/2, 1/2]}": (0.5, 0.5), "{p: [0.3, 0.7]}": (0.3, 0.7)}


@dataclass
class Node:
    """Of a model; ``value`` computes it from its parents and noises."""

    text: str
    value: Function
    names: frozenset[str]
    levels: int = 0


@dataclass
class Scm:
    """Nodes in topological order, exogenous variables with their draws."""

    nodes: dict[str, Node] = field(default_factory=dict)
    laws: dict[str, str] = field(default_factory=dict)
    draws: dict[str, Callable[[np.random.Generator, int], Array]] = field(default_factory=dict)

    def text(self) -> str:
        """The graph file."""
        lines = ["graph: lossy", "exogenous:"]
        lines += [f"  {name}: {law}" for name, law in self.laws.items()]
        lines += ["nodes:"]
        for name, node in self.nodes.items():
            kind = f"class, levels: {node.levels}" if node.levels else "continuous"
            lines.append(f'  {name}: {{type: {kind}, equation: "{node.text}"}}')
        return "\n".join(lines) + "\n"

    def descendants(self, name: str) -> list[str]:
        found = {name}
        for other, node in self.nodes.items():
            if node.names & found:
                found.add(other)
        return [other for other in self.nodes if other in found and other != name]

    def solve(self, noise: dict[str, Array], fixed: dict[str, float]) -> dict[str, Array]:
        """Every node; those fixed have their value, which their descendants read."""
        known = dict(noise)
        size = len(next(iter(noise.values())))
        for name, node in self.nodes.items():
            given = name in fixed
            known[name] = np.full(size, fixed[name]) if given else node.value(known) * np.ones(size)
        return known


# Random equations: text and function side by side


def linear(g: np.random.Generator, parents: list[str]) -> tuple[str, Function]:
    """A term in the parents."""
    texts, parts = [f"{(c := round(g.normal() * 0.5, 2))}"], []
    for name in parents:
        a = round(float(g.uniform(0.4, 1.5) * g.choice([-1, 1])), 2)
        if g.random() < 0.25:
            texts.append(f"{a} * sin({name})")
            parts.append(lambda v, a=a, name=name: a * np.sin(v[name]))
        else:
            texts.append(f"{a} * {name}")
            parts.append(lambda v, a=a, name=name: a * v[name])
    return f"({' + '.join(texts)})", lambda v: c + sum(part(v) for part in parts)


def shape(g: np.random.Generator, u: str, t: str, f: Function) -> tuple[str, Function]:
    """A continuous equation in the noise u and the parents' term t, whose function is f."""
    k, m = round(float(g.uniform(1, 3)), 1), round(float(g.normal() * 0.5), 1)
    forms: list[tuple[str, Function]] = [
        (f"{t} + {u}", lambda v: f(v) + v[u]),
        (f"{t} + exp({u} / 2)", lambda v: f(v) + np.exp(v[u] / 2)),
        (f"max({t} + {u}, {m})", lambda v: np.maximum(f(v) + v[u], m)),
        (f"min({t} + {u}, {m}) + 1", lambda v: np.minimum(f(v) + v[u], m) + 1),
        (f"clip({t} + {u}, {m}, {m + k})", lambda v: np.clip(f(v) + v[u], m, m + k)),
        (f"round({t} + {k} * {u})", lambda v: np.round(f(v) + k * v[u])),
        (f"floor({t} + {u}) / 2", lambda v: np.floor(f(v) + v[u]) / 2),
        (f"({t} + {u} > {m}) + 0.0", lambda v: (f(v) + v[u] > m) + 0.0),
        (f"abs({t} + {u})", lambda v: np.abs(f(v) + v[u])),
        (f"{t} + abs({u} - {m})", lambda v: f(v) + np.abs(v[u] - m)),
        (f"sin({k} * {u} + {t})", lambda v: np.sin(k * v[u] + f(v))),
        (f"{t} + cos({k} * {u})", lambda v: f(v) + np.cos(k * v[u])),
        (f"{t} + {u} + sin({k} * {u})", lambda v: f(v) + v[u] + np.sin(k * v[u])),
        (f"{t} + {u} ** 3 - {k} * {u}", lambda v: f(v) + v[u] ** 3 - k * v[u]),
        (f"({u} + {t}) ** 2", lambda v: (v[u] + f(v)) ** 2),
        (f"{u} ** 4 - {k} * {u} ** 2 + {t}", lambda v: v[u] ** 4 - k * v[u] ** 2 + f(v)),
        (f"exp({t} / 3) * {u} + abs({u})", lambda v: np.exp(f(v) / 3) * v[u] + np.abs(v[u])),
        (f"(1 + {t} ** 2) * {u}", lambda v: (1 + f(v) ** 2) * v[u]),
        (f"{t} * max({u}, 0)", lambda v: f(v) * np.maximum(v[u], 0)),
        (f"where({u} > {m}, {t} + {u}, {t})", lambda v: np.where(v[u] > m, f(v) + v[u], f(v))),
        (
            f"where({u} < {t}, 2 * {u}, {u} - 1)",
            lambda v: np.where(v[u] < f(v), 2 * v[u], v[u] - 1),
        ),
        (
            f"({t} > 0) * {u} + ({u} > {m}) * {t}",
            lambda v: (f(v) > 0) * v[u] + (v[u] > m) * f(v),
        ),
        (f"tanh({k} * {u} + {t})", lambda v: np.tanh(k * v[u] + f(v))),
        (f"max({t}, {u}, {m})", lambda v: np.maximum(np.maximum(f(v), v[u]), m)),
        (f"({t} + {u}) % 2", lambda v: (f(v) + v[u]) % 2),
        (f"{u} * exp(-abs({u})) + {t}", lambda v: v[u] * np.exp(-np.abs(v[u])) + f(v)),
    ]
    return forms[g.integers(len(forms))]


def category(g: np.random.Generator, u: str, t: str, f: Function) -> tuple[str, Function]:
    """A class equation of two levels."""
    m = round(float(g.normal() * 0.5), 1)
    forms: list[tuple[str, Function]] = [
        (f"{t} + {u} > {m}", lambda v: f(v) + v[u] > m),
        (f"sin(2 * {u} + {t}) > {m / 2}", lambda v: np.sin(2 * v[u] + f(v)) > m / 2),
        (f"abs({u}) < 1 + {t} ** 2", lambda v: np.abs(v[u]) < 1 + f(v) ** 2),
    ]
    return forms[g.integers(len(forms))]


def random_scm(g: np.random.Generator) -> Scm:
    """Two to four nodes; some have a coin beside their noise, some share a noise."""
    scm = Scm()
    for name in "abcd"[: g.integers(2, 5)]:
        earlier = list(scm.nodes)
        parents = [p for p in earlier if g.random() < 0.7] or earlier[-1:]
        u = f"u_{name}"
        law = list(NOISES)[g.integers(len(NOISES))]
        scm.laws[u], scm.draws[u] = law, NOISES[law]
        inside = list(parents)
        if g.random() < 0.25:
            coin = list(COINS)[g.integers(len(COINS))]
            scm.laws[f"k_{name}"] = coin
            scm.draws[f"k_{name}"] = lambda g, n, p=COINS[coin]: (g.random(n) < p[1]) * 1.0
            inside.append(f"k_{name}")
        if earlier and g.random() < 0.08:
            inside.append(f"u_{earlier[-1]}")
        t, f = linear(g, inside)
        is_class = bool(g.random() < 0.25)
        text, value = (category if is_class else shape)(g, u, t, f)
        scm.nodes[name] = Node(text, value, frozenset({*inside, u}), 2 if is_class else 0)
    return scm


# Questions


@dataclass
class Question:
    """E or P of an outcome had the treatment been set, given the evidence."""

    treatment: str
    value: float
    outcome: str
    evidence: dict[str, float]

    def text(self, scm: Scm) -> str:
        inner = f"{self.outcome}[{self.treatment}={self.value!r}]"
        given = ", ".join(self.evidence)
        return (
            f"P({inner}=1 | {given})" if scm.nodes[self.outcome].levels else f"E[{inner} | {given}]"
        )


def random_question(g: np.random.Generator, scm: Scm) -> Question:
    """The evidence is a draw of the model, most of the nodes, one of them continuous if any is."""
    names = list(scm.nodes)
    causes = [name for name in names if scm.descendants(name)]
    treatment = str(g.choice(causes))
    outcome = str(g.choice(scm.descendants(treatment)))
    noise = {name: draw(g, 1) for name, draw in scm.draws.items()}
    world = scm.solve(noise, {})
    seen = [name for name in names if g.random() < 0.85] or [outcome]
    numbers = [name for name in names if not scm.nodes[name].levels]
    if numbers and not set(seen) & set(numbers):
        seen.append(numbers[-1])
    evidence = {n: (int if scm.nodes[n].levels else float)(world[n][0]) for n in names if n in seen}
    value: float = round(float(g.normal()), 2)
    return Question(
        treatment, int(g.integers(2)) if scm.nodes[treatment].levels else value, outcome, evidence
    )


# The oracle


def blocks(scm: Scm, seen: set[str]) -> list[tuple[set[str], list[str]]]:
    """(noises, observed nodes) that belong together given the evidence."""
    above: dict[str, set[str]] = {}
    for name, node in scm.nodes.items():
        above[name] = {n for n in node.names if n in scm.laws}
        for parent in node.names & scm.nodes.keys() - seen:
            above[name] |= above[parent]
    found: list[tuple[set[str], list[str]]] = []
    for name in scm.nodes:
        if name not in seen:
            continue
        noises, nodes = set(above[name]), [name]
        for other in [b for b in found if b[0] & noises]:
            found.remove(other)
            noises, nodes = noises | other[0], other[1] + nodes
        found.append((noises, nodes))
    return found


def kept(
    scm: Scm,
    g: np.random.Generator,
    block: tuple[set[str], list[str]],
    evidence: dict[str, float],
    finer: int = 1,
) -> tuple[dict[str, Array], Array] | None:
    """Noises of the block that give its nodes their values, and which are within half the band."""
    noises, nodes = block
    width = 0.0
    parts: list[tuple[dict[str, Array], Array]] = []
    drawn = exact_count = 0
    while drawn < MOST * finer:
        noise = {
            n: draw(g, BATCH) if n in noises else np.zeros(BATCH) for n, draw in scm.draws.items()
        }
        values = natural(scm, noise, evidence)
        gaps = np.stack([np.abs(values[n] - evidence[n]) / scale(values[n]) for n in nodes])
        exact = gaps < 1e-12
        if not width:
            densities = int((~exact.any(1)).sum())
            width = {0: 1e-12, 1: 0.01}.get(densities, 0.04) / finer
        near = gaps < width
        chosen = near.all(0)
        order = (~exact).sum(0)
        drawn += BATCH
        parts.append(
            (
                {n: noise[n][chosen] for n in noises},
                np.stack([order[chosen], (gaps[:, chosen] < width / 2).all(0)]),
            )
        )
        orders = np.concatenate([p[1][0] for p in parts])
        least = orders.min(initial=99)
        exact_count = int((orders == least).sum())
        if exact_count >= WANTED or (drawn >= 1_000_000 * finer and exact_count >= WANTED // 3):
            break
    marks = np.concatenate([p[1] for p in parts], 1)
    if not marks.shape[1]:
        return None
    least = marks[0].min()
    while least < marks[0].max() and (marks[0] == least).sum() < EXACT:
        least += 1  # exact hits so rare are a band's chance
    good = marks[0] == least
    if good.sum() < 200:
        return None
    return {n: np.concatenate([p[0][n] for p in parts])[good] for n in noises}, marks[1][good] > 0


def scale(values: Array) -> float:
    """The size of a column."""
    return (
        float(np.subtract(*np.quantile(values[:5000], (0.84, 0.16)))) / 2
        or float(values.std())
        or 1.0
    )


def natural(scm: Scm, noise: dict[str, Array], evidence: dict[str, float]) -> dict[str, Array]:
    """What each node's equation gives where observed parents have their observed values."""
    known, found = dict(noise), {}
    size = len(next(iter(noise.values())))
    for name, node in scm.nodes.items():
        found[name] = node.value(known) * np.ones(size)
        known[name] = np.full(size, evidence[name]) if name in evidence else found[name]
    return found


def oracle(
    scm: Scm, question: Question, seed: int, finer: int = 1
) -> tuple[float, float, float] | None:
    """The answer, its standard error, and a bound of the band's bias; None: too rare."""
    g = np.random.default_rng(seed)
    free = set(scm.laws)
    some, half, size = {}, {}, 20_000
    for block in blocks(scm, set(question.evidence)):
        found = kept(scm, g, block, question.evidence, finer)
        if found is None or found[1].sum() < 100:
            return None
        noise, inner = found
        size = min(size, len(inner))
        first, second = g.permutation(len(inner)), g.permutation(np.flatnonzero(inner))
        some |= {n: value[first] for n, value in noise.items()}
        half |= {n: value[second] for n, value in noise.items()}
        free -= block[0]
    answers = []
    for chosen in (some, half):
        count = min([20_000, *(len(v) for v in chosen.values())])
        noise = {n: v[:count] for n, v in chosen.items()} | {
            n: scm.draws[n](g, count) for n in free
        }
        outcome = scm.solve(noise, {question.treatment: question.value})[question.outcome]
        answers.append((outcome.mean(), outcome.std() / np.sqrt(count)))
    (wide, _), (mean, error) = answers
    bias = 2 * abs(wide - mean) if any(len(some[n]) != len(half[n]) for n in some) else 0.0
    return float(mean), float(error), float(bias)


# The comparison


@dataclass
class Result:
    """Of one model: "same", "different", "refused", or "none" where the oracle has no answer."""

    outcome: str
    detail: str


def compare(seed: int, draws: int = 10_000) -> Result:
    """The package's answer to a random question beside the oracle's."""
    import causalflow as cf

    g = np.random.default_rng([17, seed])
    scm = random_scm(g)
    question = random_question(g, scm)
    truth = oracle(scm, question, seed)
    if truth is None:
        return Result("none", "")
    about = f"{scm.text()}{question.text(scm)} {question.evidence}"
    try:
        answer = cf.compile(cf.loads(scm.text())).ask(
            question.text(scm), question.evidence, draws=draws
        )
    except cf.CausalflowError as problem:
        return Result("refused", f"{problem}\n{about}")
    result = _held_against(answer, truth, draws, about)
    if result.outcome == "different" and (finer := oracle(scm, question, seed, finer=8)):
        return _held_against(answer, finer, draws, about)
    return result


def _held_against(answer: Any, truth: tuple[float, float, float], draws: int, about: str) -> Result:
    mean, error, bias = truth
    gap = abs(float(answer.value) - mean)
    # 1e-9 for rounding where everything is determined, 1 / n for events that n draws never met.
    room = 5 * float(np.hypot(error, answer.error)) + bias + 1e-9 * (1 + abs(mean)) + 5 / draws
    text = f"{float(answer.value):.5f} +- {answer.error:.5f}, "
    text += f"oracle {mean:.5f} +- {error:.5f} (band {bias:.5f})"
    return Result("same" if gap <= room else "different", f"{text}\n{about}")


def reason(text: str) -> str:
    """A refusal without its names and numbers."""
    return re.sub(r"'[^']*'|\d[\d.,]*", "_", text.splitlines()[0])[:160]


def main(count: int, first: int = 0) -> int:
    """Write what came of ``count`` models; the number of differences."""
    start, kinds, reasons = time.process_time(), collections.Counter(), collections.Counter()
    for seed in range(first, first + count):
        result = compare(seed)
        kinds[result.outcome] += 1
        if result.outcome == "refused":
            reasons[reason(result.detail)] += 1
        if result.outcome == "different" or (result.outcome == "refused" and "-v" in sys.argv):
            say(f"seed {seed}: {result.outcome}: {result.detail}\n")
    say(f"{dict(kinds)} {time.process_time() - start:.0f} s of CPU")
    for text, number in reasons.most_common():
        say(f"  {number:4d} refused: {text}")
    return kinds["different"]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:] if a.isdigit())) > 0)
