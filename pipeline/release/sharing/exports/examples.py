"""The examples of a release in any pair of languages: what every format is written from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.release.reading.reader import Reader, Texts
from parallel_qa.pipeline.titles import retriever_texts

_TEXTS = 20_000
"""Texts in memory at a time, about."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """One pair in one pair of languages, with the negatives that survived there."""

    query_id: str
    query: str
    passage_id: str
    passage: str
    negative_ids: list[str]
    negatives: list[str]


@dataclass
class Count:
    """How many examples a direction has, and how many pairs were left out as they had too few negatives."""

    direction: str
    examples: int = 0
    left_out: int = 0


class Examples:
    """The examples of a release, direction by direction, in the order of its pairs; `counts` is complete once they have been read."""

    def __init__(self, reader: Reader, directions: Sequence[tuple[str, str]], negatives: int, fewest_negatives: int) -> None:
        """`directions` are languages of query and passage, as NLLB codes.

        An example has at most `negatives` negatives; those with fewer than `fewest_negatives` are counted and left out.
        """
        self.directions = list(dict.fromkeys(directions))
        self.negatives = negatives
        self.counts = [Count(_name(query, passage)) for query, passage in self.directions]
        self._reader, self._fewest = reader, fewest_negatives

    def __iter__(self) -> Iterator[Example]:
        for direction, count in zip(self.directions, self.counts, strict=True):
            for example in self._all_of(*direction):
                if len(example.negatives) < self._fewest:
                    count.left_out += 1
                else:
                    count.examples += 1
                    yield example

    def _all_of(self, query_code: str, passage_code: str) -> Iterator[Example]:
        queries, passages = self._reader.texts("queries", query_code), self._reader.texts("passages", passage_code)
        bits = [self._reader.languages.index(code) for code in (query_code, passage_code)]
        tags = tag(query_code), tag(passage_code)
        for shard in self._reader.shards("pairs"):
            answers = _Answers(shard)
            survived = (shard["query_langs"].to_numpy() >> bits[0]) & (shard["passage_langs"].to_numpy() >> bits[1]) & 1
            pairs = shard.filter(pa.array(survived.astype(bool)))
            longest = pc.max(pc.list_value_length(pairs["negative_rows"])).as_py() or 0
            step = max(1, _TEXTS // (2 + (longest if self.negatives else 0)))
            for start in range(0, len(pairs), step):
                yield from _examples(pairs.slice(start, step), answers, queries, passages, tags, self.negatives)


class _Answers:
    """The passages of the queries of a shard of pairs. All pairs of a query are in one shard."""

    def __init__(self, pairs: pa.Table) -> None:
        queries, passages = (pairs[name].to_numpy() for name in ("query_row", "passage_row"))
        order = np.argsort(queries, kind="stable")
        self._queries, self._passages = queries[order], passages[order]

    def of(self, queries: Integers) -> tuple[Integers, Integers]:
        """The rows of all passages that answer one of the `queries`, which are unique; and how many answer each."""
        first, end = (np.searchsorted(self._queries, queries, side) for side in ("left", "right"))
        counts = end - first
        places = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        return self._passages[places], counts


def _examples(pairs: pa.Table, answers: _Answers, queries: Texts, passages: Texts, tags: tuple[str, str], most: int) -> Iterator[Example]:
    asked, answering = queries.take(pairs["query_row"].to_numpy()), passages.take(pairs["passage_row"].to_numpy())
    columns = (asked["id"], retriever_texts(asked), answering["id"], retriever_texts(answering))
    negatives = _negatives(pairs, answers, passages, most) if most else [[]] * len(pairs)
    for query_id, query, passage_id, passage, others in zip(*(column.to_pylist() for column in columns), negatives, strict=True):
        ids = [f"{text_id}-{tags[1]}" for text_id, _ in others]
        yield Example(f"{query_id}-{tags[0]}", query or "", f"{passage_id}-{tags[1]}", passage or "", ids, [text for _, text in others])


def _negatives(pairs: pa.Table, answers: _Answers, passages: Texts, most: int) -> Iterator[list[tuple[str, str]]]:
    """Pair by pair id and text of its first negatives, at most so many: those that survived and do not say what an answer says.

    An answer is any passage that the release pairs with the same query, of whatever source.
    """
    asked, which = np.unique(pairs["query_row"].to_numpy(), return_inverse=True)
    rows, counts = answers.of(asked)
    said = iter(passages.take(rows)["text"].to_pylist())
    known = [{next(said) for _ in range(count)} | {None} for count in counts.tolist()]
    lists = pairs["negative_rows"]
    given = passages.take(pc.list_flatten(lists).to_numpy())
    others = zip(given["id"].to_pylist(), given["text"].to_pylist(), retriever_texts(given).to_pylist(), strict=True)
    for query, length in zip(which.tolist(), pc.list_value_length(lists).to_pylist(), strict=True):
        unlike: dict[str, tuple[str, str]] = {}  # by what they say: two passages may have one translation
        for text_id, text, titled in (next(others) for _ in range(length)):
            if text not in known[query]:
                unlike.setdefault(text, (text_id, titled))
        yield list(unlike.values())[:most]


def surviving_texts(reader: Reader, table: str, codes: Sequence[str], titled: bool = False) -> Iterator[tuple[str, str, str]]:
    """Id, title and text of every text of a table that survived in one of the languages; `titled` ones have their title in the text."""
    for code in dict.fromkeys(codes):
        for part in reader.texts(table, code).parts(_TEXTS):
            texts = (retriever_texts(part) if titled else part["text"]).to_pylist()
            for text_id, title, text in zip(part["id"].to_pylist(), part["title"].to_pylist(), texts, strict=True):
                if text is not None:
                    yield f"{text_id}-{tag(code)}", title or "", text


def tag(code: str) -> str:
    """The BCP-47 tag of a language, as it is written into ids."""
    return LANGUAGES.find(code).tag


def _name(query: str, passage: str) -> str:
    """A direction as a user writes it."""
    tags = tag(query), tag(passage)
    return (">" if any("-" in one for one in tags) else "-").join(tags)
