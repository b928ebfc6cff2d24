"""An engine that answers at once, so that a test can follow what is translated and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from parallel_qa.pipeline.languages import Language
from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation import memory, run_models, translate
from parallel_qa.pipeline.translation.engine import Engine, Translation
from parallel_qa.pipeline.translation.models import Model

Asked = Counter[tuple[str, str, str]]
"""How often each sentence was given to an engine, by source language, target language and text."""


def use_instant_engine(patch: pytest.MonkeyPatch) -> Asked:
    """Let everything be translated by engines that put the target's code behind a text, or take it away; returns what they are asked."""
    asked: Asked = Counter()

    class InstantEngine(Engine):
        def __init__(self, model: Model, settings: TranslationSettings, candidates: Sequence[str] | None = None) -> None:
            self.model, self.settings, self.restricted = model, settings, False
            self.device, self.compute_type = "cpu", "float32"

        def translate(
            self,
            sentences: Sequence[str],
            source: Language,
            target: Language,
            advance: Callable[[int, int], None] = lambda sentences, tokens: None,
            all_pieces: bool = False,
        ) -> list[Translation]:
            self.model.check_direction(source, target)
            asked.update((source.code, target.code, sentence) for sentence in sentences)
            advance(len(sentences), sum(map(len, sentences)))
            mark = f" [{source.code}]"
            return [
                Translation(sentence.removesuffix(mark) if sentence.endswith(mark) else f"{sentence} [{target.code}]", None, -0.5)
                for sentence in sentences
            ]

    patch.setattr(translate, "Engine", InstantEngine)
    start_anew(patch)
    return asked


def start_anew(patch: pytest.MonkeyPatch) -> None:
    """Forget what this process has loaded, as a new process would not know it."""
    patch.setattr(translate, "_engines", MadeOnce(most=2))
    patch.setattr(run_models, "_models", MadeOnce())
    patch.setattr(memory, "_memories", MadeOnce(most=2))
