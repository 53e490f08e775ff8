"""Hostile tables and rows: lines 15 to 18 of the list."""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

import causalflow as cf
from tests.hostile.hostile_runner import Case

__all__ = ["CASES", "GRAPH", "model_bytes"]

GRAPH = """
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, noise: linear}
edges: [color -> size]
"""
TABLE = "nodes: {{x: {{type: class, levels: 2, table: [{0}, {1}]}}}}\n"
GOOD = "color,size\n" + "red,1.5\ngreen,2\n" * 3


def _frame() -> pd.DataFrame:
    return pd.DataFrame({"color": ["red", "green"] * 5, "size": np.arange(10.0)})


def _fitted() -> cf.Model:
    model = cf.compile(cf.loads(GRAPH))
    model.fit(_frame(), progress=False)
    return model


@functools.cache
def model_bytes(text: str | None = None) -> bytes:
    """A model file: of a graph's text, untrained; by default of `GRAPH`, fitted."""
    with tempfile.TemporaryDirectory() as folder:
        model = _fitted() if text is None else cf.compile(cf.loads(text))
        model.save(Path(folder) / "m")
        return (Path(folder) / "m").read_bytes()


def _save() -> None:
    Path("g.yaml").write_text(GRAPH)
    Path("m.safetensors").write_bytes(model_bytes())


def _csv(line: int, name: str, content: str | bytes, **given: object) -> Case:
    data = content if isinstance(content, bytes) else content.encode()

    def make() -> None:
        _save()
        Path("rows.csv").write_bytes(data)

    def python() -> object:
        from causalflow.data.files import read_table

        return cf.compile(cf.loads(GRAPH)).fit(read_table("rows.csv"), progress=False)

    commands = (
        ("fit", "g.yaml", "--data", "rows.csv", "--no-progress", "-o", "new.safetensors"),
        ("counterfactual", "m.safetensors", "--evidence", "rows.csv", "--do", "color=red"),
    )
    return Case(line, name, make=make, python=python, commands=commands, **given)


def _tables() -> Iterator[Case]:
    for given in (
        ".nan",
        "nan",
        "inf",
        "-.inf",
        "-0.5",
        "1e308",
        "1/0",
        "0/0",
        "1" * 5000 + "/3",
        "1e-400",
        "0x1",
        "1_0",
        "½",
        "[1]",
        "''",
    ):
        text = TABLE.format(given, "0.5")
        yield Case(
            15,
            f"a table with {given[:10]}",
            make=lambda text=text: Path("g.yaml").write_text(text) and None,
            python=lambda text=text: cf.loads(text),
            commands=(("check", "g.yaml"), ("ask", "g.yaml", "P(x)")),
            answer=given == "1e-400",
        )
    numbers = {
        "nan": math.nan,
        "infinity": math.inf,
        "-1": -1,
        "1e308": 1e308,
        "1j": 1j,
        "None": None,
        "10**5000": Fraction(1, 10**5000),
        "a numpy nan": np.float32("nan"),
        "an object": object(),
        "True": True,
    }
    for name, number in numbers.items():
        yield Case(
            15,
            f"a table with {name}, in Python",
            python=lambda number=number: cf.Graph(nodes={"x": {"type": "class", "levels": 2, "table": [number, 0.5]}}),
        )
        yield Case(
            15,
            f"cf.Table with {name}",
            python=lambda number=number: cf.Table(["x"], [number, 0.5]),
            answer=name in ("-1", "1e308", "10**5000", "True"),
        )
    yield Case(15, "cf.Table of another shape", python=lambda: cf.Table(["x"], np.ones(3), {"x": ("a", "b")}))
    yield Case(
        15,
        "an exogenous p with nan",
        python=lambda: cf.Graph(exogenous={"u": {"p": [math.nan, 1]}}, nodes={"x": {"type": "class", "levels": 2, "equation": "u"}}),
    )
    yield Case(
        15,
        "an exogenous normal of an infinite std",
        python=lambda: cf.Graph(exogenous={"u": {"type": "normal", "std": math.inf}}, nodes={"x": {"type": "continuous", "equation": "u"}}),
    )


def _rows() -> Iterator[Case]:
    wide = ",".join(f"c{i}" for i in range(10**6))
    long = "color,size\n" + "red,1.5\n" * 89_998 + "green,large\n" + "red,1\n" * 10
    yield _csv(16, "a header only", "color,size\n")
    yield _csv(16, "no header", "red,1\ngreen,2\n")
    yield _csv(16, "a column twice", "color,size,size\nred,1,2\n")
    yield _csv(16, "a row of other length", GOOD + "red\n")
    yield _csv(16, "a longer row", GOOD + "red,1,2\n")
    yield _csv(16, "10**6 columns", wide + "\n" + wide + "\n")
    yield _csv(16, "5,000 columns and a bad one", ",".join(f"c{i}" for i in range(5000)) + "\n")
    yield _csv(16, "UTF-16", GOOD.encode("utf-16"))
    yield _csv(16, "UTF-16 without its mark", GOOD.encode("utf-16-le"))
    yield _csv(16, "UTF-32", GOOD.encode("utf-32"))
    yield _csv(16, "Latin-1", "größe,color,size\n1,red,1\n".encode("latin-1"))
    yield _csv(16, "null bytes", GOOD.encode() + b"red,\0\n")
    yield _csv(16, "null bytes only", b"\0" * 10**6)
    yield _csv(16, "a word in row 90,000", long)
    yield _csv(16, "an unknown level in row 90,000", long.replace("green,large", "blue,1"))
    yield _csv(16, "a quote that is never closed", GOOD + '"red,1\n' * 1000)
    yield _csv(16, "a cell of 1 MB", GOOD + "red," + "1" * 10**6 + "\n")
    yield _csv(16, "a line of 100 MB", GOOD.encode() + b"1" * 10**8)
    yield _csv(16, "a column's name of 1 MB", "c" * 10**6 + ",color,size\n1,red,1\n")
    yield _csv(16, "nothing", "")
    yield _csv(16, "blank lines only", "\n" * 10**5)
    yield _csv(16, "an infinite number", GOOD + "red,1e999\n")
    yield _csv(16, "a number of 5,000 digits", GOOD + "red," + "9" * 5000 + "\n")
    yield _csv(16, "pictures in place of text", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100)
    for name, columns in {
        "a DataFrame with a column twice": pd.concat([_frame(), _frame()], axis=1),
        "a DataFrame of no rows": _frame()[:0],
        "a DataFrame of words": pd.DataFrame({"color": ["red"], "size": ["large"]}),
        "a DataFrame of objects": pd.DataFrame({"color": [object()], "size": [1.0]}),
        "a DataFrame of dates": pd.DataFrame({"color": ["red"], "size": pd.to_datetime(["2020-01-01"])}),
        "a DataFrame of infinite numbers": pd.DataFrame({"color": ["red"], "size": [math.inf]}),
        "a DataFrame of huge integers": pd.DataFrame({"color": ["red"], "size": [10**400]}),
        "a DataFrame of complex numbers": pd.DataFrame({"color": ["red"], "size": [1j]}),
        "columns of unequal length": {"color": ["red"], "size": [1.0, 2.0]},
        "columns of lists": {"color": [["red"]], "size": [1.0]},
        "a column that is a text": {"color": "red", "size": "large"},
        "no columns": {},
        "None": None,
        "a number": 3,
        "a text": "rows.csv",
        "a list of numbers": [1, 2],
        "a ragged column": {"color": ["red", "red"], "size": [[1.0], [1.0, 2.0]]},
    }.items():
        yield Case(16, f"{name}, to fit", python=lambda columns=columns: cf.compile(cf.loads(GRAPH)).fit(columns, progress=False))
    real = cf.Graph(
        nodes={"x": {"type": "continuous"}, "z": {"type": "continuous"}, "y": {"type": "continuous"}}, edges=["z -> x -> y", "z -> y"]
    )
    symbols = cf.Graph(edges=["z -> x -> y", "z -> y"])
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(2000, 3)), columns=list("xyz"))
    for name, graph in {"continuous nodes": real, "symbols": symbols}.items():
        yield Case(
            17,
            f"an estimate on 2,000 numbers of {name}",
            answer=True,
            python=lambda graph=graph: cf.identify(graph, "P(y | do(x))").estimate(rows),
        )


def _evidence() -> Iterator[Case]:
    given = {
        "a node that does not exist": {"shape": 1},
        "a level that does not exist": {"color": "blue"},
        "columns of other length": {"color": ["red"] * 3, "size": [1.0, 2.0]},
        "an infinite number": {"size": math.inf},
        "a text": {"size": "large"},
        "an object": {"size": object()},
        "an integer of 400 digits": {"size": 10**400},
        "nan for every node": {"color": math.nan, "size": math.nan},
        "a tensor of two axes": {"size": np.ones((3, 2))},
        "a level of 1 MB": {"color": "x" * 10**6},
        "a level of bidi marks": {"color": "\u202e\x1b"},
    }
    for name, evidence in given.items():
        answer = name == "nan for every node"
        yield Case(
            18, f"evidence: {name}", answer=answer, python=lambda evidence=evidence: _fitted().counterfactual(evidence, do={"color": "red"})
        )
        yield Case(18, f"do: {name}", python=lambda evidence=evidence: _fitted().sample(2, do=evidence))
    words = {
        "a node that does not exist": "shape=1",
        "a level that does not exist": "color=blue",
        "a word": "size=large",
        "an infinite number": "size=inf",
        "nan": "size=nan",
        "a number of 5,000 digits": "size=" + "1" * 5000,
        "nothing": "",
        "a level of bidi marks": "color=\u202e\x1b[31m\n",
    }
    for name, word in words.items():
        yield Case(
            18,
            f"--given: {name}",
            make=_save,
            commands=(
                ("counterfactual", "m.safetensors", "--given", word, "--do", "color=red"),
                ("counterfactual", "m.safetensors", "--given", "color=red", "--do", word),
                ("sample", "m.safetensors", "--do", word),
                ("ask", "m.safetensors", "E[size | color]", "--given", word),
            ),
        )


CASES = [*_tables(), *_rows(), *_evidence()]
