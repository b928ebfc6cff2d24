from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import hypothesis
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, Error, Page, sync_playwright
from prefect.testing.utilities import prefect_test_harness

from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.release.making.publish import Release, publish
from parallel_qa.pipeline.settings import HOUSE, Settings
from parallel_qa.pipeline.store import Store
from tests.project import Project

# The machine may be busy: how long an example takes is no fault.
hypothesis.settings.register_profile("gate", deadline=None)
hypothesis.settings.load_profile("gate")

SWITCHES = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync"]  # fmt: skip

REAL_DATA = HOUSE.parent / "shared" / "data"
"""Real data beside the checkout; tests that need it skip where it is absent."""


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


def real_data(name: str) -> Path:
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"real data is not beside this checkout (shared/data/{name})")
    return folder


@pytest.fixture(scope="session")
def xquad() -> Path:
    return real_data("xquad-r")


@pytest.fixture(scope="session")
def flores() -> Path:
    return real_data("flores-nllb")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new bucket on a real S3-speaking server."""
    user = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}
    for name, value in {"ENDPOINT_URL": s3_server, **user}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Mapped texts go here, and not to the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARALLEL_QA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclass(frozen=True)
class Run:
    """A run of all four stages by direct calls, with the sample model, on part of the sample set."""

    settings: Settings
    store: Store
    release: Release

    @property
    def folder(self) -> Path:
        return Path(self.store.root) / self.release.path


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    project = Project(folder)
    articles = json.loads((HOUSE / "pipeline/sample/data/questions.json").read_text(encoding="utf-8"))["data"]
    project.source("questions", articles[:25] + articles[-14:])
    settings = project.settings(languages=["de", "ar", "zh"], evaluation=["sample-evaluation"], translation={"shard_sentences": 40})
    store = Store(str(folder / "store"))
    prepare(settings, store)
    translate(settings, store)
    filter_texts(settings, store)
    return Run(settings, store, publish(settings, store))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Chromium is to be had here: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test on any error, and that no request may leave."""
    context = browser.new_context(offline=True, accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else faults.append(request.url))
    yield page
    assert faults == []
    context.close()
