"""Texts of a source on their way in: cleaned, and judged whether they can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from parallel_qa.pipeline.settings import CleaningSettings
from parallel_qa.pipeline.sources.cleaning import broken, clean, faults
from parallel_qa.pipeline.sources.english import foreign
from parallel_qa.pipeline.sources.evaluation import Evaluation
from parallel_qa.pipeline.sources.forms import comparable, words_and_symbols
from parallel_qa.pipeline.sources.records import encodable
from parallel_qa.pipeline.sources.words import words

TEXT_COLUMNS = [(name, pa.string()) for name in ("title", "text", "title_form", "form", "key")]
"""Of a screened text; the forms are the words and symbols of title and text, `key` is the source's own id of it."""


@dataclass
class ScreenedTexts:
    """A batch of clean texts, why each cannot be used (or None), and what that rests on, by place."""

    columns: dict[str, pa.Array]
    reasons: list[str | None]
    details: dict[int, str]

    def take(self, places: list[int]) -> dict[str, pa.Array]:
        """The columns of the texts at `places`."""
        chosen = pa.array(places, pa.int64())
        return {name: column.take(chosen) for name, column in self.columns.items()}


class Screening:
    """What the texts of one source go through."""

    def __init__(self, cleaning: CleaningSettings, evaluation: Evaluation, html: bool = True) -> None:
        """`evaluation` holds the texts that are to be kept out; `html` says whether tags and entities are markup."""
        self._cleaning = cleaning
        self._html = html
        self._evaluation = evaluation
        self.changed: Counter[str] = Counter()
        """How many texts each step of cleaning changed so far."""

    def screen(self, texts: Sequence[tuple[str, str, str]], kind: str) -> ScreenedTexts:
        """Clean and judge a batch of (title, text, the source's own id) of a `kind`, "query" or "passage"."""
        titles, faulty_titles = self.clean([title.replace("_", " ") for title, _, _ in texts])
        values, faulty = self.clean([text for _, text, _ in texts])
        plain = comparable(values)
        split = words(plain)
        reasons = pc.coalesce(faulty, faulty_titles, faults(values, kind, self._cleaning)).to_pylist()
        details: dict[int, str] = {}
        if self._cleaning.language:
            for place, wrong in enumerate(foreign(values, split)):
                reasons[place] = reasons[place] or (f"{kind}_not_english" if wrong else None)
        for place, hit in self._evaluation.indexes[kind].find(plain, split).items():
            if reasons[place] is None:
                reasons[place], details[place] = f"evaluation_{kind}", str(hit)
        columns = {
            "title": titles,
            "text": values,
            "title_form": words_and_symbols(titles),
            "form": words_and_symbols(values),
            "key": pa.array([key for _, _, key in texts], pa.string()),
        }
        return ScreenedTexts(columns, reasons, details)

    def clean(self, texts: list[str]) -> tuple[pa.Array, pa.Array]:
        """The clean texts, and why each cannot be cleaned, or null."""
        try:
            array = pa.array(texts, pa.string())
            encoding = pa.nulls(len(texts), pa.string())
        except UnicodeEncodeError:  # lone surrogates, or bytes that are no UTF-8
            sound = [encodable(text) for text in texts]
            array = pa.array([text if fine else "" for text, fine in zip(texts, sound, strict=True)], pa.string())
            encoding = pa.array([None if fine else "broken_encoding" for fine in sound], pa.string())
        return clean(array, self.changed, self._html), pc.coalesce(encoding, broken(array))
