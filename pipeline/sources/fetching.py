"""The files of a card, as local files: found on disk, or downloaded with retries and resumed where a download broke off."""

from __future__ import annotations

import fnmatch
import functools
import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fsspec
import httpx2

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import FAILURES, fetch_files, file_names, retrying
from parallel_qa.pipeline.settings import Environment
from parallel_qa.pipeline.sources.card import Card, Files, Hub
from parallel_qa.pipeline.sources.pinning import check_pinned, commit_in
from parallel_qa.pipeline.store import fingerprint, sha256_of

log = logging.getLogger("parallel_qa")
_BLOCK = 4 << 20
_TIMEOUT = httpx2.Timeout(30.0)


class LocalFile(NamedTuple):
    """A file to read, and what a card calls it."""

    name: str
    path: Path


def identity(card: Card) -> dict[str, Any]:
    """All that decides what is read from a card: what it says about reading, and what its files are.

    A hub repository is known by its commit, a remote file by its checksum in the card, by the commit in its address, or else by what
    its server says of its version, a local file by its checksum. Raises UserError where a file is not there, or read from a branch.
    """
    check_pinned(card)
    facts: dict[str, Any] = {"card": card.reading()}
    if card.hub:
        return facts
    return facts | {"files": {name: _version_of(card, name) for table in _all_tables(card) for name in _names(card, table)}}


def local_files(card: Card, table: Files) -> Iterator[LocalFile]:
    """The files of one table of a card, in order, each downloaded when it is asked for. Raises UserError."""
    check_pinned(card)
    if card.hub:
        yield from _from_hub(card, card.hub, table)
        return
    for name in _names(card, table):
        path = _download(card, name) if _remote(name) else _local_path(card, name)
        expected = card.sha256.get(name)
        if expected and _checksum(path) != expected:
            if _remote(name):
                path.unlink()
            raise UserError(f"{card.path}: file {name!r} has another SHA-256 than the card says: it is not the file described")
        yield LocalFile(_without_query(name), path)


def _all_tables(card: Card) -> list[Files]:
    tables = list(card.tables().values())
    if card.format == "beir":
        return [Files(files=[f"{folder.rstrip('/')}/{name}" for folder in card.files for name in ("*.jsonl*", "qrels/*.tsv")])]
    return tables


def _names(card: Card, table: Files) -> list[str]:
    """The files of a table, with patterns resolved. Raises UserError where there are none."""
    names: list[str] = []
    for pattern in table.files:
        if _remote(pattern) or "*" not in pattern:
            names.append(pattern)
            continue
        found = sorted(path for path in card.path.parent.glob(pattern) if path.is_file())
        if not found:
            raise UserError(f"{card.path}: no file matches {pattern!r}")
        names += [path.relative_to(card.path.parent).as_posix() for path in found]
    return names


def _remote(name: str) -> bool:
    return "://" in name


def _without_query(name: str) -> str:
    """`name` without what may be secret in an address."""
    return name.split("?")[0]


def _local_path(card: Card, name: str) -> Path:
    path = card.path.parent / name
    if not path.is_file():
        raise UserError(f"{card.path}: file {name!r} cannot be read: there is no {path}")
    return path


def _version_of(card: Card, name: str) -> str:
    return _remote_version(card, name) if _remote(name) else _checksum(_local_path(card, name))


def _checksum(path: Path) -> str:
    state = path.stat()
    return _checksum_of_state(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _checksum_of_state(path: Path, size: int, modified: int) -> str:
    """Each stage asks again; a file of the same size and time is the same."""
    return sha256_of(path)


def _from_hub(card: Card, hub: Hub, table: Files) -> Iterator[LocalFile]:
    checksums = file_names(hub.repository, hub.revision, "dataset")
    folder = Environment().datasets / hub.repository.replace("/", "--") / hub.revision
    for name in _hub_names(card, hub, table, list(checksums)):
        if not (folder / name).is_file():
            log.info("%s: downloading %s", card.name, name)
        yield LocalFile(name, fetch_files(hub.repository, hub.revision, "dataset", [name], folder, checksums)[0])


def _hub_names(card: Card, hub: Hub, table: Files, known: list[str]) -> list[str]:
    if not table.files:
        return _configured(card, hub, table)
    names: list[str] = []
    for pattern in table.files:
        found = sorted(name for name in known if fnmatch.fnmatchcase(name, pattern))
        if not found:
            raise UserError(f"{card.path}: {hub.repository} at {hub.revision} has no file {pattern!r}; it has: {', '.join(known[:20])}")
        names += found
    return names


def _configured(card: Card, hub: Hub, table: Files) -> list[str]:
    """The files of a configuration and split, as `datasets` understands the repository's own description of them."""
    import datasets  # takes seconds

    names: list[str] = []
    for config in table.config if isinstance(table.config, list) else [table.config]:
        try:
            for attempt in retrying():
                with attempt:
                    builder = datasets.load_dataset_builder(hub.repository, config, revision=hub.revision)
        except (RuntimeError, ValueError, *FAILURES) as error:
            raise UserError(
                f"{card.path}: {hub.repository} at {hub.revision}: configuration {config!r}: {' '.join(str(error).split())}"
            ) from None
        splits = builder.config.data_files or {}
        if table.split not in splits:
            raise UserError(
                f"{card.path}: split: {config!r} of {hub.repository} has no {table.split!r}; it has: {', '.join(map(str, splits))}"
            )
        start = f"hf://datasets/{hub.repository}@{hub.revision}/"
        names += [str(address).removeprefix(start) for address in splits[table.split]]
    return names


def _remote_version(card: Card, name: str) -> str:
    """What changes when a remote file does; its server is asked only where the card does not say it."""
    if expected := card.sha256.get(name):
        return expected
    if commit_in(name):
        return fingerprint(address=_without_query(name))
    try:
        for attempt in retrying():
            with attempt:
                if not _over_http(name):
                    file_system, path = fsspec.core.url_to_fs(name)
                    file_system.invalidate_cache()
                    return fingerprint(address=name, key=str(file_system.ukey(path)))
                with httpx2.stream("GET", name, follow_redirects=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
                    answer.raise_for_status()
                    kept = {key: answer.headers.get(key) for key in ("etag", "last-modified", "content-length")}
                    return fingerprint(address=name, **kept)
    except (*FAILURES, ImportError, ValueError) as error:
        raise _unreadable(card, name, error) from None
    raise AssertionError("unreachable")


def _download(card: Card, name: str) -> Path:
    """A remote file, in the cache; an unfinished download of the same version is gone on with."""
    version = _remote_version(card, name)
    target = Environment().datasets / "files" / version[:16] / (PurePosixPath(urlsplit(name).path).name or "file")
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    log.info("%s: downloading %s", card.name, _without_query(name))
    try:
        for attempt in retrying():
            with attempt:
                (_get if _over_http(name) else _copy)(name, part)
    except (*FAILURES, ImportError, ValueError) as error:
        raise _unreadable(card, name, error) from None
    return part.rename(target)


def _over_http(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _get(address: str, part: Path) -> None:
    """Write what is missing of the file at `address` to `part`."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with httpx2.stream("GET", address, follow_redirects=True, timeout=_TIMEOUT, headers=headers) as answer:
        if answer.status_code == 416:  # there is no more, or the file has become shorter: begin again
            part.unlink()
            raise ConnectionError("the part that was downloaded does not belong to the file")
        answer.raise_for_status()
        with part.open("ab" if answer.status_code == 206 else "wb") as file:
            for block in answer.iter_bytes(_BLOCK):
                file.write(block)


def _copy(address: str, part: Path) -> None:
    with fsspec.open(address, "rb") as source, part.open("ab") as file:
        source.seek(file.tell())
        while block := source.read(_BLOCK):
            file.write(block)


def _unreadable(card: Card, name: str, error: BaseException) -> UserError:
    if isinstance(error, httpx2.HTTPStatusError):
        reason = f"the server answers {error.response.status_code} {error.response.reason_phrase}"
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"{card.path}: file {_without_query(name)!r} cannot be read: {reason}")
