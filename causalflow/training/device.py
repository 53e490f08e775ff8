"""Device: where a model is, where a fit runs, in how many processes and threads, and what ends it.

Precision "auto" is bf16-mixed where a device multiplies bfloat16 faster than float32: GPUs since
2020, and CPUs with AVX512-BF16 or AMX, 1.7 times as fast at the convolutions of a latent, the one
place where a CPU is let do it. Others would emulate it, slowly.

float64 parameters, which the small mechanisms have, do not exist on MPS: it is not used.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from causalflow.errors import CausalflowError, one_of
from causalflow.training.options import USUAL, Fit, Size
from causalflow.training.processes import launched, numbers, quiet
from causalflow.training.report import FitReport
from causalflow.training.shards import cut

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["FitInterrupted", "alone", "existing_device", "launch", "signals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STRATEGIES = ("auto", "ddp", "fsdp")
DEVICES = ("auto", "cpu", "cuda", "cuda:1")


class FitInterrupted(KeyboardInterrupt):
    """A signal ended the fit after a whole step; the message says how to go on.

    Attributes:
        report: what the fit did so far, where what it leaves can be used; else None.
    """

    def __init__(self, message: str, report: FitReport | None = None) -> None:
        super().__init__(message)
        self.report = report


def launch(options: Fit, size: Size = USUAL) -> Fabric:
    """Device, precision and processes; under torchrun its numbers of processes hold.

    Args:
        options: how it is fitted.
        size: what is fitted.
    """
    from lightning_fabric import Fabric

    name, _, index = existing_device(options.device, "fit").partition(":")
    local, hosts = numbers(options.devices)
    _check_parts(options, local * hosts)
    precision = _precision(options.precision, name, wide=size.wide)
    try:
        with quiet():
            fabric = Fabric(
                accelerator=name,
                devices=[int(index)] if index and local == 1 else local,
                num_nodes=hosts,
                strategy=_strategy(options, local * hosts),
                precision=precision,
            )
    except (ValueError, TypeError) as mistake:
        reason = str(mistake).splitlines()[0]
        raise CausalflowError(f"fit: strategy={options.strategy!r}: {reason}") from None
    return launched(fabric)


def _check_parts(options: Fit, processes: int) -> None:
    """Every part of a step has as many rows."""
    if options.batch_size % (processes * options.accumulate):
        parts = f" times accumulate={options.accumulate}" if options.accumulate > 1 else ""
        raise CausalflowError(
            f"fit: batch_size={options.batch_size} is not a multiple of {processes} "
            f"process{'es' if processes > 1 else ''}{parts}"
        )


def _strategy(options: Fit, processes: int) -> Any:
    """How the processes share the fit; one alone needs nothing."""
    from lightning_fabric.strategies import DDPStrategy, ModelParallelStrategy

    if options.strategy not in STRATEGIES:
        return options.strategy
    if processes == 1:
        return "auto"
    if options.strategy == "fsdp":
        if options.precision == "16-mixed":
            raise CausalflowError(
                "fit: strategy='fsdp' goes with precision='bf16-mixed' or '32-true', not '16-mixed'"
            )
        return ModelParallelStrategy(
            parallelize_fn=cut, data_parallel_size=processes, tensor_parallel_size=1
        )
    # Buffers are calibrated alike in every process, so they need no broadcast in each step; a
    # node that is fitted in stages leaves weights without a gradient.
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def existing_device(device: str | torch.device, where: str = "model") -> str:
    """The name of a device that is there; "auto" is CUDA, else the CPU.

    Of several processes on a host each has a GPU of its own, by turns where they are fewer.

    Raises:
        CausalflowError: no such device; ``where`` begins the message.
    """
    cuda = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if cuda else "cpu"
    name, _, index = str(device).partition(":")
    known = name in ("cpu", "cuda") and (not index or (name == "cuda" and index.isdecimal()))
    if not known:
        raise CausalflowError(f"{where}: unknown device '{device}'; {one_of(str(device), DEVICES)}")
    if name == "cuda" and not (cuda and int(index or 0) < torch.cuda.device_count()):
        raise CausalflowError(f"{where}: device='{device}' is not there; use 'auto' or 'cpu'")
    if name == "cuda" and not index and numbers()[0] > 1:
        own = int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()
        return f"cuda:{own}"
    return str(device)


def _precision(precision: str, device: str, *, wide: bool) -> Any:
    if precision == "16-mixed" and device != "cuda":
        raise CausalflowError("fit: precision='16-mixed' needs device='cuda'; use 'auto'")
    if precision != "auto":
        return precision
    if device == "cuda":
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        bf16 = wide and _cpu_has_bf16()
    return "bf16-mixed" if bf16 else "32-true"


def _cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 itself; older releases of torch cannot tell."""
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16"))


def alone() -> None:
    """This thread computes without helpers; so do threads that begin later, until it is set again.

    What sets it again is ``torch.set_num_threads`` in the thread that made this one.
    """
    torch.set_num_threads(1)
    torch.get_num_threads()  # at its first use a thread takes the number that was set last


@contextmanager
def signals() -> Iterator[list[int]]:
    """The SIGINT and SIGTERM that came (main thread only); a second one acts at once."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def note(number: int, frame: object) -> None:
        came.append(number)
        signal.signal(number, previous[number])

    previous: dict[int, Any] = {
        number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS
    }
    for number in previous:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
