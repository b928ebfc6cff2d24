"""What texts take and cost, for the estimate of a run: measured, but for what says otherwise.

Measured by `python -m benchmarks.sizes XQUAD --flores FLORES` on XQuAD-R (1,185 English questions, 240 passages of Wikipedia; German and
Arabic by the sample model, for numbers; eight languages by people, for the length of text) and on FLORES (997 sentences). Times are
processor seconds of an AMD EPYC at 2.6 GHz, and belong to that machine.
"""

from __future__ import annotations

from parallel_qa.pipeline.languages import LANGUAGES

SENTENCE_CHARACTERS = {"queries": 61.0, "passages": 156.0}
"""Characters of an English sentence. XQuAD-R; a question is one."""
PASSAGE_SENTENCES = 5.0
"""Sentences of a passage of which nothing else is known. XQuAD-R."""

CHARACTERS_PER_TOKEN = 4.2
"""Of English in NLLB's vocabulary. Not measured here, where its tokenizer is not; an output is taken to have the tokens of its source."""
TOKENS_PER_SECOND = 9_300.0
"""That a GPU writes. Published, not measured here: CTranslate2, NLLB-200 600M, float16, on an A10G."""

STORED_BYTES = 0.42
"""Of a character of English in a Parquet file, compressed. XQuAD-R: 0.419 of questions, 0.414 of passages, 0.43 of sentences."""

_OF_ENGLISH = {
    "Arab": (1.58, 1.23),
    "Beng": (2.62, 1.54),
    "Cyrl": (1.96, 1.44),
    "Deva": (2.52, 1.52),
    "Ethi": (1.74, 1.32),
    "Hang": (1.20, 1.17),
    "Hans": (0.90, 1.10),
    "Hant": (0.90, 1.10),
    "Jpan": (1.28, 1.18),
    "Latn": (1.12, 1.07),
    "Telu": (2.69, 1.58),
    "Thai": (2.70, 1.52),
}
"""By script: bytes of a text as UTF-8, and compressed in a Parquet file, where its English takes 1. XQuAD-R: ar, de, es, hi, ru, th, tr,
zh; FLORES: am, ar, bn, hi, id, ja, ko, te, th, tr, zh; means over the languages of a script."""

ROW_BYTES = {
    ("english", "queries"): 10.6,
    ("english", "passages"): 14.2,
    ("pairs", ""): 35.0,  # with its share of the table of answers
    ("segments", ""): 3.5,  # a sentence of a text: its row, and the gap before it
    ("translations", ""): 4.8,
    ("scored", "queries"): 28.8,
    ("scored", "passages"): 45.0,
    ("compared", "queries"): 1.4,
    ("compared", "passages"): 4.0,
    ("released English", "queries"): 11.6,
    ("released English", "passages"): 19.0,
    ("released", "queries"): 31.0,
    ("released", "passages"): 47.0,
    ("released pairs", ""): 24.6,
}
"""By kind of file and table: compressed bytes of a row without its text: ids, scores, titles, places."""

FILE_BYTES = {
    "english": 1_800,
    "segments": 1_100,
    "translations": 1_000,
    "scored": 6_400,
    "compared": 1_100,
    "released": 6_000,
    "record": 600,
}
"""Bytes of a file that belong to no row: its schema and index; and of a unit's record."""

RELEASE_LANGUAGE_BYTES = 40_000
"""What manifest, card and Croissant of a release take for each of its languages. A release of the profile `sample`, ten languages."""

CACHE_PAIR_BYTES = 73
"""What a loader keeps of a pair without negatives on its machine, with the index of what each text goes with."""
CACHE_TEXT_BYTES = 8
"""What it keeps of a text in a language beside the text itself, which is UTF-8 there."""

CANDIDATES_BYTES = 200_000
"""The pieces of a vocabulary that a language needs, there or back: about 30,000."""

SCRATCH_ROW_BYTES = 150
"""What a row takes in the scratch files of publishing beside its text. Computed from its columns."""

CORE_MICROSECONDS = {
    "prepare": (0.0, 0.45),
    "segment": (5.0, 0.08),
    "filter": (167.0, 0.69),
    "compare": (21.0, 0.40),
    "publish": (0.0, 0.14),
}
"""By step: microseconds of one core for a text, and for each character that its English has; of filter, compare and publish, in each
language. The line through XQuAD-R's questions (61 characters) and passages (785): a core filters 4,800 such questions a second, or
1,400 such passages; a second measurement differed by a sixth. Rows are prepared with their passages, however often one occurs; here
without evaluation sets to keep out."""


def utf8_ratio(code: str) -> float:
    """Bytes of a text in a language as UTF-8, where its English takes 1."""
    return _of_english(code)[0]


def stored_ratio(code: str) -> float:
    """Bytes of a text in a language in a Parquet file, where its English takes 1."""
    return _of_english(code)[1]


def _of_english(code: str) -> tuple[float, float]:
    """A script that was not measured is taken for the largest."""
    return (1.0, 1.0) if code == "eng_Latn" else _OF_ENGLISH.get(LANGUAGES.find(code).script, max(_OF_ENGLISH.values()))
