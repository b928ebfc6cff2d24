"""The first step of translating: the unique sentences of each shard of texts, and how its texts are made of them.

Makes the units `segments/LANG/SOURCE/TABLE/SHARD` with the tables `sentences` (unique, in order of first appearance, in parts
of so many rows) and `texts` (row by row the sentence rows of each text). A shard knows nothing of others, so shards can be done
anywhere and in any order; `repeated` finds the sentences that several of them have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Record, Store, fingerprint
from parallel_qa.pipeline.tables import split_rows
from parallel_qa.pipeline.translation.sentences import split
from parallel_qa.pipeline.work import Unit, versions

VERSION = 4
TEXTS = "texts/00000.parquet"
SENTENCES = "sentences"


def units(settings: Settings, texts: Sequence[Unit], record_of: Callable[[Unit], Record]) -> list[Unit]:
    """One unit a shard of each of the units `texts`, which have the tables `queries` and `passages` in one language."""
    return [unit for made in texts for unit in _units_of_source(settings, made, record_of(made))]


def _units_of_source(settings: Settings, texts: Unit, record: Record) -> list[Unit]:
    language = texts.language or ENGLISH.code
    same = {"shard": settings.translation.shard_sentences, "share": settings.translation.back_share, "tools": versions("sentencex")}
    planned = []
    for table in schema.TEXTS:
        for shard, name in enumerate(record.shards(table)):
            file = record.ref(name)
            content = fingerprint(stage="segment", version=VERSION, language=language, texts=file.sha256, **same)
            path = f"segments/{language}/{texts.source}/{table}/{shard:05d}"
            planned.append(Unit(path, content, texts.source, language, table, shard, files={"texts": file}))
    return planned


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Split the texts of one shard and number their unique sentences."""
    shard = store.read_file(unit.files["texts"])
    progress.start(unit.path, shard.num_rows, "texts")
    tag = LANGUAGES.find(unit.language).tag
    titles = shard["title"].to_pylist() if "title" in shard.column_names else [""] * shard.num_rows
    rows: dict[str, int] = {}
    checked: set[int] = set()
    segments: list[dict[str, list[int] | list[str]]] = []
    for text_id, title, text in zip(shard["id"].to_pylist(), titles, shard["text"].to_pylist(), strict=True):
        segmented = split(text or "", tag)
        title_rows = [rows.setdefault(line, len(rows)) for line in map(str.strip, (title or "").splitlines()) if line]
        text_rows = [rows.setdefault(sentence, len(rows)) for sentence in segmented.sentences]
        if is_checked(text_id, settings.translation.back_share):
            checked.update((*title_rows, *text_rows))
        segments.append({"title": title_rows, "text": text_rows, "gaps": list(segmented.gaps)})
    sentences = pa.table({"text": list(rows), "checked": [row in checked for row in range(len(rows))]}, schema=schema.SENTENCES)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(TEXTS, pa.Table.from_pylist(segments, schema=schema.SEGMENTS))
        for number, part in enumerate(split_rows(sentences, settings.translation.shard_sentences)):
            writer.write_table(f"{SENTENCES}/{number:05d}.parquet", part)
        writer.facts.update(shard_sentences=settings.translation.shard_sentences, characters=sum(map(len, rows)))
    progress.advance(unit.path, shard.num_rows)
    progress.finish(unit.path)


def is_checked(text_id: str, share: float) -> bool:
    """Whether a text is among the `share` of all that are translated back; by its id, so always the same ones."""
    return int(text_id, 16) < share * 2.0 ** (4 * len(text_id))
