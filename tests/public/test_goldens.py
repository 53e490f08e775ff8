"""What must not change while the package is rebuilt is as the golden files keep it.

They are rewritten, on purpose, by ``python tests/public/rewrite_goldens.py``.
"""

import os
import warnings
from pathlib import Path

import golden_answers
import golden_checkpoints
import golden_commands
import golden_data
import golden_face
import golden_nets
import golden_symbols
import pytest
from golden_files import differences, read

AREAS = {
    "answers": golden_answers,
    "checkpoints": golden_checkpoints,
    "commands": golden_commands,
    "data": golden_data,
    "face": golden_face,
    "nets": golden_nets,
    "symbols": golden_symbols,
}
EVERY = [(area, name) for area, module in AREAS.items() for name in module.CASES]


def missing(name):
    """Whether a case needs files of MNIST that are not there."""
    folder = os.environ.get("CAUSALFLOW_DATA")
    return "MNIST" in name and not (folder and Path(folder, "mnist").is_dir())


@pytest.mark.parametrize(("area", "name"), EVERY, ids=lambda each: each.replace(" ", "-"))
def test_what_is_found_is_what_the_golden_file_keeps(area, name):
    if missing(name):
        pytest.skip("needs MNIST in $CAUSALFLOW_DATA")
    module = AREAS[area]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = module.CASES[name]()
    compare = getattr(module, "compare", differences)
    assert list(compare(found, read(area)[name], module.TOLERANCE)) == []


@pytest.mark.parametrize("area", AREAS)
def test_every_kept_case_is_still_found(area):
    assert set(read(area)) == set(AREAS[area].CASES)


def test_a_difference_is_seen():
    golden = {"a": [1.0, 2], "b": "text"}
    assert list(differences({"a": [1.0, 2], "b": "text"}, golden, 1e-6)) == []
    assert list(differences({"a": [1.1, 2], "c": 0}, golden, 1e-6)) == [
        "/a[0]: 1.1; golden 1.0",
        "/b: lost",
        "/c: new",
    ]


def test_a_lost_parameter_is_seen_and_a_new_one_is_not():
    golden = {"fit": ["self", "data"], "steps": "20", "ask": ["self"]}
    assert list(golden_face.compare({**golden, "fit": ["self", "data", "new"]}, golden, 0)) == []
    assert list(golden_face.compare({"fit": ["self"], "steps": "19"}, golden, 0)) == [
        "fit: parameter 'data' lost",
        "steps: '19'; golden '20'",
        "ask: lost",
    ]
