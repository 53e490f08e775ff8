"""Hostile equations: lines 11 to 14 of the list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import causalflow as cf
from tests.hostile.hostile_runner import Case

__all__ = ["CASES"]

DIGITS = "7" * 5000


def _graph(equation: str, law: str) -> str:
    return (
        f"exogenous: {{u: {law}, v: {law}}}\nnodes:\n  w: {{type: continuous, equation: v}}\n"
        f"  x: {{type: continuous, equation: '{equation}'}}\n"
    )


def _used(text: str) -> object:
    """Everything that one would do with the graph: compile, draw, ask, go back from a value."""
    model = cf.compile(cf.loads(text))
    model.sample(64)
    model.ask("E[x]", draws=1000)
    return model.counterfactual({"w": 0.5, "x": 0.25}, do={"w": 1.0})


def _continuous(line: int, name: str, equation: str, law: str = "normal", **given: object) -> Case:
    text = _graph(equation, law)
    commands = (
        ("sample", "g.yaml", "-n", "64"),
        ("ask", "g.yaml", "E[x]"),
        ("counterfactual", "g.yaml", "--given", "w=0.5", "--given", "x=0.25", "--do", "w=1"),
    )
    return Case(line, name, make=lambda: Path("g.yaml").write_text(text) and None, python=lambda: _used(text), commands=commands, **given)


def _finite(line: int, name: str, equation: str, **given: object) -> Case:
    text = (
        "exogenous: {u: {levels: 3}, v: {levels: 2}}\nnodes:\n  w: {type: class, levels: 2, equation: v}\n"
        f"  x: {{type: class, levels: 4, equation: '{equation}'}}\n"
    )
    commands = (("ask", "g.yaml", "P(x)"), ("enumerate", "g.yaml"), ("ask", "g.yaml", "P(x[w=1] | x=1)"))
    return Case(
        line,
        name,
        make=lambda: Path("g.yaml").write_text(text) and None,
        python=lambda: cf.compile(cf.loads(text)).ask("P(x)"),
        commands=commands,
        **given,
    )


def _abs(depth: int) -> str:
    text = "u"
    for i in range(depth):
        text = f"abs({text} - {i + 1})"
    return text


HUGE = {
    "floor(exp(exp(20)))": "u + w + floor(exp(exp(20)))",
    "round(exp(exp(20)))": "u + w + round(exp(exp(20)))",
    "a huge constant behind 0 * u": "u + w + floor(exp(exp(20 + 0 * u)))",
    "a huge constant behind u - u": "u + w + floor(exp(exp(u - u + 20)))",
    "a huge constant in a comparison": "u + w + (exp(exp(exp(20))) > u)",
    "a huge constant in where": "where(u > 0, u + w, floor(exp(exp(20))))",
    "a huge constant in max": "max(u + w, exp(exp(exp(20))))",
    "a huge constant in clip": "clip(u + w, -exp(exp(exp(9))), 1)",
    "a huge constant by tan": "u + w + floor(exp(1000 * tan(1.57079632679489661923)))",
    "a huge constant by %": "u + w + exp(exp(20)) % 7",
    "a huge constant by //": "u + w + exp(exp(20)) // 7",
    "10**10**10": "u + w + floor(10**10**10)",
    "2**2**2**2**2**2": "u + w + 2**2**2**2**2**2",
    "9**9**9**9": "u + w + 9**9**9**9",
    "a power of a power of u": "w + ((u**1000)**1000)**1000",
    "u to a power of 10**9": "w + u**1000000000",
    "a sum to the power of 9,999": "(w + u + 1)**9999",
    "products of powers": "u + w + " + " * ".join(f"{p}**3000" for p in (2, 3, 5, 7, 11, 13)),
    "a root of a power": "u + w + (10**3000 + 1)**0.5",
    "1 << 10**9": "u + w + (1 << 10**9)",
    "1 << 60 << 60": "u + w + (1 << 60 << 60)",
    "1 >> -1": "u + w + (1 >> (0 - 1))",
    "1e308 * 10": "u + w + 1e308 * 10",
    "1e309": "u + w + 1e309",
    "factorial": "u + w + factorial(10**9)",
}
POWERS = ("a power of a power of u", "u to a power of 10**9", "a sum to the power of 9,999")
NONE = {
    "a division by zero": "u / 0 + w",
    "a division by zero that is computed": "u / (w - w) + w",
    "a remainder of zero": "u % 0 + w",
    "a whole division by zero": "u // 0 + w",
    "log of a negative number": "log(-1 - u**2) + w",
    "log of zero": "log(u - u) + w",
    "a root of a negative number": "sqrt(-1 - u**2) + w",
    "logit beyond 1": "logit(2 + u**2) + w",
    "a negative number to a fraction": "(-1 - u**2)**0.5 + w",
    "exp of exp of exp": "exp(exp(exp(u**2 + 9))) + w",
}
LONG = {
    "50,000 terms": " + ".join(["u", "w"] * 25_000),
    "3,300 terms": " + ".join(["u", "w"] * 1_250),
    "3,000 products": " * ".join(["u"] * 2_400) + " + w",
    "2,000 brackets": "(" * 2000 + "u" + ")" * 2000,
    "2,000 functions": "exp(" * 2000 + "u" + ")" * 2000,
    "90 functions": "exp(" * 90 + "u" + ")" * 90 + " + w",
    "abs 17 deep": f"w + {_abs(17)}",
    "abs 60 deep": f"w + {_abs(60)}",
    "max 17 deep": "w + " + "max(u, 1 + min(u, 2 - " * 17 + "u" + "))" * 17,
    "where 17 deep": "w + " + "where(u > 0.1, u, " * 17 + "2 * u" + ")" * 17,
    "a sine of a sine of ...": "w + " + "sin(3 * " * 30 + "u" + ")" * 30,
    "a polynomial of degree 90": "w + " + " + ".join(f"u**{i}" for i in range(91)),
    "a chain of 3,000 comparisons": " < ".join(["u", "w"] * 1_250),
    "an exponent of 1 MB": "u + w + 1e" + "9" * 9_000,
    "letters that are no ASCII": "u + ẇ",
    "a name that is a keyword": "u + __import__('os').system('touch RAN-eval')",
    "a lambda": "(lambda: u)()",
    "an attribute": "u.__class__.__mro__",
    "an index": "u[10**9]",
}


def _all() -> Iterator[Case]:
    for name, text in HUGE.items():
        answer = name in POWERS
        yield _continuous(11, name, text, answer=answer)
        yield _continuous(11, f"{name}, under a uniform law", text, "uniform", answer=answer)
    for name, text in HUGE.items():
        yield _finite(11, f"{name}, of a class", text.replace("u + w + ", "u + "), answer=name in POWERS)
    for name, text in NONE.items():
        yield _continuous(13, name, text)
    for name, text in LONG.items():
        yield _continuous(12, name, text, answer=True)
        yield _finite(12, f"{name}, of a class", text, answer=True)
    overflow = {
        "64 bits left by a product": "(u + 1) * 9223372036854775807 + (u + 1) * 9223372036854775807",
        "64 bits left by a power": "(u + 3)**50 * (u + 3)**50",
        "64 bits left by a sum": "u + 9223372036854775807 + 9223372036854775807",
        "64 bits left by a shift": "(u + 2) << 62",
        "a literal of 64 bits": "u + 9223372036854775808",
        "a division by zero": "u // 0",
        "a division by zero for one value": "1 // u",
        "a remainder of zero": "u % (v - v)",
        "no level": "u / 7",
    }
    for name, text in overflow.items():
        yield _finite(13, f"{name}, of a class", text)
    yield _continuous(14, "a literal of 5,000 digits", f"u + w + {DIGITS}")
    yield _continuous(14, "a decimal of 5,000 digits", f"u + w + 0.{DIGITS}", answer=True)
    yield _finite(14, "a literal of 5,000 digits, of a class", f"u + {DIGITS}")
    small = _graph("u + w", "normal")
    given = ("counterfactual", "g.yaml", "--given", "w=0.5", "--given", "x=0.25", "--do")
    yield Case(
        14,
        "--do of 5,000 digits",
        make=lambda: Path("g.yaml").write_text(small) and None,
        python=lambda: cf.compile(cf.loads(small)).sample(3, do={"w": 10**5000}),
        commands=(
            (*given, f"w={DIGITS}"),
            (*given, f"w+={DIGITS}"),
            ("sample", "g.yaml", "--do", f"w={DIGITS}"),
            ("ask", "g.yaml", f"E[x | do(w={DIGITS})]"),
            ("ask", "g.yaml", "E[x | w]", "--given", f"w={DIGITS}"),
        ),
    )
    table = "nodes: {x: {type: class, levels: 2, table: [%s, 0.5]}}\n"
    for name, number in {"an integer": DIGITS, "a fraction": f"{DIGITS}/{DIGITS}1", "a decimal": f"0.{DIGITS}"}.items():
        yield Case(
            14,
            f"{name} of 5,000 digits in a table",
            make=lambda number=number: Path("g.yaml").write_text(table % number) and None,
            python=lambda number=number: cf.loads(table % number),
            commands=(("check", "g.yaml"),),
        )
    yield Case(
        14,
        "an integer of 5,000 digits in a table, in Python",
        python=lambda: cf.Graph(nodes={"x": {"type": "class", "levels": 2, "table": [10**5000, 1]}}),
    )
    yield Case(
        14,
        "an equation that is an integer of 5,000 digits, in Python",
        python=lambda: cf.Graph(nodes={"x": {"type": "continuous", "equation": 10**5000}}),
    )


CASES = list(_all())
