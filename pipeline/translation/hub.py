"""From the `model:` of a profile to a model folder: the sample model, a folder, or a checkpoint on the hub."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from pipeline.errors import UserError
from pipeline.languages import Language
from pipeline.settings import HOUSE, Environment, TranslationSettings
from pipeline.store import fingerprint
from pipeline.translation.conversion import CHECKPOINT_FILES, convert
from pipeline.translation.models import MODEL_FILE, Model, open_model, sha256_of

SAMPLE = HOUSE / "pipeline" / "sample" / "model"
WAIT = wait_exponential_jitter(initial=1, max=30)
"""Seconds between two tries of a download."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LICENCES = {"facebook/nllb-200": "CC-BY-NC-4.0", "facebook/m2m100": "MIT"}


def find_model(settings: TranslationSettings, profile_folder: Path) -> Model:
    """The model that `settings` name, downloaded and converted if it was not before.

    Raises UserError where it cannot be found, is damaged, or is not pinned.
    """
    if settings.model == "sample":
        return open_model(SAMPLE)
    folder = profile_folder / Path(settings.model).expanduser()
    if folder.is_dir():
        return _from_folder(folder, settings)
    return _from_hub(settings)


def check_model(settings: TranslationSettings, profile_folder: Path, languages: Iterable[Language]) -> None:
    """Raises UserError where it can be told without a download that the model will not do."""
    if settings.model != "sample" and not (profile_folder / Path(settings.model).expanduser()).is_dir():
        _pinned_revision(settings)
        return
    model = find_model(settings, profile_folder)
    for language in languages:
        model.check_language(language)


def _pinned_revision(settings: TranslationSettings) -> str:
    if not _HUB_ID.fullmatch(settings.model):
        raise UserError(
            f"translation.model: {settings.model!r} is neither 'sample', nor a folder, nor a hub id like facebook/nllb-200-distilled-600M"
        )
    if not settings.revision or not _COMMIT.fullmatch(settings.revision):
        raise UserError(
            f"translation.revision: pin {settings.model} to a commit of 40 hexadecimal digits, so that a release can be made again"
        )
    return settings.revision


def _from_folder(folder: Path, settings: TranslationSettings) -> Model:
    if any((folder / name).is_file() for name in (MODEL_FILE, "model.bin", "shared_vocabulary.json")):
        return open_model(folder)
    names = _wanted(sorted(path.name for path in folder.iterdir() if path.is_file()))
    key = fingerprint(**{name: sha256_of(folder / name) for name in names})
    return _converted(folder, f"{folder.name}-{key}", folder.name, None, settings)


def _from_hub(settings: TranslationSettings) -> Model:
    revision = _pinned_revision(settings)
    licence = next((value for start, value in _LICENCES.items() if settings.model.startswith(start)), None)
    key = f"{settings.model.replace('/', '--')}-{revision}"
    target = Environment().models / f"{key}-{settings.quantization}"
    if target.is_dir():
        return open_model(target)
    checkpoint = fetch_checkpoint(settings, Environment().models / "checkpoints" / key)
    return _converted(checkpoint, key, f"{settings.model}@{revision[:12]}", licence, settings)


def _converted(checkpoint: Path, key: str, name: str, licence: str | None, settings: TranslationSettings) -> Model:
    target = Environment().models / f"{key}-{settings.quantization}"
    if target.is_dir():
        return open_model(target)
    try:
        return convert(checkpoint, target, name=name, licence=licence, quantization=settings.quantization)
    except OSError:
        if target.is_dir():  # another process was faster
            return open_model(target)
        raise


def fetch_checkpoint(settings: TranslationSettings, folder: Path) -> Path:
    """Download the files of a checkpoint into `folder`; those that an earlier download finished are kept.

    Every large file is checked against the SHA-256 that the hub keeps of it at the pinned commit, and
    every file that `settings.checksums` names against that. Raises UserError where a file differs, and
    removes that file.
    """
    repository, revision = settings.model, settings.revision
    try:
        for attempt in Retrying(retry=retry_if_exception(_passing), stop=stop_after_attempt(5), wait=WAIT, reraise=True):
            with attempt:
                info = huggingface_hub.HfApi().model_info(repository, revision=revision, files_metadata=True)
                siblings = info.siblings or []
                wanted = _wanted([file.rfilename for file in siblings])
                if unknown := sorted(settings.checksums.keys() - set(wanted)):
                    raise UserError(
                        f"translation.checksums: {unknown[0]} is not among the files of {repository} that are downloaded: "
                        + ", ".join(wanted)
                    )
                huggingface_hub.snapshot_download(repository, revision=revision, local_dir=folder, allow_patterns=wanted)
    except (OSError, httpx2.HTTPError, HfHubHTTPError) as error:
        raise UserError(f"model {repository} at {revision}: cannot be downloaded: {' '.join(str(error).split())}") from None
    expected = {file.rfilename: file.lfs.sha256 for file in siblings if file.lfs and file.rfilename in wanted} | settings.checksums
    for name, checksum in expected.items():
        path = folder / name
        if sha256_of(path) != checksum:
            path.unlink()
            raise UserError(
                f"model {repository} at {revision}: {name} has another SHA-256 than expected and was removed: "
                "run again, or correct translation.checksums"
            )
    return folder


def _passing(error: BaseException) -> bool:
    """Whether trying again may help: a broken connection, too many requests, a fault of the server."""
    if isinstance(error, HfHubHTTPError):
        return error.response is None or error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, OSError | httpx2.HTTPError)


def _wanted(names: list[str]) -> list[str]:
    """The files of a checkpoint that conversion needs; of safetensors and `.bin` the former."""
    known = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in CHECKPOINT_FILES)]
    if any(name.endswith(".safetensors") for name in known):
        known = [name for name in known if not name.startswith("pytorch_model")]
    return known
