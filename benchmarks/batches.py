"""How fast batches come, beside sentence-transformers and beside a bare read of the same rows.

    python -m benchmarks.batches [--pairs N] [--passages N] [--batches N] [--folder DIR]

Makes releases of N synthetic pairs and of a tenth of them over the same passages in nine languages (in DIR, where they are used again),
and draws three times N batches in each way. The last line is JSON: `over_sentence_transformers`, batches/s of 100 examples in hybrid
mode by those of sentence-transformers' proportional batch sampler over flat `datasets`; `over_arrow_take`, by those of nothing but a
`take` of the same rows, known beforehand, from mapped Arrow arrays, which makes no Python strings; `first_batch_s`, from opening a
release to its first batch, in a new process; `rss_growth_mb`, memory that is not of mapped files, after as many batches;
`cost_ratio`, time of a batch with many pairs by that with few.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from sentence_transformers.base.sampler import DefaultBatchSampler, ProportionalBatchSampler
from torch.utils.data import ConcatDataset, RandomSampler

from benchmarks.measuring import run_alone
from benchmarks.release import LANGUAGES, Folder, make_source, write_release
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.batches.mapped_texts import TABLES
from parallel_qa.pipeline.batches.opening import ReleaseLoader
from parallel_qa.pipeline.release.layout.manifest import MANIFEST

SIZE = 100
ROUNDS = 3
_FLAT_ROWS = 50_000
"""Rows of each flat data set at most, as more take long to make; with fewer rows a batch costs less, as more of them are in caches."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=2_000_000)
    parser.add_argument("--passages", type=int, default=400_000)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--first", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first:
        _time_first_batch(given.first, given.batches)
    elif given.folder:
        _measure(given.folder, given.pairs, given.passages, given.batches)
    else:
        with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
            _measure(Path(scratch), given.pairs, given.passages, given.batches)


def _measure(folder: Path, pairs: int, passages: int, batches: int) -> None:
    os.environ["PARALLEL_QA_CACHE"] = str(folder / "cache")
    loaders = {name: open_release(path).loader(batch_size=SIZE) for name, path in _releases(folder, pairs, passages).items()}
    first = run_alone("benchmarks.batches", "--first", folder / "many", "--batches", batches)
    takes = _rows_of_batches(loaders["many"], ROUNDS * batches)
    rates = _rates(
        {
            "ours": lambda number: loaders["many"].batch(0, number),
            "ours, a tenth of the pairs": lambda number: loaders["few"].batch(0, number),
            "take": lambda number: [pc.take(texts, rows) for texts, rows in takes[number]],
            "take, to Python": lambda number: [pc.take(texts, rows).to_pylist() for texts, rows in takes[number]],
            "sentence-transformers": _flat_batches(loaders["many"], folder),
        },
        batches,
    )
    for name, rate in rates.items():
        print(f"{name:28} {rate:8,.0f} batches/s")
    print(f"opened in {first['open_s']:.2f} s; pages of mapped files that were touched: {first['mapped_mb']:.0f} MB")
    figures = {
        "over_sentence_transformers": rates["ours"] / rates["sentence-transformers"],
        "over_arrow_take": rates["ours"] / rates["take"],
        "first_batch_s": first["first_batch_s"],
        "rss_growth_mb": first["growth_mb"],
        "cost_ratio": rates["ours, a tenth of the pairs"] / rates["ours"],
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def _releases(folder: Path, pairs: int, passages: int) -> dict[str, Path]:
    """Releases of few and of many pairs; made if need be."""
    sizes = {"few": pairs // 10, "many": pairs}
    if not (folder / "many" / MANIFEST).exists():
        print(f"making {pairs:,} pairs over {passages:,} passages in {1 + len(LANGUAGES)} languages", flush=True)
        make_source(folder / "source", pairs, passages)
        for name, size in sizes.items():
            write_release(Folder(folder / "source", "synthetic", size, passages), folder / name)
    return {name: folder / name for name in sizes}


def _time_first_batch(path: str, batches: int) -> None:
    """From opening to the first batch, and how memory grows over many."""
    before = _memory("RssAnon"), _memory("RssFile")
    began = time.perf_counter()
    loader = open_release(path).loader(batch_size=SIZE)
    opened = time.perf_counter()
    loader.batch(0, 0)
    first = time.perf_counter()
    for number in range(ROUNDS * batches):
        loader.batch(0, number)
    growth = [_memory(name) - start for name, start in zip(("RssAnon", "RssFile"), before, strict=True)]
    print(json.dumps({"open_s": opened - began, "first_batch_s": first - began, "growth_mb": growth[0], "mapped_mb": growth[1]}))


def _memory(name: str) -> float:
    """A figure of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _rates(makers: dict[str, Callable[[int], object]], batches: int) -> dict[str, float]:
    """Batches/s of each, in turn, the best of some rounds of so many batches."""
    best = dict.fromkeys(makers, 0.0)
    for round_number in range(ROUNDS):
        for name, make in makers.items():
            began = time.perf_counter()
            for number in range(batches):
                make(round_number * batches + number)
            best[name] = max(best[name], batches / (time.perf_counter() - began))
    return best


def _rows_of_batches(loader: ReleaseLoader, batches: int) -> list[list[tuple[pa.LargeStringArray, NDArray[np.int64]]]]:
    """Of each batch that will be measured, the mapped texts of each table and language, and which of them it has."""
    columns = loader.release.columns.links
    texts = {(table, bit): loader.release.texts.arrow(table, code) for table in TABLES for bit, code in enumerate(loader.release.languages)}
    taken = []
    for number in range(batches):
        draw = loader.draw(0, number)
        of_tables = zip(TABLES, columns[draw.pairs, :2].T, (draw.query_language, draw.passage_language), strict=True)
        taken.append([(texts[table, bit], rows[bits == bit]) for table, rows, bits in of_tables for bit in np.unique(bits).tolist()])
    return taken


def _flat_batches(loader: ReleaseLoader, folder: Path) -> Callable[[int], object]:
    """sentence-transformers: a flat data set a language, and batches from them in proportion to their sizes."""
    columns, texts = loader.release.columns, loader.release.texts
    datasets.disable_progress_bars()
    flat = []
    for bit, code in enumerate(loader.release.languages):
        rows = np.flatnonzero((columns.query_bits & columns.passage_bits) >> bit & 1)[:_FLAT_ROWS]
        both = {
            "anchor": pc.take(texts.arrow("queries", code), columns.query[rows]),
            "positive": pc.take(texts.arrow("passages", code), columns.passage[rows]),
        }
        path = folder / "flat" / code
        datasets.Dataset(pa.table(both)).save_to_disk(str(path))
        flat.append(datasets.load_from_disk(str(path)))
    generator = torch.Generator()
    samplers = [DefaultBatchSampler(RandomSampler(dataset, generator=generator), SIZE, True) for dataset in flat]
    whole = ConcatDataset(flat)

    def endless() -> Iterator[list[int]]:
        epoch = 0
        while True:
            sampler = ProportionalBatchSampler(dataset=whole, batch_samplers=samplers, generator=generator, seed=epoch)
            yield from sampler
            epoch += 1

    batches = endless()
    return lambda number: _read_rows(whole, next(batches))


def _read_rows(whole: ConcatDataset[object], rows: list[int]) -> object:
    """What a `DataLoader` does with a batch of numbers."""
    return whole.__getitems__(rows) if hasattr(whole, "__getitems__") else [whole[row] for row in rows]


if __name__ == "__main__":
    main()
