"""From the command to the first counterfactual picture, as one who has just installed goes.

Where a network namespace of one's own may be made, in one that has no way out; else with a watch on
every request. How many seconds it takes is told by ``python -m benchmarks.app``.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UP = """
import fcntl, os, socket, struct, sys
with socket.socket() as any:
    fcntl.ioctl(any, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS: the loopback is up
os.execv(sys.executable, [sys.executable, "-m", "benchmarks.app", "--first"])
"""


def command():
    """The run without a network, where it may be."""
    if shutil.which("unshare"):
        cut = ["unshare", "--map-root-user", "--net", sys.executable, "-c"]
        if subprocess.run([*cut, "pass"], capture_output=True, check=False).returncode == 0:
            return [*cut, UP]
    return [sys.executable, "-m", "benchmarks.app", "--first"]


@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="no benchmarks beside the tests")
def test_first_counterfactual_picture_takes_few_clicks_and_no_network():
    ran = subprocess.run(command(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout)
    assert found["clicks"] <= 6
    assert found["foreign"] == []
