"""The tutorial on the diffusion NCM ends inside the bounds, and moves nothing that it must not."""

import pytest
from test_tutorials import run

ROWS = 20_000


@pytest.mark.filterwarnings("ignore:.*not identifiable:causalflow.CausalflowWarning")
def test_what_data_decide_is_right_and_the_rest_is_within_its_bounds() -> None:
    ends = run("08_diffusion_ncm.py", rows=ROWS, images=2, steps=2)
    # 5 standard errors of a share of the rows, and of one of the draws of an answer.
    assert ends["effect"] <= 5 * 0.5 / ROWS**0.5 + 5 * 0.5 / 100_000**0.5
    # At an end of the bounds: the error of P(bar | digit=3, color), of some 600 green and 350 red
    # rows among 20,000 after the digit's and the colour's share, times 1 / .735.
    assert ends["outside"] <= 5 * (0.25 / 600) ** 0.5 / 0.735
    assert ends["moved"] == 0
    assert ends["digit lost"] == 0
