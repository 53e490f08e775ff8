"""Verdicts follow the numbers of their tables: another table, another sentence."""

import importlib

import pytest

from benchmarks.papers.balanced.verdicts import VERDICTS as BALANCED
from benchmarks.papers.causal_diffae.labels import STILL
from benchmarks.papers.causal_diffae.verdicts import PAPER
from benchmarks.papers.causal_diffae.verdicts import VERDICTS as CAUSAL_DIFFAE
from benchmarks.papers.cells import Cell, column, read, rows, span
from benchmarks.papers.diff_scm.verdicts import VERDICTS as DIFF_SCM
from benchmarks.papers.experiment import SYSTEMS, declared


@pytest.mark.parametrize(
    ("text", "value", "low", "high"),
    [
        ("1.04 (1.02 to 1.06)", 1.04, 1.02, 1.06),
        ("0.00 (-0.00 to 0.01)", 0, 0, 0.01),
        ("3.1e-05 (2.65e-05, 3.55e-05)", 3.1e-5, 2.65e-5, 3.55e-5),
        ("0.662 (0.615 to 0.707; 400)", 0.662, 0.615, 0.707),
        ("0.155 (0.133, 0.176) / 0.065", 0.155, 0.133, 0.176),
        (".993 (.01)", 0.993, 0.993, 0.993),
        ("7", 7, 7, 7),
    ],
)
def test_a_cell_is_read_as_it_is_printed(text, value, low, high):
    assert read(text) == Cell(value=value, low=low, high=high)


def test_columns_rows_and_spans():
    found = {"columns": ["who", "made by"], "rows": [["a", "x"], ["b", "y"]]}
    assert column(found, "made") == ["x", "y"]
    assert rows(found, "", "y") == [["b", "y"]]
    assert span([0.2, 0.1], ".1f") == "0.1 to 0.2"
    assert span([0.21, 0.19], ".1f") == "0.2"


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_table_declared_has_a_verdict(system):
    verdicts = importlib.import_module(f"benchmarks.papers.{system}.verdicts").VERDICTS
    assert set(verdicts) == set(declared(system)["tables"])


def sweep(printed, original):
    """A table of a balanced task, in which two ways do so well."""
    ways = {"original (DDIM)": original, "balanced, printed": printed}
    ways |= dict.fromkeys(["balanced, preserving", "balanced, odds (ours)"], "3 (1 to 9)")
    body = [[guide, way, cell] for guide in ("learned", "readers") for way, cell in ways.items()]
    body.append(["readers", "recommended", "95 (93 to 97)"])
    return {"columns": ["predictor", "latent space", "both, %"], "rows": body}


def test_the_balanced_space_beats_ddim_only_beyond_its_interval():
    told = BALANCED["balanced_colored"]
    assert "in 50 %, more than DDIM's 20 %" in told(sweep("50 (40 to 60)", "20 (10 to 30)"))
    apart = told(sweep("50 (40 to 60)", "20 (10 to 45)"))
    assert "in 50 %, which cannot be told from DDIM's 20 %" in apart
    assert "in 5 %, less than DDIM's 20 %" in told(sweep("5 (1 to 9)", "20 (10 to 30)"))


def test_cells_at_most_the_papers_are_counted():
    body = [
        ["angle", PAPER, "0.2", "0.3"],
        ["angle", "ours, a", "0.1 (0.05, 0.15)", "0.29 (0.2, 0.4)"],
        ["angle", "ours, b", "0.3 (0.25, 0.35)", "0.31 (0.3, 0.4)"],
    ]
    found = {"columns": ["label", "made by", "do(angle)", "do(light)"], "rows": body}
    said = CAUSAL_DIFFAE["causal_diffae_pendulum_effectiveness"](found)
    assert "a: 2 of 2 cells are at most the paper's, 1 with their whole interval" in said
    assert "b: 0 of 2 cells" in said


def test_cells_are_counted_by_share_and_those_missed_at_the_largest_are_named():
    body = [
        ["do(light)", "angle", "0.2", "0.3 (0.2, 0.4)", "0.1 (0.05, 0.15)", "0.1 (0.05, 0.15)"],
        ["do(angle)", "light", "0.1", "0.3 (0.2, 0.4)", "0.15 (0.1, 0.2)", "0.1 (0.05, 0.15)"],
    ]
    heads = ["intervention", "label", PAPER, "0 %", "20 %", "parts"]
    said = CAUSAL_DIFFAE["causal_diffae_pendulum_shares"]({"columns": heads, "rows": body})
    assert "0 %: 0 of 2, 0 with" in said
    assert "20 %: 1 of 2, 1 with" in said
    assert "parts: 2 of 2, 1 with" in said
    assert said.endswith("Missed at 20 %: light under do(angle), 1.5 times the paper's.")


def test_a_picture_is_nearer_only_where_the_intervals_part():
    body = [[STILL, "2 (1.9, 2.1)", "1 (0.9, 1.1)"], ["ours, a", "1 (0.9, 1.1)", "0.9 (0.8, 1)"]]
    said = CAUSAL_DIFFAE["causal_diffae_circuit_images"]({"columns": [], "rows": body})
    assert "a: 0.50 to 0.90 of the error of changing nothing, surely nearer in 1 of 2" in said


def test_less_disentangled_than_the_paper_is_said_to_be_less():
    def table(value):
        alone = {"disentanglement": 0.5}
        return {
            "rows": [[PAPER, "512", "60,000", ".993 (.01)"]],
            "values": {"labels given": {"disentanglement": value}, "picture alone": alone},
        }

    assert "as much as" in CAUSAL_DIFFAE["causal_diffae_dci"](table(0.985))
    assert "less than" in CAUSAL_DIFFAE["causal_diffae_dci"](table(0.97))


def test_cld_is_called_better_only_where_the_intervals_part():
    def table(high):
        def of(value, low, high, calls):
            cld = {"value": value, "interval": [low, high]}
            return {"cld": cld, "target": {"value": 0.9}, "calls": calls}

        ours, papers = of(1.0, 0.9, high, 56), of(1.2, 1.1, 1.3, 2000)
        return {"values": {"ours, diff_scm_mnist: hold": ours, "paper's procedure, 1000": papers}}

    assert "(better;" in DIFF_SCM["diff_scm_scores"](table(1.05))
    assert "(not told apart;" in DIFF_SCM["diff_scm_scores"](table(1.15))


def test_a_push_is_said_to_balance_only_where_the_gap_is_small():
    def table(high):
        likely = ["0.50 (0.4 to 0.6)", "0.45 (0.4 to 0.5)"]
        gaps = ["0.9 (0.8 to 1.0)", "0.05 (0.04 to 0.06)"]
        body = [
            ["masked", "p(y_CF), the paper's", "validation", "16", "5", *likely, gaps[0], "1.1"],
            ["masked", "log-odds (ours)", "test", "48", "2", *likely, gaps[1], "1.2"],
        ]
        heads = ["task", "climbed", "split", "n", "gamma_1", "p(y_F) at the end"]
        heads += ["p(y_CF) at the end", "gap at the end", "size of x at the end"]
        values = {"masked": {"push": 2.0, "interval": [0.0, high]}}
        return {"columns": heads, "rows": body, "values": values}

    told = BALANCED["balanced_pushed"]
    assert "masked balanced, 0.50 and 0.45, a gap of 0.05" in told(table(0.09))
    assert "masked not balanced" in told(table(0.2))
    assert "best gamma_1 tried, 5: 0.90, x of size 1.1" in told(table(0.2))
