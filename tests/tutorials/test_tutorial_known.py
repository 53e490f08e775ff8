"""The tutorial on identification ends in numbers that are the truth's."""

from pathlib import Path

import pytest
from test_tutorials import run


def test_what_can_be_known_is_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = run("03_can_this_be_known.py", rows=5_000, folder=tmp_path)
    # Five standard errors of an answer from 5,000 rows: intervals of 95 % are about 0.04 wide.
    assert ends.pop("rows") < 0.05
    assert ends.keys() == {"front door", "bow", "experiment", "necessity", "NDE", "NIE", "ETT"}
    assert max(ends.values()) < 1e-12  # float64 sums of a few exact fractions
    assert (tmp_path / "hedge.png").exists()
    said = capsys.readouterr().out
    assert "rule 2: P(tar | do(smoking)) = P(tar | smoking)" in said
    assert "the same data: True; effects 1 and 1/2" in said
    assert "no experiment has both" in said
