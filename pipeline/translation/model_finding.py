"""From the `model:` of a profile to a model folder: the sample model, a folder, or a checkpoint on the hub."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from pathlib import Path

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import COMMIT, REPOSITORY, fetch_files, file_names
from parallel_qa.pipeline.languages import ENGLISH, Language
from parallel_qa.pipeline.settings import HOUSE, Environment, ModelSettings, TranslationSettings
from parallel_qa.pipeline.store import fingerprint, sha256_of
from parallel_qa.pipeline.translation.conversion import CHECKPOINT_FILES, convert
from parallel_qa.pipeline.translation.models import MODEL_FILE, Model, open_model

SAMPLE = HOUSE / "pipeline" / "sample" / "model"

_LICENCES = {"facebook/nllb-200": "CC-BY-NC-4.0", "facebook/m2m100": "MIT"}


def find_model(settings: ModelSettings, profile_folder: Path) -> Model:
    """The model that `settings` name, downloaded and converted if it was not before.

    Raises UserError where it cannot be found, is damaged, or is not pinned.
    """
    if settings.model == "sample":
        return open_model(SAMPLE)
    folder = profile_folder / Path(settings.model).expanduser()
    if folder.is_dir():
        return _from_folder(folder, settings)
    return _from_hub(settings)


def is_ready(settings: ModelSettings, profile_folder: Path) -> bool:
    """Whether the model is on this machine already, so that finding it downloads and converts nothing."""
    if settings.model == "sample":
        return True
    folder = profile_folder / Path(settings.model).expanduser()
    if folder.is_dir():
        return (folder / "model.bin").is_file()
    return _converted_hub_model(settings).is_dir()


def _converted_hub_model(settings: ModelSettings) -> Path:
    return Environment().models / f"{settings.model.replace('/', '--')}-{_pinned_revision(settings)}-{settings.quantization}"


def check_model(settings: TranslationSettings, profile_folder: Path, languages: Iterable[Language]) -> None:
    """Raises UserError where it can be told without a download that a model will not do."""
    codes = list(languages)
    for choice, backwards in ((settings, False), (settings.back or settings, True)):
        if choice.model != "sample" and not (profile_folder / Path(choice.model).expanduser()).is_dir():
            _pinned_revision(choice)
            continue
        model = find_model(choice, profile_folder)
        for language in codes:
            model.check_direction(*((language, ENGLISH) if backwards else (ENGLISH, language)))


def _pinned_revision(settings: ModelSettings) -> str:
    if not REPOSITORY.fullmatch(settings.model):
        raise UserError(
            f"translation.model: {settings.model!r} is neither 'sample', nor a folder, nor a hub id like facebook/nllb-200-distilled-600M"
        )
    if not settings.revision or not COMMIT.fullmatch(settings.revision):
        raise UserError(
            f"translation.revision: pin {settings.model} to a commit of 40 hexadecimal digits, so that a release can be made again"
        )
    return settings.revision


def _from_folder(folder: Path, settings: ModelSettings) -> Model:
    if any((folder / name).is_file() for name in (MODEL_FILE, "model.bin", "shared_vocabulary.json")):
        return open_model(folder)
    names = _wanted(sorted(path.name for path in folder.iterdir() if path.is_file()))
    key = fingerprint(**{name: sha256_of(folder / name) for name in names})
    return _converted(folder, f"{folder.name}-{key}", folder.name, None, settings)


def _from_hub(settings: ModelSettings) -> Model:
    revision = _pinned_revision(settings)
    licence = next((value for start, value in _LICENCES.items() if settings.model.startswith(start)), None)
    key = f"{settings.model.replace('/', '--')}-{revision}"
    target = Environment().models / f"{key}-{settings.quantization}"
    if target.is_dir():
        return open_model(target)
    checkpoint = fetch_checkpoint(settings, Environment().models / "checkpoints" / key)
    return _converted(checkpoint, key, f"{settings.model}@{revision[:12]}", licence, settings)


def _converted(checkpoint: Path, key: str, name: str, licence: str | None, settings: ModelSettings) -> Model:
    target = Environment().models / f"{key}-{settings.quantization}"
    if target.is_dir():
        return open_model(target)
    try:
        return convert(checkpoint, target, name=name, licence=licence, quantization=settings.quantization)
    except OSError:
        if target.is_dir():  # another process was faster
            return open_model(target)
        raise


def fetch_checkpoint(settings: ModelSettings, folder: Path) -> Path:
    """Download the files of a checkpoint into `folder`; those that an earlier download finished are kept.

    Every large file is checked against the SHA-256 that the hub keeps of it at the pinned commit, and
    every file that `settings.checksums` names against that. Raises UserError where a file differs, and
    removes that file.
    """
    repository, revision = settings.model, _pinned_revision(settings)
    checksums = file_names(repository, revision, "model")
    wanted = _wanted(list(checksums))
    if unknown := sorted(settings.checksums.keys() - set(wanted)):
        raise UserError(
            f"translation.checksums: {unknown[0]} is not among the files of {repository} that are downloaded: " + ", ".join(wanted)
        )
    fetch_files(repository, revision, "model", wanted, folder, checksums | settings.checksums)
    return folder


def _wanted(names: list[str]) -> list[str]:
    """The files of a checkpoint that conversion needs; of safetensors and `.bin` the former."""
    known = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in CHECKPOINT_FILES)]
    if any(name.endswith(".safetensors") for name in known):
        known = [name for name in known if not name.startswith("pytorch_model")]
    return known
