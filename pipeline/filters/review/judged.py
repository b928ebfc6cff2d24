"""The texts of a run that people judged, found by their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.review.drawing import Key
from parallel_qa.pipeline.filters.review.samples import ScoredSample, read_sample
from parallel_qa.pipeline.filters.review.shares import StratumCounts
from parallel_qa.pipeline.filters.review.verdicts import Verdict, Verdicts
from parallel_qa.pipeline.store import FileRef, Store

_READERS = 4


@dataclass(frozen=True)
class Judged:
    """Texts of one shard that have a verdict.

    The weight of a text that was drawn at random is the number of texts that the sample was drawn from, by the number of those
    judged, in its source, language and table; that of another is 0.
    """

    shard: ScoredShard
    sample: ScoredSample

    @property
    def at_random(self) -> NDArray[np.bool_]:
        """Which were drawn at random."""
        return self.sample.row_weights > 0


def judged_texts(shards: Sequence[ScoredShard], store: Store, verdicts: Verdicts) -> list[Judged]:
    """The texts of a run that have a verdict, each once. Only the ids are read of shards that have none."""
    left = dict(verdicts.of_texts)
    found = []
    for shard, rows in _candidates(shards, store, verdicts):
        given = {row: verdict for row, text_id in rows.items() if (verdict := _taken(left, shard, text_id))}
        if given:
            every = read_sample(shard, store)
            sample = every.take(np.isin(np.arange(len(every.scored)), list(given)))
            good, at_random = (
                np.array([getattr(verdict, name) for verdict in given.values()], dtype=bool) for name in ("good", "at_random")
            )
            sample = replace(sample, good=good, weights=at_random.astype(np.float64))
            found.append(Judged(shard, sample.take(np.asarray(sample.scored["text"].is_valid().to_numpy(), dtype=bool))))
    return _weighted(found, shards, verdicts)


def judged_counts(judged: Sequence[Judged], kept: Sequence[NDArray[np.bool_]], good: bool) -> list[StratumCounts]:
    """The good (or bad) ones of the texts judged at random and how many are kept, by source, language and table.

    Where none was judged at random, those of all that were, which stand for themselves alone.
    """
    if not any(each.at_random.any() for each in judged):
        counted = np.concatenate([each.sample.is_good == good for each in judged]) if judged else np.zeros(0, dtype=bool)
        kept_of = counted & np.concatenate(kept) if judged else counted
        return [StratumCounts(1.0, counted.astype(np.float64), kept_of.astype(np.float64), complete=True)]
    strata: dict[Key, list[tuple[float, NDArray[np.float64], NDArray[np.float64]]]] = {}
    for each, kept_here in zip(judged, kept, strict=True):
        drawn = each.at_random
        if drawn.any():
            counted = (each.sample.is_good == good)[drawn]
            weight = float(each.sample.row_weights[drawn][0])
            counts = (weight, counted.astype(np.float64), (counted & kept_here[drawn]).astype(np.float64))
            strata.setdefault(each.shard.key, []).append(counts)
    return [
        StratumCounts(pieces[0][0], np.concatenate([piece[1] for piece in pieces]), np.concatenate([piece[2] for piece in pieces]))
        for pieces in strata.values()
    ]


def _candidates(shards: Sequence[ScoredShard], store: Store, verdicts: Verdicts) -> Iterator[tuple[ScoredShard, Mapping[int, str]]]:
    """The shards that may hold judged texts, with the rows of these, in order, and their ids.

    An English shard is searched once for all its languages.
    """
    wanted = {(verdict.source, language, table) for (language, table, _), verdict in verdicts.of_texts.items()}
    ids = pa.array(sorted({text_id for _, _, text_id in verdicts.of_texts}), pa.string())
    may_hold = [shard for shard in shards if shard.rows and {shard.key, (None, *shard.key[1:])} & wanted]
    files = list({shard.english_file.path: shard.english_file for shard in may_hold}.values())
    with ThreadPoolExecutor(_READERS) as pool:
        rows = dict(zip((file.path for file in files), pool.map(lambda file: _rows_of(ids, file, store), files), strict=True))
    return ((shard, rows[shard.english_file.path]) for shard in may_hold)


def _rows_of(ids: pa.Array, file: FileRef, store: Store) -> Mapping[int, str]:
    """The rows of a file that have one of `ids`. Raises UserError where it cannot be read."""
    try:
        of_file = store.dataset([file.path]).to_table(columns=["id"])["id"]
    except (OSError, pa.ArrowException):
        of_file = store.read_file(file)["id"]  # which says what is wrong with it
    rows = np.flatnonzero(pc.is_in(of_file, value_set=ids).to_numpy())
    return dict(zip(rows.tolist(), of_file.take(pa.array(rows)).to_pylist(), strict=True))


def _taken(left: dict[tuple[str, str, str], Verdict], shard: ScoredShard, text_id: str) -> Verdict | None:
    """The verdict on a text, if it is about this source's; then it is not there for another's."""
    verdict = left.get((shard.language, shard.table, text_id))
    if verdict is None or verdict.source not in (None, shard.source):
        return None
    return left.pop((shard.language, shard.table, text_id))


def _weighted(found: Sequence[Judged], shards: Sequence[ScoredShard], verdicts: Verdicts) -> list[Judged]:
    texts: Counter[Key] = Counter()
    for shard in shards:
        texts[shard.key] += shard.rows
    drawn: Counter[Key] = Counter()
    for each in found:
        drawn[each.shard.key] += int(each.at_random.sum())
    weights = {key: verdicts.drawn_from.get(key, texts[key]) / count for key, count in drawn.items() if count}
    return [Judged(each.shard, replace(each.sample, weights=each.sample.row_weights * weights.get(each.shard.key, 0.0))) for each in found]
