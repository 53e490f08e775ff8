"""``causalflow app``: the address it says, the port it takes, its warnings and its refusals."""

import os
import re
import socket
import subprocess
import sys
import urllib.request

import pytest

from causalflow.app.serve import address, listening
from causalflow.errors import CausalflowError


def said(server):
    return urllib.request.urlopen(server.address, timeout=60).read().decode()


def test_page_is_served_at_the_address_that_is_said(serve):
    server = serve("literature/napkin")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.address)
    assert "<title>causalflow</title>" in said(server)


def test_port_that_is_taken_gives_way_to_the_next():
    with listening("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listening("127.0.0.1", port) as second:
            assert second.getsockname()[1] > port


def test_address_is_one_that_a_browser_can_open():
    with listening("0.0.0.0", 0) as everywhere:
        assert address(everywhere).startswith("http://localhost:")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "300.1.1.1", "a" * 300])
def test_address_that_is_none_is_refused(host):
    with pytest.raises(CausalflowError, match="cannot be listened at"):
        listening(host, 0)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere.yaml"], "nowhere.yaml"),
        (["--model", "nowhere"], "no checkpoint 'nowhere'"),
        (["--data", "nowhere"], "nowhere"),
        (["--port", "70000"], "70000"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_served(cli, args, says):
    ran = cli("app", "--no-browser", *args)
    assert ran.code == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_page_for_others_is_warned_of():
    command = [sys.executable, "-m", "causalflow", "app", "--no-browser", "--port", "0"]
    running = subprocess.Popen(
        [*command, "--host", "0.0.0.0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert "http://localhost:" in running.stdout.readline()
        assert "everybody who reaches this machine" in running.stderr.readline()
    finally:
        running.terminate()
        running.communicate(timeout=30)


def test_starting_imports_no_torch():
    code = "import sys, causalflow.app.serve; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_interrupted_server_leaves_its_port(serve):
    server = serve()
    server.close()
    port = int(server.address.rstrip("/").rsplit(":", 1)[1])
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_modules_of_ones_own_are_imported_by_the_workers(serve, tmp_path, monkeypatch):
    mark = tmp_path / "mark.txt"
    text = f"import os\nopen({str(mark)!r}, 'a').write(str(os.getpid()) + ' ')"
    (tmp_path / "own_types.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    server = serve("--with", "own_types")
    kind = {"content-type": "application/json"}
    asked = urllib.request.Request(server.address + "api/start", b"{}", kind)
    urllib.request.urlopen(asked, timeout=60).close()
    assert len(set(mark.read_text().split())) == 2
