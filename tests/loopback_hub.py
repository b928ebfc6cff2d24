"""A Hugging Face hub on loopback: as much of its protocol as downloads and a commit use, with faults on request."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import datasets.config
import huggingface_hub
import huggingface_hub.constants
import pytest
from tenacity import wait_none

import parallel_qa.pipeline.hub

_INFO = re.compile(r"/api/(?:models/)?(?P<repo>(?:datasets/)?[^/]+/[^/]+)/revision/(?P<revision>.+)")
_TREE = re.compile(r"/api/(?:models/)?(?P<repo>(?:datasets/)?[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
_PATHS = re.compile(r"/api/(?:models/)?(?P<repo>(?:datasets/)?[^/]+/[^/]+)/paths-info/(?P<revision>[^/]+)")
_FILE = re.compile(r"/(?P<repo>(?:datasets/)?[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_UPLOAD = re.compile(r"/api/(?P<repo>datasets/[^/]+/[^/]+)/(?P<what>preupload|commit)/main")
_OBJECTS = re.compile(r"/(?P<repo>datasets/[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_OBJECT = re.compile(r"/objects/(?P<oid>[0-9a-f]{64})")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_LFS_NAMES = (".bin", ".safetensors", ".model", ".parquet")
_LFS_SIZE = 1_000_000


@dataclass
class LoopbackHub:
    """Repositories at one commit each, and what is to go wrong with them.

    A model is kept under its id, a data set under `datasets/` and its id. A file is called by its path
    in the repository.
    """

    repositories: dict[str, tuple[str, Path]] = field(default_factory=dict)  # commit, folder
    branches: dict[str, str] = field(default_factory=dict)  # name -> commit
    statuses: dict[str, list[int]] = field(default_factory=dict)  # end of an address -> answers to a GET of it, once each
    break_after: dict[str, int] = field(default_factory=dict)  # file -> bytes after which the connection breaks, once
    reset: bool = False  # break it by a reset, as a failing router does, instead of closing it
    corrupt: set[str] = field(default_factory=set)  # files whose bytes are not those of their checksum
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, Range
    sent: dict[str, int] = field(default_factory=dict)  # file -> bytes of it that were sent
    commits: list[str] = field(default_factory=list)  # summaries
    changes: list[list[str]] = field(default_factory=list)  # commit by commit the files that it adds; with a "-" those that it deletes
    created: dict[str, bool] = field(default_factory=dict)  # repository -> whether it is private
    objects: dict[str, bytes] = field(default_factory=dict)  # SHA-256 -> content of a large file
    takes: int | None = None  # so many large files more, and no other
    refuses: bool = False  # to take a commit
    url: str = ""

    @contextmanager
    def serve(self) -> Iterator[LoopbackHub]:
        """Answer requests at `url` while the block runs."""
        hub = self

        class Handler(_Handler):
            owner = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        with tempfile.TemporaryDirectory() as folder:
            self._folder = Path(folder)
            try:
                yield self
            finally:
                server.shutdown()
                server.server_close()

    def create(self, repository: str, private: bool) -> bool:
        """Make an empty repository, unless it is there; whether it was made."""
        if repository in self.repositories:
            return False
        folder = self._folder / repository
        folder.mkdir(parents=True)
        self.created[repository], self.repositories[repository], self.branches["main"] = private, ("0" * 40, folder), "0" * 40
        return True

    def commit(self, repository: str, summary: str, files: dict[str, bytes | None]) -> str:
        """Change the files of a repository (None: it is deleted); returns the commit."""
        folder = self.repositories[repository][1]
        self.commits.append(summary)
        self.changes.append([name if content is not None else f"-{name}" for name, content in files.items()])
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                (folder / name).unlink()
            else:
                (folder / name).write_bytes(content)
        commit = f"{len(self.commits):040x}"
        self.repositories[repository], self.branches["main"] = (commit, folder), commit
        return commit

    def files(self, repository: str) -> dict[str, bytes]:
        """What is in a repository."""
        return {name: path.read_bytes() for path, name in _files(self.repositories[repository][1])}

    def stand_in(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        """Send the libraries here instead of to the hub; their caches are in `folder`."""
        file = "/{repo_id}/resolve/{revision}/{filename}"
        # Read from the environment when the libraries are imported: the user's own cache may hold the real thing.
        for name, value in {
            "ENDPOINT": self.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.url + file,
            "HF_HUB_CACHE": str(folder / "huggingface"),
            "AGENT_HARNESSES_PATH": str(folder / "harnesses.json"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,  # large files go by the protocol of Git LFS, which this server speaks
        }.items():
            patch.setattr(huggingface_hub.constants, name, value)
        patch.setattr(datasets.config, "HF_ENDPOINT", self.url)
        patch.setattr(datasets.config, "HUB_DATASETS_URL", self.url + "/datasets/{repo_id}/resolve/{revision}/{path}")
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "datasets")
        patch.setattr(parallel_qa.pipeline.hub, "WAIT", wait_none())
        patch.setenv("HF_HOME", str(folder / "huggingface"))
        patch.setenv("PARALLEL_QA_CACHE", str(folder / "cache"))
        patch.setenv("NO_PROXY", "127.0.0.1")
        huggingface_hub.close_session()  # a client of an earlier test may know a proxy
        huggingface_hub.HfFileSystem.clear_instance_cache()

    def downloads(self, end: str) -> list[str | None]:
        """The Range header of every GET of an address that ends in `end`: a file, or the commit for the description."""
        return [wanted for method, path, wanted in self.requests if method == "GET" and path.endswith(f"/{end}")]


class _Handler(BaseHTTPRequestHandler):
    owner: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Nothing: `owner.requests` has it all."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        upload, objects = _UPLOAD.fullmatch(path), _OBJECTS.fullmatch(path)
        if not (upload or objects) and path not in ("/api/validate-yaml", "/api/repos/create"):
            return self._answer()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if objects:
            return self._json({"objects": [self._place_for(wanted) for wanted in json.loads(body)["objects"]]})
        assert upload
        if upload["what"] == "preupload":
            return self._json({"files": [self._way_of(upload["repo"], entry) for entry in json.loads(body)["files"]]})
        return self._commit(upload["repo"], [json.loads(line) for line in body.splitlines()])

    def do_PUT(self) -> None:
        match = _OBJECT.fullmatch(urlsplit(self.path).path)
        assert match
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.owner.takes == 0:
            return self._send(403, b"{}", {"X-Error-Message": "No room is left"})
        if self.owner.takes is not None:
            self.owner.takes -= 1
        self.owner.requests.append(("PUT", match["oid"], None))
        assert hashlib.sha256(content).hexdigest() == match["oid"]
        self.owner.objects[match["oid"]] = content
        return self._json({})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = "/".join(part for part in (wanted.get("organization"), wanted["name"]) if part)
        private = wanted.get("private", wanted.get("visibility") == "private")
        made = self.owner.create(f"{wanted['type']}s/{name}", private)
        return self._json({"url": f"{self.owner.url}/datasets/{name}", "name": name}, 200 if made else 409)

    def _way_of(self, repository: str, entry: dict[str, Any]) -> dict[str, Any]:
        """How a file is to be uploaded, and what is there under its name."""
        large = entry["path"].endswith(_LFS_NAMES) or entry["size"] >= _LFS_SIZE
        there = self.owner.repositories[repository][1] / entry["path"]
        oid = {"oid": _sha256(there) if _is_lfs(there) else _blob_id(there)} if there.exists() else {}
        return {"path": entry["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, **oid}

    def _place_for(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Where a large file is to be put, unless it is there."""
        actions = (
            {} if wanted["oid"] in self.owner.objects else {"actions": {"upload": {"href": f"{self.owner.url}/objects/{wanted['oid']}"}}}
        )
        return {"oid": wanted["oid"], "size": wanted["size"], **actions}

    def _commit(self, repository: str, entries: list[dict[str, Any]]) -> None:
        if self.owner.refuses:
            return self._send(403, b'{"error": "You may not write here"}', {"X-Error-Message": "You may not write here"})
        files: dict[str, bytes | None] = {}
        for key, value in ((entry["key"], entry["value"]) for entry in entries[1:]):
            if key == "deletedFile":
                files[value["path"]] = None
            else:
                files[value["path"]] = self.owner.objects[value["oid"]] if key == "lfsFile" else base64.b64decode(value["content"])
        commit = self.owner.commit(repository, entries[0]["value"]["summary"], files)
        return self._json({"commitUrl": f"{self.owner.url}/{repository}/commit/{commit}", "commitOid": commit})

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.owner.requests.append((self.command, path, self.headers.get("Range")))
        for end, statuses in self.owner.statuses.items():
            if self.command == "GET" and path.endswith(f"/{end}") and statuses:
                return self._send(statuses.pop(0), b"{}", {})
        for pattern, answer in ((_INFO, self._info), (_TREE, self._tree), (_PATHS, self._paths), (_FILE, self._file)):
            match = pattern.fullmatch(path)
            if match and match["repo"] in self.owner.repositories:
                commit, folder = self.owner.repositories[match["repo"]]
                if self.owner.branches.get(match["revision"], match["revision"]) != commit:
                    return self._send(404, b'{"error": "Revision not found"}', {"X-Error-Code": "RevisionNotFound"})
                return answer(match, folder)
        return self._send(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})

    def _info(self, match: re.Match[str], folder: Path) -> None:
        with_blobs = parse_qs(urlsplit(self.path).query).get("blobs", [""])[0].lower() == "true"
        siblings: list[dict[str, object]] = []
        for path, name in _files(folder):
            sibling: dict[str, object] = {"rfilename": name}
            if with_blobs:
                sibling |= {"size": path.stat().st_size, "blobId": _blob_id(path)}
            if with_blobs and _is_lfs(path):
                sibling["lfs"] = {"sha256": _sha256(path), "size": path.stat().st_size, "pointerSize": 134}
            siblings.append(sibling)
        name = match["repo"].removeprefix("datasets/")
        self._json(
            {
                "_id": "0",
                "id": name,
                "sha": self.owner.branches.get(match["revision"], match["revision"]),
                "siblings": siblings,
                "tags": [],
                "private": False,
            }
        )

    def _tree(self, match: re.Match[str], folder: Path) -> None:
        top = folder / (match["folder"] or "")
        if not top.is_dir():
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        deep = parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower() == "true"
        found = sorted(top.rglob("*") if deep else top.iterdir())
        self._json([_entry(folder, path) for path in found])

    def _paths(self, match: re.Match[str], folder: Path) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wanted = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body).get("paths", [])
        self._json([_entry(folder, folder / name) for name in wanted if (folder / name).exists()])

    def _file(self, match: re.Match[str], folder: Path) -> None:
        name = match["file"]
        path = folder / name
        if not path.is_file():
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": match["revision"]})
        content = path.read_bytes()
        tag = f'"{_sha256(path) if _is_lfs(path) else _blob_id(path)}"'
        headers = {"X-Repo-Commit": match["revision"], "ETag": tag, "Accept-Ranges": "bytes"}
        if _is_lfs(path):
            headers |= {"X-Linked-ETag": tag, "X-Linked-Size": str(len(content))}
        if name in self.owner.corrupt:
            content = bytes(byte ^ 1 for byte in content[:1]) + content[1:]
        wanted = _RANGE.fullmatch(self.headers.get("Range") or "")
        if not wanted:
            return self._send(200, content, headers, name)
        start, end = int(wanted[1]), int(wanted[2] or len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return self._send(206, content[start : end + 1], headers, name)

    def _json(self, content: object, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str], file: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.owner.break_after.pop(file, None)
        self.owner.sent[file] = self.owner.sent.get(file, 0) + len(content[:cut])
        self.wfile.write(content[:cut])
        if cut is None:
            return
        self.close_connection = True
        if self.owner.reset:
            # The server would say goodbye properly before it closes; a socket that does not linger resets.
            with socket.socket(fileno=self.connection.detach()) as bare:
                bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _files(folder: Path) -> list[tuple[Path, str]]:
    return [(path, path.relative_to(folder).as_posix()) for path in sorted(folder.rglob("*")) if path.is_file()]


def _entry(folder: Path, path: Path) -> dict[str, object]:
    name = path.relative_to(folder).as_posix()
    if path.is_dir():
        return {"type": "directory", "oid": "0" * 40, "size": 0, "path": name}
    size = path.stat().st_size
    entry: dict[str, object] = {"type": "file", "oid": _blob_id(path), "size": size, "path": name}
    if _is_lfs(path):
        entry["lfs"] = {"oid": _sha256(path), "size": size, "pointerSize": 134}
    return entry


def _is_lfs(path: Path) -> bool:
    return path.name.endswith(_LFS_NAMES) or path.stat().st_size >= _LFS_SIZE


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _blob_id(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
