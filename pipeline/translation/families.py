"""Families of translation models: how each is told which languages to translate between.

| family | source | target |
| --- | --- | --- |
| NLLB-200 | `[eng_Latn] pieces </s>` | prefix `[deu_Latn]` |
| M2M-100 | `[__en__] pieces </s>` | prefix `[__de__]` |
| MADLAD-400 | `<2de> pieces </s>` | – |
| OPUS-MT | `pieces </s>`, with several targets `>>deu<< pieces </s>` | – |
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from parallel_qa.pipeline.languages import LANGUAGES, Language


@dataclass(frozen=True)
class Family:
    """One family of models."""

    name: str
    model_type: str
    """As the `config.json` of a Hugging Face checkpoint says it."""
    pieces: tuple[str, str]
    """SentencePiece files: of the source, of the target."""
    tokens: Callable[[Language], list[str]]
    """What the family may call a language; the first that the vocabulary has is meant."""
    source: Literal["source", "target"]
    """Which language's token stands in front of a sentence."""
    prefix: bool
    """Whether the target's token is the first of the output."""
    licence: str | None = None
    """Where the checkpoints of the family have one licence."""

    def language_tokens(self, vocabulary: Collection[str]) -> Mapping[str, str]:
        """The token of each language that `vocabulary` has, by NLLB code."""
        known = set(vocabulary)
        found = {language.code: next((token for token in self.tokens(language) if token in known), None) for language in LANGUAGES}
        return {code: token for code, token in found.items() if token}


def _tag(language: Language) -> list[str]:
    # A tag of its own only: where two scripts share "zh", a model must not write one for the other.
    return [language.tag.replace("-", "_")] if "-" in language.tag else [language.tag]


def _nllb(language: Language) -> list[str]:
    return [language.code]


def _m2m(language: Language) -> list[str]:
    return [f"__{tag}__" for tag in _tag(language)]


def _madlad(language: Language) -> list[str]:
    return [f"<2{tag}>" for tag in _tag(language)]


def _opus(language: Language) -> list[str]:
    three = language.code.split("_")[0]
    return [f">>{name}<<" for name in (language.code, f"cmn_{language.script}" if three == "zho" else three, three, *_tag(language))]


_BPE = "sentencepiece.bpe.model"
NLLB = Family("nllb", "m2m_100", (_BPE, _BPE), _nllb, "source", prefix=True)
M2M = Family("m2m100", "m2m_100", (_BPE, _BPE), _m2m, "source", prefix=True, licence="MIT")
MADLAD = Family("madlad400", "t5", ("spiece.model", "spiece.model"), _madlad, "target", prefix=False, licence="Apache-2.0")
OPUS = Family("opus-mt", "marian", ("source.spm", "target.spm"), _opus, "target", prefix=False)
FAMILIES = {family.name: family for family in (NLLB, M2M, MADLAD, OPUS)}


def family_of(model_type: str, vocabulary: Collection[str]) -> Family | None:
    """The family of a checkpoint by its `model_type` and vocabulary."""
    candidates = [family for family in FAMILIES.values() if family.model_type == model_type]
    return max(candidates, key=lambda family: len(family.language_tokens(vocabulary)), default=None)
