"""The balanced experiment: readers as blind as they say, judges by hand, tables of tiny nets."""

from dataclasses import replace
from functools import partial

import pytest
import torch

import causalflow as cf
from benchmarks.papers.balanced import experiment, push, ways
from benchmarks.papers.balanced.curves import curve, log_likelihoods
from benchmarks.papers.balanced.readers import ColorReader, Readers, ShapeReader, fit_readers
from benchmarks.papers.balanced.tasks import TASKS, green_ground, ink_share
from benchmarks.papers.balanced.verdicts import VERDICTS
from benchmarks.papers.balanced.ways import (
    Gammas,
    Way,
    as_tensors,
    from_tensors,
    guided_by,
    kept_name,
    made,
)
from benchmarks.papers.experiment import Run, declared, read_tables
from causalflow.diffusion.guidance.balance import BALANCES

COLOURED, MASKED = (replace(t, data=partial(t.data, source="digits")) for t in TASKS)
SMALL = {"width": 4, "multipliers": (1,), "predictor_width": 4}
EXCHANGED = [1, 0, 2]


def noisy(n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 3, 16, 16, generator=generator), torch.linspace(0.1, 0.9, n)


def net(task) -> cf.Model:
    data = task.data("train", 60)
    model = cf.compile(data.graph, image=replace(data.graph.nodes["image"].diffusion, **SMALL))
    model.fit(data, steps=1, batch_size=4, device="cpu")
    return model


def untrained() -> Readers:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Readers(digit=ShapeReader().eval(), color=ColorReader().eval())


def test_the_shape_reader_cannot_tell_red_from_green():
    reader, (y, tau) = untrained().digit, noisy()
    assert torch.equal(reader(y, tau), reader(y[:, EXCHANGED], tau))
    point = y.clone().requires_grad_()
    (slope,) = torch.autograd.grad(reader(point, tau).log_softmax(1)[:, 5].sum(), point)
    assert torch.equal(slope[:, 0], slope[:, 1])
    assert slope[:, 0].abs().max() > 0


def test_the_color_reader_exchanges_its_answers_and_sees_no_shape():
    reader, (y, tau) = untrained().color, noisy()
    said = reader(y, tau)
    order = torch.randperm(256, generator=torch.Generator().manual_seed(1))
    scattered = y.flatten(2)[:, :, order].reshape(y.shape)
    gray = y + torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    # 1e-4: sums of 256 * 8 numbers of order one, in float32 and in another order.
    torch.testing.assert_close(reader(y[:, EXCHANGED], tau), said.flip(1), rtol=0, atol=1e-4)
    torch.testing.assert_close(reader(scattered, tau), said, rtol=0, atol=1e-4)
    torch.testing.assert_close(reader(gray, tau), said, rtol=0, atol=1e-4)


def test_readers_learn_the_color_and_are_kept(tmp_path):
    data = COLOURED.data("train", 200)
    labels = {name: torch.from_numpy(v) for name, v in data.labels.items()}
    fitted = fit_readers(data.images, labels, steps=60, batch_size=32)
    clean, tau = data.images / 127.5 - 1, torch.full((200,), 0.01)
    said = fitted.color(clean, tau).argmax(dim=1)
    # Red and green are as far apart as can be; chance is a half.
    assert (said == labels["color"]).float().mean() > 0.95
    run = Run(out=tmp_path, nets=tmp_path)
    for made_of in (fitted, untrained()):
        each = Readers.of(run.kept("readers", lambda readers=made_of: readers.state))
        assert torch.equal(each.digit(clean, tau), fitted.digit(clean, tau))


def test_colors_are_read_off_pixels():
    image = torch.zeros(3, 3, 4, 4)
    image[0, 0, 1] = 1.0
    image[1, :2, 1] = 0.5
    assert ink_share(image, 0).tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert ink_share(image, 1).tolist() == pytest.approx([0.0, 0.5, 0.0])
    ground = torch.zeros(3, 3, 4, 4)
    ground[0, 1] = 1.0
    ground[1, 0] = 1.0
    ground[:, :, 2] = 1.0  # strokes are white, and do not count
    assert green_ground(ground).tolist() == [1.0, -1.0, 0.0]


def test_true_pictures_reach_the_target_and_unchanged_ones_do_not():
    rows = MASKED.rows("test", 20)
    assert rows.truth is not None
    right = rows.factual["digit"]
    true, same = (MASKED.judged(x, rows, lambda gray: right) for x in (rows.truth, rows.images))
    assert true.hit.all()
    assert not same.hit.any()
    assert true.error.max() == 0
    assert same.distance.max() == 0
    assert (true.distance.mean(dim=1) - same.error.mean(dim=1)).abs().max() == 0
    assert not MASKED.judged(rows.images, rows, lambda gray: right + 1).kept.any()
    red = COLOURED.rows("test", 20)
    kept = COLOURED.judged(red.images, red, lambda gray: torch.full((20,), 5))
    assert kept.hit.all()
    assert kept.kept.all()
    assert not COLOURED.judged(red.images[:, EXCHANGED], red, lambda gray: right).kept.any()


def test_the_rows_are_of_the_training_law():
    for task in (COLOURED, MASKED):
        rows = task.rows("test", 30)
        assert (rows.factual["digit"] < 5).all()
        assert (rows.factual["color"] == 0).all()
    assert (COLOURED.rows("test", 3).target["digit"] == 5).all()
    assert (MASKED.rows("test", 3).target["color"] == 1).all()


@pytest.mark.parametrize("balance", ["none", *BALANCES, "stopping"])
def test_pictures_are_those_of_the_engine(balance: str):
    model, rows = net(COLOURED), COLOURED.rows("test", 3)
    options = {"steps": 3, "guided_steps": 3, "balance": balance}
    way = Way(
        name="w", guide="learned", scales=(1.0, 2.0), ratio={"digit": 2.0, "color": 2.0},
        options=options,
    )  # fmt: skip
    found = made(guided_by(model, None), way, rows)
    for each in found:
        asked = {"guidance": each.scale, "residual": False, **options}
        image = model.scm.images["image"].configured(**asked)
        random = torch.Generator().manual_seed(0)
        noise = image.abduct(2 * rows.images - 1, rows.factual, random)
        expected = (image.predict(rows.target, noise) + 1) / 2
        # 1e-5: the same float64 path, left in float32.
        torch.testing.assert_close(each.images, expected, rtol=1e-5, atol=1e-5)
    # A predictor that was hardly fitted is in doubt from the start: stopping goes nowhere.
    assert torch.equal(found[0].images, found[1].images) == (balance == "stopping")


def test_pictures_that_were_kept_are_read_back(tmp_path):
    rows = COLOURED.rows("test", 2)
    way = Way(name="w", guide="learned", scales=(1.0, 0.5), ratio={"digit": 1.0, "color": 1.0})
    found = made(guided_by(net(COLOURED), None), way, rows)
    run = Run(out=tmp_path, nets=tmp_path)
    kept = from_tensors(run.kept("made", lambda: as_tensors(found)))
    assert [each.scale for each in kept] == [0.5, 1.0]
    assert torch.equal(kept[1].images, found[0].images)
    assert kept[1].calls == found[0].calls
    other = replace(way, options={"steps": 3})
    assert kept_name("coloured", way, "test", rows) != kept_name("coloured", other, "test", rows)


@pytest.mark.parametrize("balance", BALANCES)
def test_a_curve_begins_at_the_picture_and_is_a_probability(balance: str):
    model, rows = net(COLOURED), COLOURED.rows("test", 4)
    constants = Gammas(end=0.6, push=0.5, noise=0.1)
    found = curve(model.scm.images["image"], rows, 3, balance, constants)
    assert found.tau[[0, -1]].tolist() == pytest.approx([0.01, 0.6])
    assert (found.factual + found.counterfactual <= 1 + 1e-6).all()
    other = curve(model.scm.images["image"], rows, 5)
    assert torch.equal(found.factual[:, 0], other.factual[:, 0])


def test_the_experiment_writes_its_tables(tmp_path, monkeypatch):
    tasks = (COLOURED, MASKED)
    for task in tasks:
        net(task).save(tmp_path / f"{task.net}.safetensors")
    monkeypatch.setattr(experiment, "TASKS", tasks)
    for module in (experiment, push):
        monkeypatch.setattr(module, "DOCS", tmp_path)
    words = declared("balanced")
    few = {name: tried[:2] for name, tried in words["search"]["tried"].items()}
    search = {**words["search"], "scale": dict.fromkeys(("coloured", "masked"), 1.0), "tried": few}
    scales = dict.fromkeys(("coloured", "masked"), (1.0, 2.0))
    small = {**words, "search": search, "scales": scales}
    small["balance"] = {**words["balance"], "pushes": {"printed": [1.0], "odds": [0.5, 1.0]}}
    for module in (experiment, push, ways):
        monkeypatch.setattr(module, "declared", lambda system: small)
    judge = property(lambda self: lambda gray: torch.full((len(gray),), 5))
    monkeypatch.setattr(experiment.Bench, "judge", judge)
    monkeypatch.setattr(experiment.Bench, "classifier", judge)
    monkeypatch.setattr(experiment, "fit_readers", lambda *given, **options: untrained())
    experiment.run(Run(out=tmp_path / "out", nets=tmp_path, n=4, few=2, levels=2))
    found = read_tables(tmp_path / "out", "balanced")
    assert sorted(found) == [
        "balanced_colored", "balanced_forward", "balanced_gammas_colored",
        "balanced_gammas_masked", "balanced_masked", "balanced_pushed", "balanced_saturation",
    ]  # fmt: skip
    for name, table in found.items():
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}
        assert VERDICTS[name](table).endswith(".")
    assert any("cannot be told from DDIM" in note for note in found["balanced_masked"]["notes"])
    for name in ("forward", "pushed", "coloured", "masked"):
        assert (tmp_path / f"balanced_{name}.svg").exists()
    gaps = found["balanced_pushed"]["values"]["masked"]
    assert gaps["push"] == min((0.5, 1.0), key=lambda push: gaps["tried"][f"odds, {push:g}"])


def test_of_two_values_the_gradient_of_p_is_that_of_the_log_odds_times_both():
    model, rows = net(MASKED), MASKED.rows("test", 3)
    image, y, tau = model.scm.images["image"], 2 * rows.images.double() - 1, 0.4
    with torch.no_grad():
        here, there = log_likelihoods(image, rows, y, tau)
    # One row at a time: a median of one number is that number.
    for k in range(3):
        one = rows.each(lambda value, k=k: value[k : k + 1])
        found = push._slopes(image, one, y[k : k + 1], tau)
        both = float(here[k].exp() * there[k].exp())
        # 1e-4: gradients of a float32 network.
        assert found["printed"] == pytest.approx(both * found["odds"], rel=1e-4)
        assert found["times"] == pytest.approx(1 / (4 * both), rel=1e-4)
