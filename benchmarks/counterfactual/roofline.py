"""Roofline: the image engine run in several ways, beside what the device can do at most.

A *way* is a setting of `Model.accelerate`, of threads, of the layout of hidden states in memory,
and of a batch. All ways of a net answer the same intervention by its default, in turns, so that
they share whatever else the machine does; a ratio is the median over turns of seconds of the first
way over seconds of this one, with its range.

    FLOP     of one counterfactual: products and sums of convolutions and matrices, counted by
             torch.utils.flop_counter on the first way
    bytes    what its convolutions must read and write if nothing between them leaves the chip:
             their inputs and outputs, the weights left out
    peak     FLOP/s of a product of square matrices, and bandwidth of a copy, measured in the same
             turns, in the precision of the way
    limit    the seconds max(FLOP / peak, bytes / bandwidth); *reached* is limit over seconds

On a CPU the first way is the engine as it was: the whole batch at once. On CUDA it is the network
launched kernel by kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import click
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.counterfactual.trials import synchronised
from causalflow.nn.replay import POSITIONS

if TYPE_CHECKING:
    import causalflow as cf
    from benchmarks.counterfactual.run import Run

CAUSES = {"morpho": "intensity", "bar": "color"}
TURNS = 5
WHOLE = 1 << 40
SIDE = {"cpu": 1024, "cuda": 8192}
COPIED = {"cpu": 1 << 24, "cuda": 1 << 28}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of running the engine.

    Attributes:
        name: shown in the table.
        batch: pictures a call.
        threads: of a CPU.
        graphs, compile, precision: of `Model.accelerate`.
        channels_last: whether the weights, and so the hidden states, have their channels last.
        positions: the pixels of a portion, on a CPU.
    """

    name: str
    batch: int
    threads: int = 1
    graphs: bool = False
    compile: bool = False
    precision: str = "32-true"
    channels_last: bool = True
    positions: int = POSITIONS


def ways(device: str, *, quick: bool) -> list[Way]:
    """The ways of a device; the first is what the others are held against."""
    if device.startswith("cuda"):
        return [way for batch in ((16,) if quick else (64, 512, 2048)) for way in _on_cuda(batch)]
    batch = 8 if quick else 64
    portions = Way(name="portions", batch=batch)
    half = "bf16-mixed"
    return [
        Way(name="whole batch", batch=batch, positions=WHOLE),
        Way(name="whole batch, channels first", batch=batch, positions=WHOLE, channels_last=False),
        portions,
        replace(portions, name="portions, channels first", channels_last=False),
        replace(portions, name="portions, bf16", precision=half),
        replace(portions, name="portions, compiled", compile=True),
        replace(portions, name="portions, compiled, bf16", compile=True, precision=half),
        replace(portions, name="portions", threads=2),
        replace(portions, name="portions, compiled, bf16", compile=True, precision=half, threads=2),
        replace(portions, name="one picture", batch=1),
        *([] if quick else [replace(portions, name="portions", batch=256)]),
    ]


def _on_cuda(batch: int) -> list[Way]:
    launched = Way(name="launched", batch=batch)
    recorded = replace(launched, name="recorded", graphs=True)
    half = replace(recorded, name="recorded, bf16", precision="bf16-mixed")
    return [
        launched,
        recorded,
        half,
        replace(recorded, name="recorded, compiled", compile=True),
        replace(half, name="recorded, compiled, bf16", compile=True),
    ]


def roofline(run: Run, net: str) -> list[dict[str, Any]]:
    """A row for each way."""
    chosen = ways(run.device, quick=run.quick)
    evidence = _drawn(run.model(net), max(way.batch for way in chosen))
    asked = [_Asked(run, net, way, evidence) for way in chosen]
    work = asked[0].work()
    for each in asked:
        each.seconds()  # compiled, recorded, warm
    turns: dict[int, list[float]] = {place: [] for place in range(len(asked))}
    peaks: dict[tuple[str, int], list[float]] = {}
    for _ in range(2 if run.quick else TURNS):
        if any(turns.values()) and not run.has_seconds(sum(each[-1] for each in turns.values())):
            break
        for place, each in enumerate(asked):
            turns[place].append(each.seconds() / each.way.batch)
            key = each.way.precision, each.way.threads
            peaks.setdefault(key, []).append(_peak(run.device, *key))
    bandwidth = _bandwidth(run.device)
    return [
        _row(net, each, turns[place], turns[0], work, peaks, bandwidth)
        for place, each in enumerate(asked)
    ]


def _row(
    net: str,
    asked: _Asked,
    seconds: list[float],
    first: list[float],
    work: dict[str, float],
    peaks: dict[tuple[str, int], list[float]],
    bandwidth: float,
) -> dict[str, Any]:
    way = asked.way
    ratios = [a / b for a, b in zip(first, seconds, strict=True)]
    peak = max(peaks[way.precision, way.threads])
    moved = work["bytes"] / (2 if way.precision == "bf16-mixed" else 1)
    limit = max(work["flop"] / peak, moved / bandwidth)
    row = {"net": net, **asdict(way), "calls": asked.calls, "turns": len(seconds)}
    row |= {"seconds": median(seconds), "seconds_range": [min(seconds), max(seconds)]}
    row |= {"ratio": median(ratios), "ratio_range": [min(ratios), max(ratios)]}
    row |= {"flop": work["flop"], "bytes": moved, "peak": peak, "bandwidth": bandwidth}
    row |= {"limit_seconds": limit, "reached": limit / median(seconds)}
    click.echo(
        f"{net:12} {way.name:28} {way.batch:5} rows {way.threads} threads: "
        f"{1 / median(seconds):8.1f} pictures/s, ratio {row['ratio']:.2f}, "
        f"{work['flop'] / median(seconds) / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s"
    )
    return row


def _drawn(model: cf.Model, rows: int) -> dict[str, Tensor]:
    """Evidence that the model draws itself, coarsely: what it costs does not depend on it."""
    generator = torch.Generator(device=model.device).manual_seed(0)
    return dict(model.sample(rows, generator=generator, steps=2))


class _Asked:
    """A model that is run in one way, and what it is asked: a cause of another row."""

    def __init__(self, run: Run, net: str, way: Way, evidence: Mapping[str, Tensor]) -> None:
        self.way, self.calls = way, 0.0
        self.evidence = {name: value[: way.batch] for name, value in evidence.items()}
        cause = CAUSES[net]
        self.do = {cause: self.evidence[cause].flip(0)}
        self.model: cf.Model = run.model(net).accelerate(
            graphs=way.graphs, compile=way.compile, precision=way.precision
        )
        for denoiser in self.model.scm.denoisers:
            denoiser.replay.positions = way.positions
            layout = torch.channels_last if way.channels_last else torch.contiguous_format
            denoiser.to(memory_format=layout)  # type: ignore[call-overload]

    def seconds(self) -> float:
        """The seconds of an abduction and a prediction, the device waited for."""
        with _threads(self.way.threads):
            begun = synchronised(self.model.device)
            self._answer()
            return synchronised(self.model.device) - begun

    def work(self) -> dict[str, float]:
        """FLOP and bytes of one counterfactual."""
        moved = [0]

        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            moved[0] += sum(t.numel() * t.element_size() for t in (inputs[0], output))

        network = self.model.scm.denoisers[0]
        hooks = [
            each.register_forward_hook(note)
            for each in network.modules()
            if isinstance(each, nn.Conv2d)
        ]
        with FlopCounterMode(display=False) as counter:
            self._answer()
        for hook in hooks:
            hook.remove()
        rows = self.way.batch
        return {"flop": counter.get_total_flops() / rows, "bytes": moved[0] / rows}

    def _answer(self) -> None:
        world = self.model.predict(self.model.abduct(self.evidence), self.do)
        self.calls = world.info.network_calls


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _peak(device: str, precision: str, threads: int) -> float:
    """FLOP/s of a product of square matrices, the best of three."""
    kind = torch.device(device).type
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    side = SIDE.get(kind, SIDE["cuda"])
    a = torch.randn(side, side, device=device).to(dtype)
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # as convolutions
    try:
        with _threads(threads):
            return 2 * side**3 / _best(lambda: a @ a, device)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed


def _bandwidth(device: str) -> float:
    """Bytes a second that a copy reads and writes, the best of three."""
    source = torch.ones(COPIED.get(torch.device(device).type, COPIED["cuda"]), device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _best(lambda: target.copy_(source), device)


def _best(call: Callable[[], object], device: str) -> float:
    where, found = torch.device(device), []
    call()
    for _ in range(3):
        begun = synchronised(where)
        call()
        found.append(synchronised(where) - begun)
    return min(found)
