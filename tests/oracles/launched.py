"""Launched: processes that run a script together, as under torchrun, ended by a time limit."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environments(processes):
    """What torchrun tells each of its processes, over loopback."""
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "GROUP_RANK": "0",
        "GROUP_WORLD_SIZE": "1",
        "TORCHELASTIC_RUN_ID": "test",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    for rank in range(processes):
        yield {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}


@contextmanager
def started(script, *arguments, processes=2):
    """The processes; whatever happens, none is left when the block ends."""
    crew = [
        subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments(processes)
    ]
    try:
        yield crew
    finally:
        for process in crew:
            process.kill()
            process.communicate()


def ended(crew):
    """Wait for all; what each wrote to standard error, and its exit code."""
    return [(process.communicate(timeout=SECONDS)[1], process.returncode) for process in crew]
