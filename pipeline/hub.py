"""Files of a Hugging Face repository at a pinned commit: downloaded with retries, checked, resumed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import httpx2
import huggingface_hub
from huggingface_hub import DatasetInfo, ModelInfo
from huggingface_hub.errors import HfHubHTTPError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.store import sha256_of

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
WAIT = wait_exponential_jitter(initial=1, max=30)
"""Seconds between two tries of a download."""
TRIES = 5
FAILURES = (OSError, httpx2.HTTPError, HfHubHTTPError)
"""What a request to the hub can raise."""

Kind = Literal["model", "dataset"]


def passing(error: BaseException) -> bool:
    """Whether trying again may help: a broken connection, too many requests, a fault of the server."""
    if isinstance(error, HfHubHTTPError | httpx2.HTTPStatusError):
        return error.response is None or error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, OSError | httpx2.HTTPError)


def retrying() -> Retrying:
    """Attempts of a download, with growing waits between them; the last error is raised as it is."""
    return Retrying(retry=retry_if_exception(passing), stop=stop_after_attempt(TRIES), wait=WAIT, reraise=True)


def commit_of(repository: str, revision: str, kind: Kind) -> str:
    """The commit that a branch or tag is at. Raises UserError."""
    return str(_info(repository, revision, kind).sha)


def file_names(repository: str, revision: str, kind: Kind) -> dict[str, str | None]:
    """The files of a repository at a commit; with each the SHA-256 that the hub keeps of it, if it is a large one.

    Raises UserError where the hub does not answer or does not know the repository or the commit.
    """
    info = _info(repository, revision, kind)
    names = {file.rfilename: file.lfs.sha256 if file.lfs else None for file in info.siblings or []}
    if outside := [name for name in names if ".." in PurePosixPath(name).parts or name.startswith("/")]:
        raise UserError(f"{kind} {repository} at {revision}: {outside[0]!r} leads out of the repository")
    return names


def _info(repository: str, revision: str, kind: Kind) -> ModelInfo | DatasetInfo:
    api = huggingface_hub.HfApi()
    try:
        for attempt in retrying():
            with attempt:
                return (api.model_info if kind == "model" else api.dataset_info)(repository, revision=revision, files_metadata=True)
    except FAILURES as error:
        raise _failed(repository, revision, kind, error) from None
    raise AssertionError("unreachable")


def fetch_files(
    repository: str, revision: str, kind: Kind, names: Sequence[str], folder: Path, checksums: Mapping[str, str | None]
) -> list[Path]:
    """Download the files `names` into `folder`; those that an earlier download finished are kept.

    Each is checked against its SHA-256 in `checksums`, where there is one. Raises UserError where a file
    cannot be had or is another one; the latter is removed.
    """
    try:
        for attempt in retrying():
            with attempt:
                huggingface_hub.snapshot_download(
                    repository, revision=revision, repo_type=kind, local_dir=folder, allow_patterns=[*map(_literal, names)]
                )
    except FAILURES as error:
        raise _failed(repository, revision, kind, error) from None
    for name in names:
        path = folder / name
        if checksums.get(name) and sha256_of(path) != checksums[name]:
            path.unlink()
            raise UserError(
                f"{kind} {repository} at {revision}: {name} has another SHA-256 than expected and was removed: "
                "run again, or correct the checksum"
            )
    return [folder / name for name in names]


def _literal(name: str) -> str:
    """`name` as a pattern that matches it alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _failed(repository: str, revision: str, kind: Kind, error: BaseException) -> UserError:
    return UserError(f"{kind} {repository} at {revision}: cannot be downloaded: {' '.join(str(error).split())}")
