"""The stage `translate`: every unique sentence into every language, and back into English.

Makes the units `translated/LANG/SOURCE/SHARD` and `back_translated/LANG/SOURCE/SHARD`, whose row *i* is
the translation of row *i* of the sentence shard.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import ModelSettings, Settings, TranslationSettings
from parallel_qa.pipeline.store import Record, Store, fingerprint
from parallel_qa.pipeline.translation import memory, segment
from parallel_qa.pipeline.translation.engine import Engine, Translation
from parallel_qa.pipeline.translation.memory import DATA
from parallel_qa.pipeline.translation.model_finding import find_model
from parallel_qa.pipeline.translation.models import Model
from parallel_qa.pipeline.work import Outcome, Unit, run_units

VERSION = 2
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
    sentences_record = segmented.result(store)
    file = f"sentences/{unit.shard:05d}.parquet"

    def advance(count: int, tokens: int) -> None:
        nonlocal written
        written += tokens
        progress.advance(unit.path, count, tokens)

    texts: list[str] = sentences["text"].to_pylist()
    origin = (sentences_record, file)
    if forward:
        record = forward.record(store)
        if record is None:
            engine = _engine(model_of(settings), settings.translation)
            translations = _made(store, forward, segmented, engine, (ENGLISH, language), texts, advance)
            with_what = memory.facts(_made_with(engine, language), segmented, *origin)
            record = _write(store, forward, translations, with_what)
        else:
            advance(len(texts), 0)
        texts = store.read_table(record, DATA)["text"].to_pylist()
        origin = (record, DATA)
    checked: list[bool] = sentences["checked"].to_pylist()
    wanted = [text for text, check in zip(texts, checked, strict=True) if check]
    advance(len(texts) - len(wanted), 0)
    engine = _engine(back_model_of(settings), settings.translation)
    backwards = iter(_made(store, unit, segmented, engine, (language, ENGLISH), wanted, advance))
    result = [next(backwards) if check else NOT_CHECKED for check in checked]
    with_what = memory.facts(_made_with(engine, ENGLISH), segmented, *origin)
    _write(store, unit, result, with_what | {"tokens": written, "seconds": round(time.monotonic() - began, 3)})
    progress.finish(unit.path)


def _made(
    store: Store,
    unit: Unit,
    segmented: Unit,
    engine: Engine,
    direction: tuple[Language, Language],
    texts: list[str],
    advance: Callable[[int, int], None],
) -> list[Translation]:
    """The translation of each text; those that an earlier run made are taken from there."""

    def translate_new(new: list[str]) -> list[Translation]:
        advance(len(texts) - len(new), 0)
        return engine.translate(new, *direction, advance)

    return memory.reuse(store, unit, segmented, _made_with(engine, direction[1]), texts, translate_new)


def _made_with(engine: Engine, target: Language) -> str:
    return fingerprint(
        model=engine.model.fingerprint, decoding=engine.settings.model_dump(exclude=_RESOURCES), target=target.code, version=VERSION
    )


def _write(store: Store, unit: Unit, translations: list[Translation], facts: dict[str, object]) -> Record:
    names = schema.TRANSLATIONS.names
    columns = {name: [getattr(translation, name) for translation in translations] for name in names}
    table = pa.table(columns, schema=schema.TRANSLATIONS)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, table)
        writer.facts.update(facts)
    return unit.result(store)


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
