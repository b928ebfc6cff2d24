"""The models of a run, each found, checked and where needed converted once in a process."""

from __future__ import annotations

from pathlib import Path

from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.settings import ModelSettings, Settings
from parallel_qa.pipeline.translation.model_finding import find_model
from parallel_qa.pipeline.translation.models import Model

_models: MadeOnce[str, Model] = MadeOnce()


def model_of(settings: Settings) -> Model:
    """The model for the way there. Raises UserError where it cannot be had."""
    return _model(settings.translation, settings.folder)


def back_model_of(settings: Settings) -> Model:
    """The model for the way back into English. Raises UserError where it cannot be had."""
    return _model(settings.translation.back or settings.translation, settings.folder)


def _model(choice: ModelSettings, folder: Path) -> Model:
    key = choice.model_dump_json(include=set(ModelSettings.model_fields)) + str(folder)
    return _models.get(key, lambda: find_model(choice, folder))
