"""Machine: the processor and the software that a result was measured with; no path and no host."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "opt-einsum", "pgmpy", "pyagrum")


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """What a result's file says of it; threads are those that OMP_NUM_THREADS allows."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
    }


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
