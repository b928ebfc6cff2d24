"""What units that are not in the store yet will take: files, bytes, tokens and time, computed with `constants`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.planning.amounts import Amount, Texts
from parallel_qa.pipeline.planning.constants import (
    CACHE_PAIR_BYTES,
    CACHE_TEXT_BYTES,
    CANDIDATES_BYTES,
    CHARACTERS_PER_TOKEN,
    CORE_MICROSECONDS,
    FILE_BYTES,
    RELEASE_LANGUAGE_BYTES,
    ROW_BYTES,
    SCRATCH_ROW_BYTES,
    STORED_BYTES,
    stored_ratio,
    utf8_ratio,
)
from parallel_qa.pipeline.settings import ReleaseSettings

_FILES_OF_RELEASE = 3
"""Beside its tables: manifest, card, Croissant."""


@dataclass(frozen=True)
class Load:
    """What work takes. Files and bytes are those that it leaves; tokens and seconds are yet to be spent."""

    units: int = 0
    to_do: int = 0
    files: int = 0
    bytes: float = 0
    tokens: float = 0
    """To be written by the model."""
    core_seconds: float = 0

    def __add__(self, other: Load) -> Load:
        return Load(
            self.units + other.units,
            self.to_do + other.to_do,
            self.files + other.files,
            self.bytes + other.bytes,
            self.tokens + other.tokens,
            self.core_seconds + other.core_seconds,
        )

    def __mul__(self, times: int) -> Load:
        return sum([self] * times, Load())


@dataclass(frozen=True)
class Sentences:
    """Sentences that are translated together, in so many files."""

    rows: int = 0
    characters: float = 0
    """As long as they are in English."""
    files: int = 0

    def __add__(self, other: Sentences) -> Sentences:
        return Sentences(self.rows + other.rows, self.characters + other.characters, self.files + other.files)


@dataclass(frozen=True)
class Released:
    """A source of a release."""

    amount: Amount
    languages: Sequence[str]
    """That it has beside English."""


def prepared(amount: Amount, shard_rows: int, keys: bool) -> Load:
    """The English texts of a source; `keys`: with the source's own ids of them."""
    queries, passages = (len(list(amount.texts[table].shards(shard_rows))) for table in ("queries", "passages"))
    # Beside the texts: answers, pairs, what was set aside.
    files = queries + 2 * passages + math.ceil(max(amount.pairs, 1) / shard_rows) + 1 + (queries + passages if keys else 0)
    size = _texts_bytes(amount, "english", 1.0) + amount.pairs * ROW_BYTES["pairs", ""]
    return Load(
        1,
        1,
        files + 1,
        size + files * FILE_BYTES["english"] + FILE_BYTES["record"],
        0,
        _core_seconds("prepare", amount.pairs, _characters_of_rows(amount)),
    )


def imported(amount: Amount, code: str, shard_rows: int) -> Load:
    """The texts that a source has in a language itself."""
    files = sum(len(list(texts.shards(shard_rows))) for texts in amount.texts.values())
    size = _texts_bytes(amount, "english", stored_ratio(code)) + files * FILE_BYTES["english"] + FILE_BYTES["record"]
    return Load(1, 1, files + 1, size)


def segmented(texts: Texts, code: str, most: int) -> Load:
    """The sentences of a shard in a language, at most so many to a file."""
    files = 1 + len(list(sentence_files(texts, most)))
    size = texts.sentences * ROW_BYTES["segments", ""] + texts.characters * STORED_BYTES * stored_ratio(code)
    size += files * FILE_BYTES["segments"] + FILE_BYTES["record"]
    return Load(1, 1, files + 1, size, 0, _core_seconds("segment", texts.rows, texts.characters))


def sentence_files(texts: Texts, most: int) -> Iterator[Sentences]:
    """The sentences of a shard, at most so many to a file."""
    sentences = round(texts.sentences)
    for start in range(0, max(sentences, 1), most):
        rows = min(most, sentences - start)
        yield Sentences(rows, texts.characters * (rows / sentences if sentences else 0.0), 1)


def packs(shards: Iterable[Texts], most: int) -> list[Sentences]:
    """The sentences of a source's shards, at most so many to a pack; as `translation.packs` does it."""
    packed: list[Sentences] = []
    for texts in shards:
        for file in sentence_files(texts, most):
            if not file.rows:
                continue
            if packed and packed[-1].rows + file.rows <= most:
                packed[-1] += file
            else:
                packed.append(file)
    return packed


def repeated() -> Load:
    """A unit of the sentences that several packs have: how many is not known before."""
    return Load(1, 1, 2, FILE_BYTES["segments"] + FILE_BYTES["record"])


def learnt() -> Load:
    """The pieces that one language needs, there and back."""
    return Load(1, 1, 3, 2 * CANDIDATES_BYTES + FILE_BYTES["record"])


def translated(sentences: Sentences, code: str, new_share: float = 1.0) -> Load:
    """The translations of a pack, of which `new_share` are not to be had from elsewhere; no unit of their own."""
    return Load(0, 0, *_translations(sentences, stored_ratio(code)), sentences.characters / CHARACTERS_PER_TOKEN * new_share)


def back_translated(sentences: Sentences, back_share: float, new_share: float = 1.0) -> Load:
    """The translations back into English of that share of a pack."""
    tokens = sentences.characters / CHARACTERS_PER_TOKEN * back_share * new_share
    return Load(1, 1, *_translations(sentences, back_share), tokens)


def _translations(sentences: Sentences, ratio: float) -> tuple[int, float]:
    """Files and bytes."""
    size = sentences.rows * ROW_BYTES["translations", ""] + sentences.characters * STORED_BYTES * ratio
    return sentences.files + 1, size + sentences.files * FILE_BYTES["translations"] + FILE_BYTES["record"]


def scored(texts: Texts, code: str, back_share: float) -> Load:
    """The scores of a shard in a language."""
    size = texts.rows * ROW_BYTES["scored", texts.table] + texts.characters * STORED_BYTES * (stored_ratio(code) + back_share)
    return Load(1, 1, 2, size + FILE_BYTES["scored"] + FILE_BYTES["record"], 0, _core_seconds("filter", texts.rows, texts.characters))


def compared(texts: Texts, languages: int) -> Load:
    """The comparison of a shard's languages."""
    size = languages * (texts.rows * ROW_BYTES["compared", texts.table] + FILE_BYTES["compared"]) + FILE_BYTES["record"]
    return Load(1, 1, languages + 1, size, 0, _core_seconds("compare", texts.rows * languages, texts.characters * languages))


def released(sources: Sequence[Released], languages: Sequence[str], settings: ReleaseSettings) -> Load:
    """A release of sources in English and `languages`, as though nothing were rejected and no text stood in two sources."""
    files = _blocks(sources, settings) * (1 + 2 * (1 + 2 * len(languages)))
    size, core_seconds = files * float(FILE_BYTES["released"]) + (1 + len(languages)) * RELEASE_LANGUAGE_BYTES, 0.0
    for source in sources:
        amount, translated = source.amount, [code for code in languages if code in source.languages]
        size += amount.pairs * ROW_BYTES["released pairs", ""] + _texts_bytes(amount, "released English", 1.0)
        size += sum(_texts_bytes(amount, "released", stored_ratio(code)) for code in translated)
        # In a language that the source does not have, its texts are rows of ids.
        size += (len(languages) - len(translated)) * _texts_bytes(amount, "released English", 0.0)
        tables = 1 + len(translated)
        core_seconds += _core_seconds("publish", amount.rows * tables, amount.characters * tables)
    return Load(0, 0, files + _FILES_OF_RELEASE, size, 0, core_seconds)


def cache_bytes(sources: Sequence[Released], languages: Sequence[str]) -> float:
    """What a loader keeps on its machine of such a release, with all languages."""
    size = 0.0
    for source in sources:
        size += source.amount.pairs * CACHE_PAIR_BYTES + source.amount.rows * (1 + len(languages)) * CACHE_TEXT_BYTES
        size += sum(source.amount.characters * utf8_ratio(code) for code in (ENGLISH.code, *source.languages))
    return size


def scratch_bytes(sources: Sequence[Released], languages: Sequence[str], settings: ReleaseSettings) -> float:
    """The most that publishing such a release keeps in scratch files: one table in one language; nothing where it is one block."""
    if _blocks(sources, settings) == 1:
        return 0.0
    return max(
        sum(
            source.amount.texts[table].rows * SCRATCH_ROW_BYTES
            + (source.amount.texts[table].characters * utf8_ratio(code) if code in (ENGLISH.code, *source.languages) else 0.0)
            for source in sources
        )
        for table in ("queries", "passages")
        for code in (ENGLISH.code, *languages)
    )


def _blocks(sources: Sequence[Released], settings: ReleaseSettings) -> int:
    size = sum(source.amount.characters for source in sources)
    return max(1, min(math.ceil(size / settings.shard_bytes), sum(source.amount.texts["passages"].rows for source in sources)))


def _texts_bytes(amount: Amount, kind: str, ratio: float) -> float:
    """Compressed bytes of all texts of a source, without what files take of themselves."""
    return sum(texts.rows * ROW_BYTES[kind, table] for table, texts in amount.texts.items()) + amount.characters * STORED_BYTES * ratio


def _characters_of_rows(amount: Amount) -> float:
    """Characters of the rows of a source as they are read: of each pair its question and its passage."""
    return sum(amount.pairs * texts.characters / max(texts.rows, 1) for texts in amount.texts.values())


def _core_seconds(step: str, texts: int, characters: float) -> float:
    of_text, of_character = CORE_MICROSECONDS[step]
    return (of_text * texts + of_character * characters) / 1e6
