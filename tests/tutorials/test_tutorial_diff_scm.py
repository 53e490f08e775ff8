"""The tutorial on Diff-SCM runs, and its references score what they must."""

import pytest
from test_tutorials import run

from causalflow.evaluation.likeness import FLOOR, NOTHING


def test_references_of_the_diff_scm_tutorial_score_what_they_must() -> None:
    ends = run("05_diff_scm.py", steps=3, images=12, epochs=4)
    # In grey levels of 255; a picture is rounded to float32 when it leaves, 1.5e-5 of them.
    assert ends["null"] <= 1e-4
    assert ends["left"] == pytest.approx(NOTHING, rel=1e-12)  # float64
    assert FLOOR < ends["real"] < NOTHING
    assert all(FLOOR <= ends[name] <= 1 + FLOOR for name in ends if name != "null")
