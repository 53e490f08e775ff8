"""Evidence short of values, in the exact engine, against enumeration of random models.

A question has hard conditions and told ones, in the actual world or a counterfactual one; every
unit of the model is weighed by the likelihoods of what is told (`finite_models`).
"""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from finite_models import random_model, with_tables

from causalflow.errors import EvidenceError
from causalflow.exact.model import ExactModel
from causalflow.graph.graph import Graph
from causalflow.values.likelihood import Seen, above, below, likely, seen, within

ROUNDING = 1e-12
MODELS = 120


def told_of(random, model, name):
    """(what is told, weight of each value): sets, weights, intervals; of a picture some pixels."""
    if model.sizes[name] is None:
        mask = random.random(3) < 0.6
        mask[random.integers(3)] = True
        picture = random.integers(0, 2, 3)
        bits = [[(code >> (2 - i)) & 1 for i in range(3)] for code in range(8)]
        agree = [
            all(b == p or not m for b, p, m in zip(c, picture, mask, strict=True)) for c in bits
        ]
        return seen(picture.reshape(1, 3), mask.reshape(1, 3)), agree
    levels = model.sizes[name]
    match random.integers(4):
        case 0:
            weights = [Fraction(int(w), 10) for w in random.integers(0, 9, levels)]
            weights[random.integers(levels)] += Fraction(1, 10)
            return likely(dict(enumerate(weights))), weights
        case 1:
            chosen = set(random.choice(levels, int(random.integers(1, levels + 1)), False).tolist())
            return likely(sorted(chosen)), [k in chosen for k in range(levels)]
        case 2:
            low, high = sorted(random.integers(0, levels, 2).tolist())
            return within(low, high), [low <= k <= high for k in range(levels)]
        case _:
            end = int(random.integers(0, levels)) - 0.5
            up = random.random() < 0.5
            return (above if up else below)(end), [(k > end) == up for k in range(levels)]


def written(told, name, world):
    inside = "" if not world else "[" + ", ".join(f"{n}={v}" for n, v in world) + "]"
    return f"{name}{inside} {told}"


def weighed(model, outcomes, hard, told):
    """Cell -> P(outcomes | hard, told) by the definition; None: the evidence is impossible."""
    weights = [Fraction(int(w)) for w in model.weights]
    for name, world, value in hard:
        same = model.value(name, world) == value
        weights = [w if s else Fraction(0) for w, s in zip(weights, same, strict=True)]
    for name, world, of in told:
        values = model.value(name, world).tolist()
        weights = [w * Fraction(of[v]) for w, v in zip(weights, values, strict=True)]
    total = sum(weights)
    if not total:
        return None
    columns = [model.value(name, world).tolist() for name, world in outcomes]
    found = Counter()
    for weight, *cell in zip(weights, *columns, strict=True):
        found[tuple(cell)] += weight / total
    return {cell: p for cell, p in found.items() if p}


def cells(table):
    found = table.to_dict(zeros=False)
    return {(c,) if len(table.axes) == 1 else c: p for c, p in found.items()}


def compared(found, expected, exact):
    if exact:
        assert found == expected
        return
    gaps = (abs(found.get(c, 0.0) - float(expected.get(c, 0))) for c in found | expected)
    assert max(gaps, default=0.0) <= ROUNDING


def question(random, model):
    names = list(model.nodes)
    sets = [n for n in names if model.sizes[n] is not None]
    world = ()
    if random.random() < 0.6:
        treated = str(random.choice(sets))
        world = ((treated, int(random.integers(model.sizes[treated]))),)
    of_world = [n for n in names if n not in dict(world)]
    outcome = str(random.choice(of_world))
    rest = [n for n in names if n != outcome]
    random.shuffle(rest)
    hard, told = [], []
    for name in rest[: int(random.integers(1, 3))]:
        other = random.random() < 0.3 and name not in dict(world) and model.sizes[name] is not None
        told.append((name, world if other else (), told_of(random, model, name)))
    for name in rest[2 : 2 + int(random.integers(0, 2))]:
        unit = int(random.choice(model.rows))
        hard.append((name, (), int(model.value(name)[unit])))
    return outcome, world, hard, told


def text_of(outcome, world, hard, told):
    """The question, and what is told of pictures, which no text says."""
    head = outcome + ("[" + ", ".join(f"{n}={v}" for n, v in world) + "]" if world else "")
    parts = [f"{name}={value}" for name, _, value in hard]
    known = {name: of for name, _, (of, _) in told if isinstance(of, Seen)}
    parts += [n if n in known else written(of, n, w) for n, w, (of, _) in told]
    return f"P({head} | {', '.join(parts)})", known


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("tables", [True, False])
def test_what_is_told_weighs_as_by_enumeration(tables, exact):
    answered = Counter()
    for seed in range(MODELS // 2):
        random = np.random.default_rng([seed, tables])
        model = with_tables(random, 2000) if tables else random_model(random)
        graph = Graph(**model.declaration)
        engine = ExactModel(graph, "fraction" if exact else "float")
        for _ in range(4):
            outcome, world, hard, told = question(random, model)
            text, known = text_of(outcome, world, hard, told)
            expected = weighed(
                model, [(outcome, world)], hard, [(n, w, of) for n, w, (_, of) in told]
            )
            answered[expected is None] += 1
            if expected is None:
                with pytest.raises(EvidenceError, match=r"the evidence has probability zero: P\("):
                    engine.ask(text, known)
                continue
            compared(cells(engine.ask(text, known).table), expected, exact)
    assert answered[False] > MODELS
    assert answered[True] > 5


def test_rows_are_told_each_in_its_own_way_values_among_them():
    for seed in range(40):
        random = np.random.default_rng(seed)
        model = random_model(random)
        engine = ExactModel(Graph(**model.declaration), "fraction")
        classes = [n for n in model.classes if model.sizes[n]]
        if len(classes) < 2:
            continue
        asked, other = classes[:2]
        entries, weights = [], []
        for _ in range(5):
            if random.random() < 0.3:
                value = int(random.integers(model.sizes[other]))
                entries.append(value)
                weights.append([k == value for k in range(model.sizes[other])])
            else:
                entry, of = told_of(random, model, other)
                entries.append(entry)
                weights.append(of)
        entries.append(likely([0, 1]))
        weights.append([k < 2 for k in range(model.sizes[other])])
        truths = [weighed(model, [(asked, ())], [], [(other, (), of)]) for of in weights]
        if truths[-1] is None:
            continue
        answer = engine.ask(f"P({asked})", {other: entries})
        assert answer.impossible == tuple(k for k, t in enumerate(truths) if t is None)
        for row, truth in enumerate(truths):
            if truth is not None:
                found = {k: answer.table.to_dict()[row, k[0]] for k in truth}
                assert found == truth


def test_outcomes_may_be_told_too_and_may_be_what_is_known():
    for seed in range(40):
        random = np.random.default_rng(seed)
        model = random_model(random)
        engine = ExactModel(Graph(**model.declaration), "fraction")
        classes = model.classes
        name = str(random.choice(classes))
        entry, of = told_of(random, model, name)
        law = weighed(model, [(name, ())], [], [(name, (), of)])
        if law is None:
            continue
        answer = engine.ask(f"P({name} | {name} {entry})")
        assert cells(answer.table) == law
        mean = engine.ask(f"E[{name} | {name} {entry}]")
        assert mean.value == sum(k * p for (k,), p in law.items())
        if entry.certain:
            whole = weighed(model, [(name, ())], [], [])
            event = sum(p for (k,), p in whole.items() if of[k])
            assert engine.ask(f"P({name} {entry})").value == event
