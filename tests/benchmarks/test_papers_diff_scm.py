"""Diff-SCM's experiment runs on tiny nets and judges, and its references score what they must."""

import os
from pathlib import Path

import pytest
import torch

import causalflow as cf
from benchmarks.papers.diff_scm import experiment
from benchmarks.papers.diff_scm.experiment import (
    OUR_NET,
    PAPER_NET,
    SCALES,
    Bench,
    candidates,
    chosen,
)
from benchmarks.papers.diff_scm.judges import Effort, Judges, pairs
from benchmarks.papers.experiment import Run, read_tables, real_digits
from causalflow.evaluation.likeness import NOTHING
from causalflow.shipped import graph_path

FILES_AT = Path(os.environ.get("CAUSALFLOW_DATA", "data")).resolve()
TINY = Effort(rows=200, reader=1, latent=1, every=1, single=1, ensemble=1)
SMALL = {"width": 4, "multipliers": (1,), "predictor_width": 4}

needs_mnist = pytest.mark.skipif(
    not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA"
)


@needs_mnist
def test_targets_are_random_digits_other_than_the_factual():
    given = pairs("validation", 500)
    assert not (given.targets == given.digits).any()
    counts = ((given.targets - given.digits) % 10).bincount(minlength=10)[1:]
    # nine shifts, 55.6 each, standard deviation 7: five of them
    assert (counts - 500 / 9).abs().max() < 35
    assert torch.equal(pairs("validation", 500).targets, given.targets)


@needs_mnist
def test_real_pictures_of_the_targets_are_found_for_more_pictures_than_a_digit_has(tmp_path):
    given = pairs("test", 1000)
    others = Bench(Run(out=tmp_path, nets=tmp_path, n=1000, few=4)).references(given)[1]
    images, digits = real_digits("test")
    digit_of = {image.numpy().tobytes(): int(k) for image, k in zip(images, digits, strict=True)}
    shown = [(255 * each).round().to(torch.uint8).numpy().tobytes() for each in others.images]
    assert [digit_of[each] for each in shown] == given.targets.tolist()


@needs_mnist
def test_kept_judges_are_those_that_were_fitted(tmp_path):
    given = pairs("validation", 12)
    first, second = (Judges(Run(out=tmp_path, nets=tmp_path), TINY) for _ in range(2))
    found = first(given.images, given)
    assert second(given.images, given) == found
    assert found.cld.value == pytest.approx(NOTHING)
    assert found.distance.value == 0


@needs_mnist
def test_the_experiment_writes_its_tables(tmp_path, monkeypatch):
    graph = cf.load(graph_path("diff_scm_mnist"))
    data = {"digit": torch.arange(10), "image": torch.rand(10, 1, 28, 28)}
    for name in (PAPER_NET, OUR_NET):
        model = cf.compile(graph, image=cf.Diffusion(**SMALL))
        model.fit(data, steps=1, batch_size=4, device="cpu")
        model.save(tmp_path / f"{name}.safetensors")
    tiny = {"WAYS": {"two steps": {"steps": 2}}, "HUNDRED": {"steps": 1}, "SLOW": ()}
    tiny |= {"SCALES": (0.0, 1.0), "DOCS": tmp_path, "SHOWN": 2, "ROWS": 2}
    tiny |= {"Judges": lambda run: Judges(run, TINY)}
    for name, value in tiny.items():
        monkeypatch.setattr(experiment, name, value)
    experiment.run(Run(out=tmp_path, nets=tmp_path, n=6, few=4))
    written = read_tables(tmp_path, "diff_scm")
    names = {"diff_scm_scores", "diff_scm_scale", "diff_scm_interventional"}
    assert names <= set(written)
    scores = written["diff_scm_scores"]["values"]
    assert scores["left as it was"]["cld"]["value"] == pytest.approx(NOTHING)
    assert scores["left as it was"]["kept"]["count"] == 6
    ours = [name for name in scores if name.startswith(f"ours, {OUR_NET}: two steps, s = ")]
    assert scores[ours[0]]["distance"]["value"] >= 0
    assert len(written["diff_scm_scale"]["rows"]) == 6
    for name in ("diff_scm_pictures.png", "diff_scm_interventional.png", "diff_scm_scale.svg"):
        assert (tmp_path / name).exists()


def test_the_search_takes_the_least_cld_of_what_reaches_the_target(monkeypatch):
    monkeypatch.setattr(experiment, "WAYS", {"one": {"steps": 1}, "two": {"steps": 2}})
    first, second = list(candidates(OUR_NET))[:2]

    def curve(reached, cld):
        pairs = zip(reached, cld, strict=True)
        return [{"target": {"value": r}, "cld": {"value": c}} for r, c in pairs]

    rising = [k / 10 for k in range(len(SCALES))]
    never = curve(rising, [1.0] * len(SCALES))
    late = curve([0.5] * (len(SCALES) - 2) + [0.96, 0.99], [0.8] * (len(SCALES) - 2) + [1.1, 1.2])
    found = chosen(OUR_NET, {first: never, second: late})
    assert (found.scale, found.options) == (SCALES[-2], candidates(OUR_NET)[second].options)
    assert chosen(OUR_NET, {first: never}).scale == SCALES[-1]
    assert chosen(OUR_NET, {}).net == OUR_NET
