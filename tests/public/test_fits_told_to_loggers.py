import json
import sys
from types import ModuleType

import numpy as np
import pytest

import causalflow as cf

PATCHES = """
graph: patches
nodes:
  shade: {type: continuous, support: [0, 1], noise: flow}
  patch: {type: image, shape: [1, 8, 8], diffusion: {width: 8, steps: 2, code: none}}
edges: [shade -> patch]
"""
SHADE = np.linspace(0.1, 0.9, 32)
ROWS = {
    "shade": SHADE,
    "patch": np.broadcast_to(SHADE[:, None, None, None], (32, 1, 8, 8)).astype(np.float32),
}
SHORT = {"steps": 6, "batch_size": 8, "log_every": 2, "progress": False, "device": "cpu"}


class Told(list):
    """Keeps what it is told."""

    def __call__(self, step, values):
        self.append((step, values))

    @property
    def steps(self):
        return [step for step, values in self if "loss" in values]

    @property
    def pictures(self):
        return [(step, v["pictures/patch"]) for step, v in self if "pictures/patch" in v]


class Lightning:
    """What Lightning's loggers have of their own."""

    def __init__(self):
        self.numbers, self.shown, self.saved = [], [], 0

    def log_metrics(self, metrics, step):
        self.numbers.append((step, metrics))

    def log_image(self, key, images, step):
        self.shown.append((step, key, len(images)))

    def save(self):
        self.saved += 1


def fitted(logger=None, **options):
    model = cf.compile(cf.loads(PATCHES))
    report = model.fit(ROWS, logger=logger, **SHORT | options)
    return model, report


def weights(model):
    drawn = model.sample(2, do={"shade": 0.5})
    return {name: np.asarray(values) for name, values in drawn.items()}


def test_a_function_is_told_the_loss_of_every_node_and_sees_pictures():
    told = Told()
    _, report = fitted(told, log_pictures=4)
    assert told.steps == [2, 4, 6]
    last = told[-2][1]
    assert set(last) == {"loss", "loss/shade", "loss/patch", "seconds"}
    assert last["loss"] == pytest.approx(last["loss/shade"] + last["loss/patch"])
    assert set(report.losses) == {"shade", "patch"}
    assert [step for step, _ in told.pictures] == [4, 6]
    assert {(p.shape, str(p.dtype)) for _, p in told.pictures} == {((8, 64), "uint8")}


def test_a_logger_changes_nothing_of_the_fit():
    silent, _ = fitted()
    watched, _ = fitted(Told(), log_pictures=1)
    one, other = weights(silent), weights(watched)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_what_was_told_are_the_lines_of_the_log(tmp_path):
    told = Told()
    fitted(told, log=tmp_path / "log.jsonl", held_out=0.25, held_every=2)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()[1:]]
    assert [line["step"] for line in lines] == told.steps
    for line, (_, values) in zip(lines, (e for e in told if "loss" in e[1]), strict=True):
        assert values["loss/patch"] == line["losses"]["patch"]
        assert values["held_out"] == pytest.approx(line["held_out"], abs=1e-6)


@pytest.mark.parametrize("every", [0.0, 1000.0])
def test_a_fit_that_was_killed_and_resumed_tells_every_step_once(tmp_path, every, restored):
    """Whether checkpoints are written after each step or at the end alone."""
    armed = [True]

    @cf.register("schedule", "deadly")
    def deadly(step, options):
        if step == 3 and armed:
            armed.clear()
            raise MemoryError
        return 1.0

    told, options = Told(), {"checkpoint_every": every, "log_pictures": 0, "schedule": "deadly"}
    with pytest.raises(MemoryError):
        fitted(told, checkpoint=tmp_path / "fit.resume", **options)
    assert told.steps == ([2] if every == 0 else [])
    fitted(told, checkpoint=tmp_path / "fit.resume", **options)
    assert told.steps == [2, 4, 6]


def test_a_logger_that_fails_ends_with_a_warning_and_the_fit_goes_on():
    def broken(step, values):
        raise OSError("no space left")

    with pytest.warns(cf.CausalflowWarning, match=r"no space left\); the fit goes on") as said:
        _, report = fitted(broken)
    assert report.steps == 6
    assert len(said) == 1


def test_a_logger_of_lightning_is_told_numbers_and_pictures():
    told = Lightning()
    fitted(told, log_pictures=6)
    assert [step for step, _ in told.numbers] == [2, 4, 6]
    assert told.shown == [(6, "pictures/patch", 1)]
    assert told.saved


def test_a_text_makes_a_file_of_lightning(tmp_path):
    fitted(f"csv:{tmp_path / 'runs'}")
    (path,) = (tmp_path / "runs").rglob("metrics.csv")
    head, *lines = path.read_text().splitlines()
    assert {"step", "loss", "loss/patch", "loss/shade", "seconds"} == set(head.split(","))
    assert len(lines) == 3


def test_tensorboard_gets_numbers_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    fitted(f"tensorboard:{tmp_path}", log_pictures=6)
    (path,) = tmp_path.glob("events.out.tfevents.*")
    content = path.read_bytes()
    assert content.count(b"loss/patch") == 3
    assert content.count(b"pictures/patch") == 1
    assert b"\x89PNG" in content


def test_wandb_is_asked_for_the_project(monkeypatch):
    made = []

    class WandbLogger(Lightning):
        def __init__(self, project):
            super().__init__()
            made.append((project, self))

    package = ModuleType("pytorch_lightning.loggers")
    package.WandbLogger = WandbLogger
    for name in ("lightning.pytorch.loggers", "lightning.pytorch", "lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", ModuleType("pytorch_lightning"))
    monkeypatch.setitem(sys.modules, "pytorch_lightning.loggers", package)
    fitted("wandb:digits")
    ((project, logger),) = made
    assert project == "digits"
    assert [step for step, _ in logger.numbers] == [2, 4, 6]


@pytest.mark.parametrize("given", ["csv", "csv:", "neptune:x", 3, ["csv:x"]])
def test_what_is_no_logger_is_refused_in_a_line(given):
    with pytest.raises(cf.CausalflowError, match="fit: logger=") as error:
        fitted(given)
    assert "\n" not in str(error.value)
