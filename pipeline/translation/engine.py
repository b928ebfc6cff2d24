"""CTranslate2 and SentencePiece: sentences in one language to sentences in another."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import ctranslate2
import sentencepiece

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import Language
from parallel_qa.pipeline.settings import Environment, TranslationSettings
from parallel_qa.pipeline.store import fingerprint
from parallel_qa.pipeline.translation.models import Model
from parallel_qa.pipeline.translation.punctuation import restore
from parallel_qa.pipeline.translation.sentences import clauses, needs_model

_UNKNOWN = "<unk>"
_BATCHES_IN_GROUP = 2  # per translating thread: few enough to see progress and to tokenise meanwhile
_GROUPS_UNDER_WAY = 4
_CHARACTERS_PER_TOKEN = 4  # about; only how much is sent at once depends on it
_DEFAULT_BATCH_TOKENS = {"cpu": 2048, "cuda": 16_384}
_SMALLEST_BATCH = 64
_CALIBRATE_FROM = 400_000  # source tokens: less work is done sooner than the best size is found
_CALIBRATION_BATCHES = 4


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


class Engine:
    """A loaded model."""

    def __init__(self, model: Model, settings: TranslationSettings) -> None:
        """Raises UserError where the device or the compute type is not to be had."""
        self.model = model
        self.settings = settings
        source, target = model.pieces
        self._encoder = sentencepiece.SentencePieceProcessor(model_file=str(source))
        self._decoder = self._encoder if source == target else sentencepiece.SentencePieceProcessor(model_file=str(target))
        gpus = ctranslate2.get_cuda_device_count()
        self.device = settings.device if settings.device != "auto" else "cuda" if gpus else "cpu"
        devices = settings.gpus or list(range(gpus)) or [0]
        self.threads = settings.inter_threads or (_cores() if self.device == "cpu" else 1)
        self.workers = self.threads * (len(devices) if self.device == "cuda" else 1)
        self._translator = self._load(devices)
        self.compute_type = self._translator.compute_type
        self.batch_tokens = settings.max_batch_tokens or _remembered(self._key) or _DEFAULT_BATCH_TOKENS[self.device]

    def _load(self, devices: list[int]) -> ctranslate2.Translator:
        # On a GPU half precision is fastest; where it does not fit, weights of 8 bits with the rest in half precision do.
        automatic = ["float16", "int8_float16"] if self.device == "cuda" else ["auto"]
        wanted = automatic if self.settings.compute_type == "auto" else [self.settings.compute_type]
        for number, compute_type in enumerate(wanted, 1):
            try:
                return ctranslate2.Translator(
                    str(self.model.folder),
                    device=self.device,
                    device_index=devices if self.device == "cuda" else 0,
                    compute_type=compute_type,
                    inter_threads=self.threads,
                    intra_threads=self.settings.intra_threads,
                    max_queued_batches=-1,
                )
            except (RuntimeError, ValueError) as error:
                if number == len(wanted) or not _out_of_memory(error):
                    raise UserError(f"model {self.model.name!r} cannot be loaded on {self.device}: {error}") from None
        raise AssertionError("unreachable")

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
        )
        return fingerprint(same=same)

    def translate(
        self,
        sentences: Sequence[str],
        source: Language,
        target: Language,
        advance: Callable[[int, int], None] = lambda sentences, tokens: None,
    ) -> list[Translation]:
        """The translation of each sentence, in order.

        The sentences should be unique: each is translated. `advance(sentences, tokens)` is told what has
        been done; tokens are those that the model wrote. A sentence that is too long for the model is
        translated clause by clause. Raises UserError where the model does not translate that way.
        """
        self.model.check_direction(source, target)
        results = [Translation(sentence) for sentence in sentences]
        wanted = [row for row, sentence in enumerate(sentences) if needs_model(sentence)]
        advance(len(sentences) - len(wanted), 0)
        # Longest first: sentences of a batch have the same length, and what does not fit fails at once.
        wanted.sort(key=lambda row: len(sentences[row]), reverse=True)
        self._calibrate(sentences, wanted, source, target)
        for group, outputs in self._run(self._groups(sentences, wanted, source, target), target):
            by_row = itertools.groupby(zip(group, outputs, strict=True), key=lambda item: item[0].row)
            count = 0
            for row, parts in by_row:
                results[row] = self._whole([output for _, output in parts], target)
                count += 1
            advance(count, sum(len(tokens) for tokens, _ in outputs))
        return results

    def _groups(self, sentences: Sequence[str], rows: Sequence[int], source: Language, target: Language) -> Iterator[list[_Part]]:
        """What to send to the model for `rows`, in groups of some batches; each is tokenised when it is asked for."""
        limit = self.batch_tokens * self.workers * _BATCHES_IN_GROUP
        group: list[int] = []
        room = limit
        for row in rows:
            size = len(sentences[row]) // _CHARACTERS_PER_TOKEN + 2
            if group and room < size:
                yield self._parts(sentences, group, source, target)
                group, room = [], limit
            group.append(row)
            room -= size
        if group:
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

    def _run(self, groups: Iterator[list[_Part]], target: Language) -> Iterator[tuple[list[_Part], list[Output]]]:
        """Groups of parts with what the model made of them; the next ones are under way while the caller works on one."""
        waiting: deque[tuple[list[_Part], list[ctranslate2.AsyncTranslationResult]]] = deque()
        while True:
            waiting += ((group, self._submit(group, target)) for group in itertools.islice(groups, _GROUPS_UNDER_WAY - len(waiting)))
            if not waiting:
                return
            first, pending = waiting.popleft()
            yield first, self._collect(first, pending, target)

    def _submit(self, group: list[_Part], target: Language) -> list[ctranslate2.AsyncTranslationResult]:
        prefix = self.model.target_prefix(target)
        pending: list[ctranslate2.AsyncTranslationResult] = self._translator.translate_batch(
            [part.tokens for part in group],
            target_prefix=[prefix] * len(group) if prefix else None,
            beam_size=self.settings.beam_size,
            repetition_penalty=self.settings.repetition_penalty,
            no_repeat_ngram_size=self.settings.no_repeat_ngram_size,
            max_batch_size=self.batch_tokens,
            batch_type="tokens",
            max_input_length=0,
            max_decoding_length=self.settings.max_target_tokens,
            return_scores=self.settings.log_probabilities,
            asynchronous=True,
        )
        return pending

    def _collect(self, group: list[_Part], pending: list[ctranslate2.AsyncTranslationResult], target: Language) -> list[Output]:
        """What the model made of a group; where memory does not suffice, with batches half as large from now on."""
        while True:
            try:
                results = [waiting.result() for waiting in pending]
                break
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                if self.batch_tokens <= _SMALLEST_BATCH:
                    raise UserError(f"model {self.model.name!r}: memory does not suffice on {self.device} for the smallest batch") from None
                self.batch_tokens = max(self.batch_tokens // 2, _SMALLEST_BATCH)
                pending = self._submit(group, target)
        skip = len(self.model.target_prefix(target))
        return [(result.hypotheses[0][skip:], result.scores[0] if result.scores else None) for result in results]

    def _whole(self, outputs: list[Output], target: Language) -> Translation:
        """One sentence from what the model made of its parts."""
        texts, faults, total, length = [], [], 0.0, 0
        for tokens, score in outputs:
            texts.append(self._decoder.decode([piece for piece in tokens if piece != _UNKNOWN]).strip())
            if len(tokens) + 1 >= self.settings.max_target_tokens:
                faults.append("cut")
            elif _UNKNOWN in tokens:
                faults.append("unknown_token")
            total += (score or 0.0) * max(len(tokens), 1)
            length += max(len(tokens), 1)
        text = restore((target.sentence_space or "").join(texts), target)
        scored = self.settings.log_probabilities
        return Translation(text, min(faults, default=None), round(total / length, 4) if scored else None)

    def _calibrate(self, sentences: Sequence[str], wanted: Sequence[int], source: Language, target: Language) -> None:
        """Find the batch size that is fastest here and remember it, where there is work enough to be worth it."""
        total = sum(len(sentences[row]) for row in wanted) // _CHARACTERS_PER_TOKEN
        if self.settings.max_batch_tokens or total < _CALIBRATE_FROM or _remembered(self._key):
            return
        start = self.batch_tokens
        speeds: dict[int, float] = {}
        for size in (start // 2, start, start * 2, start * 4):
            self.batch_tokens = size
            step = max(total // (size * self.workers * _CALIBRATION_BATCHES), 1)
            sample = self._parts(sentences, wanted[::step], source, target)
            began = time.perf_counter()
            outputs = self._collect(sample, self._submit(sample, target), target)
            if self.batch_tokens < size:  # it did not fit
                break
            speeds[size] = sum(len(tokens) for tokens, _ in outputs) / (time.perf_counter() - began)
        self.batch_tokens = max(speeds, key=lambda size: speeds[size]) if speeds else self.batch_tokens
        _remember(self._key, self.batch_tokens)


def _out_of_memory(error: BaseException) -> bool:
    return "out of memory" in str(error).lower() or isinstance(error, MemoryError)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _remembered(key: str) -> int | None:
    try:
        content = json.loads(Environment().calibration.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    size = content.get(key) if isinstance(content, dict) else None
    return size if isinstance(size, int) and size > 0 else None


def _remember(key: str, size: int) -> None:
    path = Environment().calibration
    content: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
    with contextlib.suppress(OSError):  # a cache that cannot be written to costs the next run a calibration
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(content | {key: size}), encoding="utf-8")
        beside.replace(path)
