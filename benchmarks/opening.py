"""What it costs to open a large release of short passages, its cache made before, and to make that cache.

    python -m benchmarks.opening [--pairs N] [--passages N] [--folder DIR]

Makes a release of N synthetic pairs over N passages of one sentence in three languages (in DIR, where it is used again; `cache` in it
is made anew). The last line is JSON: `cache_peak_mb`, the peak memory of a process that opens it for the first time; `open_s` and
`open_peak_mb`, time and peak memory of another that opens it again, makes a loader of all three languages and draws its first batch.
Both have mapped pages that they touched in them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import peak_mb, run_alone
from benchmarks.release import LANGUAGES, Folder, make_source, write_release
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.release.layout.manifest import MANIFEST

_LANGUAGES = LANGUAGES[:2]
"""Beside English."""

_SENTENCES = 1
"""Of a passage."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=10_000_000)
    parser.add_argument("--passages", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--open", nargs=2, metavar=("RELEASE", "CACHE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        _make_release(given.make, given.pairs, given.passages)
    elif given.open:
        _open(*given.open)
    else:
        print(json.dumps(measure_opening(given.pairs, given.passages, given.folder)))


def measure_opening(pairs: int, passages: int, folder: Path | None = None) -> dict[str, float]:
    """`cache_peak_mb`, `open_s` and `open_peak_mb` of a release of so many pairs and passages.

    It is made in `folder`, or in a temporary one.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
            return measure_opening(pairs, passages, Path(scratch))
    release = folder / f"release-{pairs}-{passages}"
    if not (release / MANIFEST).exists():
        print(f"making {pairs:,} pairs over {passages:,} passages in {1 + len(_LANGUAGES)} languages", flush=True)
        run_alone("benchmarks.opening", "--make", release, "--pairs", pairs, "--passages", passages)
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    first, second = (run_alone("benchmarks.opening", "--open", release, cache) for _ in range(2))
    print(f"opened for the first time in {first['seconds']:.1f} s, then in {second['seconds']:.2f} s")
    return {"cache_peak_mb": first["peak_mb"], "open_s": second["seconds"], "open_peak_mb": second["peak_mb"]}


def _make_release(target: Path, pairs: int, passages: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        source = Path(scratch) / "source"
        make_source(source, pairs, passages, _LANGUAGES, _SENTENCES)
        write_release(Folder(source, "synthetic", pairs, passages), target, _LANGUAGES)
    print(json.dumps({}))


def _open(release: str, cache: str) -> None:
    os.environ["PARALLEL_QA_CACHE"] = cache
    began = time.perf_counter()
    batch = open_release(release).loader().batch(0, 0)
    seconds = time.perf_counter() - began
    if not all(batch.queries + batch.passages):
        raise SystemExit("the first batch has a text without content")
    print(json.dumps({"seconds": round(seconds, 4), "peak_mb": round(peak_mb(), 1)}))


if __name__ == "__main__":
    main()
