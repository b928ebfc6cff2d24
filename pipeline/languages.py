"""One table of the 202 languages of NLLB-200 and what other tools call them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parallel_qa.pipeline.errors import UserError

# Written without spaces between sentences; Thai, Lao, Khmer and Burmese do put one there.
_UNSPACED_SCRIPTS = frozenset({"Hans", "Hant", "Jpan"})
_RIGHT_TO_LEFT_SCRIPTS = frozenset({"Arab", "Hebr"})


@dataclass(frozen=True)
class Language:
    """One language in one script."""

    code: str  # as NLLB-200 and FLORES-200 write it: "deu_Latn"
    tag: str  # BCP-47, script only where the table has more than one: "de", "zh-Hant"
    name: str  # in English
    labels: frozenset[str]  # what a detector may answer for text in it; some languages no detector tells apart

    @property
    def script(self) -> str:
        """ISO 15924 code of the script."""
        return self.code.split("_")[1]

    @property
    def sentence_space(self) -> str:
        """What stands between two sentences of a paragraph."""
        return "" if self.script in _UNSPACED_SCRIPTS else " "

    @property
    def right_to_left(self) -> bool:
        return self.script in _RIGHT_TO_LEFT_SCRIPTS


class LanguageTable:
    """Languages by NLLB code and by BCP-47 tag."""

    def __init__(self, languages: list[Language]) -> None:
        self._by_code = {language.code: language for language in languages}
        self._by_tag = {language.tag: language for language in languages}

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def by_tag(self, tag: str) -> Language:
        """The language of a BCP-47 tag. Raises UserError where there is none."""
        return self._find(tag, self._by_tag)

    def find(self, name: str) -> Language:
        """The language of an NLLB code ("deu_Latn") or a BCP-47 tag ("de"). Raises UserError where there is none."""
        return self._find(name, self._by_code | self._by_tag)

    def _find(self, name: str, known: dict[str, Language]) -> Language:
        if name in known:
            return known[name]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "use an NLLB-200 code such as deu_Latn or a tag such as de"
        raise UserError(f"unknown language {name!r}: {hint}")


def _load() -> LanguageTable:
    text = Path(__file__).with_name("languages.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return LanguageTable([Language(code, tag, name, frozenset(labels.split())) for code, tag, name, labels in rows])


LANGUAGES = _load()
ENGLISH = LANGUAGES.find("eng_Latn")
