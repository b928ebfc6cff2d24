"""CTranslate2 and SentencePiece: sentences in one language to sentences in another."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import ctranslate2
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import Language
from parallel_qa.pipeline.parsing import one_line
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.store import fingerprint
from parallel_qa.pipeline.translation import batch_sizes
from parallel_qa.pipeline.translation.batching import BatchSize, ahead, in_groups, out_of_memory
from parallel_qa.pipeline.translation.loading import Loaded, load
from parallel_qa.pipeline.translation.models import Model
from parallel_qa.pipeline.translation.punctuation import restore
from parallel_qa.pipeline.translation.sentences import clauses, join, needs_model
from parallel_qa.pipeline.translation.vocabulary_map import folder_with_map

log = logging.getLogger("parallel_qa")

_UNKNOWN = "<unk>"
_END = "</s>"
_BATCHES_IN_GROUP = 2  # per translating thread: few enough to see progress and to tokenise meanwhile
_CHARACTERS_PER_TOKEN = 4  # about; only how much is sent at once depends on it
_DEFAULT_BATCH_TOKENS = {"cpu": 2048, "cuda": 16_384}
_MORE_TOKENS = 16  # that an output may have beyond `usual_target_ratio`, so that short sentences may grow
_TRIAL_BATCHES = 4  # of each size that is tried, per translating thread
_WORTH_TRIALS = 10  # times the work of the trials, from which on they are made

_unrestricted: set[str] = set()
"""Models of which it was said that their vocabulary cannot be restricted: they may be loaded many times."""


@dataclass(frozen=True)
class Translation:
    """One sentence in another language."""

    text: str
    fault: str | None = None
    """What only the engine can see: `cut` at the length limit, `unknown_token`."""
    score: float | None = None
    """Mean log-probability of its tokens; None where no model was asked."""


@dataclass(frozen=True)
class _Part:
    """What is sent to the model: a sentence, or a clause of one that is too long for it."""

    row: int
    tokens: list[str]


Output = tuple[list[str], float | None]  # the tokens that the model wrote, and their mean log-probability
Advance = Callable[[int, int], None]


@dataclass
class _Group:
    """Parts that are sent to the model together, with the size and the length of output that held when they were."""

    parts: list[_Part]
    batch_tokens: int
    longest: int
    """Tokens of an output at most."""
    restricted: bool
    """Whether they are decoded among the candidates alone."""
    pending: list[ctranslate2.AsyncTranslationResult]


class Engine:
    """A loaded model."""

    def __init__(self, model: Model, settings: TranslationSettings, candidates: Sequence[str] | None = None) -> None:
        """Loads the model, to decode among `candidates`, pieces of its vocabulary, where they are given.

        Where its vocabulary cannot be restricted, all its pieces are, and `restricted` says so. Raises UserError where the device or
        the compute type is not to be had.
        """
        self.model = model
        self.settings = settings
        source, target = model.pieces
        self._encoder = sentencepiece.SentencePieceProcessor(model_file=str(source))
        self._decoder = self._encoder if source == target else sentencepiece.SentencePieceProcessor(model_file=str(target))
        self._search = {
            "beam_size": settings.beam_size,
            "length_penalty": settings.length_penalty,
            "patience": settings.patience,
            "num_hypotheses": settings.hypotheses,
            "repetition_penalty": settings.repetition_penalty,
            "no_repeat_ngram_size": settings.no_repeat_ngram_size,
        }
        among_candidates = None if candidates is None else self._load_restricted(candidates)
        self.restricted = among_candidates is not None
        loaded = among_candidates or load(model.folder, model.name, settings)
        self.device, self.workers = loaded.device, loaded.workers
        self._among_candidates = self._translator = loaded.translator
        # On a GPU, CTranslate2 4.8 mixes up the pieces of a model that decodes now among some of them and now among all: where the
        # vocabulary is padded, `Decoder::update_output_layer` keeps the numbers that pieces had before.
        if self.restricted and self.device == "cuda":
            self._translator = load(model.folder, model.name, settings).translator
        self.compute_type = self._among_candidates.compute_type
        tokens = settings.max_batch_tokens or batch_sizes.remembered(self._key) or _DEFAULT_BATCH_TOKENS[self.device]
        self._batch = BatchSize(tokens, model.name, self.device)
        self._sizes_tried = threading.Lock()  # several units may be translated at a time

    def _load_restricted(self, candidates: Sequence[str]) -> Loaded | None:
        """The model as it decodes among `candidates`; None where that cannot be, and the log says why."""
        try:
            loaded = load(folder_with_map(self.model, candidates), self.model.name, self.settings)
            loaded.translator.translate_batch([[_END]], **self._search, max_decoding_length=1, use_vmap=True)
        except (OSError, RuntimeError, UserError, ValueError) as error:
            if out_of_memory(error):
                raise
            if self.model.name not in _unrestricted:
                _unrestricted.add(self.model.name)
                reason = one_line(error)
                log.warning("model %r decodes among all pieces, as its vocabulary cannot be restricted: %s", self.model.name, reason)
            return None
        return loaded

    @property
    def batch_tokens(self) -> int:
        """Source tokens of a batch, padding included."""
        return self._batch.tokens

    @property
    def _key(self) -> str:
        """What the best batch size depends on."""
        same = (
            self.model.fingerprint,
            self.device,
            self.compute_type,
            self.workers,
            self.settings.intra_threads,
            self.settings.beam_size,
            self.restricted,
        )
        return fingerprint(same=same)

    def translate(
        self,
        sentences: Sequence[str],
        source: Language,
        target: Language,
        advance: Advance = lambda sentences, tokens: None,
        all_pieces: bool = False,
    ) -> list[Translation]:
        """The translation of each sentence, in order.

        The sentences should be unique: each is translated. `advance(sentences, tokens)` is told what has
        been done; tokens are those that the model wrote. A sentence that is too long for the model is
        translated clause by clause. With `all_pieces` no candidates count; without, what looks like a fault
        among them is made again with all pieces. Raises UserError where the model does not translate that way.
        """
        self.model.check_direction(source, target)
        results = [Translation(sentence) for sentence in sentences]
        wanted = [row for row, sentence in enumerate(sentences) if needs_model(sentence)]
        advance(len(sentences) - len(wanted), 0)
        # Longest first: sentences of a batch have the same length, and what does not fit fails at once.
        wanted.sort(key=lambda row: len(sentences[row]), reverse=True)
        direction = source, target
        if not all_pieces:
            wanted = self._try_sizes(sentences, wanted, direction, results, advance)
        again = self._translate_rows(sentences, wanted, direction, results, advance, all_pieces)
        self._translate_rows(sentences, again, direction, results, advance, all_pieces=True, bounded=False)
        return results

    def _translate_rows(
        self,
        sentences: Sequence[str],
        rows: Sequence[int],
        direction: tuple[Language, Language],
        results: list[Translation],
        advance: Advance,
        all_pieces: bool = False,
        bounded: bool = True,
    ) -> list[int]:
        """Put the translations of `rows` into `results`; if `bounded`, of those that end within the usual length.

        Returns the others: a sentence that does not come to an end holds up its batch, and is done with its like. So is what looks
        like a fault where not all pieces were to be had.
        """
        again: list[int] = []
        restricted = self.restricted and not all_pieces
        for group, outputs in self._run(self._groups(sentences, rows, *direction), direction[1], restricted, bounded):
            count = 0
            for row, parts in itertools.groupby(zip(group.parts, outputs, strict=True), key=lambda item: item[0].row):
                of_row = [output for _, output in parts]
                if group.longest < self.settings.max_target_tokens and any(_is_cut(tokens, group.longest) for tokens, _ in of_row):
                    again.append(row)
                    continue
                whole = self._whole(of_row, direction[1])
                if restricted and self._is_doubtful(whole):
                    again.append(row)
                    continue
                results[row] = whole
                count += 1
            advance(count, sum(len(tokens) for tokens, _ in outputs))
        return again

    def _is_doubtful(self, translation: Translation) -> bool:
        """Whether a translation looks as though a piece had been missing."""
        score = translation.score
        return translation.fault is not None or (score is not None and score < self.settings.candidates.min_log_probability)

    def _groups(self, sentences: Sequence[str], rows: Sequence[int], source: Language, target: Language) -> Iterator[list[_Part]]:
        """What to send to the model for `rows`, in groups of some batches; each is tokenised when it is asked for."""
        limit = int(self._batch.tokens * self.workers * _BATCHES_IN_GROUP)
        for group in in_groups(rows, lambda row: len(sentences[row]) // _CHARACTERS_PER_TOKEN + 2, limit):
            yield self._parts(sentences, group, source, target)

    def _parts(self, sentences: Sequence[str], rows: Sequence[int], source: Language, target: Language) -> list[_Part]:
        before, after = self.model.source_frame(source, target)
        room = self.settings.max_source_tokens - len(before) - len(after)
        parts: list[_Part] = []
        for row, encoded in zip(rows, self._encoder.encode([sentences[row] for row in rows], out_type=str), strict=True):
            short = [encoded]
            if len(encoded) > room:
                short = self._encoder.encode(clauses(sentences[row], lambda text: len(self._encoder.encode(text)) <= room), out_type=str)
            parts += [_Part(row, [*before, *clause, *after]) for clause in short]
        return parts

    def _run(
        self, groups: Iterator[list[_Part]], target: Language, restricted: bool, bounded: bool
    ) -> Iterator[tuple[_Group, list[Output]]]:
        """Groups of parts with what the model made of them; the next ones are under way while the caller works on one."""
        for group in ahead(self._submit(parts, target, restricted, bounded) for parts in groups):
            yield group, self._collect(group, target)

    def _submit(self, parts: list[_Part], target: Language, restricted: bool, bounded: bool) -> _Group:
        size, longest = self._batch.tokens, self.settings.max_target_tokens
        if bounded:
            tokens = max((len(part.tokens) for part in parts), default=0)
            longest = min(longest, int(self.settings.usual_target_ratio * tokens) + _MORE_TOKENS)
        return _Group(parts, size, longest, restricted, self._send(parts, target, size, longest, restricted))

    def _send(
        self, parts: Sequence[_Part], target: Language, size: int, longest: int, restricted: bool
    ) -> list[ctranslate2.AsyncTranslationResult]:
        prefix = self.model.target_prefix(target)
        translator = self._among_candidates if restricted else self._translator
        pending: list[ctranslate2.AsyncTranslationResult] = translator.translate_batch(
            [part.tokens for part in parts],
            target_prefix=[prefix] * len(parts) if prefix else None,
            **self._search,
            max_batch_size=size,
            batch_type="tokens",
            max_input_length=0,
            max_decoding_length=longest,
            use_vmap=restricted,
            return_scores=self.settings.log_probabilities,
            asynchronous=True,
        )
        return pending

    def _collect(self, group: _Group, target: Language) -> list[Output]:
        """What the model made of a group; what memory did not suffice for is done again in smaller batches, and so is all that follows."""
        prefix = len(self.model.target_prefix(target))
        outputs: list[Output | None] = [None] * len(group.parts)
        rows, pending, size = list(range(len(group.parts))), group.pending, group.batch_tokens
        while rows:
            failed = []
            for row, waiting in zip(rows, pending, strict=True):
                try:
                    result = waiting.result()
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                    failed.append(row)
                else:
                    outputs[row] = self._best(result, prefix, group.longest)
            if failed:
                self._batch.halve(size)
                size = self._batch.tokens
                pending = self._send([group.parts[row] for row in failed], target, size, group.longest, group.restricted)
            rows = failed
        return [output for output in outputs if output is not None]

    def _best(self, result: ctranslate2.TranslationResult, prefix: int, longest: int) -> Output:
        """The first hypothesis without a fault that can be seen here, else the first; `prefix` tokens of each are no part of the output."""
        found = [tokens[prefix:] for tokens in result.hypotheses]
        sound = (place for place, tokens in enumerate(found) if tokens and _UNKNOWN not in tokens and not _is_cut(tokens, longest))
        cut_early = longest < self.settings.max_target_tokens and _is_cut(found[0], longest)  # and made again
        best = 0 if cut_early else next(sound, 0)
        if not result.scores:
            return found[best], None
        # The engine has divided by the length, prefix and end included, to the power of the penalty.
        length = prefix + len(found[best]) + 1
        return found[best], result.scores[best] * length ** (self.settings.length_penalty - 1)

    def _whole(self, outputs: list[Output], target: Language) -> Translation:
        """One sentence from what the model made of its parts."""
        texts, faults, total, length = [], [], 0.0, 0
        for tokens, score in outputs:
            texts.append(self._decoder.decode([piece for piece in tokens if piece != _UNKNOWN]).strip())
            if _is_cut(tokens, self.settings.max_target_tokens):
                faults.append("cut")
            elif _UNKNOWN in tokens:
                faults.append("unknown_token")
            total += (score or 0.0) * max(len(tokens), 1)
            length += max(len(tokens), 1)
        text = restore(join(texts, ["", *" " * (len(texts) - 1), ""], target.sentence_space), target)
        scored = self.settings.log_probabilities
        return Translation(text, min(faults, default=None), round(total / length, 4) if scored else None)

    def _try_sizes(
        self,
        sentences: Sequence[str],
        wanted: list[int],
        direction: tuple[Language, Language],
        results: list[Translation],
        advance: Advance,
    ) -> list[int]:
        """Find the batch size that is fastest here and remember it, where there is much more to do than what it is found on.

        The trials are part of the work: returns the rows that are left.
        """
        with self._sizes_tried:
            if self.settings.max_batch_tokens or batch_sizes.remembered(self._key):
                return wanted
            sizes = [self._batch.tokens * share // 2 for share in (1, 2, 4, 8)]
            total = sum(len(sentences[row]) for row in wanted) // _CHARACTERS_PER_TOKEN
            tokens = [size * self.workers * _TRIAL_BATCHES for size in sizes]
            if total < sum(tokens) * _WORTH_TRIALS:
                return wanted
            speeds: dict[int, float] = {}
            left = wanted
            for size, of_trial in zip(sizes, tokens, strict=True):
                self._batch.tokens = size
                step = total // of_trial  # of all lengths, as the whole is
                rows, left = left[::step], [row for place, row in enumerate(left) if place % step]
                written = _Count(advance)
                began = time.perf_counter()
                left += self._translate_rows(sentences, rows, direction, results, written)
                speed = written.tokens / (time.perf_counter() - began)
                if self._batch.tokens < size:  # it did not fit
                    break
                speeds[size] = speed
            if speeds:
                self._batch.tokens = max(speeds, key=lambda size: speeds[size])
            batch_sizes.remember(self._key, self._batch.tokens)
            return left


class _Count:
    """Passes on what has been done, and counts the tokens."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self.tokens = 0

    def __call__(self, sentences: int, tokens: int) -> None:
        self.tokens += tokens
        self._advance(sentences, tokens)


def _is_cut(tokens: Sequence[str], longest: int) -> bool:
    """Whether an output has all the tokens that it may have, of which the language's may be one."""
    return len(tokens) + 1 >= longest
