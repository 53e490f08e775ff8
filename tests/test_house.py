"""The trips of `docs/house`: a call enters no more files than were counted when it was recorded."""

from pathlib import Path

import pytest
from house.trips import TRIPS, entered

ROOT = Path(__file__).resolve().parents[1]
RECORDED = {
    "counterfactual": 48,
    "exact, first": 68,
    "exact, again": 25,
    "verdict": 24,
    "verdict, from a file": 38,
    "fit": 48,
    "evaluate": 118,
}
"""Lower a number when a trip gets shorter; the aims stand in `docs/architecture.md`."""


def test_every_trip_has_a_record():
    assert RECORDED.keys() == TRIPS.keys()


@pytest.mark.parametrize("trip", TRIPS)
def test_trip_enters_no_more_files_than_recorded(trip):
    files = entered(ROOT, trip)
    assert len(files) <= RECORDED[trip], files
