from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.batches import OpenRelease, open_release
from parallel_qa.pipeline.release.layout.manifest import FORMAT, sealed
from parallel_qa.pipeline.store import Store, json_bytes, parquet_bytes

LANGUAGES = ["eng_Latn", "deu_Latn", "arb_Arab", "tha_Thai"]


def write_release(
    folder: Path,
    sources: dict[str, int],
    per_passage: int = 3,
    survival: float = 0.9,
    seed: int = 0,
    title: str = "",
    blocks: int = 2,
    mixed: bool = False,
    twice: int = 0,
    negatives: tuple[int, ...] = (1, 2, 7),
    only: dict[str, list[str]] | None = None,
    batches: dict[str, object] | None = None,
) -> Path:
    """A release on disk: so many pairs a source, several queries a passage, texts that say what they are; shards line up.

    With `mixed`, sources take turns by chance. The last `twice` queries of each block have a second passage, in the next block; those
    pairs are of the first source. `only` has the languages (NLLB codes) of sources that do not have all; `batches` is the section
    of the profile.
    """
    store = Store(str(folder))
    rng = np.random.default_rng(seed)
    total = sum(sources.values())
    passages = -(-total // per_passage)
    files: dict[str, dict[str, object]] = {}
    block_of = {"passages": np.arange(passages) * blocks // passages}
    block_of["queries"] = block_of["passages"][np.arange(total) // per_passage]

    def write(name: str, table: pa.Table, of_rows: np.ndarray) -> None:
        for number in range(blocks):
            shard = table.filter(pa.array(of_rows == number))
            content = parquet_bytes(shard)
            store.write(f"{name}/{number:05d}.parquet", content)
            facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": shard.num_rows}
            files[f"{name}/{number:05d}.parquet"] = facts

    survived = {table: rng.random((rows, len(LANGUAGES))) < survival for table, rows in (("queries", total), ("passages", passages))}
    source_of = np.repeat(list(sources), list(sources.values()))
    if mixed:
        rng.shuffle(source_of)
    has = {name: np.isin(LANGUAGES, (only or {}).get(name, LANGUAGES)) for name in sources}
    translated = {"queries": np.array([has[name] for name in source_of])}
    translated["passages"] = np.logical_or.reduceat(translated["queries"], np.arange(0, total, per_passage))
    bits = {}
    for table, kept in survived.items():
        kept[:, 0] = True
        kept &= translated[table]
        bits[table] = (kept << np.arange(len(LANGUAGES))).sum(axis=1)
        for bit, code in enumerate(LANGUAGES):
            texts = [f"{table} {row} {code}" if kept[row, bit] else None for row in range(len(kept))]
            reasons = ["round_trip" if there else "not_translated" for there in translated[table][:, bit]]
            columns = {
                "id": [f"{table}{row}" for row in range(len(kept))],
                "title": [title if text else None for text in texts],
                "text": texts,
                "reject_reason": [None if text else reason for text, reason in zip(texts, reasons, strict=True)],
            }
            target = schema.released_texts(table)
            filled = {field.name: columns.get(field.name, pa.nulls(len(kept), field.type)) for field in target}
            write(f"{table}/{code}", pa.table(filled, schema=target), block_of[table])
    lasts = [np.flatnonzero(block_of["queries"] == number)[-twice:] for number in range(blocks)] if twice else [np.zeros(0, np.int64)]
    query_rows = np.concatenate([np.arange(total), *lasts])
    passage_rows = np.concatenate(
        [np.arange(total) // per_passage, *[(last // per_passage + passages // blocks) % passages for last in lasts]]
    )
    source_of = np.concatenate([source_of, [next(iter(sources))] * (len(query_rows) - total)])
    order = np.argsort(block_of["queries"][query_rows], kind="stable")
    query_rows, passage_rows, source_of = query_rows[order], passage_rows[order], source_of[order]
    side_bits = bits["queries"][query_rows], bits["passages"][passage_rows]
    pairs = {
        "query_row": query_rows,
        "passage_row": passage_rows,
        "negative_rows": [[(row + offset) % passages for offset in negatives] for row in passage_rows.tolist()],
        "source": source_of,
        "source_id": [str(row) for row in query_rows.tolist()],
        "answer": [""] * len(query_rows),
        "query_langs": side_bits[0],
        "passage_langs": side_bits[1],
        "answer_scores": [None] * len(query_rows),
    }
    write("pairs", pa.table(pairs, schema=schema.RELEASED_PAIRS), block_of["queries"][query_rows])
    nothing = {"read": 0, "kept": 0, "rejected": {}}
    rows = {"queries": total, "passages": passages, "pairs": len(query_rows)}
    facts = dict.fromkeys(("title", "licence", "fingerprint"), "") | {"homepage": None, "citation": None, "rows": nothing}
    facts |= {"cleaned": {}, "merged": {}, "shared": dict.fromkeys(rows, 0), "languages": {}}
    manifest = {
        "format": FORMAT,
        "version": f"made-{seed}",
        "licence": "MIT",
        "licences": {"parts": {}, "non_commercial": [], "share_alike": [], "own_terms": [], "decided_by_user": False},
        "languages": LANGUAGES,
        "blocks": blocks,
        "rows": rows,
        "rejected": {},
        "sources": {
            name: facts
            | {"provided": rows | {"pairs": int((source_of == name).sum())}}
            | ({"languages": _counts(source_of == name, *side_bits, only.get(name, LANGUAGES))} if only else {})
            | ({"not_translated": [code for code in LANGUAGES if code not in only[name]]} if name in (only or {}) else {})
            for name in sources
        },
        "model": {"name": "", "licence": "MIT", "fingerprint": "", "quantization": None},
        "evaluation": {"sets": [], "rules": {}, "rows_set_aside": {}},
        "settings": {"batches": batches} if batches else {},
        "files": files,
    }
    store.write("manifest.json", json_bytes(sealed(manifest)))
    return folder


def _counts(of_source: np.ndarray, query_bits: np.ndarray, passage_bits: np.ndarray, has: list[str]) -> dict[str, dict[str, object]]:
    """What a manifest says of a source's pairs in each language but English; of queries and passages nothing is read here."""
    read, both = int(of_source.sum()), query_bits[of_source] & passage_bits[of_source]
    counts: dict[str, dict[str, object]] = {}
    for bit, code in enumerate(LANGUAGES[1:], 1):
        kept = int((both >> bit & 1).sum())
        rejected = {"query_round_trip" if code in has else "query_not_translated": read - kept}
        nothing = {"read": 0, "kept": 0, "rejected": {}}
        counts[code] = {"queries": nothing, "passages": nothing, "pairs": {"read": read, "kept": kept, "rejected": rejected}}
    return counts


@pytest.fixture(scope="session")
def made_release(tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    return open_release(str(write_release(tmp_path_factory.mktemp("release"), {"small": 300, "large": 900})))


@pytest.fixture
def make_release(tmp_path: Path) -> Callable[..., Path]:
    return lambda **options: write_release(tmp_path / "release", **options)
