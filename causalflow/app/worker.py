"""Worker: the process that runs handlers, one at a time, asked and answering by lines of JSON.

    asked      the start's values; then {"name": "draw", "body": {...}}, a line each
    answers    to the start {"handlers": {"draw": False, ...}}, whether each is slow; to a question
               {"progress": 0.3, "said": "..."}, any number of them, then one of
               {"answer": {...}}, {"mistake": `Problem`}, {"fault": "KeyError"}

It is run by `causalflow.app.work` as ``python -m causalflow.app.worker``, and ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from causalflow.app.handler import Handler, Session
from causalflow.app.problem import problem
from causalflow.errors import CausalflowError, CausalflowWarning
from causalflow.plugins import import_plugin

__all__ = ["line", "main", "reply"]

Say = Callable[[Mapping[str, Any]], None]


def line(message: Mapping[str, Any]) -> bytes:
    """A message as its line.

    Raises:
        ValueError: it holds a number that JSON has no word for.
    """
    return json.dumps(message, allow_nan=False).encode() + b"\n"


class _Asked(dict[str, Any]):
    """A request's JSON; what it lacks is the asker's mistake."""

    def __missing__(self, name: str) -> Any:
        raise CausalflowError(f"the question lacks '{name}'")


def reply(handler: Handler, body: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """What a handler answers, or the mistake or the fault that kept it from answering."""
    try:
        answer = dict(handler.run(_Asked(body), session))
        line(answer)
        return {"answer": answer}
    except CausalflowError as mistake:
        return {"mistake": problem(mistake)}
    except MemoryError:
        return {"mistake": problem("out of memory: ask for a smaller graph, or for fewer draws")}
    except RecursionError:
        return {"mistake": problem("nested too deep to be read; write it flatter")}
    except Exception as fault:
        traceback.print_exc()
        return {"fault": type(fault).__name__}


def _limited(memory: int | None) -> None:
    """No more bytes of memory than that, where the system can hold a process to it."""
    if memory is not None:
        try:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        except (ImportError, ValueError, OSError):
            return


def _opened(start: Mapping[str, Any], say: Say) -> Session:
    """The start's values, read from their line; what the user registers is imported."""
    for module in start["plugins"]:
        import_plugin(module)
    return Session(
        graph=start["graph"],
        name=start["name"],
        format=start["format"],
        models=tuple(map(Path, start["models"])),
        data=None if start["data"] is None else Path(start["data"]),
        progress=lambda share, said: say({"progress": share, "said": said}),
    )


def main() -> None:
    """Answer until the input ends; what handlers print goes to standard error."""
    asked: BinaryIO = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        answers.write(line(message))
        answers.flush()

    start = json.loads(asked.readline())
    _limited(start["memory"])
    from causalflow.app.panes import HANDLERS

    session = _opened(start, say)
    say({"handlers": {name: handler.slow for name, handler in HANDLERS.items()}})
    warnings.simplefilter("ignore", CausalflowWarning)  # a handler shows those it asks for
    while asking := asked.readline():
        request = json.loads(asking)
        say(reply(HANDLERS[request["name"]], request["body"], session))


if __name__ == "__main__":
    main()
