"""A Hugging Face hub on loopback: as much of its protocol as downloads use, with faults on request."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/revision/(?P<revision>[^/?]+)")
_TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/?]+)")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>[^?]+)")
_LFS = (".bin", ".safetensors", ".model")


@dataclass
class LoopbackHub:
    """Repositories at one commit each, and what is to go wrong with them."""

    repositories: dict[str, tuple[str, Path]] = field(default_factory=dict)  # id -> commit, folder
    break_after: dict[str, int] = field(default_factory=dict)  # file -> bytes after which the connection breaks, once
    statuses: list[int] = field(default_factory=list)  # answered once each, before anything else
    corrupt: set[str] = field(default_factory=set)  # files whose bytes are not those of their checksum
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, Range
    sent: dict[str, int] = field(default_factory=dict)  # file -> bytes of it that were sent
    url: str = ""

    @contextmanager
    def serve(self) -> Iterator[LoopbackHub]:
        hub = self

        class Handler(_Handler):
            owner = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def downloads(self, file: str) -> list[str | None]:
        """The Range header of every GET of `file`."""
        return [wanted for method, path, wanted in self.requests if method == "GET" and path.endswith(f"/{file}")]


class _Handler(BaseHTTPRequestHandler):
    owner: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Nothing: `owner.requests` has it all."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.owner.requests.append((self.command, self.path.split("?")[0], self.headers.get("Range")))
        if self.owner.statuses:
            return self._send(self.owner.statuses.pop(0), b"{}", {}, body)
        for pattern, answer in ((_API, self._repository), (_TREE, self._tree), (_FILE, self._file)):
            match = pattern.match(self.path)
            if match:
                commit, folder = self.owner.repositories.get(match["repo"], ("", Path()))
                if match["revision"] != commit:
                    break
                return answer(match, folder, body)
        return self._send(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"}, body)

    def _repository(self, match: re.Match[str], folder: Path, body: bool) -> None:
        siblings = [{"rfilename": path.name, "size": path.stat().st_size, **_lfs(path)} for path in sorted(folder.iterdir())]
        description = {"_id": "0", "id": match["repo"], "sha": match["revision"], "siblings": siblings, "tags": [], "private": False}
        self._send(200, json.dumps(description).encode(), {"Content-Type": "application/json"}, body)

    def _tree(self, match: re.Match[str], folder: Path, body: bool) -> None:
        files = []
        for path in sorted(folder.iterdir()):
            entry = {"type": "file", "oid": "0" * 40, "size": path.stat().st_size, "path": path.name}
            if lfs := _lfs(path).get("lfs"):
                entry["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}
            files.append(entry)
        self._send(200, json.dumps(files).encode(), {"Content-Type": "application/json"}, body)

    def _file(self, match: re.Match[str], folder: Path, body: bool) -> None:
        path = folder / match["file"]
        if not path.is_file():
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)
        content = path.read_bytes()
        tag = _lfs(path).get("lfs", {}).get("sha256") or hashlib.sha1(content).hexdigest()
        headers = {"X-Repo-Commit": match["revision"], "ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
        if _lfs(path):
            headers |= {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content))}
        if path.name in self.owner.corrupt:
            content = bytes(byte ^ 1 for byte in content[:1]) + content[1:]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and body:
            start = int(wanted[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self._send(206, content[start:], headers, body, path.name)
        return self._send(200, content, headers, body, path.name)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool, file: str = "") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body:
            return
        cut = self.owner.break_after.pop(file, None)
        self.wfile.write(content[:cut])
        self.owner.sent[file] = self.owner.sent.get(file, 0) + len(content[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True


def _lfs(path: Path) -> dict[str, dict[str, object]]:
    if not path.name.endswith(_LFS):
        return {}
    content = path.read_bytes()
    return {"lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}}
