"""A type of one's own whose values have axes, a series of four numbers, by every door of a model.

What it is not: a picture. Its mechanism is linear and Gaussian, so that counterfactuals are known.
"""

import contextlib
import csv
import io
import runpy
import sys
from unittest import mock

import pytest
import torch

import causalflow as cf

MODULE = '''
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

import causalflow as cf
from causalflow.mechanisms.features import columns, width
from causalflow.mechanisms.mechanism import all_labelled, draw_normal
from causalflow.nn.engine import Engine
from causalflow.values.variable import Look, NodeType


@cf.register("type of a node", "series")
@dataclass(frozen=True, slots=True, kw_only=True)
class Series(NodeType):
    """Four numbers, one after the other."""

    word: ClassVar[str] = "series"
    engine: ClassVar[str] = "my_series:ENGINE"
    look: ClassVar[Look] = Look(shape="rounded", fill="#eeeeee", line="#444444")

    shape = property(lambda self: (4,))
    caption = property(lambda self: "4 numbers")
    predicate = property(lambda self: "a series")

    def read(self, given, *, where="value", error=cf.EvidenceError):
        try:
            found = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise error(f"{where}: no series; expected four numbers") from None
        if found.ndim not in (1, 2) or found.shape[-1] != 4:
            raise error(f"{where}: shape {found.shape}; expected four numbers a row")
        return found

    def show(self, stored):
        return np.asarray(stored)


class Line(nn.Module):
    """x = W f(pa) + s u, u normal; W by least squares."""

    description, assumption = "linear Gaussian series", "noise that adds"

    def __init__(self, site):
        super().__init__()
        self.name, self.parents = site.name, dict(site.parents)
        features = 1 + sum(map(width, self.parents.values()))
        self.register_buffer("weights", torch.zeros(features, 4, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(4, dtype=torch.float64))

    def features(self, parents, n):
        one = torch.ones(n, 1, dtype=torch.float64)
        return torch.cat([one, columns(self.parents, parents, n, one.device)], 1)

    def middle(self, parents, n):
        return self.features(parents, n) @ self.weights

    def calibrate(self, values, generator):
        keep = all_labelled(values, [self.name, *self.parents])
        rows = {name: values[name][keep] for name in [self.name, *self.parents]}
        told = self.features(rows, int(keep.sum()))
        self.weights.copy_(torch.linalg.lstsq(told, rows[self.name]).solution)
        self.spread.copy_((rows[self.name] - told @ self.weights).square().mean(0).sqrt())

    def loss(self, values, generator):
        return None

    def draw_noise(self, n, generator):
        return {"u": draw_normal((n, 4), generator)}

    def abduct(self, value, parents, generator):
        return {"u": (value - self.middle(parents, len(value))) / self.spread}

    def predict(self, parents, noise):
        return self.middle(parents, len(noise["u"])) + self.spread * noise["u"]

    def log_prob(self, value, parents):
        law = torch.distributions.Normal(self.middle(parents, len(value)), self.spread)
        return law.log_prob(value).sum(-1)


class Told(nn.Linear):
    """What a child's network is told."""

    def __init__(self, kind, features):
        super().__init__(4, features)

    def forward(self, value):
        return super().forward(value.to(self.weight))


ENGINE = Engine(embedding=Told, mechanism=Line)
'''
GRAPH = """
graph: tides
nodes:
  tide: {type: class, levels: [ebb, flood]}
  wave: {type: series}
  crew: {type: count}
edges: [tide -> wave, wave -> crew]
"""
STEP = torch.tensor([0.0, 10.0, -20.0, 300.0], dtype=torch.float64)
"""What the flood adds; far outside of [0, 1], where a picture would be."""


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    """The type, registered; gone after the tests of this file, for others read the names."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_series.py").write_text(MODULE)
    registries = cf.register.__globals__["REGISTRIES"].values()
    kept = [(each, dict(each._entries)) for each in registries]
    with mock.patch.object(sys, "path", [*sys.path, str(folder)]):
        __import__("my_series")
        yield
    del sys.modules["my_series"]
    for each, entries in kept:
        each._entries = entries


@pytest.fixture(scope="module")
def rows():
    """Even rows ebb, odd rows flood; the noise has mean 0 among both, so that the fit is exact."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(100, 4, generator=generator, dtype=torch.float64)
    noise = torch.stack([noise, noise]).sub(noise.mean(0)).transpose(0, 1).reshape(200, 4)
    tide = torch.arange(200) % 2
    crew = torch.poisson(torch.full((200,), 3.0), generator=generator)
    return {"tide": tide, "wave": 1 + tide[:, None] * STEP + noise, "crew": crew}


@pytest.fixture(scope="module")
def fitted(rows):
    model = cf.compile(cf.loads(GRAPH))
    model.fit(rows, steps=2, progress=False)
    return model


def command(*words):
    """The command line in this process: exit code and what it printed."""
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["causalflow", *map(str, words)]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.raises(SystemExit) as end,
    ):
        runpy.run_module("causalflow", run_name="__main__")
    return end.value.code or 0, printed.getvalue()


def test_a_counterfactual_is_the_truth(fitted, rows):
    turned = fitted.counterfactual(rows, {"tide": "flood"})["wave"]
    torch.testing.assert_close(turned[::2], rows["wave"][::2] + STEP, rtol=0, atol=1e-9)
    torch.testing.assert_close(turned[1::2], rows["wave"][1::2], rtol=0, atol=1e-9)


def test_one_series_is_one_row_of_evidence(fitted):
    one = fitted.counterfactual({"tide": "ebb", "wave": [1, 2, 3, 4], "crew": 2}, {"tide": "flood"})
    found = one["wave"][0]
    torch.testing.assert_close(found, STEP + torch.arange(1.0, 5.0), rtol=0, atol=1e-9)


def test_a_series_is_set_for_all_rows_or_for_each(fitted):
    assert fitted.sample(3, do={"wave": [5, -6, 7, 8]})["wave"].tolist() == [[5, -6, 7, 8]] * 3
    each = [[0, 1, 2, 3], [9, 9, 9, 9]]
    kept = {"tide": [0, 1], "wave": [[0] * 4] * 2, "crew": [1, 2]}
    assert fitted.counterfactual(kept, {"wave": each})["wave"].tolist() == each


def test_draws_have_the_law_of_the_rows(fitted, rows):
    drawn = fitted.sample(4000, do={"tide": "flood"}, generator=1)["wave"]
    flood = rows["wave"][1::2]
    error = flood.std(0, correction=0) / 4000**0.5
    assert ((drawn.mean(0) - flood.mean(0)).abs() < 5 * error).all()


def test_a_saved_model_answers_alike(fitted, rows, tmp_path):
    fitted.save(tmp_path / "tides.safetensors")
    again = cf.Model.load(tmp_path / "tides.safetensors")
    asked = (rows, {"tide": "flood"})
    assert again.counterfactual(*asked)["wave"].equal(fitted.counterfactual(*asked)["wave"])
    assert again.graph == fitted.graph


def test_a_stream_writes_numbers_and_no_pictures(fitted, rows, tmp_path):
    some = {name: column[:3] for name, column in rows.items()}
    fitted.counterfactual(some, {"tide": "flood"}, out=tmp_path / "out", progress=False)
    assert not list((tmp_path / "out").rglob("*.png"))
    with (tmp_path / "out" / "labels.csv").open(newline="") as file:
        cells = [row["wave"] for row in csv.DictReader(file)]
    assert len(cells) == 3
    written = [[float(number) for number in cell.strip("[]").split(",")] for cell in cells]
    assert written == fitted.counterfactual(some, {"tide": "flood"})["wave"].tolist()


def test_questions_are_answered_or_refused_in_one_line(fitted):
    given = {"wave": (1 + STEP).tolist()}
    assert fitted.ask("P(tide=flood | wave)", **given).value == pytest.approx(1, abs=1e-6)
    assert fitted.ask("E[crew | do(wave)]", **given).value > 0
    for query, what in {
        "P(wave)": "'wave' is a series",
        "E[wave]": "expectation of the series 'wave'",
        "P(tide | wave=3)": "series node 'wave' takes no value in a query",
    }.items():
        with pytest.raises(cf.QueryError, match=what) as refused:
            fitted.ask(query)
        assert "\n" not in str(refused.value).strip()


def test_a_mechanism_without_likelihood_says_so_where_a_cause_is_inferred(
    rows, tmp_path, monkeypatch
):
    silent = MODULE.replace("series", "silent")
    start, end = silent.index("    def log_prob"), silent.index("class Told")
    (tmp_path / "my_silent.py").write_text(silent[:start] + "\n\n" + silent[end:])
    monkeypatch.syspath_prepend(tmp_path)
    __import__("my_silent")
    model = cf.compile(cf.loads(GRAPH.replace("series", "silent")))
    model.fit(rows, steps=2, progress=False)
    with pytest.raises(cf.EvidenceError, match=r"'wave': its mechanism tells no likelihood.*tide"):
        model.ask("P(tide=flood | wave)", wave=[1.0, 2.0, 3.0, 4.0])
    assert 0 < model.ask("P(tide=flood)").value < 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "nodes: {w: {type: series}, y: {type: continuous, equation: w + 1}}",
            "'w' is a series; expected variables of type class, continuous or count",
        ),
        (
            "exogenous: {u: normal}\nnodes: {w: {type: series, equation: u}}",
            r"expected a list of 4 equations for shape \[4\]",
        ),
        (
            "nodes: {w: {type: series}, y: {type: count}}\nedges: ['y -> w: anticausal']",
            "an anticausal edge must point at an image; 'w' is of type series",
        ),
        (
            "nodes: {w: {type: series}, y: {type: continuous, noise: linear}}\nedges: [w -> y]",
            "noise 'linear' cannot have the series parent 'w'",
        ),
        (
            "nodes: {w: {type: series}, i: {type: image, shape: [1, 8, 8]}}\nedges: [w -> i]",
            "type series cannot be read off an image",
        ),
    ],
)
def test_what_a_series_cannot_be_is_said_of_a_series(text, what):
    with pytest.raises(cf.CausalflowError, match=what):
        cf.compile(cf.loads(text))


def test_evidence_without_names_is_no_series(fitted, rows):
    with pytest.raises(cf.EvidenceError, match="without names needs a graph with one image node"):
        fitted.counterfactual(rows["wave"], {})
    with pytest.raises(cf.EvidenceError, match=r"shape \(3,\); expected four numbers a row"):
        fitted.counterfactual({"wave": [1, 2, 3]}, {})


def test_an_equation_gives_each_entry():
    graph = cf.loads(
        "exogenous: {u: normal}\nnodes: {w: {type: series, equation: [u, u + 1, 2, 300 * u]}}"
    )
    drawn = cf.compile(graph).sample(5)["w"]
    u = drawn[:, 0]
    expected = torch.stack([u, u + 1, torch.full_like(u, 2), 300 * u], 1)
    torch.testing.assert_close(drawn, expected, rtol=1e-12, atol=0)


def test_the_command_line_checks_draws_describes_and_samples(fitted, tmp_path):
    file, saved = tmp_path / "tides.yaml", tmp_path / "tides.safetensors"
    file.write_text(GRAPH)
    fitted.save(saved)
    assert command("check", file)[0] == 0
    code, _ = command("draw", file, "-o", tmp_path / "tides.svg")
    assert code == 0
    assert "4 numbers" in (tmp_path / "tides.svg").read_text()
    code, printed = command("describe", saved)
    assert code == 0
    assert "linear Gaussian series" in printed
    assert command("sample", saved, "-n", 3, "-o", tmp_path / "drawn.csv")[0] == 0
    with (tmp_path / "drawn.csv").open(newline="") as rows:
        assert [row["wave"].count(",") for row in csv.DictReader(rows)] == [3] * 3
    assert not list(tmp_path.glob("*.png"))
    code, printed = command("sample", saved, "--do", "wave=3")
    assert code == 2
    assert "node 'wave': shape (); expected four numbers a row" in printed
