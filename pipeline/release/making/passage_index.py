"""English passages, searched by BM25. The index is in memory, the passages are in a file that is mapped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import bm25s
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from parallel_qa.pipeline.cores import available_cores
from parallel_qa.pipeline.release.layout.order import Hashes, text_hashes
from parallel_qa.pipeline.titles import judged_texts

_TEXTS = pa.schema([("text", pa.large_string())])


class PassageIndex:
    """Passages that stand once each, whatever order they come in: passage *n* has the *n*-th smallest id."""

    def __init__(self, shards: Iterable[pa.Table]) -> None:
        """`shards` are English passages; those with the same id are the same passage."""
        self._folder = tempfile.TemporaryDirectory(prefix="parallel-qa-")  # goes with this object
        file = Path(self._folder.name) / "passages.arrow"
        tokens = _Tokens()
        hashes = [np.zeros(0, np.uint64)]
        with pa.ipc.new_file(str(file), _TEXTS) as writer:
            for shard in shards:
                texts = judged_texts(shard)
                writer.write_table(pa.table({"text": texts}, schema=_TEXTS))
                hashes.append(text_hashes(shard["id"]))
                tokens.add(texts)
        self._texts = pa.ipc.open_file(pa.memory_map(str(file))).read_all()["text"]
        self.hashes: Hashes
        """The ids as numbers, passage by passage."""
        self.hashes, self._places = np.unique(np.concatenate(hashes), return_index=True)
        self._bm25 = bm25s.BM25()
        self._searchable = bool(tokens.vocab)  # bm25s takes no index without a word
        if self._searchable:
            self._bm25.index(tokens.of(self._places), show_progress=False)

    def numbers(self, hashes: Hashes) -> NDArray[np.int64]:
        """The passages with these ids, all of which have to be here."""
        return np.searchsorted(self.hashes, hashes)

    def text(self, passage: int) -> str:
        """Title and text of a passage."""
        return str(self._texts[int(self._places[passage])].as_py())

    def search(self, questions: Sequence[str], most: int) -> Iterator[list[int]]:
        """For each question up to `most` passages that share a word with it, the best first, by id where they are equally good.

        All cores work on it.
        """
        words = bm25s.tokenize(list(questions), return_ids=False, show_progress=False)
        with ThreadPoolExecutor(available_cores()) as pool:
            yield from pool.map(lambda of_question: self._best(of_question, most), words)

    def _best(self, words: list[str], most: int) -> list[int]:
        most = min(most, len(self.hashes))
        if not self._searchable or not words or not most:
            return []
        scores = self._bm25.get_scores(words)
        least = np.partition(scores, -most)[-most]
        passages = np.flatnonzero((scores >= least) & (scores > 0))
        best: list[int] = passages[np.lexsort((passages, -scores[passages]))][:most].tolist()
        return best


class _Tokens:
    """The words of texts as numbers, in one array: lists of Python's own numbers would take eight times as much."""

    def __init__(self) -> None:
        self.vocab: dict[str, int] = {}
        self._numbers: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        self._lengths: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]

    def add(self, texts: Sequence[str | None]) -> None:
        tokenized = bm25s.tokenize([text or "" for text in texts], show_progress=False)
        numbers = np.array([self.vocab.setdefault(word, len(self.vocab)) for word in tokenized.vocab], np.int32)
        lengths = np.array([len(words) for words in tokenized.ids], np.int64)
        self._lengths.append(lengths)
        self._numbers.append(numbers[np.fromiter(chain.from_iterable(tokenized.ids), np.int64, int(lengths.sum()))])

    def of(self, places: NDArray[np.int64]) -> _Corpus:
        """The texts at these places, in this order."""
        lengths = np.concatenate(self._lengths)
        ends = np.cumsum(lengths)
        return _Corpus(_NumberLists(np.concatenate(self._numbers), (ends - lengths)[places], ends[places]), self.vocab)


@dataclass(frozen=True)
class _Corpus:
    """What bm25s makes an index of."""

    ids: _NumberLists
    vocab: dict[str, int]


@dataclass(frozen=True)
class _NumberLists:
    """Stretches of one array, as lists that are made when they are asked for."""

    numbers: NDArray[np.int32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in zip(self.starts, self.ends, strict=True):
            yield self.numbers[start:end].tolist()
