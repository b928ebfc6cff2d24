"""The step before translating: the unique sentences of a source, and how its texts are made of them.

Makes the units `sentences/SOURCE`, of a source with translations of its own `sentences/LANG/SOURCE`, with the tables
`sentences` (unique, in order of first appearance), `queries` and `passages` (row by row the sentence rows of each
text). The fact `uses` says which sentence shards a shard of texts draws on, `shard_sentences` how many rows each
of them has.
"""

from __future__ import annotations

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources import imported
from parallel_qa.pipeline.sources import prepare as download
from parallel_qa.pipeline.sources.prepare import split_rows
from parallel_qa.pipeline.store import Store, fingerprint
from parallel_qa.pipeline.translation.sentences import split
from parallel_qa.pipeline.work import Unit, versions

VERSION = 2


def units(settings: Settings, store: Store) -> list[Unit]:
    """One unit a source, of a source with translations of its own one a language; the sources must have been downloaded."""
    shard = settings.translation.shard_sentences
    share = settings.translation.back_share
    tools = versions("sentencex")
    planned = download.units(settings)
    with_translations = imported.units(settings, store, planned)
    parallel = {unit.source for unit in with_translations}
    texts = [unit for unit in planned if unit.source not in parallel] + with_translations
    return [
        Unit(
            "/".join(filter(None, ("sentences", unit.language, unit.source))),
            fingerprint(stage="segment", version=VERSION, tools=tools, english=unit.result(store).checksum, shard=shard, share=share),
            unit.source,
            unit.language,
            inputs={"texts": unit},
        )
        for unit in texts
    ]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Split all texts of one source and number its unique sentences."""
    texts = unit.inputs["texts"].result(store)
    tag = LANGUAGES.find(unit.language).tag if unit.language else ENGLISH.tag
    progress.start(unit.path, texts.rows("queries") + texts.rows("passages"), "texts")
    rows: dict[str, int] = {}
    checked: set[int] = set()
    uses: dict[str, list[int]] = {}
    shard_sentences = settings.translation.shard_sentences

    def number(sentence: str) -> int:
        return rows.setdefault(sentence, len(rows))

    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for table in schema.TEXTS:
            for name in texts.shards(table):
                shard = store.read_table(texts, name)
                titles = shard["title"].to_pylist() if table == "passages" else [""] * shard.num_rows
                segments: list[dict[str, list[int] | list[str]]] = []
                used: set[int] = set()
                for key, title, text in zip(shard["id"].to_pylist(), titles, shard["text"].to_pylist(), strict=True):
                    segmented = split(text or "", tag)
                    title_rows = [number(title)] if title else []
                    text_rows = [number(sentence) for sentence in segmented.sentences]
                    if int(key, 16) < settings.translation.back_share * 16 ** len(key):
                        checked.update((*title_rows, *text_rows))
                    used.update(row // shard_sentences for row in (*title_rows, *text_rows))
                    segments.append({"title": title_rows, "text": text_rows, "gaps": list(segmented.gaps)})
                uses[name] = sorted(used)
                writer.write_table(name, pa.Table.from_pylist(segments, schema=schema.SEGMENTS))
                progress.advance(unit.path, shard.num_rows)
        sentences = pa.table({"text": list(rows), "checked": [row in checked for row in range(len(rows))]}, schema=schema.SENTENCES)
        for shard_number, part in enumerate(split_rows(sentences, shard_sentences)):
            writer.write_table(f"sentences/{shard_number:05d}.parquet", part)
        writer.facts.update(uses=uses, shard_sentences=shard_sentences)
    progress.finish(unit.path)
