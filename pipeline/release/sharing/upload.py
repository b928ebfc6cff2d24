"""A release on its way to the Hugging Face hub: as it is, its card as the data set's page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, read_manifest
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.store import Store


@dataclass(frozen=True)
class Upload:
    """One file that would be uploaded."""

    name: str
    bytes: int


def planned(store: Store) -> list[Upload]:
    """The files of the release in `store` (its folder). Raises UserError where there is none, or it has a fault."""
    try:
        content = store.read(MANIFEST)
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None
    manifest = read_manifest(content, f"{store.url}/{MANIFEST}")
    fault = next(verify(store), None)
    if fault:
        raise UserError(f"{store.url}: not uploaded: {fault}")
    files = [Upload(name, facts["bytes"]) for name, facts in manifest["files"].items()]
    return [*files, Upload(MANIFEST, len(content))]


def push(store: Store, repository: str, private: bool = True) -> str:
    """Upload the release in `store` as the data set `repository` ("ORG/NAME") in one commit; returns the commit's address.

    The token is the one that `hf auth login` or `HF_TOKEN` gives. Raises UserError where the hub refuses.
    """
    files = planned(store)
    version = read_manifest(store.read(MANIFEST), store.url)["version"]
    api = HfApi()
    try:
        api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        commit = api.create_commit(repository, list(_operations(store, files)), commit_message=f"Release {version}", repo_type="dataset")
    except HfHubHTTPError as error:
        raise UserError(f"{repository}: the hub refused: {error.server_message or error}") from None
    return str(commit.commit_url)


def _operations(store: Store, files: list[Upload]) -> Iterator[CommitOperationAdd]:
    for file in files:
        local = Path(store.local_path(file.name)) if store.local else None
        yield CommitOperationAdd(file.name, local if local else store.read(file.name))
