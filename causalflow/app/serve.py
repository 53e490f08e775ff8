"""Serve: the page at a port of this machine, until it is interrupted."""

from __future__ import annotations

import socket
import threading
import webbrowser

import uvicorn

from causalflow.app.guard import is_loopback
from causalflow.app.server import Start, application
from causalflow.errors import CausalflowError, one_line

__all__ = ["address", "is_public", "listening", "serve"]

PORTS = 20
"""Ports that are tried, from the one asked for."""
CONNECTIONS = 512
"""Connections at a time; further ones are told to come again."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the port, or at the next that is free.

    Raises:
        CausalflowError: there is no such address, or none of the ports is free.
    """
    reason = ""
    for each in range(port, min(port + PORTS, 65536)) if port else (0,):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, each))
            listener.listen(CONNECTIONS)
            return listener
        except (OSError, UnicodeError) as error:
            listener.close()
            reason = str(error)
    raise CausalflowError(one_line(f"--host {host} --port {port}: cannot be listened at: {reason}"))


def address(listener: socket.socket) -> str:
    """Where a browser of this machine finds the page."""
    host, port = listener.getsockname()[:2]
    name = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"


def serve(start: Start, listener: socket.socket, *, browser: bool) -> None:
    """Answer until interrupted.

    Args:
        start: what the page was started with.
        listener: from `listening`.
        browser: whether the page is opened in the user's browser.
    """
    configuration = uvicorn.Config(
        application(start),
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    if browser:
        threading.Thread(target=webbrowser.open, args=(address(listener),), daemon=True).start()
    uvicorn.Server(configuration).run(sockets=[listener])


def is_public(listener: socket.socket) -> bool:
    """Whether other machines reach the page."""
    return not is_loopback(listener.getsockname()[0])
