"""Handlers of tests alone, imported by workers as a user's own module would be."""

import os
import time

from causalflow.app.handler import Handler
from causalflow.app.panes import HANDLERS
from causalflow.errors import GraphError


def sleep(request, session):
    for i in range(10):
        session.progress(i / 10, f"slept {i}")
        time.sleep(request["seconds"] / 10)
    return {"process": os.getpid()}


def mistake(request, session):
    raise GraphError("<text>:3: node 'x': no such type")


def fault(request, session):
    raise KeyError("/secret/path")


def die(request, session):
    os._exit(9)


def loop(request, session):
    while True:
        pass


def gobble(request, session):
    return {"length": len(bytearray(64 << 30))}


TEST_HANDLERS = {
    "sleep": Handler(sleep),
    "mistake": Handler(mistake),
    "fault": Handler(fault),
    "die": Handler(die),
    "loop": Handler(loop),
    "gobble": Handler(gobble),
    "nan": Handler(lambda request, session: {"p": float("nan")}),
    "kept": Handler(
        lambda request, session: {
            "kept": session.cache.keep("pid", request["key"], os.getpid, most=2)
        }
    ),
}
HANDLERS.update(TEST_HANDLERS)
