"""The committed page of confounded pictures is what its lines say."""

import json

from benchmarks.confounded.report import page
from benchmarks.folders import RESULTS


def test_the_page_is_that_of_the_lines():
    kept = (RESULTS / "confounded.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in kept]
    assert page(lines) == (RESULTS / "confounded.md").read_text(encoding="utf-8")


def test_the_hidden_cause_is_what_the_page_shows():
    kept = (RESULTS / "confounded.jsonl").read_text(encoding="utf-8").splitlines()
    apart = {}
    for line in map(json.loads, kept):
        apart.setdefault((line["world"], line["way"]), []).extend(
            each["apart"] for each in line["arms"]
        )
    for world, way in (("frontdoor", "own noise"), ("bar_mnist", "through")):
        assert max(apart[world, way]) < min(apart[world, "ignored"]) / 4
