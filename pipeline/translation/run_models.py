"""The models of a run, by language and direction; each is found, checked and where needed converted once in a process."""

from __future__ import annotations

from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.settings import ModelSettings, Settings, Way
from parallel_qa.pipeline.translation.model_finding import find_model
from parallel_qa.pipeline.translation.models import Model

_models: MadeOnce[str, Model] = MadeOnce()


def model_of(settings: Settings, code: str = "", way: Way = "there") -> Model:
    """The model for one direction of a language (NLLB code); if none is named, of those without settings of their own.

    Raises UserError where it cannot be had.
    """
    choice = settings.translation.of(code, way).choice
    return _models.get(choice.model_dump_json() + str(settings.folder), lambda: find_model(choice, settings.folder))


def choices_of(settings: Settings) -> dict[str, tuple[ModelSettings, ModelSettings]]:
    """By language (NLLB code), which models the settings name for the way there and the way back."""
    of = settings.translation.of
    return {code: (of(code).choice, of(code, "back").choice) for code in settings.languages}
