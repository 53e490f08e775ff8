"""The evaluation of a discrete image, whose pixels are levels and not shares of brightness."""

import pytest
import torch

import causalflow as cf
from causalflow.errors import DataError
from causalflow.evaluation.evaluation import evaluate
from causalflow.evaluation.figures import figures
from causalflow.evaluation.task import Action, Subject

LEVELS = 5
ROWS = 12
GRAPH = cf.loads(f"""
exogenous:
  u_c: {{p: [0.5, 0.5]}}
  u_i: {{p: [0.5, 0.5]}}
nodes:
  c: {{type: class, levels: 2, equation: u_c}}
  i: {{type: image, shape: [1, 4, 4], levels: {LEVELS}, equation: {["2 * c + u_i"] * 16}}}
""")


def drawn(c, u):
    """Every pixel is 2 c + u, in levels 0..4."""
    return (2 * c + u).float()[:, None, None, None].expand(-1, 1, 4, 4)


def rows(n, pixels):
    c, u = torch.arange(n) % 2, torch.arange(n) // 2 % 2
    return {"c": c, "i": drawn(c, u).to(pixels)}


@pytest.fixture(scope="module", params=[torch.float32, torch.uint8], ids=str)
def found(request):
    held = rows(ROWS, request.param)

    def truth(which, do):
        return {
            "c": do["c"],
            "i": held["i"][which] + (2 * (do["c"] - held["c"][which]))[:, None, None, None],
        }

    subject = Subject(
        name="levels",
        split="test",
        rows=held,
        training=rows(80, request.param),
        reference=rows(ROWS, request.param),
        truth=truth,
    )
    action = Action(query="do(c)", values={"c": 1 - held["c"]})
    return evaluate(cf.compile(GRAPH), subject, do=[action], judge_epochs=1, progress=False)


def test_distances_of_levels_are_grey_levels_of_255(found):
    """An equation is exact; a picture left as it is misses two levels of four: half of 255."""
    numbers = {each.title: each for each in found.measures}
    assert numbers["true error"].score.value == pytest.approx(0, abs=1e-4)
    assert numbers["true error"].baseline.value == pytest.approx(127.5, abs=1e-4)
    assert numbers["reversibility"].score.value == pytest.approx(0, abs=1e-4)
    assert numbers["composition: with residual, 10 cycles"].score.value == pytest.approx(
        0, abs=1e-4
    )


def test_judges_and_figures_see_shares_of_brightness(found):
    seen = [
        found.bench.subject.rows["i"],
        found.bench.subject.training["i"],
        found.bench.subject.reference["i"],
        found.bench.worlds.kept,
        found.bench.worlds.decoded,
        *(cycle for cycles in found.bench.worlds.cycles.values() for cycle in cycles),
        *(part for o in found.bench.worlds.outcomes for part in (o.world["i"], o.returned)),
        *(truth["i"] for truth in found.bench.truths.values()),
    ]
    for pictures in seen:
        assert pictures.dtype == torch.float32
        assert set(pictures.unique().tolist()) == {0.0, 0.25, 0.5, 0.75}
    titles = [title for title, _, _ in figures(found.bench, found.measures)]
    assert "Counterfactuals" in titles


def test_pictures_that_are_too_small_to_be_judged_are_refused():
    graph = cf.loads(
        "exogenous: {u_c: {p: [0.5, 0.5]}}\n"
        "nodes: {c: {type: class, levels: 2, equation: u_c}, "
        "i: {type: image, shape: [1, 2, 2], levels: 2, equation: [c, c, c, c]}}"
    )
    c = torch.arange(40) % 2
    held = {"c": c, "i": c.float()[:, None, None, None].expand(-1, 1, 2, 2)}
    subject = Subject(name="dots", split="test", rows=held, training=held, reference=held)
    action = Action(query="do(c)", values={"c": 1 - c})
    with pytest.raises(DataError, match=r"node 'i': pictures of 2 x 2 pixels; a judge reads 4 x 4"):
        evaluate(cf.compile(graph), subject, do=[action], progress=False)
