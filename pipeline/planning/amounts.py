"""How much text a source has: as the store says, or about as much as its card says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.planning.constants import FILE_BYTES, PASSAGE_SENTENCES, ROW_BYTES, SENTENCE_CHARACTERS, STORED_BYTES
from parallel_qa.pipeline.sources.card import Size
from parallel_qa.pipeline.store import Record


@dataclass(frozen=True)
class Texts:
    """English texts of one table."""

    table: str
    rows: int
    sentences: float
    characters: float

    def share(self, rows: int) -> Texts:
        """So many rows of them."""
        part = rows / self.rows if self.rows else 0.0
        return Texts(self.table, rows, self.sentences * part, self.characters * part)

    def shards(self, rows: int) -> Iterator[Texts]:
        """Them in shards of so many rows; one where there are none."""
        for start in range(0, max(self.rows, 1), rows):
            yield self.share(min(rows, self.rows - start))


@dataclass(frozen=True)
class Amount:
    """What a source has after cleaning."""

    texts: Mapping[str, Texts]
    """By table."""
    pairs: int

    @property
    def characters(self) -> float:
        """Of all its English texts."""
        return sum(texts.characters for texts in self.texts.values())

    @property
    def rows(self) -> int:
        """Of both tables."""
        return sum(texts.rows for texts in self.texts.values())


def amount_of_record(record: Record, times: int) -> Amount:
    """What a source has that was prepared: its rows exactly, its characters from the bytes that they take. All of it `times` over."""
    texts = {}
    for table in schema.TEXTS:
        rows, files = record.rows(table), record.shards(table)
        stored = sum(record.files[name].bytes for name in files) - rows * ROW_BYTES["english", table] - len(files) * FILE_BYTES["english"]
        characters = max(stored / STORED_BYTES, float(rows))
        sentences = max(characters / SENTENCE_CHARACTERS[table], float(rows)) if table == "passages" else float(rows)
        texts[table] = Texts(table, times * rows, times * sentences, times * characters)
    return Amount(texts, times * record.rows("pairs"))


def amount_of_card(size: Size | None, times: int) -> Amount | None:
    """What a source will have according to its card; None where that says nothing of queries, passages or pairs. `times` over."""
    counts = [] if size is None else [count for count in (size.pairs, size.queries, size.passages) if count is not None]
    if size is None or not counts:
        return None
    queries = counts[0] if size.queries is None else size.queries
    passages = counts[0] if size.passages is None else size.passages
    of_passages = passages * PASSAGE_SENTENCES if size.sentences is None else float(max(size.sentences - queries, 0))
    sentences = {"queries": float(queries), "passages": of_passages}
    rows = {"queries": queries, "passages": passages}
    return Amount(
        {
            table: Texts(table, times * rows[table], times * count, times * count * SENTENCE_CHARACTERS[table])
            for table, count in sentences.items()
        },
        times * (counts[0] if size.pairs is None else size.pairs),
    )
