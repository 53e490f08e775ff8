"""``python -m tests.hostile [words]``: every hostile input, how it was held, its seconds and peak.

Words choose cases by line ("8") or by a part of the name; ``-v`` prints each error's text. Ends with
1 if one was not held.
"""

from __future__ import annotations

import os
import sys

from tests.hostile import (
    hostile_arrays,
    hostile_checkpoints,
    hostile_commands,
    hostile_equations,
    hostile_graphs,
    hostile_pictures,
    hostile_tables,
    hostile_texts,
)
from tests.hostile.hostile_runner import BYTES, prepare, run_case

os.environ.setdefault("OMP_NUM_THREADS", "1")
MODULES = (
    hostile_graphs,
    hostile_texts,
    hostile_equations,
    hostile_tables,
    hostile_arrays,
    hostile_pictures,
    hostile_checkpoints,
    hostile_commands,
)


def main(words: list[str]) -> int:
    verbose, words = "-v" in words, [word for word in words if word != "-v"]
    cases = sorted((case for module in MODULES for case in module.CASES), key=lambda c: c.line)
    chosen = [case for case in cases if not words or str(case.line) in words or any(w in case.name for w in words if not w.isdigit())]
    prepare()
    for text in (None, hostile_pictures.GRAPH):
        hostile_tables.model_bytes(text)  # once, for every child
    doors = lost = 0
    for case in chosen:
        for held in run_case(case):
            doors, lost = doors + 1, lost + bool(held.defect)
            mark = "LOST" if held.defect else "held"
            print(
                f"{case.line:>3} {mark} {held.seconds:5.1f} s {held.peak / BYTES:5.2f} GiB  {case.name} [{held.door}] {held.defect}",
                flush=True,
            )
            if verbose:
                print(f"      {held.text[:700]}", flush=True)
    print(f"\n{len(chosen)} inputs, {doors} doors: {doors - lost} held, {lost} not")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
