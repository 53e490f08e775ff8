"""The pendulum's tables, made of pictures whose errors are known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks.nets import NETS as NETS_THERE_ARE
from benchmarks.papers import experiment
from benchmarks.papers.causal_diffae import pendulum, shares
from benchmarks.papers.causal_diffae.labels import FLOOR, STILL
from benchmarks.papers.causal_diffae.pendulum import AGAINST, pendulum_bench, pendulum_tables
from benchmarks.papers.experiment import Run
from benchmarks.papers.page import verdict
from causalflow.data.sets.pendulum import LABELS

N = 24


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """What a run writes, where one net draws the truth and another leaves the pictures alone."""
    perfect, idle, _ = pendulum.NETS

    def made(run, name, data, actions):
        still, rows = data.images.float() / 255, list(range(len(data)))
        return {
            do: data.true_counterfactual(rows, act)["image"] if name == perfect else still
            for do, act in actions.items()
        }

    monkeypatch.setattr(pendulum, "pictures", made)
    for name in (perfect, idle):
        (tmp_path / f"{name}.safetensors").touch()
    pendulum_tables(Run(out=tmp_path, nets=tmp_path, n=N))
    files = tmp_path.glob("causal_diffae_pendulum_*.json")
    return {path.stem.rpartition("_")[2]: json.loads(path.read_text()) for path in files}


def test_every_net_of_the_tables_can_be_trained():
    assert set(pendulum.NETS) <= set(NETS_THERE_ARE)


def test_true_pictures_meet_every_cell_and_idle_ones_do_not(tables):
    perfect, idle, _ = pendulum.NETS.values()
    notes = tables["effectiveness"]["notes"]
    assert f"{perfect}: 16 of 16 cells" in notes[0]
    assert f"{idle}: 16 of 16 cells" not in notes[1]
    values = tables["effectiveness"]["values"]
    assert values[perfect] == values[FLOOR]
    assert values[idle] == values[STILL]
    assert values[idle]["do(angle) angle"] > 0.3 > values[idle]["do(angle) light"]


def test_units_are_half_ranges_of_each_other(tables):
    half, raw = (tables[name]["values"][STILL] for name in ("effectiveness", "raw"))
    for do in LABELS:
        for name in LABELS:
            key = f"do({do}) {name}"
            assert raw[key] == pytest.approx(pendulum.RANGES[name].scale * half[key])


def test_the_poster_is_copied_row_by_row(tables):
    """Rows are labels, columns interventions: do(angle) moves the shadow more than the light."""
    rows = {tuple(row[:2]): row[2:] for row in tables["effectiveness"]["rows"]}
    assert rows["angle", AGAINST] == ["0.297", "0.132", "0.031", "0.034"]
    assert rows["shadow_position", AGAINST] == ["0.146", "0.303", "0.064", "0.471"]


def test_values_asked_for_fill_the_range_and_rows_out_of_sight_are_left_out(tmp_path):
    bench = pendulum_bench(Run(out=tmp_path, nets=tmp_path, n=400), {})
    for name, action in bench.actions.items():
        label, truth = pendulum.RANGES[name], bench.truth[name]
        share = (action[name] - label.guess) / label.scale
        assert share.abs().max() <= 1
        assert share.abs().mean() == pytest.approx(0.5, abs=5 * 0.29 / 400**0.5)
        left, right = (
            truth["shadow_position"] + sign * truth["shadow_length"] / 2 for sign in (-1, 1)
        )
        # the canvas: 20 units are .775 of it, beginning at .125
        seen = (left >= -0.125 / 0.775 * 20) & (right <= 0.875 / 0.775 * 20)
        assert torch.equal(bench.seen[name], seen)


def test_without_nets_there_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "CHECKPOINTS", tmp_path)  # one net ships
    pendulum_tables(Run(out=tmp_path, nets=tmp_path, n=N))
    assert not list(tmp_path.iterdir())


def test_cells_are_counted_by_the_share_of_rows_from_experiments(tmp_path, monkeypatch):
    """The net without such rows leaves pictures alone, the others draw the truth."""
    none = next(iter(shares.NETS))

    def made(run, name, data, actions):
        still, rows = data.images.float() / 255, list(range(len(data)))
        truth = {do: data.true_counterfactual(rows, act) for do, act in actions.items()}
        return {do: still if name == none else world["image"] for do, world in truth.items()}

    monkeypatch.setattr(pendulum, "pictures", made)
    monkeypatch.setattr(shares, "DOCS", tmp_path)
    for name in shares.NETS:
        (tmp_path / f"{name}.safetensors").touch()
    shares.share_tables(Run(out=tmp_path, nets=tmp_path, n=N))
    table = json.loads((tmp_path / f"{shares.NAME}.json").read_text())
    assert table["columns"][3:] == ["0 %", "1 %", "5 %", "20 %", "parts"]
    assert len(table["rows"]) == 16
    assert (tmp_path / shares.PLOT).exists()
    said = verdict("causal_diffae", shares.NAME, table)
    # angle and light under the other three, each measure of the shadow under do() of the other
    assert "0 %: 8 of 16, 8 with" in said
    assert "20 %: 16 of 16, 16 with" in said
    assert "Missed" not in said
    assert set(shares.NETS) <= set(NETS_THERE_ARE)


def test_the_nets_of_the_shares_differ_in_their_rows_alone():
    plain, *others = (NETS_THERE_ARE[name] for name in shares.NETS)
    for share, other in zip(shares.SHARES[1:], others, strict=True):
        assert other.data == {**plain.data, "interventional": share / 100}
        assert replace(other, data=plain.data, about=plain.about) == plain
