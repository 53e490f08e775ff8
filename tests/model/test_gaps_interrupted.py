"""A fit that a signal stops while empty cells are filled says what the same call will do."""

import pytest

from causalflow.model import likelihood
from causalflow.training.device import FitInterrupted


def test_a_stop_while_cells_are_filled_says_that_the_call_begins_with_them_again(monkeypatch):
    def stopped(*given):
        raise FitInterrupted("fit stopped after step 3 of 9; without checkpoint=... it is lost")

    monkeypatch.setattr(likelihood, "fit", stopped)
    with pytest.raises(FitInterrupted, match=r"cells were filled.*begins with them again") as said:
        likelihood._refit(None, None, None)
    assert "checkpoint" not in str(said.value)
