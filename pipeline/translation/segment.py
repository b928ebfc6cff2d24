"""The step before translating: the unique sentences of a source, and how its texts are made of them.

Makes the units `sentences/SOURCE` with the tables `sentences` (unique, in order of first appearance),
`queries` and `passages` (row by row the sentence rows of each text). The fact `uses` says which
sentence shards a shard of texts draws on, `shard_sentences` how many rows each of them has.
"""

from __future__ import annotations

import pyarrow as pa

from pipeline import schema
from pipeline.progress import Progress
from pipeline.settings import Settings
from pipeline.sources import download
from pipeline.sources.download import split_rows
from pipeline.store import Store, fingerprint
from pipeline.translation.sentences import split
from pipeline.work import Unit, versions

VERSION = 1


def units(settings: Settings, store: Store) -> list[Unit]:
    """One unit a source; the sources must have been downloaded."""
    shard = settings.translation.shard_sentences
    tools = versions("sentencex")
    return [
        Unit(
            f"sentences/{english.source}",
            fingerprint(stage="segment", version=VERSION, tools=tools, english=english.result(store).checksum, shard=shard),
            english.source,
            inputs={"english": english},
        )
        for english in download.units(settings)
    ]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Split all texts of one source and number its unique sentences."""
    english = unit.inputs["english"].result(store)
    progress.start(unit.path, english.rows("queries") + english.rows("passages"), "texts")
    rows: dict[str, int] = {}
    uses: dict[str, list[int]] = {}
    shard_sentences = settings.translation.shard_sentences

    def number(sentence: str) -> int:
        return rows.setdefault(sentence, len(rows))

    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for table in schema.TEXTS:
            for name in english.shards(table):
                shard = store.read_table(english, name)
                titles = shard["title"].to_pylist() if table == "passages" else [""] * shard.num_rows
                segments: list[dict[str, list[int] | list[str]]] = []
                used: set[int] = set()
                for title, text in zip(titles, shard["text"].to_pylist(), strict=True):
                    segmented = split(text)
                    title_rows = [number(title)] if title else []
                    text_rows = [number(sentence) for sentence in segmented.sentences]
                    used.update(row // shard_sentences for row in (*title_rows, *text_rows))
                    segments.append({"title": title_rows, "text": text_rows, "gaps": list(segmented.gaps)})
                uses[name] = sorted(used)
                writer.write_table(name, pa.Table.from_pylist(segments, schema=schema.SEGMENTS))
                progress.advance(unit.path, shard.num_rows)
        sentences = pa.table({"text": list(rows)}, schema=schema.SENTENCES)
        for shard_number, part in enumerate(split_rows(sentences, shard_sentences)):
            writer.write_table(f"sentences/{shard_number:05d}.parquet", part)
        writer.facts.update(uses=uses, shard_sentences=shard_sentences)
    progress.finish(unit.path)
