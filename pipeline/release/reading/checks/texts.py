"""The two tables of texts, block by block, in all languages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.layout.order import text_hashes
from parallel_qa.pipeline.release.reading.checks.checked_files import CheckedFiles
from parallel_qa.pipeline.release.reading.checks.claims import Claims, shard
from parallel_qa.pipeline.release.reading.checks.english import english_bytes, english_faults, have_ids
from parallel_qa.pipeline.release.reading.checks.faults import Fault, is_null
from parallel_qa.pipeline.release.reading.checks.known_texts import KnownTexts
from parallel_qa.pipeline.release.reading.checks.translated import Block


def check_texts(table: str, files: CheckedFiles, claims: Claims, known: KnownTexts) -> Iterator[Fault]:
    """Check one table of texts, with what was rejected of it, and fill `known` with it."""
    sources = pa.array(list(claims.sources), pa.string())
    for number in range(claims.blocks):
        name = shard(f"{table}/{ENGLISH.code}", number)
        english, wrong = files.rows(name, schema.released_texts(table))
        yield from wrong
        if english is not None and not have_ids(english):
            yield Fault(name, "has ids that are not sixteen hexadecimal digits")
            english = None
        if english is None:
            known.skip(claims.files.get(name, {}).get("rows") or 0)
        else:
            yield from english_faults(name, english, table, number, claims)
            places = pc.fill_null(pc.index_in(english["source"], value_set=sources), -1).to_numpy()
            known.bytes += english_bytes(english)
            known.add(text_hashes(english["id"]), places.astype(np.int16))
        for code in claims.targets:
            yield from _check_language(table, code, number, english, files, claims, known)
    known.close()
    if known.complete and known.total != claims.manifest["rows"][table]:
        yield Fault(MANIFEST, f"rows.{table} is {claims.manifest['rows'][table]}, and its shards have {known.total}")


def _check_language(
    table: str, code: str, number: int, english: pa.Table | None, files: CheckedFiles, claims: Claims, known: KnownTexts
) -> Iterator[Fault]:
    name, rejected_name = shard(f"{table}/{code}", number), shard(f"rejected/{code}/{table}", number)
    texts, wrong = files.rows(name, schema.released_texts(table))
    yield from wrong
    rejected, wrong = files.rows(rejected_name, schema.REJECTED_TEXTS)
    yield from wrong
    known.add_rejected(code, None if rejected is None else len(rejected))
    if english is None:
        return
    if texts is not None and len(texts) != len(english):
        yield Fault(name, f"has {len(texts)} rows, and English has {len(english)}")
        texts = None
    if texts is None:
        known.add_unread(code)
        return
    start = known.total - len(english)
    thresholds = claims.profile.filters.of(code, table)
    block = Block(table, code, name, texts, rejected_name, rejected, english, start, thresholds, claims.missing_from(code))
    yield from block.faults()
    known.add_language(code, ~is_null(texts["text"]), block.reasons())
