"""CTranslate2 and SentencePiece: sentences in one language to sentences in another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ctranslate2
import sentencepiece

from pipeline.errors import UserError
from pipeline.languages import Language
from pipeline.settings import TranslationSettings
from pipeline.translation.models import SENTENCEPIECE, Model
from pipeline.translation.sentences import needs_model

_EOS = "</s>"
_UNKNOWN = "<unk>"
_BATCHES_IN_FLIGHT = 8  # per translating thread: few enough to see progress, enough to keep each busy


@dataclass(frozen=True)
class Translation:
    """One sentence in another language."""

    text: str
    mark: str | None = None
    """A fault that only the engine can see: `source_too_long`, `cut` at the length limit, `unknown_token`."""


class Engine:
    """A loaded model."""

    def __init__(self, model: Model, settings: TranslationSettings) -> None:
        """Raises UserError where the device or the compute type is not to be had."""
        self.model = model
        self._settings = settings
        self._pieces = sentencepiece.SentencePieceProcessor(model_file=str(model.folder / SENTENCEPIECE))
        device = settings.device
        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self.threads = settings.inter_threads or (_cores() if device == "cpu" else 1)
        try:
            self._translator = ctranslate2.Translator(
                str(model.folder),
                device=device,
                compute_type=settings.compute_type,
                inter_threads=self.threads,
                intra_threads=settings.intra_threads,
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(f"model {model.name!r} cannot be loaded on {device}: {error}") from None

    def translate(
        self,
        sentences: Sequence[str],
        source: Language,
        target: Language,
        advance: Callable[[int, int], None] = lambda sentences, tokens: None,
    ) -> list[Translation]:
        """The translation of each sentence, in order.

        The sentences should be unique: each is translated. `advance(sentences, tokens)` is told what has
        been done; tokens are those that the model wrote. Raises UserError where the model does not know
        a language.
        """
        self.model.check_language(source)
        self.model.check_language(target)
        results = [Translation(sentence) for sentence in sentences]
        wanted = [row for row, sentence in enumerate(sentences) if needs_model(sentence)]
        advance(len(sentences) - len(wanted), 0)
        pieces = self._pieces.encode([sentences[row] for row in wanted], out_type=str)
        tokens = {row: [source.code, *encoded, _EOS] for row, encoded in zip(wanted, pieces, strict=True)}
        for row in wanted:
            if len(tokens[row]) > self._settings.max_source_tokens:
                results[row] = Translation("", "source_too_long")
                del tokens[row]
        advance(len(wanted) - len(tokens), 0)
        # Longest first: sentences of a batch have the same length, and what does not fit fails at once.
        order = sorted(tokens, key=lambda row: len(tokens[row]), reverse=True)
        for rows in _groups(order, lambda row: len(tokens[row]), self._settings.max_batch_tokens * self.threads * _BATCHES_IN_FLIGHT):
            written = 0
            for row, output in zip(rows, self._run([tokens[row] for row in rows], target), strict=True):
                written += len(output)
                results[row] = self._decode(output)
            advance(len(rows), written)
        return results

    def _run(self, batch: list[list[str]], target: Language) -> list[list[str]]:
        results = self._translator.translate_batch(
            batch,
            target_prefix=[[target.code]] * len(batch),
            beam_size=self._settings.beam_size,
            max_batch_size=self._settings.max_batch_tokens,
            batch_type="tokens",
            max_input_length=0,
            max_decoding_length=self._settings.max_target_tokens,
        )
        return [result.hypotheses[0][1:] for result in results]

    def _decode(self, output: list[str]) -> Translation:
        text = self._pieces.decode([piece for piece in output if piece != _UNKNOWN]).strip()
        if len(output) + 1 >= self._settings.max_target_tokens:
            return Translation(text, "cut")
        return Translation(text, "unknown_token" if _UNKNOWN in output else None)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _groups(rows: list[int], size: Callable[[int], int], limit: int) -> list[list[int]]:
    """`rows` in consecutive groups of at most `limit` together, and at least one each."""
    groups: list[list[int]] = []
    room = 0
    for row in rows:
        if not groups or room < size(row):
            groups.append([])
            room = limit
        groups[-1].append(row)
        room -= size(row)
    return groups
