"""Server: the page's files, and ``POST /api/NAME``, run by the handler of that name.

An answer is ``200`` and JSON, or ``{"error": {"message", "line", "column"}}`` with a status of 4xx
(the user's mistake) or 500 (a fault of this package). Asked with ``Accept: application/x-ndjson`` a
slow handler answers by lines: ``{"progress", "said"}``, then ``{"answer"}`` or ``{"error"}``. Of a
user nothing is kept: text, roles and pictures come with each request.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from causalflow.app.guard import (
    BODY_BYTES,
    UPLOAD_BYTES,
    Guard,
    Receive,
    RefusedError,
    Scope,
    Send,
    body_of,
    headers_of,
    hosts_of,
    refuse,
)
from causalflow.app.work import Crew, Event, Limits

__all__ = ["Start", "application"]

PAGE = Path(__file__).resolve().parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LINES = "application/x-ndjson"
QUICK = Limits(seconds=20.0, memory=4 << 30)
SLOW = Limits(seconds=300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the command was given.

    Attributes:
        host: the address that is listened at.
        graph: the graph file's text, ``name`` and ``format`` its name and format.
        models: paths of fitted models.
        data: the path of a folder or table.
        plugins: modules that register methods of the user's own.
        quick: what the processes of quick handlers may take.
        slow: what those of slow ones may.
        body_seconds: in which the body of a request must have come.
    """

    host: str = "127.0.0.1"
    graph: str | None = None
    name: str = ""
    format: str | None = "yaml"
    models: tuple[str, ...] = ()
    data: str | None = None
    plugins: tuple[str, ...] = ()
    quick: Limits = QUICK
    slow: Limits = SLOW
    body_seconds: float = 15.0

    def opening(self) -> dict[str, Any]:
        """What a worker is told at first."""
        names = ("graph", "name", "format", "models", "data", "plugins")
        return {name: getattr(self, name) for name in names}


def application(start: Start) -> Guard:
    """The page's server, an ASGI application behind its guard."""
    crews = _Crews(start)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        crews.warm()
        yield
        await crews.close()

    routes = [
        Route("/", _file),
        Route("/page/{name}", _file),
        Route("/api/{name}", crews.api, methods=["POST"]),
        Route("/upload", crews.upload, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), hosts_of(start.host))


async def _file(request: Request) -> Response:
    """A file of the page, by its name among them."""
    name = request.path_params.get("name", "index.html")
    path = next((path for path in PAGE.iterdir() if path.name == name), None)
    if path is None or path.suffix not in KINDS:
        return Response("there is no such page", 404, media_type="text/plain")
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=KINDS[path.suffix], headers=headers)


class _Crews:
    """The processes of quick and of slow handlers, and the two routes that ask them."""

    _handlers: asyncio.Future[Mapping[str, bool]]

    def __init__(self, start: Start) -> None:
        self._quick = Crew(start.opening(), start.quick)
        self._slow = Crew(start.opening(), start.slow)
        self._seconds = start.body_seconds

    def warm(self) -> None:
        """Start the first process before anybody asks."""
        self._handlers = asyncio.ensure_future(self._quick.handlers())

    async def close(self) -> None:
        await asyncio.gather(self._quick.close(), self._slow.close())

    async def api(self, request: Request) -> Response:
        """The answer of a handler to the request's JSON."""
        name = request.path_params["name"]

        async def body() -> Mapping[str, Any]:
            if name not in await asyncio.shield(self._handlers):
                raise RefusedError(404, "there is no such question")
            return _read(await self._body(request, BODY_BYTES))

        return _Answering(self, name, body)

    async def upload(self, request: Request) -> Response:
        """The picture in the body, decoded, as a small PNG that the page can send along."""

        async def body() -> Mapping[str, Any]:
            content = await self._body(request, UPLOAD_BYTES, "picture")
            return {"file": base64.b64encode(content).decode()}

        return _Answering(self, "upload", body)

    async def _body(self, request: Request, limit: int, what: str = "body") -> bytes:
        return await body_of(request.scope, request.receive, limit, self._seconds, what)

    async def run(self, name: str, body: Event, tell: Callable[[Event], None]) -> Event:
        crew = self._slow if (await asyncio.shield(self._handlers))[name] else self._quick
        return await crew.run(name, body, tell)


def _read(content: bytes) -> Mapping[str, Any]:
    """The object in a body of JSON, whose numbers are numbers."""
    try:
        body = json.loads(content.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is no JSON of finite numbers") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be an object of JSON")
    return body


def _no_number(word: str) -> None:
    raise ValueError(word)


class _Answering(Response):
    """The response of a job: it is ended when its asker goes."""

    def __init__(self, crews: _Crews, name: str, body: Callable[[], Any]) -> None:
        super().__init__()
        self._crews, self._name, self._body = crews, name, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; where the job is under way and the connection closes, end it."""
        try:
            body = await self._body()
        except RefusedError as refusal:
            await refuse(send, refusal)
            return
        said = _Lines(send) if LINES in headers_of(scope).get("accept", [""])[0] else None
        job = asyncio.ensure_future(self._job(body, said, send))
        leaving = asyncio.ensure_future(_left(receive))
        await asyncio.wait({job, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (job, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _job(self, body: Event, said: _Lines | None, send: Send) -> None:
        end = await self._crews.run(self._name, body, said.tell if said else _untold)
        status, text = _ended(end)
        if said is not None and said.begun:
            await said.end(text)
            return
        content = json.dumps(text.get("answer", text)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _untold(event: Event) -> None:
    """Progress of which nobody asks."""


def _ended(end: Event) -> tuple[int, Mapping[str, Any]]:
    """The status and the text of a job's end."""
    if "answer" in end:
        return 200, {"answer": end["answer"]}
    if "fault" in end:
        message = (
            f"a fault of causalflow ({end['fault']}); its terminal says where, please report it"
        )
        return 500, {"error": {"message": message, "line": None, "column": None}}
    return (503 if "busy" in end else 400), {"error": end["mistake"]}


async def _left(receive: Receive) -> None:
    """Wait until the asker has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Lines:
    """An answer by lines, begun with the first progress."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sent: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        return self._sent is not None

    def tell(self, event: Event) -> None:
        """Send a line, after those before it."""
        self._sent = asyncio.ensure_future(self._after(self._sent, event))

    async def _after(self, before: asyncio.Task[None] | None, event: Event) -> None:
        if before is not None:
            await before
        else:
            headers = [(b"content-type", LINES.encode()), (b"cache-control", b"no-store")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._write(event, more=True)

    async def end(self, event: Event) -> None:
        """Send the last line."""
        assert self._sent is not None
        await self._sent
        await self._write(event, more=False)

    async def _write(self, event: Event, *, more: bool) -> None:
        text = json.dumps(event).encode() + b"\n"
        await self._send({"type": "http.response.body", "body": text, "more_body": more})
