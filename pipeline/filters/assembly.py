"""Texts put together again from their translated sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.translation import memory, translate
from parallel_qa.pipeline.translation.sentences import join
from parallel_qa.pipeline.work import Unit


@dataclass
class Texts:
    """The texts of one shard in one language, row by row."""

    titles: list[str] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    """None where the source does not have the text in that language."""
    backs: list[str | None] = field(default_factory=list)
    """Title and text of the back-translation; None where it was not made, or of nothing."""
    faults: list[int] = field(default_factory=list)
    log_probabilities: list[float | None] = field(default_factory=list)

    def wholes(self) -> list[str | None]:
        """Title and text as one, as they are measured."""
        return [None if text is None else whole(title, text) for title, text in zip(self.titles, self.texts, strict=True)]


def whole(*parts: str) -> str:
    """Title and text as one."""
    return "\n".join(part for part in parts if part)


def english_wholes(english: pa.Table) -> list[str]:
    """Title and text of each row of an English shard as one."""
    columns = [english[name].to_pylist() for name in ("title", "text") if name in english.column_names]
    return [whole(*parts) for parts in zip(*columns, strict=True)]


def put_together(store: Store, unit: Unit, shard: str) -> Texts:
    """The texts of the file `shard` from a unit with the inputs `segments` and `back_translated/…`."""
    segmented = unit.inputs["segments"]
    segments = segmented.result(store)
    backs = [back for name, back in unit.inputs.items() if name.startswith("back_translated/")]
    size = segments.facts["shard_sentences"]
    back = _Sentences(store, backs, size)
    forward = _Sentences(store, [unit for back in backs for unit in forward_of(back)], size)
    own = segmented.inputs["texts"]
    imported = store.read_table(own.result(store), shard) if own.language else None
    space = LANGUAGES.find(unit.language).sentence_space
    result = Texts()
    for row, parts in enumerate(store.read_table(segments, shard).to_pylist()):
        title, gaps = parts["title"], parts["gaps"]
        sentences = (*title, *parts["text"])
        if imported is not None:
            text = imported["text"][row].as_py()
            result.titles.append(imported["title"][row].as_py() if "title" in imported.column_names else "")
            result.faults.append(0)
            result.log_probabilities.append(None)
        else:
            text = join(forward.texts(parts["text"]), gaps, space)
            result.titles.append("".join(forward.texts(title)))
            result.faults.append(sum(forward.mark(row) is not None for row in sentences))
            result.log_probabilities.append(min((score for row in sentences if (score := forward.score(row)) is not None), default=None))
        checked = text is not None and not any(back.mark(row) == translate.NOT_CHECKED.mark for row in sentences)
        result.texts.append(text)
        result.backs.append(whole(*back.texts(title), join(back.texts(parts["text"]), gaps)) if checked else None)
    return result


def forward_of(back: Unit) -> Iterator[Unit]:
    """The translation that `back` is the way back of; none where the source had the text itself."""
    return (unit for name, unit in back.inputs.items() if name == "translated")


class _Sentences:
    """Translated sentences of one source and language, by row number over all shards."""

    def __init__(self, store: Store, units: list[Unit], shard_sentences: int) -> None:
        tables = {unit.shard: store.read_table(unit.result(store), memory.DATA) for unit in units}
        self._texts = {shard: table["text"].to_pylist() for shard, table in tables.items()}
        self._marks: dict[int, list[str | None]] = {shard: table["mark"].to_pylist() for shard, table in tables.items()}
        self._scores: dict[int, list[float | None]] = {shard: table["score"].to_pylist() for shard, table in tables.items()}
        self._size = shard_sentences

    def texts(self, rows: list[int]) -> list[str]:
        return [self._texts[row // self._size][row % self._size] for row in rows]

    def score(self, row: int) -> float | None:
        return self._scores[row // self._size][row % self._size]

    def mark(self, row: int) -> str | None:
        return self._marks[row // self._size][row % self._size]
