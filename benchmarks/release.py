"""What it costs to build a large release, beside a bare pyarrow write of the same tables.

    python -m benchmarks.release [--pairs N] [--passages N] [--languages N] [--sentences N]

Builds a release of N synthetic pairs, and of a tenth of them, over the same passages in English and N more languages, from Parquet
shards as the earlier stages leave them, each in a process of its own. The last line is JSON: `over_bare_write`, time of the build by
that of pyarrow writing the finished tables once more; `peak_mb`; `peak_mb_ratio`, that of the many pairs by that of the few;
`size_over_flat`, bytes of the release by those of the same pairs stored flat, every pair with its own passage text.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring import peak_mb, run_alone
from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.licences import combine
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.layout.manifest import FORMAT
from parallel_qa.pipeline.release.making import publish as publishing
from parallel_qa.pipeline.release.making.build import build
from parallel_qa.pipeline.settings import FilterSettings, ReleaseSettings, Settings
from parallel_qa.pipeline.store import Store, parquet_bytes
from parallel_qa.pipeline.text_ids import text_id

LANGUAGES = ("deu_Latn", "spa_Latn", "rus_Cyrl", "hin_Deva", "arb_Arab", "zho_Hans", "tha_Thai", "tur_Latn")
SHARD = 10_000
_SENTENCES = 100_000
_FLAT_SHARE = 40
"""Every so-manieth pair is stored flat, to measure how large all of them would be."""


@dataclass(frozen=True)
class Folder:
    """A source as Parquet files in a folder."""

    path: Path
    name: str
    queries: int
    passages: int
    languages: Sequence[str] = LANGUAGES

    def english(self, table: str) -> Iterator[pa.Table]:
        return self._read(f"english/{table}", getattr(self, table))

    def pairs(self) -> Iterator[pa.Table]:
        return self._read("english/pairs", self.queries)

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        return self._read(f"{code}/{table}", getattr(self, table))

    def answers(self) -> Iterator[pa.Table]:
        return iter(())

    def answer_scores(self, code: str) -> Iterator[pa.Table]:
        return iter(())

    def mined(self) -> Iterator[pa.Table]:
        return iter(())

    def _read(self, folder: str, rows: int) -> Iterator[pa.Table]:
        for number in range(-(-rows // SHARD)):
            yield pq.read_table(self.path / folder / f"{number:05d}.parquet")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=2_000_000)
    parser.add_argument("--passages", type=int, default=400_000)
    parser.add_argument("--languages", type=int, choices=range(1, len(LANGUAGES) + 1), default=len(LANGUAGES), help="besides English")
    parser.add_argument("--sentences", type=int, default=8, help="of a passage")
    parser.add_argument("--build", nargs=2, metavar=("FROM", "TO"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    languages = LANGUAGES[: given.languages]
    if given.build:
        source, target = map(Path, given.build)
        _build(Folder(source, "synthetic", given.pairs, given.passages), target, languages)
        return
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        folder = Path(scratch)
        print(f"making {given.pairs:,} pairs over {given.passages:,} passages in {1 + len(languages)} languages", flush=True)
        make_source(folder / "source", given.pairs, given.passages, languages, given.sentences)
        few = _measured(folder, given.pairs // 10, given.passages, languages)
        many = _measured(folder, given.pairs, given.passages, languages)
        bare, size = _bare(folder)
        flat = _flat(folder, given.pairs, languages)
        print(f"built in {many['seconds']:.0f} s, written bare in {bare:.0f} s; {size / 1e6:,.0f} MB, flat {flat / 1e6:,.0f} MB")
        print(f"peak {many['peak_mb']:.0f} MB, of a tenth of the pairs {few['peak_mb']:.0f} MB, {many['idle_mb']:.0f} MB before the start")
    figures = {"over_bare_write": many["seconds"] / bare, "peak_mb": many["peak_mb"], "peak_mb_ratio": many["peak_mb"] / few["peak_mb"]}
    print(json.dumps({name: round(value, 2) for name, value in (figures | {"size_over_flat": size / flat}).items()}))


def _measured(folder: Path, pairs: int, passages: int, languages: Sequence[str]) -> dict[str, Any]:
    """Build a release in a process of its own."""
    target = folder / "release"
    shutil.rmtree(target, ignore_errors=True)
    sizes = ["--pairs", pairs, "--passages", passages, "--languages", len(languages)]
    return run_alone("benchmarks.release", *sizes, "--build", folder / "source", target)


def write_release(source: Folder, target: Path, languages: Sequence[str] = LANGUAGES) -> None:
    """Write a release of `source` in English and `languages` (NLLB codes), whole and sound."""
    settings = Settings(name="synthetic", sources=[source.name], evaluation=[], languages=list(languages))
    licence = combine({"model none": "CC0-1.0", f"source {source.name}": "CC0-1.0"})
    about = {"title": source.name, "licence": "CC0-1.0", "homepage": None, "citation": None, "fingerprint": "", "cleaned": {}, "merged": {}}
    profile = settings.model_dump(mode="json", exclude={"batches"})
    stated = {
        "format": FORMAT,
        "version": f"synthetic-{source.queries:08x}",
        "licence": licence.expression,
        "licences": licence.facts(),
        "languages": [ENGLISH.code, *languages],
        "sources": {source.name: about | {"rows": {"read": source.queries, "kept": source.queries, "rejected": {}}}},
        "model": {"name": "none", "licence": "CC0-1.0", "fingerprint": "", "quantization": None},
        "evaluation": {"sets": [], "rules": {}, "rows_set_aside": {source.name: {}}},
        "settings": profile | {"sources": [source.name], "translation": profile["translation"] | {"model": "none"}},
    }
    publishing.write_release(Store(str(target.parent)), target.name, [source], stated, settings, LogProgress())


def _build(source: Folder, target: Path, languages: Sequence[str]) -> None:
    store = Store(str(target))
    idle = peak_mb()

    def write(name: str, rows: pa.Table, group_rows: int) -> None:
        store.write(name, parquet_bytes(rows, group_rows))

    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        began = time.perf_counter()
        build([source], languages, FilterSettings(), ReleaseSettings(), write, Path(scratch), LogProgress())
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "idle_mb": idle}))


def _bare(folder: Path) -> tuple[float, int]:
    """Seconds of pyarrow for the tables of the release, and their bytes."""
    seconds, size = 0.0, 0
    for file in sorted((folder / "release").rglob("*.parquet")):
        table, facts = pq.read_table(file), pq.ParquetFile(file).metadata
        group = facts.row_group(0).num_rows if facts.num_row_groups else 1
        size += file.stat().st_size
        began = time.perf_counter()
        pq.write_table(table, folder / "bare.parquet", compression="zstd", compression_level=3, row_group_size=max(group, 1))
        seconds += time.perf_counter() - began
    return seconds, size


def _flat(folder: Path, pairs: int, languages: Sequence[str]) -> float:
    """Bytes of the pairs of the release, stored with their texts in every language."""
    release = folder / "release"
    links = pa.concat_tables([pq.read_table(file) for file in sorted((release / "pairs").glob("*.parquet"))])
    chosen = links.take(pa.array(np.arange(0, len(links), _FLAT_SHARE)))
    size = 0
    for code in (ENGLISH.code, *languages):
        columns = {}
        for table, row in (("queries", "query_row"), ("passages", "passage_row")):
            files = sorted((release / table / code).glob("*.parquet"))
            texts = pa.concat_tables([pq.read_table(file, columns=["text"]) for file in files])
            columns[table] = texts["text"].take(chosen[row])
        pq.write_table(pa.table(columns), folder / "flat.parquet", compression="zstd", compression_level=3)
        size += (folder / "flat.parquet").stat().st_size
    return size * pairs / len(chosen)


def make_source(folder: Path, pairs: int, passages: int, languages: Sequence[str] = LANGUAGES, sentences: int = 8) -> None:
    """Write the shards of a source: passages of so many `sentences`, one question a pair, in English and `languages` (NLLB codes)."""
    draw = np.random.default_rng(0)
    ids: dict[tuple[str, int], list[str]] = {}
    for code in (ENGLISH.code, *languages):
        words = pa.array(["".join(map(chr, letters)) for letters in draw.integers(97, 123, (50_000, 6))])
        pool = _joined([words.take(pa.array(draw.integers(0, len(words), _SENTENCES))) for _ in range(11)], " ")
        for table, rows, parts in (("queries", pairs, 1), ("passages", passages, sentences)):
            target = folder / ("english" if code == ENGLISH.code else code) / table
            target.mkdir(parents=True)
            for number, start in enumerate(range(0, rows, SHARD)):
                count = min(SHARD, rows - start)
                text = _joined([pool.take(pa.array(draw.integers(0, len(pool), count))) for _ in range(parts)], ". ")
                title = "A title" if table == "passages" else ""
                if code == ENGLISH.code:
                    text = _joined([text, pc.cast(pa.array(np.arange(start, start + count)), pa.string())], " ")  # no two are the same
                    ids[table, start] = [text_id(title, of_row) for of_row in text.to_pylist()]
                columns: dict[str, object] = {"id": pa.array(ids[table, start]), "title": pa.repeat(title, count), "text": text}
                schemas = schema.TEXTS[table] if code == ENGLISH.code else schema.scored(table)
                if code != ENGLISH.code:
                    columns |= {name: pa.array(draw.random(count, dtype=np.float32)) for name in schema.SCORES.names}
                    good = {
                        "language": 1,
                        "script": 1,
                        "copied": 0,
                        "untranslated": 0,
                        "repetition": 1,
                        "marks": 1,
                        "ending": 1,
                        "sentences": 1,
                    }
                    good |= {"numbers": 1, "names": 1, "answers": 100, "length_ratio": 1, "length_outlier": 1, "log_probability": -1}
                    columns |= {name: pa.repeat(pa.scalar(value, pa.float32()), count) for name, value in good.items()}
                    columns["chrf"] = columns["token_sort"] = pa.array(draw.normal(65, 14, count).astype(np.float32))
                    columns |= {"faults": pa.repeat(pa.scalar(0, pa.int32()), count), "back_translation": text}
                rows_of = pa.table({name: columns[name] for name in schemas.names}, schema=schemas)
                (target / f"{number:05d}.parquet").write_bytes(parquet_bytes(rows_of))
    (folder / "english/pairs").mkdir()
    for number, start in enumerate(range(0, pairs, SHARD)):
        count = min(SHARD, pairs - start)
        links = {
            "query_row": np.arange(start, start + count),
            "passage_row": draw.integers(0, passages, count),
            "negative_rows": pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32), draw.integers(0, passages, count)),
            "source": pa.repeat("synthetic", count),
            "source_id": pc.cast(pa.array(np.arange(start, start + count)), pa.string()),
            "answer": pa.repeat("an answer", count),
        }
        (folder / f"english/pairs/{number:05d}.parquet").write_bytes(parquet_bytes(pa.table(links, schema=schema.PAIRS)))


def _joined(parts: list[pa.Array], between: str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, between)


if __name__ == "__main__":
    main()
