from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.batches import OpenRelease, open_release
from pipeline.release.manifest import FORMAT, sealed
from pipeline.store import Store, json_bytes, parquet_bytes

LANGUAGES = ["eng_Latn", "deu_Latn", "arb_Arab", "tha_Thai"]


def write_release(
    folder: Path,
    sources: dict[str, int],
    per_passage: int = 3,
    survival: float = 0.9,
    seed: int = 0,
    title: str = "",
    negatives: tuple[int, ...] = (1, 2, 7),
) -> Path:
    """A release on disk: so many pairs a source, several queries a passage, texts that say what they are."""
    store = Store(str(folder))
    rng = np.random.default_rng(seed)
    total = sum(sources.values())
    passages = -(-total // per_passage)
    files: dict[str, dict[str, object]] = {}

    def write(name: str, table: pa.Table) -> None:
        content = parquet_bytes(table)
        store.write(name, content)
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": table.num_rows}

    bits = {}
    for table, rows in (("queries", total), ("passages", passages)):
        survived = rng.random((rows, len(LANGUAGES))) < survival
        survived[:, 0] = True
        bits[table] = (survived << np.arange(len(LANGUAGES))).sum(axis=1)
        for bit, code in enumerate(LANGUAGES):
            texts = [f"{table} {row} {code}" if survived[row, bit] else None for row in range(rows)]
            columns = {
                "id": [f"{table}{row}" for row in range(rows)],
                "title": [title if text else None for text in texts],
                "text": texts,
                "reject_reason": [None if text else "round_trip" for text in texts],
            }
            target = schema.released_texts(table)
            filled = {field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in target}
            half = rows // 2
            whole = pa.table(filled, schema=target)
            write(f"{table}/{code}/00000.parquet", whole.slice(0, half))
            write(f"{table}/{code}/00001.parquet", whole.slice(half))
    query_rows = np.arange(total)
    passage_rows = query_rows // per_passage
    pairs = {
        "query_row": query_rows,
        "passage_row": passage_rows,
        "negative_rows": [[(row + offset) % passages for offset in negatives] for row in passage_rows.tolist()],
        "source": np.repeat(list(sources), list(sources.values())),
        "source_id": [str(row) for row in range(total)],
        "answer": [""] * total,
        "query_langs": bits["queries"][query_rows],
        "passage_langs": bits["passages"][passage_rows],
    }
    write("pairs/00000.parquet", pa.table(pairs, schema=schema.RELEASED_PAIRS))
    nothing = {"read": 0, "kept": 0, "rejected": {}}
    rows = {"queries": total, "passages": passages, "pairs": total}
    facts = dict.fromkeys(("title", "licence", "fingerprint"), "") | {"homepage": None, "citation": None, "rows": nothing}
    facts |= {"cleaned": {}, "merged": {}, "provided": rows, "shared": rows, "languages": {}}
    manifest = {
        "format": FORMAT,
        "version": f"made-{seed}",
        "licence": "MIT",
        "licences": {"parts": {}, "non_commercial": [], "share_alike": [], "own_terms": [], "decided_by_user": False},
        "languages": LANGUAGES,
        "rows": rows,
        "rejected": {},
        "sources": dict.fromkeys(sources, facts),
        "model": {"name": "", "licence": "MIT", "fingerprint": "", "quantization": None},
        "evaluation": {"sets": [], "rules": {}, "rows_set_aside": {}},
        "settings": {},
        "files": files,
    }
    store.write("manifest.json", json_bytes(sealed(manifest)))
    return folder


@pytest.fixture(scope="session")
def made_release(tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    return open_release(str(write_release(tmp_path_factory.mktemp("release"), {"small": 300, "large": 900})))


@pytest.fixture
def make_release(tmp_path: Path) -> Callable[..., Path]:
    return lambda **options: write_release(tmp_path / "release", **options)
