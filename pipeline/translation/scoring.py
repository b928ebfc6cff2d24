"""Forced scores: how likely a model finds outputs that it is given.

The score of an English word, given what a model made of the English, says whether that still has the word: what a translation
left out cannot be foreseen from it.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import ctranslate2
import sentencepiece

from parallel_qa.pipeline.languages import Language
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.batching import BatchSize, ahead, in_groups, out_of_memory
from parallel_qa.pipeline.translation.loading import load
from parallel_qa.pipeline.translation.models import Model, vocabulary

_EOS = "</s>"
_BATCHES_IN_GROUP = 2  # per scoring thread: few enough to see progress and to tokenise meanwhile
_CHARACTERS_PER_TOKEN = 4  # about; only how much is sent at once depends on it
_MOST_BATCH_TOKENS = {"cpu": 2048, "cuda": 16_384}
_LOGITS = {"cpu": 1 << 24, "cuda": 1 << 29}
"""Of a batch: a score takes a logit for each token of the output and each piece of the vocabulary, all in memory at a time."""
_SMALLEST_BATCH = 128
_WITHOUT_SPACES = frozenset({"Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"})


@dataclass(frozen=True)
class Word:
    """A word of an output."""

    start: int
    end: int
    """Its place in the output, in characters; what is between words is white space."""
    log_probability: float
    """That it comes next: the sum of those of its pieces, so that it does not depend on how many they are."""


@dataclass(frozen=True)
class Score:
    """How likely an output is, given its source."""

    words: tuple[Word, ...]
    """Those between white space; in scripts that write none, one for each piece. A word that is nothing to the model is not among them."""
    pieces: tuple[float, ...]
    """The log-probability of each piece, and last that of the end."""
    unknown: int
    """How many pieces the model does not have on the target's side; they have the log-probability of `<unk>`."""

    @property
    def mean(self) -> float:
        """The mean log-probability of the pieces and the end."""
        return sum(self.pieces) / len(self.pieces)


@dataclass(frozen=True)
class _Pair:
    """A source and an output in the model's pieces."""

    row: int
    source: list[str]
    target: list[str]  # without the end, which the engine puts there
    places: list[tuple[int, int]]  # of the target's pieces in the output, without the language's token

    @property
    def tokens(self) -> int:
        return max(len(self.source), len(self.target) + 1)


@dataclass
class _Group:
    """Batches that are sent together, with the size that held when they were."""

    rows: int
    size: int
    batches: list[list[_Pair]]
    pending: list[list[ctranslate2.AsyncScoringResult]]


class Scorer:
    """A loaded model that scores. One that was cut to the pieces of the target's language is several times as fast as a whole one."""

    def __init__(self, model: Model, settings: TranslationSettings) -> None:
        """Raises UserError where the device or the compute type is not to be had."""
        self.model = model
        self.settings = settings
        source, target = model.pieces
        self._source = sentencepiece.SentencePieceProcessor(model_file=str(source))
        self._target = self._source if source == target else sentencepiece.SentencePieceProcessor(model_file=str(target))
        self._known = frozenset(vocabulary(model.folder, "target"))
        loaded = load(model.folder, model.name, settings)
        self._translator, self._workers = loaded.translator, loaded.workers
        fitting = min(_MOST_BATCH_TOKENS[loaded.device], max(_LOGITS[loaded.device] // len(self._known), _SMALLEST_BATCH))
        self._size = BatchSize(settings.max_batch_tokens or fitting, model.name, loaded.device)

    @property
    def batch_tokens(self) -> int:
        """Tokens of a batch, padding included, of the longer side."""
        return self._size.tokens

    def score(
        self,
        sentences: Sequence[str],
        outputs: Sequence[str],
        source: Language,
        target: Language,
        advance: Callable[[int, int], None] = lambda sentences, tokens: None,
    ) -> list[Score | None]:
        """The score of each of `outputs` as what the sentence in the same place is in `target`, in order.

        None where one of the two is blank, or has more tokens than the model takes (`max_source_tokens`, `max_target_tokens`, with
        those for the language and the end): a sentence may be split into clauses, but which part of an output belongs to which is
        not known. `advance(sentences, tokens)` is told what has been done; tokens are those that were scored.

        The last digits depend on what else is in a batch. In 8 bits, where a sum may be rounded to the next number, an unlikely
        piece may differ by a few hundredths.

        Raises UserError where the model does not translate that way, ValueError where there are not as many outputs as sentences.
        """
        if len(sentences) != len(outputs):
            raise ValueError(f"{len(sentences)} sentences and {len(outputs)} outputs: each output needs its sentence")
        self.model.check_direction(source, target)
        results: list[Score | None] = [None] * len(sentences)
        wanted = [row for row, pair in enumerate(zip(sentences, outputs, strict=True)) if all(text.strip() for text in pair)]
        advance(len(sentences) - len(wanted), 0)

        def characters(row: int) -> int:
            return max(len(sentences[row]), len(outputs[row]))

        # Longest first: pairs of a batch have about the same length, and what does not fit fails at once.
        wanted.sort(key=characters, reverse=True)
        limit = self.batch_tokens * self._workers * _BATCHES_IN_GROUP
        groups = in_groups(wanted, lambda row: characters(row) // _CHARACTERS_PER_TOKEN + 2, limit)
        under_way = (self._submit(len(rows), self._pairs(rows, sentences, outputs, source, target)) for rows in groups)
        for group in ahead(under_way):
            tokens = 0
            for pair, pieces in self._collect(group):
                results[pair.row] = self._score(outputs[pair.row], pair, pieces, target)
                tokens += len(pieces)
            advance(group.rows, tokens)
        return results

    def _pairs(
        self, rows: Sequence[int], sentences: Sequence[str], outputs: Sequence[str], source: Language, target: Language
    ) -> Iterator[_Pair]:
        """Those of `rows` that are not too long for the model, in its pieces."""
        before, after = self.model.source_frame(source, target)
        prefix = self.model.target_prefix(target)
        encoded = self._source.encode([sentences[row] for row in rows], out_type=str)
        written = self._target.encode([outputs[row] for row in rows], return_type="offset_mapping")
        for row, pieces, output in zip(rows, encoded, written, strict=True):
            pair = _Pair(row, [*before, *pieces, *after], [*prefix, *output["pieces"]], output["offsets"])
            if len(pair.source) <= self.settings.max_source_tokens and len(pair.target) < self.settings.max_target_tokens:
                yield pair

    def _submit(self, rows: int, pairs: Iterator[_Pair]) -> _Group:
        size = self.batch_tokens
        batches = _batches(list(pairs), size)
        return _Group(rows, size, batches, [self._send(batch) for batch in batches])

    def _send(self, batch: Sequence[_Pair]) -> list[ctranslate2.AsyncScoringResult]:
        # The engine makes batches by the source alone, and a long output of a short source would fill them with padding.
        pending: list[ctranslate2.AsyncScoringResult] = self._translator.score_batch(
            [pair.source for pair in batch], [pair.target for pair in batch], max_input_length=0, asynchronous=True
        )
        return pending

    def _collect(self, group: _Group) -> Iterator[tuple[_Pair, list[float]]]:
        """Each pair of a group with the log-probabilities of its pieces; what did not fit is sent again in smaller batches."""
        batches, pending, size = group.batches, group.pending, group.size
        while batches:
            failed: list[_Pair] = []
            for batch, waiting in zip(batches, pending, strict=True):
                try:
                    results = [one.result() for one in waiting]
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                    failed += batch
                else:
                    yield from ((pair, result.log_probs) for pair, result in zip(batch, results, strict=True))
            if failed:
                self._size.halve(size)
            size = self.batch_tokens
            batches = _batches(failed, size)
            pending = [self._send(batch) for batch in batches]

    def _score(self, output: str, pair: _Pair, log_probabilities: Sequence[float], target: Language) -> Score:
        prefix = len(pair.target) - len(pair.places)
        pieces = log_probabilities[prefix:]
        words = words_of(output, pair.places, pieces[:-1], target.script not in _WITHOUT_SPACES)
        unknown = sum(piece not in self._known for piece in pair.target)
        return Score(words, tuple(round(piece, 4) for piece in pieces), unknown)


def words_of(text: str, places: Sequence[tuple[int, int]], log_probabilities: Sequence[float], spaced: bool) -> tuple[Word, ...]:
    """The words of `text` with their log-probabilities, which are those of its pieces at `places` (start, end), in order.

    If `spaced`, a word is what stands between white space, else what one piece stands for. White space before a piece is no part
    of it: a piece of nothing but white space belongs to what follows.
    """
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    found: dict[int, tuple[int, float]] = {}  # by the start of a word, its end and its log-probability
    for (start, end), log_probability in zip(places, log_probabilities, strict=True):
        first = min(len(text) - len(text[start:].lstrip()), len(text.rstrip()) - 1)
        word = bisect.bisect_right(starts, first) - 1
        first, end = (starts[word], ends[word]) if spaced else (first, max(first + 1, end))
        before, total = found.get(first, (end, 0.0))
        found[first] = max(before, end), total + log_probability
    return tuple(Word(start, end, round(total, 4)) for start, (end, total) in found.items())


def _batches(pairs: list[_Pair], size: int) -> list[list[_Pair]]:
    """`pairs`, the longest first, in batches of at most `size` tokens, padding included, or of one pair."""
    batches: list[list[_Pair]] = []
    longest = 0
    for pair in sorted(pairs, key=lambda pair: pair.tokens, reverse=True):
        if not batches or (len(batches[-1]) + 1) * longest > size:
            batches.append([])
            longest = pair.tokens
        batches[-1].append(pair)
    return batches
