import dataclasses
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from fits_of_processes import Pictures
from safetensors.torch import load_file
from torch import nn

from causalflow.checkpoint import load_state, save_state
from causalflow.errors import CausalflowError, CheckpointError, DataError
from causalflow.training.fit import Fit, FitInterrupted, fit
from causalflow.training.log import read_log
from causalflow.training.options import LATENT, USUAL
from causalflow.training.state import STEP, batch_rows, generator

QUIET = Fit(steps=12, batch_size=8, warmup=3, progress=False, device="cpu")


class Toy(nn.Module):
    """A small mechanism in float64, a network in float32, a calibrated buffer, a frozen weight."""

    def __init__(self, seed=1):
        super().__init__()
        noise = torch.Generator().manual_seed(seed)
        self.slope = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.filter = nn.Conv2d(1, 2, 3, padding=1)
        self.out = nn.Conv2d(2, 1, 3, padding=1)
        self.frozen = nn.Parameter(torch.tensor(3.0), requires_grad=False)
        self.register_buffer("location", torch.zeros((), dtype=torch.float64))
        self.calibrations = 0
        with torch.no_grad():
            for weight in (*self.filter.parameters(), *self.out.parameters()):
                weight.copy_(0.3 * torch.randn(weight.shape, generator=noise))

    def calibrate(self, columns, generator):
        self.calibrations += 1
        jitter = torch.rand((), dtype=torch.float64, generator=generator)
        self.location.copy_(columns["size"].mean() + 1e-3 * jitter)

    def loss(self, batch, generator):
        assert batch["size"].dtype == torch.float64
        noise = torch.randn(batch["size"].shape, dtype=torch.float64, generator=generator)
        shown = self.out(self.filter(batch["image"]).relu()).mean((1, 2, 3))
        return {
            "size": (self.slope * (batch["size"] - self.location) - noise).square(),
            "image": (shown - batch["size"].float() + noise.float()).square(),
        }


def options(**changes):
    return dataclasses.replace(QUIET, **changes)


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def fitted(**changes):
    model = Toy()
    return model, fit(model, Pictures(), options(**changes))


# The loop against an oracle.


def oracle(chosen, ranks=1):
    """The documented loop in plain torch: weights averaged, each rank's slice and noise."""
    model, frame = Toy(), Pictures()
    model.calibrate(frame.labels(), generator("cpu", chosen.seed, 0))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    average = [weight.detach().clone() for weight in weights]
    adam = torch.optim.AdamW(weights, lr=1.0, weight_decay=chosen.weight_decay)
    for step in range(chosen.steps):
        rows = batch_rows(len(frame), chosen.batch_size, chosen.seed, step).chunk(ranks)
        for rank in range(ranks):
            noise = generator("cpu", chosen.seed, STEP, step, rank)
            losses = model.loss(frame.rows(rows[rank]), noise)
            (sum(loss.mean().double() for loss in losses.values()) / ranks).backward()
        norm = math.sqrt(sum(weight.grad.double().square().sum() for weight in weights))
        for weight in weights:
            weight.grad *= min(1.0, chosen.gradient_clip / norm)
        rate = (1 + math.cos(math.pi * step / chosen.steps)) / 2
        rate *= min(1.0, (step + 1) / chosen.warmup)
        adam.param_groups[0]["lr"] = chosen.learning_rate * rate
        adam.step()
        adam.zero_grad()
        decay = min(chosen.ema, (1 + step) / (10 + step))
        for mean, weight in zip(average, weights, strict=True):
            mean.mul_(decay).add_((1 - decay) * weight.detach())
    for weight, mean in zip(weights, average, strict=True):
        weight.data.copy_(mean)
    return model.state_dict()


def close(one, other):
    """Within float32's rounding over a dozen steps, relative to weights of order one."""
    return all(torch.allclose(one[name], other[name], rtol=0, atol=2e-5) for name in other)


@pytest.mark.parametrize("changes", [{}, {"weight_decay": 0.1, "gradient_clip": 0.1, "ema": 0.2}])
def test_fitted_model_holds_the_averaged_weights_of_the_documented_loop(changes):
    model, report = fitted(learning_rate=0.05, **changes)
    assert close(model.state_dict(), oracle(options(learning_rate=0.05, **changes)))
    assert (report.steps, report.images, report.processes) == (12, 96, 1)
    assert report.losses.keys() == {"size", "image"}


def test_frozen_weights_stay_and_the_buffers_are_the_calibrated_ones():
    model, _ = fitted()
    assert model.frozen == 3
    assert abs(model.location - Pictures().size.mean()) < 1e-3
    assert model.calibrations == 1
    assert not model.training


def test_an_unknown_slope_is_found():
    frame, model = Pictures(400), Toy()
    fit(model, frame, options(steps=300, batch_size=100, learning_rate=0.05))
    # The loss (slope * x - noise)^2 is least at 0. The average covers about 100 steps of 100 rows,
    # so the noise leaves a standard error of .01.
    assert abs(model.slope) < 0.05


def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    one, other, third = (fitted(seed=seed)[0].state_dict() for seed in (5, 5, 6))
    assert equal(one, other)
    assert not equal(one, third)


def test_the_global_random_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    model = Toy()
    torch.random.set_rng_state(before)
    fit(model, Pictures(), QUIET)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("rows", "batch"), [(10, 4), (3, 8), (8, 8)])
def test_every_epoch_visits_every_row_once(rows, batch):
    steps = math.lcm(rows, batch) // batch * 3
    stream = torch.cat([batch_rows(rows, batch, 0, step) for step in range(steps)])
    epochs = stream.reshape(-1, rows)
    assert (epochs.sort(dim=1).values == torch.arange(rows)).all()
    assert rows < 4 or not torch.equal(epochs[0], epochs[1])


def test_noise_streams_differ_by_step_and_by_rank():
    draws = [
        torch.randn(4, generator=generator("cpu", 0, STEP, step, rank))
        for step in range(3)
        for rank in range(3)
    ]
    assert len({tuple(draw.tolist()) for draw in draws}) == 9


def test_a_model_without_gradient_nodes_is_only_calibrated(tmp_path):
    class Calibrated(Toy):
        def loss(self, batch, generator):
            return {}

    model = Calibrated()
    report = fit(model, Pictures(), options(checkpoint=tmp_path / "fit.safetensors"))
    assert (report.steps, model.calibrations, model.slope) == (0, 1, 1)
    assert not list(tmp_path.iterdir())


def test_a_model_that_holds_its_module_is_trained_like_one_that_is_it():
    class Holder:
        def __init__(self):
            self.module = Toy()
            self.calibrate, self.loss = self.module.calibrate, self.module.loss

    holder = Holder()
    fit(holder, Pictures(), QUIET)
    assert equal(holder.module.state_dict(), fitted()[0].state_dict())


def test_bf16_autocast_leaves_float64_columns_alone():
    """The toy's loss asserts their type; the weights stay within bfloat16's precision."""
    model, report = fitted(precision="bf16-mixed")
    assert report.precision == "bf16-mixed"
    exact = fitted()[0].state_dict()
    for name, value in model.state_dict().items():
        assert value.dtype == exact[name].dtype
        assert torch.allclose(value, exact[name], atol=0.01)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(("size", "half"), [(USUAL, False), (LATENT, True)])
def test_a_cpu_that_multiplies_bfloat16_does_so_for_what_is_wide(monkeypatch, fast, size, half):
    monkeypatch.setattr("causalflow.training.device._cpu_has_bf16", lambda: fast)
    model = Toy()
    model.size = size
    chosen = fit(model, Pictures(), QUIET).precision
    assert chosen == ("bf16-mixed" if fast and half else "32-true")
    asked = dataclasses.replace(QUIET, precision="32-true")
    assert fit(model, Pictures(), asked).precision == "32-true"


# Going on.


def test_a_stopped_fit_goes_on_to_the_same_weights(tmp_path):
    whole, _ = fitted()
    path = tmp_path / "fit.safetensors"
    model, frame = Toy(), Interrupting(at=5)
    with pytest.raises(FitInterrupted, match=r"after step \d+ of 12; .* resumes it from .*fit"):
        fit(model, frame, options(checkpoint=path))
    assert 0 < load_state(path).metadata.options["step"] < 12
    again = Toy(seed=2)
    report = fit(again, Pictures(), options(checkpoint=path))
    assert equal(again.state_dict(), whole.state_dict())
    assert again.calibrations == 0
    assert 0 < report.resumed_from < report.steps == 12


class Interrupting(Pictures):
    """Sends the process a signal while rows are read."""

    def __init__(self, at, number=signal.SIGINT):
        super().__init__()
        self.left, self.number = at, number

    def rows(self, indices):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)
        return super().rows(indices)


def test_a_termination_without_a_checkpoint_says_that_nothing_is_kept():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(FitInterrupted, match="cannot be resumed"):
        fit(Toy(), Interrupting(at=5, number=signal.SIGTERM), QUIET)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_finished_fit_is_not_fitted_again(tmp_path):
    path = tmp_path / "fit.safetensors"
    whole, _ = fitted(checkpoint=path)
    again, report = fitted(checkpoint=path)
    assert equal(again.state_dict(), whole.state_dict())
    assert report.resumed_from == 12


def test_resume_false_starts_anew(tmp_path):
    path = tmp_path / "fit.safetensors"
    fitted(checkpoint=path)
    model, report = fitted(checkpoint=path, resume=False, seed=4)
    assert report.resumed_from == 0
    assert model.calibrations == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "with seed=0, now seed=1"),
        ({"steps": 13}, "with steps=12, now steps=13"),
        ({"learning_rate": 0.5}, "with learning_rate=0.001, now learning_rate=0.5"),
    ],
)
def test_other_options_cannot_go_on_from_a_checkpoint(tmp_path, changes, message):
    path = tmp_path / "fit.safetensors"
    fitted(checkpoint=path)
    with pytest.raises(CheckpointError, match=message):
        fitted(checkpoint=path, **changes)


def test_a_graph_that_is_written_otherwise_is_the_same_graph(tmp_path):
    path = tmp_path / "fit.safetensors"
    fit(Toy(), Pictures(), options(checkpoint=path, steps=6), graph="edges: [x -> y]")
    again = options(checkpoint=path, steps=6)
    report = fit(Toy(), Pictures(), again, graph="edges:\n  - x -> y\n")
    assert report.resumed_from == 6


def test_another_graph_or_other_data_cannot_go_on_from_a_checkpoint(tmp_path):
    path = tmp_path / "fit.safetensors"
    fit(Toy(), Pictures(), options(checkpoint=path), graph="x -> y")
    with pytest.raises(CheckpointError, match="another graph"):
        fit(Toy(), Pictures(), options(checkpoint=path), graph="y -> x")
    with pytest.raises(CheckpointError, match="with data="):
        fit(Toy(), Pictures(36), options(checkpoint=path), graph="x -> y")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "fit.safetensors"
    fitted(checkpoint=path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="truncated"):
        fitted(checkpoint=path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("moments/exp_avg/slope", torch.zeros(2, dtype=torch.float64), "fits no weight"),
        ("moments/exp_avg/slop", torch.zeros(()), "fits no weight"),
        ("average/slope", torch.zeros(()), "'slope' has type torch.float32"),
        ("model/slope", torch.zeros(3), r"'slope' has shape \(3,\)"),
        ("other/slope", torch.zeros(3), "unexpected tensor 'other/slope'"),
    ],
)
def test_a_checkpoint_of_another_model_is_one_line(tmp_path, name, value, message):
    path = tmp_path / "fit.safetensors"
    fitted(checkpoint=path)
    state = load_state(path)
    save_state(path, {**state.tensors, name: value}, state.metadata)
    with pytest.raises(CheckpointError, match=message) as error:
        fitted(checkpoint=path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


SCRIPT = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch
from safetensors.torch import save_file
from test_fit import Pictures, Toy, options
from causalflow.training.fit import fit

class Slow(Toy):
    def loss(self, batch, generator):
        time.sleep(0.005)
        return super().loss(batch, generator)

if __name__ == "__main__":
    folder, every, *rest = sys.argv[1:]
    model = Slow()
    report = fit(model, Pictures(), options(
        steps=60, checkpoint=f"{{folder}}/fit.safetensors", checkpoint_every=float(every),
        log=f"{{folder}}/fit.jsonl", log_every=7, progress=bool(rest),
    ))
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    save_file(
        {{name: value.contiguous() for name, value in model.state_dict().items()}},
        f"{{folder}}/weights{{rank}}.safetensors",
    )
"""


def start(tmp_path, folder, *arguments, launcher=()):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / folder).mkdir(exist_ok=True)
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(script), str(tmp_path / folder), *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process, expected=0):
    _, errors = process.communicate(timeout=240)
    assert process.returncode == expected, errors
    return errors


def wait_for(path, process, seconds=60):
    for _ in range(seconds * 100):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.01)


def test_a_killed_fit_goes_on_to_the_same_weights(tmp_path):
    """SIGKILL at moments no one chose, once between many writes of the checkpoint, once few."""
    finish(start(tmp_path, "whole", "60"))
    delays, checkpoint = random.Random(), tmp_path / "killed" / "fit.safetensors"
    killed = 0
    for every in ("0", "0.03"):
        process = start(tmp_path, "killed", every)
        wait_for(checkpoint, process)
        time.sleep(delays.uniform(0, 0.15))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed > 0
    finish(start(tmp_path, "killed", "0"))
    one, other = (
        (tmp_path / folder / "weights0.safetensors").read_bytes() for folder in ("whole", "killed")
    )
    assert one == other
    steps = [line["step"] for line in read_log(tmp_path / "killed" / "fit.jsonl")[1:]]
    assert steps == sorted(set(steps))
    assert steps[-1] == 60
    names = {file.name for file in (tmp_path / "killed").iterdir()}
    assert names == {"fit.safetensors", "fit.jsonl", "weights0.safetensors"}


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)
def test_two_processes_do_what_one_does_with_two_half_batches(tmp_path):
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_addr=127.0.0.1"]
    launcher.append(f"--master_port={free_port()}")
    errors = finish(start(tmp_path, "two", "0", "progress", launcher=launcher))
    one, two = (load_file(tmp_path / "two" / f"weights{rank}.safetensors") for rank in range(2))
    assert equal(one, two)
    assert close(one, oracle(options(steps=60), ranks=2))
    assert not close(one, oracle(options(steps=60)))
    log = read_log(tmp_path / "two" / "fit.jsonl")
    assert log[0]["processes"] == 2
    assert [line["step"] for line in log[1:]] == [*range(7, 60, 7), 60]
    assert errors.count("fit:   0%") == 1
    assert "terminate called" not in errors
    assert load_state(tmp_path / "two" / "fit.safetensors").metadata.options["step"] == 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Mistakes.


class Diverging(Toy):
    """At step ``at`` the node's loss, or only its gradient, stops being finite."""

    def __init__(self, at, bad=math.nan, gradient=False):
        super().__init__()
        self.left, self.bad, self.gradient = at + 1, bad, gradient

    def loss(self, batch, generator):
        self.left -= 1
        losses = super().loss(batch, generator)
        if self.left == 0 and self.gradient:
            losses["image"] = losses["image"] + (self.out.bias * 0).sqrt()
        elif self.left == 0:
            losses["image"] = losses["image"] * self.bad
        return losses


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_node_and_step_and_keeps_the_last_good_state(tmp_path, bad):
    path = tmp_path / "fit.safetensors"
    model = Diverging(at=7, bad=bad)
    message = rf"node 'image' is {bad} at step 7 of 12.*learning_rate=0\.001.*kept in .*fit\.safe"
    with pytest.raises(CausalflowError, match=message) as error:
        fit(model, Pictures(), options(checkpoint=path, checkpoint_every=0))
    assert "\n" not in str(error.value)
    assert load_state(path).metadata.options["step"] == 6
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_a_gradient_that_is_not_finite_names_the_step_and_spares_the_weights():
    model = Diverging(at=7, gradient=True)
    with pytest.raises(CausalflowError, match="the gradient is not finite at step 7 of 12"):
        fit(model, Pictures(), QUIET)
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_no_rows_are_a_mistake():
    with pytest.raises(DataError, match="no rows"):
        fit(Toy(), Pictures(0), QUIET)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps=0; expected a whole number from 1 to"),
        ({"steps": 2.5}, r"steps=2\.5; expected a whole number"),
        ({"batch_size": True}, "batch_size=True; expected"),
        ({"learning_rate": math.nan}, "learning_rate=nan; expected a number > 0"),
        ({"ema": 1.0}, r"ema=1\.0; expected a number in \[0, 1\)"),
        ({"seed": -1}, "seed=-1; expected"),
        ({"gradient_clip": "1"}, "gradient_clip='1'; expected"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'.*did you mean 'cosine'"),
        ({"precision": "bf16"}, "unknown precision 'bf16'; expected one of"),
    ],
)
def test_an_option_out_of_its_range_is_a_mistake(changes, message):
    with pytest.raises(CausalflowError, match=message):
        options(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "gpu"}, "unknown device 'gpu'; expected one of"),
        ({"device": "cpu:1"}, "unknown device 'cpu:1'"),
        ({"device": "cuda:99"}, "device='cuda:99' is not there"),
        ({"precision": "16-mixed"}, "needs device='cuda'"),
        ({"devices": 3}, "batch_size=8 is not a multiple of 3 processes"),
    ],
)
def test_a_machine_that_is_not_there_is_a_mistake(changes, message):
    with pytest.raises(CausalflowError, match=message):
        fit(Toy(), Pictures(), options(**changes))


# What it tells.


def test_the_log_holds_options_and_average_losses(tmp_path):
    path = tmp_path / "logs" / "fit.jsonl"
    fitted(log=path, log_every=5)
    header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert header["options"]["seed"] == 0
    assert (header["device"], header["processes"]) == ("cpu", 1)
    assert header["parameters"] == 1 + (9 + 1) * 2 + (2 * 9 + 1)
    assert [(line["step"], line["images"]) for line in lines] == [(5, 40), (10, 80), (12, 96)]
    for line in lines:
        assert line["loss"] == pytest.approx(sum(line["losses"].values()), abs=2e-6)
    assert lines[0]["losses"].keys() == {"size", "image"}


def test_the_bar_shows_losses_of_all_nodes_and_pictures(capsys):
    fitted(progress=True)
    shown = capsys.readouterr().err
    assert "fit: 100%" in shown
    assert "images/s" in shown
    for name in ("loss=", "size=", "image="):
        assert name in shown


def test_a_quiet_fit_says_nothing(capsys):
    fitted()
    assert capsys.readouterr() == ("", "")


def test_a_fit_in_a_thread_leaves_the_signals_alone():
    before, reports = signal.getsignal(signal.SIGINT), []
    thread = threading.Thread(target=lambda: reports.append(fitted()[1]))
    thread.start()
    thread.join()
    assert reports[0].steps == 12
    assert signal.getsignal(signal.SIGINT) is before
