"""The circuit's tables, made of pictures whose errors are known, and by a tiny net."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import causalflow as cf
from benchmarks.nets import CIRCUIT_SIZE, NETS
from benchmarks.papers.causal_diffae import circuit
from benchmarks.papers.causal_diffae.labels import FLOOR, STILL
from benchmarks.papers.experiment import Run
from causalflow.data.sets.causal_circuit import LABELS

N = 24


def read(folder, name):
    return json.loads((folder / f"causal_diffae_circuit_{name}.json").read_text())


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """What a run writes with a net after one step."""
    folder = tmp_path_factory.mktemp("circuit")
    data = cf.data.causal_circuit("train", CIRCUIT_SIZE, n=40, synthetic=True)
    graph = NETS[circuit.NET].declaration()
    image = replace(graph.nodes["image"].diffusion, width=4, multipliers=(1,), predictor_width=4)
    model = cf.compile(graph, image=image)
    model.fit(data.columns, steps=1, batch_size=4, device="cpu")
    model.save(folder / f"{circuit.NET}.safetensors")
    with pytest.warns(cf.SupportWarning):  # fitted to 40 rows, whose ranges are narrow
        circuit.circuit_tables(Run(out=folder, nets=folder, n=N))
    return folder


def test_every_table_says_that_the_pictures_are_a_look_alike(tables):
    for name in ("dci", "effectiveness", "images"):
        table = read(tables, name)
        assert "look-alike" in table["notes"][0]
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}


def test_true_pictures_are_read_without_error_and_idle_ones_err_in_what_was_set(tables):
    values = read(tables, "effectiveness")["values"]
    for do in LABELS:
        # 2e-3: rounding to 8 bits, a tenth of what any intervention moves.
        assert values[FLOOR][f"do({do}) {do}"] < 2e-3
        assert values[STILL][f"do({do}) {do}"] > 0.1
    # Nothing but the arm reaches the arm.
    assert values[STILL]["do(red) arm"] < 2e-3
    assert read(tables, "images")["values"][STILL]["arm"] > 1
