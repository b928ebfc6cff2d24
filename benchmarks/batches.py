"""How fast batches come, beside sentence-transformers and beside a bare read of the same rows.

    python -m benchmarks.batches [--pairs N] [--passages N]

Makes releases of N synthetic pairs and of a tenth of them over the same passages in nine languages. The last line is JSON:
`over_sentence_transformers`, batches/s of 100 examples in hybrid mode by those of sentence-transformers' proportional batch sampler
over flat `datasets`; `over_arrow_take`, by those of a bare `take` of the same rows from the same mapped files; `first_batch_s`,
from opening a release to its first batch, in a new process; `rss_growth_mb` while batches are drawn, without pages of mapped
files, which the system takes back; `cost_ratio`, time of a batch with many pairs by that with few.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import torch
from sentence_transformers.base.sampler import DefaultBatchSampler, ProportionalBatchSampler
from torch.utils.data import ConcatDataset, RandomSampler

from benchmarks.release import LANGUAGES, Folder, make_source, write_release
from pipeline.batches import Batch, Loader, open_release
from pipeline.languages import ENGLISH
from pipeline.release.reading import Reader
from pipeline.store import Store

SIZE = 100
BATCHES = 400
_FLAT_ROWS = 50_000
"""Rows of each flat data set: a batch costs the same however many there are."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=2_000_000)
    parser.add_argument("--passages", type=int, default=400_000)
    parser.add_argument("--first", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first:
        _first(given.first)
        return
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        folder = Path(scratch)
        os.environ["PARALLEL_QA_CACHE"] = str(folder / "cache")
        print(f"making {given.pairs:,} pairs over {given.passages:,} passages in {1 + len(LANGUAGES)} languages", flush=True)
        make_source(folder / "source", given.pairs, given.passages)
        loaders = {}
        for name, pairs in (("few", given.pairs // 10), ("many", given.pairs)):
            write_release(Folder(folder / "source", "synthetic", pairs, given.passages), folder / name)
            loaders[name] = open_release(folder / name).loader(batch_size=SIZE)
        command = [sys.executable, "-m", "benchmarks.batches", "--first", str(folder / "many")]
        first = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
        flat = _flat(loaders["many"], folder)
        rates = _rates(
            {
                "ours": lambda number: loaders["many"].batch(0, number),
                "few": lambda number: loaders["few"].batch(0, number),
                "take": _takes(loaders["many"], folder),
                "sentence-transformers": flat,
            }
        )
    for name, rate in rates.items():
        print(f"{name:22} {rate:8,.0f} batches/s")
    figures = {
        "over_sentence_transformers": rates["ours"] / rates["sentence-transformers"],
        "over_arrow_take": rates["ours"] / rates["take"],
        "first_batch_s": first["seconds"],
        "rss_growth_mb": first["growth_mb"],
        "cost_ratio": rates["few"] / rates["ours"],
    }
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


def _first(path: str) -> None:
    """From opening to the first batch, and how memory grows over many."""
    began = time.perf_counter()
    loader = open_release(path).loader(batch_size=SIZE)
    loader.batch(0, 0)
    seconds = time.perf_counter() - began
    before = _anonymous()
    for number in range(BATCHES):
        loader.batch(0, number)
    print(json.dumps({"seconds": seconds, "growth_mb": _anonymous() - before}))


def _anonymous() -> float:
    """Resident memory that is not of mapped files, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def _rates(makers: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Batches/s of each, in turn, the best of three rounds."""
    best = dict.fromkeys(makers, 0.0)
    for round_number in range(3):
        for name, make in makers.items():
            began = time.perf_counter()
            for number in range(BATCHES):
                make(round_number * BATCHES + number)
            best[name] = max(best[name], BATCHES / (time.perf_counter() - began))
    return best


def _reader(folder: Path) -> Reader:
    """The texts of the release as mapped Arrow files."""
    (folder / "arrow").mkdir(exist_ok=True)
    return Reader(Store(str(folder / "many"), writable=False), folder / "arrow")


def _takes(loader: Loader, folder: Path) -> Callable[[int], object]:
    """The same rows, from the same mapped files, and nothing else."""
    batches: dict[int, Batch] = {number: loader.batch(0, number) for number in range(3 * BATCHES)}
    columns = {}
    reader = _reader(folder)
    for number, batch in batches.items():
        groups = []
        for table, rows, codes in (
            ("queries", batch.query_rows, batch.query_languages),
            ("passages", batch.passage_rows, batch.passage_languages),
        ):
            for code in dict.fromkeys(codes):
                chosen = pa.array([row for row, language in zip(rows, codes, strict=True) if language == code])
                names = ["text"] if table == "queries" else ["title", "text"]
                groups.append((reader.texts(table, code).select(names), chosen))
        columns[number] = groups
    return lambda number: [table.take(rows).to_pydict() for table, rows in columns[number]]


def _flat(loader: Loader, folder: Path) -> Callable[[int], object]:
    """sentence-transformers: a flat data set a language, and batches from them in proportion to their sizes."""
    release, reader = loader.release, _reader(folder)
    flat = []
    for code in (ENGLISH.code, *LANGUAGES):
        both = release.columns.query_bits & release.columns.passage_bits
        rows = np.flatnonzero((both >> release.languages.index(code)) & 1)[:_FLAT_ROWS]
        texts = {
            "anchor": reader.texts("queries", code)["text"].take(pa.array(release.columns.query[rows])),
            "positive": reader.texts("passages", code)["text"].take(pa.array(release.columns.passage[rows])),
        }
        path = folder / "flat" / code
        datasets.Dataset(pa.table(texts)).save_to_disk(str(path))
        flat.append(datasets.load_from_disk(str(path)))
    generator = torch.Generator()
    samplers = [DefaultBatchSampler(RandomSampler(one, generator=generator), SIZE, True) for one in flat]
    whole = ConcatDataset(flat)

    def endless() -> object:
        epoch = 0
        while True:
            sampler = ProportionalBatchSampler(dataset=whole, batch_samplers=samplers, generator=generator, seed=epoch)
            yield from sampler
            epoch += 1

    batches = iter(endless())  # type: ignore[call-overload]
    return lambda number: _read(whole, next(batches))


def _read(whole: ConcatDataset[object], rows: list[int]) -> object:
    """What a `DataLoader` does with a batch of numbers."""
    return whole.__getitems__(rows) if hasattr(whole, "__getitems__") else [whole[row] for row in rows]


if __name__ == "__main__":
    main()
