"""The trips of `docs/house`: a call enters no more files than were counted when it was recorded."""

import re
from pathlib import Path

import pytest
from house.trips import TRIPS, entered

ROOT = Path(__file__).resolve().parents[1]
RECORDED = {
    "counterfactual": 38,
    "exact, first": 49,
    "exact, again": 20,
    "verdict": 19,
    "verdict, from a file": 30,
    "fit": 40,
    "evaluate": 88,
}
"""Lower a number when a trip gets shorter; the aims stand in `docs/architecture.md`."""


def test_every_trip_has_a_record():
    assert RECORDED.keys() == TRIPS.keys()


@pytest.mark.parametrize("trip", TRIPS)
def test_trip_enters_no_more_files_than_recorded(trip):
    files = entered(ROOT, trip)
    assert len(files) <= RECORDED[trip], files


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_a_page_names_exist(page):
    text = re.sub(r"<!-- [a-z].*?<!-- end -->", "", (ROOT / page).read_text("utf-8"), flags=re.S)
    named = re.findall(r"(?<![\w/])(?:[\w.]+/)+[\w.]+\.(?:py|md|svg|yaml|json)\b", text)
    missing = [
        name
        for name in named
        if not any((base / name).exists() for base in (ROOT, ROOT / "docs", ROOT / "causalflow"))
    ]
    assert named
    assert missing == []
