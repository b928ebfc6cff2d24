"""Texts of a run drawn at random: so many of each source, language and table, from a bounded number of shards."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.review.samples import ScoredSample, read_sample
from parallel_qa.pipeline.store import Store

ROWS = 100_000
"""Texts to draw of a run, in equal parts from its sources, languages and tables."""
SHARDS = 8
"""So many shards of each of these are drawn at least, as texts of one shard may be alike; fewer, but two, where that would be more"""
MOST_SHARDS = 2_000
"""than so many in all."""
_READERS = 4

Key = tuple[str, str, str]
"""Source, language (NLLB code) and table."""


@dataclass(frozen=True)
class Drawn:
    """Texts drawn from one shard; those that the source does not have in the language are left out."""

    shard: ScoredShard
    sample: ScoredSample


@dataclass(frozen=True)
class DrawnStratum:
    """Texts drawn from one source in one language and table. Each text of it was as likely to be drawn as any other."""

    key: Key
    texts: int
    """How many it has."""
    shards: int
    """How many shards these are in."""
    weight: float
    """How many of its texts each that was drawn stands for."""
    drawn: Sequence[Drawn]

    @property
    def complete(self) -> bool:
        """Whether all its texts were drawn."""
        return self.weight == 1.0


def random_numbers(ids: Sequence[str], language: str, seed: int) -> NDArray[np.uint64]:
    """A number for each id, in each language another: those with the lowest numbers are a sample drawn at random."""
    return np.array([xxhash.xxh3_64_intdigest(f"{language} {text_id}".encode(), seed) for text_id in ids], dtype=np.uint64)


def allocate(budget: int, sizes: Sequence[int], parts: Sequence[float]) -> list[int]:
    """`budget` divided in proportion to `parts`, rounded up, and none above its size: what one cannot use goes to the others."""
    result = [0] * len(sizes)
    left: float = budget
    wanting = [place for place, size in enumerate(sizes) if size and parts[place] > 0]
    while wanting:
        unit = max(left, 0.0) / sum(parts[place] for place in wanting)
        content = [place for place in wanting if sizes[place] <= unit * parts[place]]
        for place in content or wanting:
            result[place] = min(sizes[place], max(int(np.ceil(unit * parts[place] - 1e-9)), 1))
            left -= result[place]
        wanting = [place for place in wanting if place not in content] if content else []
    return result


def draw(shards: Sequence[ScoredShard], store: Store, seed: int = 0, rows: int = ROWS) -> list[DrawnStratum]:
    """About `rows` texts of a run, of each source, language and table as many as of any other that has so many.

    The shards of each are drawn by a number made of `seed`, the language and the shard's checksum; texts of these, in
    proportion to the shard's size, by a number made of `seed`, the language and the text's id. More shards than `SHARDS` are read
    only until they hold what is to be drawn, so that of a run of no more than `rows` texts all are. The languages are drawn
    apart from each other: a hard text must not count in all of them.
    """
    strata: dict[Key, list[ScoredShard]] = {}
    for shard in shards:
        if shard.rows:
            strata.setdefault(shard.key, []).append(shard)
    sizes = [sum(shard.rows for shard in of_stratum) for of_stratum in strata.values()]
    wanted = allocate(rows, sizes, [1.0] * len(sizes))
    fewest = max(min(SHARDS, MOST_SHARDS // max(len(strata), 1)), 2)
    with ThreadPoolExecutor(_READERS) as pool:
        reading = {
            key: [pool.submit(_drawn_texts, shard, store, count, seed) for shard, count in _drawn_shards(of_stratum, most, fewest, seed)]
            for (key, of_stratum), most in zip(strata.items(), wanted, strict=True)
        }
        return [_stratum(key, strata[key], [future.result() for future in futures]) for key, futures in reading.items()]


def _drawn_shards(shards: Sequence[ScoredShard], wanted: int, fewest: int, seed: int) -> list[tuple[ScoredShard, int]]:
    """Some shards of a stratum, each with how many of its texts to draw; `wanted` in all."""
    numbers = random_numbers([shard.english_file.sha256 for shard in shards], shards[0].language, seed)
    drawn: list[ScoredShard] = []
    for place in np.argsort(numbers, kind="stable").tolist():
        if len(drawn) >= fewest and sum(shard.rows for shard in drawn) >= wanted:
            break
        drawn.append(shards[place])
    sizes = [shard.rows for shard in drawn]
    return list(zip(drawn, allocate(wanted, sizes, [float(size) for size in sizes]), strict=True))


def _drawn_texts(shard: ScoredShard, store: Store, count: int, seed: int) -> Drawn:
    sample = read_sample(shard, store)
    numbers = random_numbers(sample.scored["id"].to_pylist(), shard.language, seed)
    rows = pa.array(np.sort(np.argsort(numbers, kind="stable")[:count]))
    # What back-translations and titles say is in the scores: not to be held in memory.
    scored = sample.scored.select(["text", *schema.SCORES.names]).take(rows)
    return Drawn(shard, ScoredSample(scored, sample.english.select(["text"]).take(rows)))


def _stratum(key: Key, shards: Sequence[ScoredShard], drawn: Sequence[Drawn]) -> DrawnStratum:
    texts = sum(shard.rows for shard in shards)
    weight = texts / sum(len(each.sample.scored) for each in drawn)
    return DrawnStratum(key, texts, len(shards), weight, [Drawn(each.shard, _present(each.sample, weight)) for each in drawn])


def _present(sample: ScoredSample, weight: float) -> ScoredSample:
    """The texts that there are, each with its weight."""
    present = sample.take(np.asarray(sample.scored["text"].is_valid().to_numpy(), dtype=bool))
    return ScoredSample(present.scored, present.english, weights=np.full(len(present.scored), weight))
