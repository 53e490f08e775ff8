"""Numbers of a report, from worlds that are written down and judges that cannot err."""

import math

import pytest
import torch

from causalflow.errors import CausalflowError, DataError
from causalflow.evaluation.bench import Bench, Measure, counted
from causalflow.evaluation.judges import Judge, label_parents
from causalflow.evaluation.metrics import measured, metric
from causalflow.evaluation.outcomes import Outcome, Worlds
from causalflow.evaluation.page import columns
from causalflow.evaluation.score import Score
from causalflow.evaluation.task import Action, Subject, from_rows, random_actions, stated_action
from causalflow.graph.graph import Graph
from causalflow.plugins import METRICS, register

OWN = [METRICS.get(name) for name in METRICS.own]
GRAPH = Graph(
    nodes={
        "cause": {"type": "class", "levels": 3},
        "color": {"type": "class", "levels": ["dark", "light"]},
        "size": {"type": "continuous", "unit": "px"},
        "image": {"type": "image", "shape": [1, 4, 4]},
    },
    edges=["cause -> color", "color -> size", "color -> image", "size -> image"],
)
ROWS = 6
COLOR = torch.tensor([0, 1, 0, 1, 0, 1])
SIZE = torch.tensor([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], dtype=torch.float64)
SETTING = 1 - COLOR


def drawn(color, size):
    """Left half: 100 grey levels for light; right half: 10 times the size."""
    pictures = torch.zeros(len(color), 1, 4, 4)
    pictures[..., :2] = (100 * color.float() / 255)[:, None, None, None]
    pictures[..., 2:] = (10 * size.float() / 255)[:, None, None, None]
    return pictures


def judges():
    def light(pictures):
        return (pictures[..., :2].mean((1, 2, 3)) > 50 / 255).long()

    def size(pictures):
        return 25.5 * pictures[..., 2:].double().mean((1, 2, 3))

    return {
        "color": Judge(node="color", how="by eye", read=light, is_class=True, unit="share"),
        "size": Judge(node="size", how="by eye", read=size, is_class=False, unit="px"),
    }


def subject(truth=None):
    rows = {"cause": COLOR, "color": COLOR, "size": SIZE, "image": drawn(COLOR, SIZE)}
    return Subject(
        name="stamps", split="test", rows=rows, training=rows, reference=rows, truth=truth
    )


def worlds(pictures, size=SIZE, returned=None):
    action = Action(query="do(color)", values={"color": SETTING})
    world = {"cause": COLOR, "color": SETTING, "size": size, "image": pictures}
    outcome = Outcome(
        action=action,
        world=world,
        returned=drawn(COLOR, SIZE) if returned is None else returned,
        calls=11.0,
        seconds=torch.tensor([0.5, 1.5], dtype=torch.float64),
    )
    kept = drawn(COLOR, SIZE)
    cycles = {True: [kept] * 10, False: [kept + 0.1 * (k + 1) / 25.5 for k in range(10)]}
    return Worlds(kept=kept, decoded=kept + 0.1 / 25.5, outcomes=[outcome], cycles=cycles)


def by_title(measures):
    return {each.title: each for each in measures}


def found(pictures, truth=None, size=SIZE):
    bench = Bench(
        graph=GRAPH, subject=subject(truth), judges=judges(), worlds=worlds(pictures, size)
    )
    return by_title(measured(bench, OWN)), bench


def test_a_perfect_counterfactual_reads_as_set_and_doing_nothing_does_not():
    numbers, _ = found(drawn(SETTING, SIZE))
    effect = numbers["effectiveness: color, as set"]
    assert (effect.score.value, effect.floor.value, effect.baseline.value) == (1, 1, 0)
    kept = numbers["kept: size, as in the world"]
    for score in (kept.score, kept.floor, kept.baseline):
        assert (score.value, score.unit) == (pytest.approx(0, abs=1e-6), "px")
    assert numbers["reversibility"].score.value == 0


def test_each_number_of_a_wrong_counterfactual_is_the_one_that_was_put_in():
    """Colour right in four of six; size half a pixel too large throughout."""
    wrong = drawn(torch.cat([SETTING[:4], 1 - SETTING[4:]]), SIZE + 0.5)
    numbers, _ = found(wrong)
    assert numbers["effectiveness: color, as set"].score.value == pytest.approx(4 / 6)
    assert numbers["kept: size, as in the world"].score.value == pytest.approx(0.5, abs=1e-5)
    composed = numbers["composition: without residual, 10 cycles"].score
    assert (composed.value, composed.count) == (pytest.approx(10, abs=1e-4), ROWS)
    once = numbers["composition: without residual, 1 cycle"].score.value
    assert once == pytest.approx(1, abs=1e-4)
    assert numbers["composition: with residual, 10 cycles"].score.value == 0
    assert numbers["network calls"].score == counted(11.0, ROWS)
    assert (numbers["time"].score.value, numbers["time"].score.count) == (1.0, ROWS)


def test_what_is_set_and_what_follows_it_are_not_amplified():
    numbers, _ = found(drawn(SETTING, SIZE))
    assert not [title for title in numbers if title.startswith("amplification")]


def test_an_attribute_that_nothing_set_can_move_is_held_against_the_reference():
    graph = Graph(nodes=GRAPH.nodes, edges=["color -> image", "size -> image"])
    moved = worlds(drawn(SETTING, SIZE + 0.25))
    bench = Bench(graph=graph, subject=subject(), judges=judges(), worlds=moved)
    numbers = by_title(measured(bench, OWN))
    assert numbers["amplification: size"].score.value == pytest.approx(0.25, abs=1e-5)


def test_truth_gives_the_distance_of_pictures_and_of_labels_below_what_was_set():
    def truth(rows, do):
        assert rows.tolist() == list(range(ROWS))
        return {"color": do["color"], "size": SIZE + 1, "image": drawn(do["color"], SIZE + 1)}

    numbers, _ = found(drawn(SETTING, SIZE), truth)
    error = numbers["true error"]
    # Half of the pixels show the size, 10 grey levels a pixel of it; the other half 100 of colour.
    assert error.score.value == pytest.approx(5, abs=1e-4)
    assert error.baseline.value == pytest.approx(55, abs=1e-4)
    label = numbers["true label: size"]
    assert (label.score.value, label.baseline.value, label.score.unit) == (1, 1, "px")


def test_what_has_no_truth_or_no_classifier_is_noted_and_not_made_up():
    def truth(rows, do):
        raise DataError("do(color) has no true picture")

    numbers, bench = found(drawn(SETTING, SIZE), truth)
    assert "true error" not in numbers
    assert bench.notes == [
        "do(color): do(color) has no true picture",
        "no Fréchet distance: no judge is a network with features of its own",
    ]


def test_pictures_that_cannot_be_read_are_counted_and_left_out():
    unreadable = drawn(SETTING, SIZE)
    unreadable[0, ..., 2:] = math.nan
    judge = {"size": judges()["size"]}
    bench = Bench(graph=GRAPH, subject=subject(), judges=judge, worlds=worlds(unreadable))
    sizes = by_title(measured(bench, OWN))["kept: size, as in the world"]
    assert sizes.score.count == ROWS - 1
    assert "do(color): no size could be read off 1 pictures; left out" in bench.notes


def test_random_actions_set_every_parent_of_the_image_to_something_else():
    first, second = random_actions(GRAPH, subject(), seed=0)
    assert label_parents(GRAPH) == ["color", "size"]
    assert (first.query, second.query) == ("do(color)", "do(size)")
    assert first.values["color"].tolist() == SETTING.tolist()
    assert sorted(second.values["size"].tolist()) == sorted(SIZE.tolist())


def test_stated_action_takes_levels_numbers_and_shifts():
    action = stated_action(GRAPH, subject(), {"color": "light", "size": lambda v: v + 1}, "do(it)")
    assert action.values["color"].tolist() == [1] * ROWS
    assert action.values["size"].tolist() == (SIZE + 1).tolist()
    assert action.rows(torch.tensor([2]))["size"].tolist() == [4.0]


def test_rows_of_ones_own_are_parted_without_overlap():
    rows = {
        "cause": [0] * 50,
        "color": [0, 1] * 25,
        "size": [*map(float, range(49)), math.nan],
        "image": torch.zeros(50, 1, 4, 4),
    }
    parted = from_rows(GRAPH, "rows.npz", rows, n=20, seed=3)
    parts = (parted.rows, parted.training, parted.reference)
    sizes = [set(part["size"].tolist()) for part in parts]
    assert [len(size) for size in sizes] == [20, 24, 6]
    assert not any(math.isnan(size) for size in sizes[0])
    assert not sizes[0] & (sizes[1] | sizes[2])
    assert not sizes[1] & sizes[2]
    with pytest.raises(DataError, match="10 are left for the judges, at least 20"):
        from_rows(GRAPH, "rows.npz", rows, n=40, seed=0)


def test_table_says_exact_unknown_and_nothing_where_there_is_nothing():
    one = Score(value=2.0, interval=(-math.inf, math.inf), count=1, unit="px")
    shown = columns(
        [
            Measure(query="do(x)", name="time", score=one),
            Measure(query="do(x)", name="network calls", score=counted(43.0, 9)),
        ],
        "real",
    )
    assert shown["95 % interval"] == ["unknown", "exact"]
    assert shown["real images"] == ["-", "-"]
    assert Measure(query="do(x)", name="time", score=one).record()["interval_95"] == [None, None]


def test_an_own_metric_is_declared_and_then_named(monkeypatch):
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))

    @register("metric", "brightness")
    @metric(unit="share", definition="The mean of all pixels.")
    def brightness(bench, outcome):
        return outcome.world[bench.image].mean((1, 2, 3))

    @register("metric", "is black")
    @metric(unit="share", definition="Pictures without light.", null=True)
    def black(bench, outcome):
        return outcome.world[bench.image].amax((1, 2, 3)) == 0

    assert {"brightness", "is black"}.isdisjoint(METRICS.own)
    bench = Bench(
        graph=GRAPH, subject=subject(), judges=judges(), worlds=worlds(drawn(SETTING, SIZE))
    )
    dark, bright = measured(bench, [METRICS.get("brightness"), METRICS.get("is black")])
    assert (dark.query, dark.score.value, dark.score.count) == ("do()", 0, ROWS)
    assert (bright.query, bright.name, bright.score.unit) == ("do(color)", "brightness", "share")
    # half of the pixels show 100 levels in three of six pictures, half 20 levels on average
    assert bright.score.value == pytest.approx((50 + 20) / 2 / 255)
    with pytest.raises(CausalflowError, match="'time' is registered already"):
        register("metric", "time")(black)
