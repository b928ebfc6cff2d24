"""The stage `translate`: every unique sentence into every language, and back into English.

Makes the units `translated/LANG/SOURCE/SHARD` and `back_translated/LANG/SOURCE/SHARD`, whose row *i* is
the translation of row *i* of the sentence shard.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UserError
from pipeline.languages import ENGLISH, LANGUAGES
from pipeline.progress import Progress
from pipeline.settings import ModelSettings, Settings, TranslationSettings
from pipeline.store import Store, fingerprint
from pipeline.translation import segment
from pipeline.translation.engine import Engine, Translation
from pipeline.translation.hub import find_model
from pipeline.translation.models import Model
from pipeline.work import Outcome, Unit, run_units

VERSION = 2
DATA = "sentences/00000.parquet"
NOT_CHECKED = Translation("", "not_checked")
"""Stands for the way back of a sentence that no text in the sample of `back_share` has."""

# What changes how fast a sentence is translated, but not how.
_RESOURCES = {
    "device",
    "gpus",
    "inter_threads",
    "intra_threads",
    "max_batch_tokens",
    "shard_sentences",
    "model",
    "revision",
    "checksums",
    "licence",
    "back",
    "back_share",
}


def translate(settings: Settings, store: Store, progress: Progress | None = None, part: str = "1/1") -> Outcome:
    """Translate what the store does not hold yet; the sources must have been downloaded.

    `part` "2/3" does every third unit, beginning with the second: three workers with "1/3", "2/3" and "3/3" on one
    store do all. Raises UserError where the model cannot be used or does not know a language.
    """
    outcome = run_units(segment.units(settings, store), segment.do, settings, store, progress)
    return outcome + run_units(part_of(units(settings, store), part), do, settings, store, progress)


def part_of(planned: list[Unit], part: str) -> list[Unit]:
    """Every n-th unit for `part` "k/n", beginning with the k-th. Raises UserError where that is no part."""
    match = re.fullmatch(r"(\d+)/(\d+)", part)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"part: {part!r} is no part of the work: write 1/2 and 2/2 for two workers")
    return planned[int(match[1]) - 1 :: int(match[2])]


def units(settings: Settings, store: Store) -> list[Unit]:
    """The back-translations to be had, one unit a language and sentence shard; making one makes its translation too.

    Raises UserError where the model cannot be used or does not know a language.
    """
    model, way_back = model_of(settings), back_model_of(settings)
    decoding = settings.translation.model_dump(exclude=_RESOURCES)
    segmented_units = segment.units(settings, store)
    planned: list[Unit] = []
    for code in settings.languages:
        model.check_direction(ENGLISH, LANGUAGES.find(code))
        way_back.check_direction(LANGUAGES.find(code), ENGLISH)
        for segmented in segmented_units:
            if segmented.language not in ("", code):
                continue
            record = segmented.result(store)
            for shard, file in enumerate(record.shards("sentences")):
                path = f"{code}/{segmented.source}/{shard:05d}"
                same = {"decoding": decoding, "version": VERSION}
                content = {"language": code, "sentences": record.files[file].sha256, **same}
                back_content = {"model": way_back.fingerprint, "share": settings.translation.back_share, **same}
                place = (segmented.source, code, "sentences", shard)
                if segmented.language:  # the sentences are in that language already
                    back = fingerprint(stage="back-translate", **(content | back_content))
                    planned.append(Unit(f"back_translated/{path}", back, *place, {"sentences": segmented}))
                    continue
                forward = Unit(
                    f"translated/{path}",
                    fingerprint(stage="translate", model=model.fingerprint, **content),
                    *place,
                    {"sentences": segmented},
                )
                back = fingerprint(stage="back-translate", translated=forward.fingerprint, **back_content)
                planned.append(Unit(f"back_translated/{path}", back, *place, {"translated": forward}))
    return planned


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Translate one shard of sentences into one language, and the result back into English.

    Sentences that a source has in that language itself are only translated back.
    """
    language = LANGUAGES.find(unit.language)
    forward = unit.inputs.get("translated")
    segmented = (forward or unit).inputs["sentences"]
    sentences = store.read_table(segmented.result(store), f"sentences/{unit.shard:05d}.parquet")
    progress.start(unit.path, (2 if forward else 1) * sentences.num_rows, "sentences")

    written = 0
    began = time.monotonic()

    def advance(count: int, tokens: int) -> None:
        nonlocal written
        written += tokens
        progress.advance(unit.path, count, tokens)

    texts: list[str] = sentences["text"].to_pylist()
    if forward:
        record = forward.record(store)
        if record is None:
            translations = _engine(model_of(settings), settings.translation).translate(texts, ENGLISH, language, advance)
            _write(store, forward, translations)
            texts = [translation.text for translation in translations]
        else:
            texts = store.read_table(record, DATA)["text"].to_pylist()
            advance(len(texts), 0)
    checked: list[bool] = sentences["checked"].to_pylist()
    unique = list(dict.fromkeys(text for text, wanted in zip(texts, checked, strict=True) if wanted))
    advance(len(texts) - len(unique), 0)
    engine = _engine(back_model_of(settings), settings.translation)
    backwards = dict(zip(unique, engine.translate(unique, language, ENGLISH, advance), strict=True))
    result = [backwards[text] if wanted else NOT_CHECKED for text, wanted in zip(texts, checked, strict=True)]
    _write(store, unit, result, tokens=written, seconds=round(time.monotonic() - began, 3))
    progress.finish(unit.path)


def _write(store: Store, unit: Unit, translations: list[Translation], **facts: float) -> None:
    columns = {"text": [t.text for t in translations], "mark": [t.mark for t in translations], "score": [t.score for t in translations]}
    table = pa.table(columns, schema=schema.TRANSLATIONS)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, table)
        writer.facts.update(facts)


_lock = threading.Lock()
_models: dict[str, Model] = {}
_engines: dict[str, Engine] = {}


def model_of(settings: Settings) -> Model:
    """The run's model; found, checked and where needed converted once in a process."""
    return _found(settings.translation, settings.folder)


def back_model_of(settings: Settings) -> Model:
    """The model for the way back into English."""
    return _found(settings.translation.back or settings.translation, settings.folder)


def _found(choice: ModelSettings, folder: Path) -> Model:
    key = choice.model_dump_json(include=set(ModelSettings.model_fields)) + str(folder)
    with _lock:
        if key not in _models:
            _models[key] = find_model(choice, folder)
        return _models[key]


def _engine(model: Model, settings: TranslationSettings) -> Engine:
    key = model.fingerprint + settings.model_dump_json()
    with _lock:
        if key not in _engines:
            if len(_engines) >= 2:  # the way there and the way back
                _engines.clear()
            _engines[key] = Engine(model, settings)
        return _engines[key]
