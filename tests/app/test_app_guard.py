"""What is no request of the page is refused before it is read: who asks, whence, of what kind."""

import asyncio
import json

import pytest

from causalflow.app.guard import HEADERS, Guard, RefusedError, body_of, hosts_of

OWN = {"host": "127.0.0.1:8765"}
ASKED = OWN | {"content-type": "application/json"}


def answered(method, path, headers, host="127.0.0.1"):
    """The status, the headers and the body that the guard lets through."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.encode(), value.encode()) for name, value in pairs]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(Guard(app, hosts_of(host))(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:9", "[::1]:8765"])
def test_names_of_this_machine_are_answered(host):
    assert answered("GET", "/", {"host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "192.168.1.7:8765"]
)
def test_other_names_are_refused(host):
    status, _, body = answered("GET", "/", {"host": host})
    assert status == 421
    assert "Host" in json.loads(body)["error"]["message"]


def test_an_open_server_answers_at_addresses_and_at_its_own_name_only():
    assert answered("GET", "/", {"host": "192.168.1.7:8765"}, "0.0.0.0")[0] == 200
    assert answered("GET", "/", {"host": "evil.example"}, "0.0.0.0")[0] == 421
    assert answered("GET", "/", {"host": "my.box"}, "my.box")[0] == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8765", "https://127.0.0.1:8765"])
def test_the_page_itself_may_ask(origin):
    assert answered("POST", "/api/start", ASKED | {"origin": origin})[0] == 200


@pytest.mark.parametrize(
    "more",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_pages_may_not(more):
    assert answered("POST", "/api/start", ASKED | more)[0] == 403


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "image/png"],
)
def test_questions_are_json(kind):
    assert answered("POST", "/api/start", OWN | {"content-type": kind})[0] == 415


def test_pictures_are_pictures():
    assert answered("POST", "/upload", OWN | {"content-type": "image/png"})[0] == 200
    assert answered("POST", "/upload", OWN | {"content-type": "image/svg+xml"})[0] == 415
    assert answered("POST", "/upload", ASKED)[0] == 415


def test_headers_that_are_there_twice_are_refused():
    twice = [*ASKED.items(), ("content-type", "text/plain")]
    assert answered("POST", "/api/start", twice)[0] == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_refused(method):
    status, headers, _ = answered(method, "/api/start", ASKED)
    assert status == 405
    assert not any(name.startswith(b"access-control") for name in headers)


def test_every_answer_forbids_what_is_not_the_servers_own():
    for request in (("GET", "/", OWN), ("GET", "/", {"host": "evil.example"})):
        headers = answered(*request)[1]
        assert {name.encode() for name in HEADERS} <= set(headers)
        policy = headers[b"content-security-policy"].decode()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def received(*parts, headers=(), wait=0.0):
    """The body made of the parts, of which each but the first is waited for."""
    left = list(parts)

    async def receive():
        if wait and len(left) < len(parts):
            await asyncio.sleep(wait)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    scope = {"headers": [(n.encode(), v.encode()) for n, v in headers]}
    return asyncio.run(body_of(scope, receive, 10, 0.2))


def test_body_comes_in_parts():
    assert received(b"ab", b"", b"cd") == b"abcd"


@pytest.mark.parametrize("said", ["11", "1" * 5000, "-1", "ten"])
def test_body_that_says_it_is_too_large_is_refused_unread(said):
    with pytest.raises(RefusedError) as refused:
        received(headers=[("content-length", said)])
    assert refused.value.status == 413


def test_body_that_does_not_say_is_counted():
    with pytest.raises(RefusedError) as refused:
        received(b"123456", b"123456")
    assert refused.value.status == 413


def test_slow_body_is_given_up():
    with pytest.raises(RefusedError) as refused:
        received(b"a", b"b", wait=5)
    assert refused.value.status == 408
