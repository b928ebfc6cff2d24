"""Is a text one of an evaluation set, or made from one? Exact match, and runs of words in common.

A training text is taken for an evaluation text where a share of the word runs of the shorter one stands in
both, and with them the names and numbers of the evaluation text: "Who is the author of Emma?" and "Who is the
author of Ivanhoe?" have most runs in common and are two questions. Half an evaluation passage inside other text
is found, and so is one with some words changed; docs/sources.md has the measurements that `RULES` rests on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from parallel_qa.pipeline.english_words import NAME_OR_NUMBER
from parallel_qa.pipeline.sources.forms import comparable
from parallel_qa.pipeline.sources.words import Numbers, Words, words

_NAME = re.compile(NAME_OR_NUMBER)


@dataclass(frozen=True)
class Rule:
    """When two texts are the same one."""

    run: int
    """Words in a run."""
    share: float
    """Of the runs of the shorter text, at least so many stand in both."""
    least: int
    """And at least so many runs: shorter texts are compared as wholes only."""
    names: float
    """And of the names and numbers of the evaluation text, at least this share stands in the other one."""
    common: int
    """A run that stands in more evaluation texts than this says nothing ("what was the name of")."""


RULES = {"query": Rule(run=2, share=0.6, least=3, names=0.6, common=3), "passage": Rule(run=5, share=0.3, least=5, names=0.0, common=20)}
"""Raise `parallel_qa.pipeline.sources.prepare.VERSION` with any change of them."""


@dataclass(frozen=True)
class Hit:
    """The evaluation text that a text was taken for."""

    name: str
    share: float

    def __str__(self) -> str:
        return f"{self.name}, share {self.share:.2f}"


class EvaluationIndex:
    """The evaluation texts of one kind, "query" or "passage". Of its memory, 12 bytes a word are the most."""

    def __init__(self, kind: str, texts: Iterable[tuple[str, str]]) -> None:
        """`texts` are names, for people, and clean texts."""
        self.rule = RULES[kind]
        self._names: list[str] = []
        self._whole: dict[int, int] = {}
        self._telling: list[frozenset[int]] = []
        hashes: list[Numbers] = []
        documents: list[NDArray[np.int32]] = []
        for names, batch in _batches(texts):
            forms = comparable(batch)
            new = [place for place, form in enumerate(forms.to_pylist()) if form and self._is_new(form)]
            self._names += [names[place] for place in new]
            self._telling += _names_and_numbers(batch.take(pa.array(new, pa.int64())))
            runs = words(forms.take(pa.array(new, pa.int64()))).runs(self.rule.run)
            start = len(self._names) - len(new)
            hashes.append(runs.values)
            documents.append(np.repeat(np.arange(start, len(self._names), dtype=np.int32), runs.counts()))
        self._runs, self._documents = _sorted(hashes, documents, self.rule.common)
        self._sizes = np.bincount(self._documents, minlength=len(self._names))

    def _is_new(self, form: str) -> bool:
        number = len(self._whole)
        return self._whole.setdefault(_key(form), number) == number

    def __len__(self) -> int:
        return len(self._names)

    def find(self, forms: pa.Array, split: Words) -> dict[int, Hit]:
        """The texts of a batch that are evaluation texts, by their places.

        `forms` are comparable texts, `split` their words.
        """
        if not self._names:
            return {}
        found = self._overlaps(split)
        for place, form in enumerate(forms.to_pylist()):
            if form and (document := self._whole.get(_key(form))) is not None:
                found[place] = Hit(self._names[document], 1.0)
        return found

    def _overlaps(self, split: Words) -> dict[int, Hit]:
        runs = split.runs(self.rule.run)
        if not len(self._runs) or not len(runs.values):
            return {}
        low = np.searchsorted(self._runs, runs.values)
        matched = np.flatnonzero(self._runs[np.minimum(low, len(self._runs) - 1)] == runs.values)
        if not len(matched):
            return {}
        texts = np.searchsorted(runs.ends, matched, side="right")
        # A run that a text repeats counts once.
        _, first = np.unique(np.stack([texts.astype(np.uint64), runs.values[matched]]), axis=1, return_index=True)
        matched, texts = matched[first], texts[first]
        low = low[matched]
        high = np.searchsorted(self._runs, runs.values[matched], side="right")
        spread = np.repeat(low - np.concatenate([[0], np.cumsum(high - low)[:-1]]), high - low) + np.arange((high - low).sum())
        pairs = np.stack([np.repeat(texts, high - low), self._documents[spread]])
        (texts, documents), common = np.unique(pairs, axis=1, return_counts=True)
        smaller = np.minimum(runs.counts()[texts], self._sizes[documents])
        shares = common / smaller
        hits = (shares >= self.rule.share) & (common >= self.rule.least)
        found: dict[int, Hit] = {}
        for text, document, share in zip(texts[hits].tolist(), documents[hits].tolist(), shares[hits].tolist(), strict=True):
            if (text not in found or share > found[text].share) and self._same_names(document, split, text):
                found[text] = Hit(self._names[document], min(share, 1.0))
        return found

    def _same_names(self, document: int, split: Words, text: int) -> bool:
        telling = self._telling[document]
        start = split.ends[text - 1] if text else 0
        present = telling.intersection(split.values[start : split.ends[text]].tolist())
        return len(present) >= self.rule.names * len(telling)


def _names_and_numbers(texts: pa.Array) -> list[frozenset[int]]:
    """The names and numbers of each text, as the numbers of their words."""
    split = words(comparable(pa.array([" ".join(_NAME.findall(text)) for text in texts.to_pylist()], pa.string())))
    return [frozenset(split.values[start:end].tolist()) for start, end in zip(split.starts, split.ends, strict=True)]


def _key(form: str) -> int:
    return xxhash.xxh3_128_intdigest(form.encode())


def _batches(texts: Iterable[tuple[str, str]], size: int = 10_000) -> Iterator[tuple[list[str], pa.Array]]:
    names: list[str] = []
    batch: list[str] = []
    for name, text in texts:
        names.append(name)
        batch.append(text)
        if len(batch) == size:
            yield names, pa.array(batch, pa.string())
            names, batch = [], []
    if batch:
        yield names, pa.array(batch, pa.string())


def _sorted(hashes: list[Numbers], documents: list[NDArray[np.int32]], common: int) -> tuple[Numbers, NDArray[np.int32]]:
    """Runs and the texts they stand in, each pair once, in the order of the runs; without those in more than `common` texts."""
    if not hashes:
        return np.empty(0, np.uint64), np.empty(0, np.int32)
    runs, places = np.concatenate(hashes), np.concatenate(documents)
    order = np.lexsort((places, runs))
    runs, places = runs[order], places[order]
    new = np.ones(len(runs), bool)
    new[1:] = (runs[1:] != runs[:-1]) | (places[1:] != places[:-1])
    runs, places = runs[new], places[new]
    _, numbers, counts = np.unique(runs, return_inverse=True, return_counts=True)
    telling = counts[numbers] <= common
    return runs[telling], places[telling]
