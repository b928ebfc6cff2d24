from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import s3fs
from tenacity import wait_none

import parallel_qa.pipeline.hub
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.settings import Environment
from parallel_qa.pipeline.sources.card import load_card
from parallel_qa.pipeline.sources.fetching import identity, local_files
from parallel_qa.pipeline.sources.prepare import units
from parallel_qa.pipeline.store import Store, sha256_of
from tests.project import Project, article

FILES = [article("Salt is mined in the north. It is white.", ("What is mined?", "Salt"))]


@dataclass
class Server:
    """One file over HTTP, with faults on request."""

    content: bytes
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)  # answers to the next requests
    break_after: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    requests: list[str | None] = field(default_factory=list)  # the Range header of each
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server(json.dumps({"data": FILES}).encode() + b" " * 10_000_000)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            wanted = self.headers.get("Range") if state.ranges else None
            state.requests.append(self.headers.get("Range"))
            if state.statuses:
                self.send_response(state.statuses.pop(0))
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            if start >= len(state.content):
                self.send_response(416)
                self.end_headers()
                return
            self.send_response(206 if wanted else 200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(state.content) - start))
            self.end_headers()
            end = start + state.break_after.pop(0) if state.break_after else None
            self.wfile.write(state.content[start:end])

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{served.server_port}/set/questions.json?token=secret"
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(parallel_qa.pipeline.hub, "WAIT", wait_none())
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield state
    served.shutdown()
    served.server_close()


def fetched(project: Project, address: str, **front: object) -> list[tuple[str, bytes]]:
    project.card("questions", format="squad", files=[address], licence="MIT", **front)
    card = load_card(project.settings(), "./questions.md")
    return [(file.name, file.path.read_bytes()) for file in local_files(card, card)]


def test_a_file_is_downloaded_once(project: Project, server: Server, store: Store) -> None:
    [(name, content)] = fetched(project, server.url)
    assert content == server.content
    assert name == server.url.split("?")[0]  # no secret in what tables and logs say
    before = len(server.requests)
    fetched(project, server.url, sha256={server.url: sha256_of(next(Environment().datasets.rglob("questions.json")))})
    settings = project.settings()
    prepare(settings, store)
    rows = store.read_tables(units(settings)[0].result(store), "pairs").to_pylist()
    assert len(rows) == 1
    assert len(server.requests) <= before + 2


def test_a_broken_download_goes_on_where_it_broke(project: Project, server: Server) -> None:
    server.break_after = [len(server.content), 5_000_000, 5_000_000]  # the first request asks for the version only
    [(_, content)] = fetched(project, server.url)
    assert content == server.content
    assert server.requests[0] is server.requests[1] is None
    assert [wanted is not None and wanted.startswith("bytes=") for wanted in server.requests[2:]] == [True] * len(server.requests[2:])
    assert len(server.requests) >= 3


def test_a_server_without_ranges_is_asked_for_the_whole_file_again(project: Project, server: Server) -> None:
    server.ranges = False
    server.break_after = [len(server.content), 5_000_000]
    assert fetched(project, server.url)[0][1] == server.content


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_tried_again(project: Project, server: Server, status: int) -> None:
    server.statuses = [status, status]
    assert fetched(project, server.url)[0][1] == server.content


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 5)])
def test_a_lasting_fault_is_named_without_secrets(project: Project, server: Server, status: int, tries: int) -> None:
    server.statuses = [status] * 9
    with pytest.raises(
        UserError, match=rf"questions\.md: file 'http://.*questions\.json' cannot be read: the server answers {status}"
    ) as error:
        fetched(project, server.url)
    assert "secret" not in str(error.value)
    assert len(server.requests) == tries


def test_a_part_of_another_version_is_not_gone_on_with(project: Project, server: Server) -> None:
    server.break_after = [len(server.content), *[1_000_000] * 5]
    with pytest.raises(UserError, match="cannot be read"):
        fetched(project, server.url)
    server.content = server.content[:500_000]
    assert fetched(project, server.url)[0][1] == server.content


def test_a_remote_file_is_checked(project: Project, server: Server) -> None:
    with pytest.raises(UserError, match=r"has another SHA-256 than the card says"):
        fetched(project, server.url, sha256={server.url: "0" * 64})
    assert list(Environment().datasets.rglob("questions.json")) == []


def test_local_files(project: Project) -> None:
    project.source("questions", FILES)
    path = project.folder / "questions.json"
    assert fetched(project, "questions.json", sha256={"questions.json": sha256_of(path)}) == [("questions.json", path.read_bytes())]
    (project.folder / "more.json").write_bytes(path.read_bytes())
    assert [name for name, _ in fetched(project, "*.json")] == ["more.json", "questions.json"]
    with pytest.raises(UserError, match=r"questions\.md: file 'questions\.json' has another SHA-256"):
        fetched(project, "questions.json", sha256={"questions.json": "0" * 64})
    with pytest.raises(UserError, match=r"questions\.md: file 'absent\.json' cannot be read: there is no "):
        fetched(project, "absent.json")
    with pytest.raises(UserError, match=r"questions\.md: no file matches '\*\.csv'"):
        fetched(project, "*.csv")


def test_the_identity_of_a_card_is_its_files_and_what_it_reads_of_them(project: Project) -> None:
    project.source("questions", FILES)

    def now() -> dict[str, object]:
        return identity(load_card(project.settings(), "./questions.md"))

    first = now()
    path = project.folder / "questions.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"white", b"black"))
    assert now() != first
    path.write_bytes(content)
    assert now() == first


def test_a_file_in_a_bucket(project: Project, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    content = gzip.compress(json.dumps({"data": FILES}).encode())
    s3fs.S3FileSystem().pipe_file(f"{bucket}/questions.json.gz", content)
    assert fetched(project, f"s3://{bucket}/questions.json.gz")[0][1] == content
    with pytest.raises(UserError, match=r"questions\.md: file 's3://.*absent\.json' cannot be read"):
        fetched(project, f"s3://{bucket}/absent.json")
