"""Golden files: how they are read and held against what is found, and how a command is run.

An area is a module ``golden_<area>.py`` with ``CASES``, name -> a call that finds what the golden
file ``goldens/<area>.json`` keeps under that name. Texts and whole numbers must be equal; a float
may differ by its area's tolerance, which is relative above 1 and absolute below.
"""

import contextlib
import hashlib
import io
import json
import math
import runpy
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
import torch

import causalflow as cf

HERE = Path(__file__).parent / "goldens"
ROOT = Path(__file__).parents[2]
GRAPHS = ROOT / "graphs"
DIGITS = 10
SHOWN = 130
"""Longer texts are kept as their digests."""
SOME = 5
"""How many numbers of a tensor are kept, evenly apart, beside its mean and standard deviation."""


def path_of(area):
    return HERE / f"{area}.json"


def read(area):
    return json.loads(path_of(area).read_text(encoding="utf-8"))


def write(area, found):
    HERE.mkdir(exist_ok=True)
    text = json.dumps(found, indent=0, ensure_ascii=False, sort_keys=True)
    path_of(area).write_text(text + "\n", encoding="utf-8")


def digest(content):
    """The first hexadecimal digits of the SHA-256 of a text or of an array's bytes."""
    if isinstance(content, str):
        return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]
    array = np.ascontiguousarray(content)
    head = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()[:DIGITS]


def brief(text):
    return text if len(text) <= SHOWN else f"{text[:60]}... sha256 {digest(text)}"


def numbers(value):
    """A tensor as type and shape, mean, standard deviation and some of its numbers."""
    array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    flat = array.astype(np.float64).reshape(-1)
    some = flat[:: max(1, flat.size // SOME)][:SOME]
    kept = [flat.mean(), flat.std(), *some] if flat.size else []
    return [f"{array.dtype} {list(array.shape)}", *map(rounded, kept)]


def rounded(number):
    return float(f"{number:.7g}")


def refused(call, *args, **given):
    """What the call returns, or the text of the package's error."""
    try:
        return call(*args, **given)
    except cf.CausalflowError as mistake:
        return {"error": f"{type(mistake).__name__}: {mistake}"}


def differences(found, golden, tolerance, where=""):
    """Where what is found is not what is kept: lines, none if all is the same."""
    if isinstance(golden, Mapping) and isinstance(found, Mapping):
        for key in sorted({*found, *golden}):
            if (key in found) != (key in golden):
                yield f"{where}/{key}: {'new' if key in found else 'lost'}"
            else:
                yield from differences(found[key], golden[key], tolerance, f"{where}/{key}")
    elif isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        for at, (new, old) in enumerate(zip(found, golden, strict=True)):
            yield from differences(new, old, tolerance, f"{where}[{at}]")
    elif not same(found, golden, tolerance):
        yield f"{where}: {found!r}; golden {golden!r}"


def same(found, golden, tolerance):
    if not (isinstance(golden, float) and isinstance(found, int | float)):
        return found == golden
    if math.isnan(golden) or math.isinf(golden):
        return repr(float(found)) == repr(golden)
    return math.isclose(found, golden, rel_tol=tolerance, abs_tol=tolerance)


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder of its own to stand in, with the graph files in ``graphs``."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        shutil.copytree(GRAPHS, Path(name, "graphs"))
        yield Path(name)


def command(*words):
    """Exit code, output and errors of ``python -m causalflow``, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv = mock.patch.object(sys, "argv", ["causalflow", *map(str, words)])
    size = mock.patch.dict("os.environ", COLUMNS="100")
    cpu = mock.patch("torch.cuda.is_available", return_value=False)
    with argv, size, cpu, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module("causalflow", run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code or 0
    return code, out.getvalue(), err.getvalue()
