"""Commands on a model of a table: options of pictures are refused, not passed over."""

import pytest


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("evaluate", ("--n", 20)),
        ("evaluate", ("--steps", 5)),
        ("evaluate", ("--guidance", 2)),
        ("evaluate", ("--judge-epochs", 1)),
        ("evaluate", ("--metrics", "PSNR")),
        ("evaluate", ("--resize", "cover")),
        ("evaluate", ("--option", "solver=heun")),
        ("sample", ("--steps", 3)),
        ("sample", ("--guidance", 2)),
        ("sample", ("--option", "solver=heun")),
        ("counterfactual", ("--steps", 3)),
    ],
)
def test_option_of_pictures_is_refused_for_a_model_of_a_table(cli, sizes, command, option):
    rows = ["--data", sizes / "rows.csv"] if command != "sample" else []
    do = ["--do", "color=red"] if command == "counterfactual" else []
    ran = cli(command, sizes / "model.safetensors", *rows, *do, *option)
    assert ran.code == 2
    assert ran.err == f"{command}: {option[0]} is of models with an image; this has none\n"
    assert ran.out == ""


def test_part_of_a_data_set_is_refused_for_rows_of_ones_own(cli, sizes):
    rows = ("--data", sizes / "rows.csv", "--split", "validation")
    ran = cli("evaluate", sizes / "model.safetensors", *rows)
    assert ran.code == 2
    assert "--split is of a data set; " in ran.err


def test_report_of_one_row_counts_one_row(cli, sizes, tmp_path):
    (tmp_path / "one.csv").write_text("color,size\nred,3\n")
    ran = cli("evaluate", sizes / "model.safetensors", "--data", "one.csv")
    assert "judged by 1 row\n" in ran.out
    assert "e-" not in ran.out.split("note: ")[0]  # rounding is no number


def test_picture_of_a_table_is_refused_before_anything_is_drawn(cli, sizes, monkeypatch):
    monkeypatch.setattr("causalflow.model.model.Model.sample", None)
    ran = cli("sample", sizes / "model.safetensors", "-o", "draws.png")
    assert ran.code == 2
    assert ran.err == "draws.png: no image is drawn; give a .csv file for the labels\n"
