"""Guard: what every request must be before it is read, and what every answer says to the browser.

A page of another site can make a browser send requests to this machine. So the ``Host`` must be a
name of this machine (a name that another site can point here is none), the ``Origin``, where a
browser says it, the page's own, and a body JSON or a picture, which a foreign page cannot send
unasked. A body has a bound of bytes and of seconds. The answer forbids the page every script,
style, font and connection that is not the server's own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from causalflow.app.problem import problem

__all__ = ["BODY_BYTES", "UPLOAD_BYTES", "Guard", "RefusedError", "body_of", "hosts_of"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES = 1 << 20
"""Bytes of a question: the text of the largest graph file that is read."""
UPLOAD_BYTES = 8 << 20
"""Bytes of a picture that is given."""
JSON = "application/json"
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class RefusedError(Exception):
    """A request that is not answered: the status and the line that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The names by which the page may be asked for.

    Attributes:
        names: in lower case.
        addresses: whether any numeric address will do: it cannot be pointed elsewhere.
    """

    names: frozenset[str]
    addresses: bool

    def __contains__(self, host: str) -> bool:
        name = _without_port(host).lower()
        if name in self.names:
            return True
        with suppress(ValueError):
            address = ipaddress.ip_address(name)
            return self.addresses or address.is_loopback
        return False


def hosts_of(address: str) -> Hosts:
    """The names of a server that listens at an address.

    Example:
        >>> here = hosts_of("127.0.0.1")
        >>> "localhost:8765" in here, "[::1]:80" in here, "evil.example" in here
        (True, True, False)
        >>> "192.168.1.7:8765" in here, "192.168.1.7:8765" in hosts_of("0.0.0.0")
        (False, True)
    """
    if is_loopback(address):
        return Hosts(names=frozenset({"localhost"}), addresses=False)
    named = {"localhost", address.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
    return Hosts(names=frozenset(named), addresses=True)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address."""
    if address.lower() == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


class Guard:
    """The server behind the guard, an ASGI application."""

    def __init__(self, app: App, hosts: Hosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass what may be answered, refuse the rest."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        try:
            self._look(scope["method"], scope["path"], headers_of(scope))
        except RefusedError as refusal:
            await refuse(with_headers, refusal)
            return
        await self._app(scope, receive, with_headers)

    def _look(self, method: str, path: str, headers: Mapping[str, list[str]]) -> None:
        """Refuse what is no request of the page."""
        host = _single(headers, "host")
        if host not in self._hosts:
            raise RefusedError(
                421, "unknown Host: open the page at the address that the command says"
            )
        if method not in ("GET", "HEAD", "POST"):
            raise RefusedError(405, "only GET and POST are answered")
        if method != "POST":
            return
        origin = _single(headers, "origin") if "origin" in headers else None
        if origin is not None and origin.lower() not in _own(host):
            raise RefusedError(403, "foreign Origin: only the page itself may ask")
        if headers.get("sec-fetch-site", ["same-origin"])[0] not in ("same-origin", "none"):
            raise RefusedError(403, "foreign Origin: only the page itself may ask")
        if "content-encoding" in headers:
            raise RefusedError(415, "a packed body is not read; send it as it is")
        given = _single(headers, "content-type").partition(";")[0].strip().lower()
        if path == "/upload":
            if given not in PICTURES:
                kinds = ", ".join(each.removeprefix("image/").upper() for each in PICTURES)
                raise RefusedError(415, f"no picture that can be read; give one of {kinds}")
        elif given != JSON:
            raise RefusedError(415, f"the Content-Type must be {JSON}")


def _own(host: str) -> Iterable[str]:
    return (f"http://{host.lower()}", f"https://{host.lower()}")


def _single(headers: Mapping[str, list[str]], name: str) -> str:
    """The header, which must be there once."""
    given = headers.get(name, [])
    if len(given) > 1:
        raise RefusedError(400, f"the header {name} is there twice")
    return given[0] if given else ""


def headers_of(scope: Scope) -> dict[str, list[str]]:
    """The values of each header, by its name in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


async def body_of(
    scope: Scope, receive: Receive, limit: int, seconds: float, what: str = "body"
) -> bytes:
    """The body, ``what`` in messages, if it has no more bytes than that and comes in time.

    Raises:
        RefusedError: it has more, comes too slowly, or its sender has gone.
    """
    too_large = RefusedError(413, f"the {what} has more than {limit >> 20} MB")
    said = headers_of(scope).get("content-length", ["0"])[0]
    if not said.isdecimal() or int(said[:20]) > limit:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise RefusedError(400, "the body ended too early")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise too_large
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(408, f"the body did not come within {seconds:g} s") from None


async def refuse(send: Send, refusal: RefusedError) -> None:
    """Answer with the error of a refusal; the connection is closed, its body is not read."""
    text = json.dumps({"error": problem(str(refusal))}).encode()
    headers = [(b"content-type", JSON.encode()), (b"connection", b"close")]
    headers.append((b"content-length", str(len(text)).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
