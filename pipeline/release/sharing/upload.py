"""A release on its way to the Hugging Face hub: as it is, its card as the data set's page.

Files go up in parts, a commit or more each, and the card and the manifest last: what has no manifest is no release.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import FAILURES, file_names
from parallel_qa.pipeline.licences import check_may_be_passed_on
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, read_manifest
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import Environment
from parallel_qa.pipeline.store import Store

CARD = "README.md"
PART_BYTES = 2_000_000_000
"""How much goes up at a time, about; of an object store, this is on the disk meanwhile."""


@dataclass(frozen=True)
class Upload:
    """One file that would be uploaded."""

    name: str
    bytes: int
    sha256: str


def planned(store: Store, progress: Progress | None = None) -> list[Upload]:
    """The files of the release in `store` (its folder). Raises UserError where there is none, it has a fault, or may not be passed on."""
    try:
        content = store.read(MANIFEST)
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None
    manifest = read_manifest(content, f"{store.url}/{MANIFEST}")
    check_may_be_passed_on(manifest["licences"], store.url)
    fault = next(verify(store, progress), None)
    if fault:
        raise UserError(f"{store.url}: not uploaded: {fault}")
    files = [Upload(name, facts["bytes"], facts["sha256"]) for name, facts in manifest["files"].items()]
    return [*files, Upload(MANIFEST, len(content), hashlib.sha256(content).hexdigest())]


def push(store: Store, repository: str, private: bool = True, progress: Progress | None = None) -> str:
    """Upload the release in `store` as the data set `repository` ("ORG/NAME"); returns the address of the last commit.

    What an earlier upload has brought there is not sent again. Of another release there, the card, the manifest and the files that
    this one does not have are deleted first; other files stay. The token is the one that `hf auth login` or `HF_TOKEN` gives.
    Raises UserError where the hub refuses or cannot be reached.
    """
    progress = progress or LogProgress()
    files = planned(store, progress)
    version = read_manifest(store.read(MANIFEST), store.url)["version"]
    try:
        HfApi().create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        there = file_names(repository, "main", "dataset")
        if MANIFEST in there:
            _make_room(store, repository, files, there, version)
        parts = list(_parts([file for file in files if file.name not in (CARD, MANIFEST) and there.get(file.name) != file.sha256]))
        for number, part in enumerate(parts, 1):
            name = f"{repository}, part {number} of {len(parts)}"
            progress.start(name, len(part), "files")
            _upload(store, repository, part, f"Release {version}, part {number} of {len(parts)}")
            progress.advance(name, len(part))
            progress.finish(name)
        return _upload(store, repository, [file for file in files if file.name in (CARD, MANIFEST)], f"Release {version}")
    except HfHubHTTPError as error:
        raise UserError(f"{repository}: the hub refused: {_words(error)}. {_AGAIN}") from None
    except (*FAILURES, RuntimeError, ValueError) as error:
        raise UserError(f"{repository}: the upload stopped: {_words(error.__cause__ or error)}. {_AGAIN}") from None


_AGAIN = "What is there is not sent again: run the same command when this is mended"


def _words(error: BaseException) -> str:
    """What an error says, in one line."""
    said = error.server_message if isinstance(error, HfHubHTTPError) else None
    return " ".join((said or str(error)).split()).rstrip(".")


def _make_room(store: Store, repository: str, files: Sequence[Upload], there: Mapping[str, str | None], version: str) -> None:
    """Delete the card, the manifest and what else is of another release, if the one that is there is another."""
    with tempfile.TemporaryDirectory() as folder:
        content = Path(hf_hub_download(repository, MANIFEST, repo_type="dataset", revision="main", local_dir=folder)).read_bytes()
    if content == store.read(MANIFEST):
        return
    try:
        theirs = set(json.loads(content)["files"])
    except (ValueError, TypeError, KeyError):
        theirs = set()
    gone = sorted(({CARD, MANIFEST} | (theirs - {file.name for file in files})) & there.keys())
    deletions = [CommitOperationDelete(name) for name in gone]
    HfApi().create_commit(repository, deletions, commit_message=f"Room for release {version}", repo_type="dataset")


def _parts(files: Sequence[Upload]) -> Iterator[list[Upload]]:
    """The files in parts of about `PART_BYTES`."""
    part: list[Upload] = []
    size = 0
    for file in files:
        if part and size + file.bytes > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(file)
        size += file.bytes
    if part:
        yield part


def _upload(store: Store, repository: str, files: Sequence[Upload], message: str) -> str:
    """Upload some files; returns the commit's address."""
    cache = Environment().cache.expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="upload-", dir=cache) as folder:
        for file in files:
            _put_aside(store, file, Path(folder) / file.name)
        commit = HfApi().upload_folder(repo_id=repository, folder_path=folder, repo_type="dataset", commit_message=message)
    return str(commit.commit_url)


def _put_aside(store: Store, file: Upload, path: Path) -> None:
    """Have a file of the release at `path`. Raises UserError where it has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if store.local:
        path.symlink_to(Path(store.local_path(file.name)).resolve())
        return
    content = store.read(file.name)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise UserError(f"{store.local_path(file.name)} was changed during the upload: run the same command again")
    path.write_bytes(content)
