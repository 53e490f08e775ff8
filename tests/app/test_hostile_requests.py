"""Forty and more hostile requests to a server that listens: each is answered in one line of error.

After all of them, and a hundred at once, the server answers as before, and neither it nor its
workers have grown beyond their bounds or hold more open files.
"""

import http.client
import io
import json
import os
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn
from PIL import Image

from causalflow.app.panes import HANDLERS
from causalflow.app.serve import address, listening
from causalflow.app.server import Start, application
from causalflow.app.work import Limits

JSON = {"content-type": "application/json"}
GRAPH = "edges: [x -> y]"


class Listening:
    """A server in a thread of this process."""

    def __init__(self):
        self.listener = listening("127.0.0.1", 0)
        self.port = int(address(self.listener).rstrip("/").rsplit(":", 1)[1])
        start = Start(quick=Limits(seconds=300.0, memory=3 << 30), body_seconds=5.0)
        self.server = uvicorn.Server(
            uvicorn.Config(application(start), log_level="error", ws="none")
        )
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True
        )
        self.thread.start()

    def close(self):
        self.server.should_exit = True
        self.thread.join(timeout=30)
        self.listener.close()

    def ask(self, method, path, headers=JSON, body=None):
        """The status, the kind and the content of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        finally:
            connection.close()

    def send(self, content, wait=0.0, more=b""):
        """The status of what bytes are answered with."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=600) as line:
            line.sendall(content)
            if more:
                time.sleep(wait)
                line.sendall(more)
            answer = b""
            while part := line.recv(65536):
                answer += part
                if b"\r\n\r\n" in answer:
                    break
        return int(answer.split()[1]), answer


@pytest.fixture(scope="module")
def server():
    running = Listening()
    assert running.ask("POST", "/api/start", body="{}")[0] == 200
    yield running
    running.close()


def said(content):
    """The message of an error, which is one line."""
    message = json.loads(content)["error"]["message"]
    assert 0 < len(message) < 500
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def draw(text, **more):
    return json.dumps({"text": text, "format": "yaml"} | more)


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(width, height, *chunks):
    """A picture that declares a size, of whose pixels it has few."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10_000_000, 9)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def picture(kind, size=(8, 8), frames=1):
    file = io.BytesIO()
    each = Image.new("RGB", size, (10, 20, 30))
    more = {"save_all": True, "append_images": [each] * (frames - 1)} if frames > 1 else {}
    each.save(file, format=kind, **more)
    return file.getvalue()


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

TRAVERSAL = [
    "/page/../server.py",
    "/page/..%2fserver.py",
    "/page/%2e%2e/%2e%2e/errors.py",
    "/page/..%5c..%5cerrors.py",
    "/page//etc/passwd",
    "/page/%00",
    "/page/style.css%00.py",
    "/page/server.py",
    "/../../../../etc/passwd",
    "/etc/passwd",
    "/page/",
    "/page/%ff%fe",
]


@pytest.mark.parametrize("path", TRAVERSAL)
def test_no_path_leads_out_of_the_page(server, path):
    status, _, content = server.ask("GET", path)
    assert status == 404
    assert b"root:" not in content
    assert b"import" not in content


@pytest.mark.parametrize(
    "name", ["../../pyproject.toml", "/etc/passwd", "..\\..\\x", "\0", "a" * 9999]
)
def test_no_name_of_an_example_leads_out_of_the_graphs(server, name):
    status, _, content = server.ask("POST", "/api/example", body=json.dumps({"name": name}))
    assert status == 400
    assert "unknown graph file" in said(content)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (JSON | {"host": "evil.example"}, 421),
        (JSON | {"host": "127.0.0.1.evil.example"}, 421),
        (JSON | {"origin": "http://evil.example"}, 403),
        (JSON | {"origin": "null"}, 403),
        (JSON | {"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        (JSON | {"content-encoding": "gzip"}, 415),
    ],
)
def test_no_foreign_page_is_answered(server, headers, status):
    given, _, content = server.ask("POST", "/api/start", headers, "{}")
    assert given == status
    said(content)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"text"',
        '{"p": NaN}',
        '{"p": Infinity}',
        "[" * 200_000,
        '{"a":' * 100_000,
        '{"n": ' + "9" * 100_000 + "}",
        b"\xff\xfe{}",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_no_body_but_an_object_of_finite_numbers_is_read(server, body):
    status, _, content = server.ask("POST", "/api/start", body=body)
    assert status == 400
    said(content)


@pytest.mark.parametrize(
    "name", ["__class__", "..%2fstart", "%00", "start%2f..", "draw.HANDLERS", "x" * 5000]
)
def test_no_question_but_the_panes_own_is_answered(server, name):
    assert server.ask("POST", f"/api/{name}", body="{}")[0] in (404, 405)


@pytest.mark.parametrize(
    "content",
    [
        b"POST /api/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000000000\r\n\r\n{}",
        b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        b"Content-Length: 9000000\r\n\r\n",
        b"POST /api/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + (b"20000\r\n" + b" " * 0x20000 + b"\r\n") * 9,
    ],
)
def test_no_body_beyond_its_bound_is_read(server, content):
    assert server.send(content)[0] == 413


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"POST /api/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n{}",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ],
)
def test_no_broken_request_is_answered(server, content):
    assert 400 <= server.send(content)[0] < 500


def test_no_slow_body_is_waited_for(server):
    head = b"POST /api/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert server.send(head + b"Content-Length: 100\r\n\r\n{")[0] == 408


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        png(60_000, 60_000),
        png(5_000, 5_000),
        picture("JPEG", (64, 64))[:300],
        png(64, 64, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * 300_000_000, 9))),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\xff" * 13),
        picture("TIFF"),
        picture("EPS"),
        b"GIF89a" + b"\xff" * 500,
    ],
    ids=lambda content: f"{len(content)}-{content[:4]!r}",
)
def test_no_hostile_picture_is_decoded(server, content):
    headers = {"content-type": "image/png"}
    status, _, answer = server.ask("POST", "/upload", headers, content)
    assert status == 400
    said(answer)


@pytest.mark.parametrize(
    "content",
    [picture("PNG"), picture("GIF", frames=3), picture("JPEG", (3000, 2000)), picture("WEBP")],
    ids=["png", "gif", "jpeg", "webp"],
)
def test_a_picture_is_made_small_and_given_back(server, content):
    headers = {"content-type": "image/png"}
    status, _, answer = server.ask("POST", "/upload", headers, content)
    assert status == 200
    given = json.loads(answer)["picture"]
    assert given.startswith("data:image/png;base64,")
    assert len(given) < 1 << 20


QUICK = sorted(name for name, handler in HANDLERS.items() if not handler.slow)
HOSTILE_TEXTS = [
    "edges: [x -> y",
    "edges: [x -> y]\nnodes: {x: {type: !!python/object/apply:os.system ['id']}}",
    BOMB,
    "a: &a [*a]",
    "[" * 5000,
    "edges: [x -> x]",
    "nodes: {x: 1}\n" * 3,
    "\0",
    "edges: ['" + "a" * 5000 + " -> b']",
    "edges: [" + ", ".join(f"a{i} -> a{i + 1}" for i in range(3000)) + ", a3000 -> a0]",
    "\ud800",
]


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=range(len(HOSTILE_TEXTS)))
@pytest.mark.parametrize("name", QUICK)
def test_no_hostile_text_brings_a_pane_down(server, text, name):
    roles = {"treatments": ["x"], "outcomes": ["y"], "adjusted": [], "unobserved": []}
    body = draw(text, query="P(y | do(x))", roles=roles)
    status, kind, content = server.ask("POST", f"/api/{name}", body=body)
    assert status in (200, 400), content[:300]
    assert kind == "application/json"
    if status == 400:
        said(content)
    assert b"uid=" not in content


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_no_question_without_its_fields_is_a_fault(server, name):
    status, kind, content = server.ask("POST", f"/api/{name}", body="{}")
    assert status in (200, 400), content[:300]
    assert kind == "application/json"


def resident():
    """Megabytes of this process and its children; None where the system does not say."""
    try:
        own = os.getpid()
        with open(f"/proc/self/task/{own}/children") as file:
            children = file.read().split()
        total = 0
        for process in children:
            with open(f"/proc/{process}/status") as file:
                total += sum(int(row.split()[1]) for row in file if row.startswith("VmRSS"))
        return total / 1024
    except OSError:
        return None


def test_a_hundred_at_once_are_answered_and_nothing_stays(server):
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def ask(i):
        if i % 4 == 0:
            return server.ask("GET", "/page/app.js")[0]
        if i % 4 == 1:
            return server.ask("POST", "/api/example", body=draw(BOMB))[0]
        if i % 4 == 2:
            return server.ask("POST", "/upload", {"content-type": "image/png"}, png(9000, 9000))[0]
        return server.ask("POST", "/api/start", body="{}")[0]

    with ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(ask, range(100)))
    assert set(statuses) <= {200, 400, 503}
    assert statuses[0::4] == [200] * 25
    assert server.ask("POST", "/api/start", body="{}")[0] == 200
    grown = resident()
    assert grown is None or grown < 1500
    if files:
        time.sleep(0.5)
        assert len(os.listdir("/proc/self/fd")) <= files + 8
