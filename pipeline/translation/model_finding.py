"""From the `model:` of a profile to a model folder: the sample model, a folder, or a checkpoint on the hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import COMMIT, REPOSITORY, fetch_files, file_names
from parallel_qa.pipeline.languages import ENGLISH, Language
from parallel_qa.pipeline.settings import HOUSE, WAYS, Environment, ModelSettings, TranslationSettings
from parallel_qa.pipeline.store import fingerprint
from parallel_qa.pipeline.translation.conversion import checkpoint_files, checkpoint_identity, convert
from parallel_qa.pipeline.translation.models import MODEL_FILE, Model, described_model, open_model

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


@dataclass(frozen=True)
class ModelFacts:
    """What a run has to know of a model to plan, and to say what it used."""

    name: str
    fingerprint: str
    licence: str | None
    quantization: str | None


def model_facts(settings: ModelSettings, profile_folder: Path, section: str = "translation") -> ModelFacts | None:
    """What can be told of a model without its weights: nothing is loaded, downloaded or converted. None where it is not at hand.

    Raises UserError where `settings`, which stand in that section of a profile, name no model.
    """
    folder = SAMPLE if settings.model == "sample" else profile_folder / Path(settings.model).expanduser()
    if settings.model == "sample" or folder.is_dir():
        return _facts_of_folder(folder, settings)
    if settings.model.startswith((".", "/", "~")):
        return None
    _pinned_revision(settings, section)
    converted = _converted_hub_model(settings)
    licence = described_model(converted).licence if converted.is_dir() else _known_licence(settings)
    return ModelFacts(_hub_name(settings), _hub_identity(settings), settings.licence or licence, settings.quantization)


def _facts_of_folder(folder: Path, settings: ModelSettings) -> ModelFacts:
    if _is_converted(folder):
        model = described_model(folder)
        return ModelFacts(model.name, model.fingerprint, settings.licence or model.licence, model.quantization)
    identity = checkpoint_identity(folder, settings.quantization)
    converted = Environment().models / f"{folder.name}-{identity}-{settings.quantization}"
    licence = described_model(converted).licence if converted.is_dir() else None
    return ModelFacts(folder.name, identity, settings.licence or licence, settings.quantization)


def _converted_hub_model(settings: ModelSettings) -> Path:
    return Environment().models / f"{settings.model.replace('/', '--')}-{_pinned_revision(settings)}-{settings.quantization}"


def check_model(settings: TranslationSettings, profile_folder: Path, languages: Iterable[Language]) -> None:
    """Raises UserError where it can be told without a download that a model will not do."""
    choices = {(language, way): settings.of(language.code, way).choice for language in languages for way in WAYS}
    for (language, way), choice in choices.items():
        if not _is_here(choice, profile_folder):
            _pinned_revision(choice, settings.section_of(language.code, way))
    models: dict[str, Model | None] = {}
    for (language, way), choice in choices.items():
        name = choice.model_dump_json()
        if name not in models:
            models[name] = _model_at_hand(choice, profile_folder)
        if model := models[name]:
            model.check_direction(*((ENGLISH, language) if way == "there" else (language, ENGLISH)))


def _is_here(settings: ModelSettings, profile_folder: Path) -> bool:
    return settings.model == "sample" or (profile_folder / Path(settings.model).expanduser()).is_dir()


def _model_at_hand(settings: ModelSettings, profile_folder: Path) -> Model | None:
    """The model, if nothing has to be downloaded for it."""
    if _is_here(settings, profile_folder):
        return find_model(settings, profile_folder)
    converted = _converted_hub_model(settings)
    return described_model(converted) if converted.is_dir() else None


def _pinned_revision(settings: ModelSettings, section: str = "translation") -> str:
    if not REPOSITORY.fullmatch(settings.model):
        raise UserError(
            f"{section}.model: {settings.model!r} is neither 'sample', nor a folder, nor a hub id like facebook/nllb-200-distilled-600M"
        )
    if not settings.revision or not COMMIT.fullmatch(settings.revision):
        raise UserError(
            f"{section}.revision: pin {settings.model} to a commit of 40 hexadecimal digits, so that a release can be made again"
        )
    return settings.revision


def _from_folder(folder: Path, settings: ModelSettings) -> Model:
    if _is_converted(folder):
        return open_model(folder)
    identity = checkpoint_identity(folder, settings.quantization)
    return _converted(folder, f"{folder.name}-{identity}", folder.name, None, settings, identity)


def _from_hub(settings: ModelSettings) -> Model:
    revision = _pinned_revision(settings)
    licence = _known_licence(settings)
    key = f"{settings.model.replace('/', '--')}-{revision}"
    target = _converted_hub_model(settings)
    if target.is_dir():  # whoever converted it, and with what, it is the model of that commit
        return replace(open_model(target), identity=_hub_identity(settings))
    checkpoint = fetch_checkpoint(settings, Environment().models / "checkpoints" / key)
    return _converted(checkpoint, key, _hub_name(settings), licence, settings, _hub_identity(settings))


def _known_licence(settings: ModelSettings) -> str | None:
    return next((value for start, value in _LICENCES.items() if settings.model.startswith(start)), None)


def _hub_name(settings: ModelSettings) -> str:
    return f"{settings.model}@{_pinned_revision(settings)[:12]}"


def _hub_identity(settings: ModelSettings) -> str:
    """What a hub model is: the commit says what its files are, and the quantization what is made of them."""
    return fingerprint(repository=settings.model, commit=_pinned_revision(settings), quantization=settings.quantization)


def _is_converted(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (MODEL_FILE, "model.bin", "shared_vocabulary.json"))


def _converted(checkpoint: Path, key: str, name: str, licence: str | None, settings: ModelSettings, identity: str) -> Model:
    target = Environment().models / f"{key}-{settings.quantization}"
    if target.is_dir():
        return open_model(target)
    try:
        return convert(checkpoint, target, name=name, licence=licence, quantization=settings.quantization, identity=identity)
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
    needed = checkpoint_files(list(checksums))
    if unknown := sorted(settings.checksums.keys() - set(needed)):
        raise UserError(
            f"translation.checksums: {unknown[0]} is not among the files of {repository} that are downloaded: " + ", ".join(needed)
        )
    fetch_files(repository, revision, "model", needed, folder, checksums | settings.checksums)
    return folder
