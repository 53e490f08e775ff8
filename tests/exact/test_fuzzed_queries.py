"""A thousand questions spoiled at random, and evidence of any kind: an answer or one clear error.

Widths and numbers of operations are checked before anything is computed, so nothing hangs.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from causalflow.errors import CausalflowError, QueryError
from causalflow.exact.model import ExactModel
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.query.answer import Answer

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
COUNT = 250
VALID = {
    "ascm_xy": [
        "P(i[x=1] | i=5)",
        "P(y, x | do(x=1), u_x=0)",
        "P(y[x=1]=1, y[x=0]=0 | x, i)",
        "E[y[x=1] - 1/2*y[x=0] | x=0]",
        "P(u_x, u_y | i=5, y=1)",
        "NDE(x=1/0 -> i; y)",
        "PNS(x=1/0 -> y=1/0)",
    ],
    "classics/noncompliance": [
        "P(d[z=1]=1, d[z=0]=0)",
        "E[y[d=1] - y[d=0] | kind=complier]",
        "P(y[d, z[]] | kind=never, z=1)",
    ],
    "classics/firing_squad": [
        "P(dead[a=no]=no | dead=yes)",
        "P(dead[a=no, b[order=yes]] | captain)",
        "P(b=yes | do(a, order=no))",
        "ETT(a=yes/no -> dead=yes/no)",
        "CDE(order=yes/no -> dead; a=no, b=yes)",
    ],
}
WORDS = [
    *("P(", "E[", "do(", ")", "]", "[", "[]", ",", "|", "=", "=1", "=0", "=yes", "=no", "*", "-"),
    *("1/0", "-7", "1e9", "0.5", "'", '"', "' '", "\\", "x", "y", "u_x", "i", "kind", "dead", "q"),
    *("é", "\x00", "\n", "∑", "P(x)", "x[x=1]", "y[x=1, y[x=0]]", "do(y)", "nan", "None", "{}"),
]
VALUES = [
    *(0, 1, 2, -1, 10**30, 0.5, float("nan"), float("inf"), None, True, "yes", "1", "", b"x"),
    *([], [0, 1], [[0]], ["yes", None], {}, {"a": 1}, object(), (1,), 1j, np.zeros((1, 2, 2))),
    *(np.zeros((2, 1, 2, 2)), np.array(["a", 1], dtype=object), np.zeros(0), range(3)),
]


def spoiled(texts, random):
    """One of the texts with some of its words left out, doubled, moved or replaced."""
    words = re.findall(r"\w+|\s+|.", str(random.choice(texts)))
    known = re.findall(r"\w+", " ".join(texts))
    for _ in range(int(random.choice([1, 1, 1, 1, 2, 4]))):
        place, other = random.integers(len(words), size=2)
        match random.integers(7):
            case 0 if len(words) > 1:
                del words[place]
            case 1:
                words.insert(place, words[other])
            case 2:
                words[place], words[other] = words[other], words[place]
            case 3:
                words.insert(place, str(random.choice(WORDS)))
            case 4:
                words[place:place] = words[other:]
            case _:
                place = int(random.choice([k for k, w in enumerate(words) if w.strip()] or [0]))
                alike = [word for word in known if word.isdigit() == words[place].isdigit()]
                words[place] = str(random.choice(alike if random.random() < 0.9 else WORDS))
    return "".join(words)


def outcome(model, text, known):
    """How it ends: answered, or the kind of error; any other exception is a failure."""
    try:
        found = model.ask(text, known)
    except CausalflowError as error:
        lines = str(error).splitlines()
        assert len(lines) == 1 or (isinstance(error, QueryError) and lines[-1].strip() == "^")
        return type(error).__name__
    assert isinstance(found, Answer)
    return "answered"


@pytest.fixture(scope="module")
def models():
    return {name: ExactModel(load(GRAPHS / f"{name}.yaml")) for name in VALID}


@pytest.mark.parametrize("part", range(4))
def test_spoiled_questions_are_answered_or_refused_in_one_line(models, part):
    random = np.random.default_rng(part)
    ends = Counter()
    for _ in range(COUNT):
        name = str(random.choice(list(VALID)))
        ends[outcome(models[name], spoiled(VALID[name], random), {})] += 1
    assert ends["answered"] > COUNT / 25
    assert ends["QueryError"] > COUNT / 4


def test_evidence_of_any_kind_is_answered_or_refused_in_one_line(models):
    random = np.random.default_rng(4)
    ends = Counter()
    for _ in range(COUNT):
        values = [VALUES[k] for k in random.integers(len(VALUES), size=3)]
        names = random.choice(["x", "i", "y", "u_x", "i", "x"], 3)
        known = dict(zip(map(str, names), values, strict=True))
        ends[outcome(models["ascm_xy"], "P(u_y, u_x[x=1] | x, i)", known)] += 1
        ends[outcome(models["ascm_xy"], "P(u_y | x, i)", {"x": values[0], "i": values[1]})] += 1
    assert ends["answered"] > COUNT / 50
    assert ends["EvidenceError"] > COUNT / 4


@pytest.mark.parametrize("seed", range(4))
def test_questions_about_many_worlds_are_answered_or_refused_before_they_grow(seed):
    """Every node reads every earlier one; up to sixty terms, each in a world of its own."""
    random = np.random.default_rng(seed)
    names = [f"v{k}" for k in range(12)]
    exogenous = {f"u{k}": {"p": ["1/3", "2/3"]} for k in range(12)}
    binary = {"type": "class", "levels": 2}
    nodes = {
        name: {**binary, "equation": " ^ ".join([f"u{k}", *names[:k]])}
        for k, name in enumerate(names)
    }
    model = ExactModel(Graph(exogenous=exogenous, nodes=nodes))
    for count in (4, 15, 60):
        terms = []
        for _ in range(count):
            name, *others = random.permutation(names)
            world = ", ".join(f"{each}={random.integers(2)}" for each in others[:3])
            terms.append(f"{name}[{world}]{'=1' if random.random() < 0.5 else ''}")
        text = f"P({', '.join(dict.fromkeys(terms))})"
        assert outcome(model, text, {}) in ("answered", "CausalflowError", "QueryError")
