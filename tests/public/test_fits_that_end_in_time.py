"""A fit that a time limit or Ctrl-C ends leaves a model that answers, and goes on later."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import causalflow as cf

TEXT = """
graph: smoking
nodes:
  age:   {type: continuous, noise: additive}
  smoke: {type: class, levels: [no, yes]}
edges: [age -> smoke]
"""
STEPS = 20_000


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    age = generator.normal(50, 10, 400)
    return {"age": age, "smoke": (generator.random(400) < 1 / (1 + np.exp(50 - age))).astype(int)}


def test_minutes_end_a_fit_with_a_model_that_answers(rows, tmp_path):
    model = cf.compile(cf.loads(TEXT, format="yaml"))
    options = {"steps": STEPS, "batch_size": 64, "checkpoint": tmp_path / "part", "progress": False}
    report = model.fit(rows, minutes=0.01, **options)
    assert (report.stopped, 0 < report.steps < STEPS) == ("minutes", True)
    world = model.counterfactual({name: v[:3] for name, v in rows.items()}, do={"age": 55.0})
    assert world["smoke"].shape == (3,)
    further = cf.compile(cf.loads(TEXT, format="yaml")).fit(rows, minutes=0.01, **options)
    assert further.resumed_from == report.steps < further.steps


def interrupt_once_there(log):
    """Send this process a signal when its fit has told of some steps."""
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_fit_leaves_a_model_that_answers(rows, tmp_path):
    model, log = cf.compile(cf.loads(TEXT, format="yaml")), tmp_path / "log.jsonl"
    watcher = threading.Thread(target=interrupt_once_there, args=(log,))
    watcher.start()
    with pytest.raises(KeyboardInterrupt, match=r"fit stopped after step \d+ of 20000"):
        model.fit(rows, steps=STEPS, batch_size=64, progress=False, log=log, log_every=1)
    watcher.join()
    assert model.sample(5)["smoke"].shape == (5,)


def test_a_limit_that_is_no_number_of_minutes_is_refused(rows):
    model = cf.compile(cf.loads(TEXT, format="yaml"))
    with pytest.raises(cf.CausalflowError, match="minutes"):
        model.fit(rows, minutes=-1)
