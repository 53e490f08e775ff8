"""A model hub in memory, on this machine: as much of the API as sharing a model takes.

It keeps every commit of every repository as a mapping from names to contents. Who writes, or reads
what is private, must show the token ``hf_writer``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

TOKEN = "hf_writer"
LARGE = (".safetensors", ".png")


class Hub:
    def __init__(self):
        self.commits = {}  # repository -> [(id, {name: content}), ...]
        self.branches = {}  # repository -> {branch: id}
        self.private, self.blobs, self.asked = set(), {}, []

    def files(self, repository, revision):
        known = self.branches.get(repository, {})
        wanted = known.get(revision, revision)
        return next(
            ((at, files) for at, files in self.commits.get(repository, []) if at == wanted),
            (None, None),
        )

    def commit(self, repository, branch, lines):
        files = dict(self.files(repository, branch)[1] or {})
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.blobs[value["oid"]]
                case "deletedFile":
                    files.pop(value["path"])
        text = json.dumps([len(self.commits[repository]), sorted(files)]).encode()
        at = hashlib.sha1(text).hexdigest()
        self.commits[repository].append((at, files))
        self.branches[repository][branch] = at
        return at


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, content, status=200, kind="application/json", **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refused(self, status, code, said):
        self.answer({"error": said}, status, X_Error_Code=code, X_Error_Message=said)

    @property
    def may_write(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    @property
    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path))
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.file(*found.groups())
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            _, files = self.hub.files(*found.groups())
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in (files or {}).items()
            ]
            return self.answer(entries)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            at, files = self.hub.files(found[1], "main")
            if at is None:
                return self.refused(404, "RepoNotFound", "Repository not found")
            return self.answer({"id": found[1], "sha": at, "siblings": []})
        return self.refused(404, "NotFound", f"no {path}")

    def file(self, repository, revision, name):
        hidden = repository in self.hub.private and not self.may_write
        if repository not in self.hub.commits or hidden:
            return self.refused(401, "RepoNotFound", "Repository not found")
        at, files = self.hub.files(repository, revision)
        if at is None:
            return self.refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if name not in files:
            return self.refused(404, "EntryNotFound", "Entry not found")
        content = files[name]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.answer(content, kind="application/octet-stream", ETag=etag, X_Repo_Commit=at)

    def do_PUT(self):
        oid = self.path.rpartition("/")[2]
        content = self.body
        assert hashlib.sha256(content).hexdigest() == oid
        self.hub.blobs[oid] = content
        self.answer({})

    def do_POST(self):
        path, body = unquote(urlsplit(self.path).path), self.body
        self.hub.asked.append((self.command, path))
        if not self.may_write:
            return self.refused(401, "", "Invalid username or password.")
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/branch/(.+)", path):
            repository, branch = found.groups()
            self.hub.branches[repository][branch] = self.hub.branches[repository]["main"]
            return self.answer({})
        if re.fullmatch(r"/api/models/[^/]+/[^/]+/preupload/[^/]+", path):
            files = json.loads(body)["files"]
            return self.answer({"files": [self.mode(each["path"]) for each in files]})
        if path.endswith(".git/info/lfs/objects/batch"):
            return self.answer({"transfer": "basic", "objects": self.places(json.loads(body))})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", path):
            lines = [json.loads(line) for line in body.decode().splitlines()]
            at = self.hub.commit(*found.groups(), lines)
            address = f"{self.server.address}/{found[1]}/commit/{at}"
            return self.answer({"commitOid": at, "commitUrl": address, "pullRequestUrl": None})
        return self.refused(404, "NotFound", f"no {path}")

    def mode(self, name):
        kind = "lfs" if name.endswith(LARGE) else "regular"
        return {"path": name, "uploadMode": kind, "shouldIgnore": False}

    def create(self, asked):
        name = f"{asked.get('organization') or 'ada'}/{asked['name']}"
        address = {"url": f"{self.server.address}/{name}"}
        if name in self.hub.commits:
            return self.answer({**address, "error": "You already created this model repo"}, 409)
        self.hub.commits[name], self.hub.branches[name] = [("0" * 40, {})], {"main": "0" * 40}
        if asked.get("private") or asked.get("visibility") == "private":
            self.hub.private.add(name)
        return self.answer(address)

    def places(self, asked):
        return [
            {**each, "actions": {"upload": {"href": f"{self.server.address}/blob/{each['oid']}"}}}
            for each in asked["objects"]
        ]


@contextmanager
def model_hub():
    """The hub and its address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"hub": hub}))
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub, server.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
