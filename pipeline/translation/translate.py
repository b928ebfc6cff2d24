"""The stage `translate`: every unique sentence into every language, and back into English.

Makes the units `translated/LANG/SOURCE/SHARD` and `back_translated/LANG/SOURCE/SHARD`, whose row *i* is
the translation of row *i* of the sentence shard.
"""

from __future__ import annotations

import threading

import pyarrow as pa

from pipeline import schema
from pipeline.languages import ENGLISH, LANGUAGES
from pipeline.progress import Progress
from pipeline.settings import Settings, TranslationSettings
from pipeline.store import Store, fingerprint
from pipeline.translation import segment
from pipeline.translation.engine import Engine, Translation
from pipeline.translation.hub import find_model
from pipeline.translation.models import Model
from pipeline.work import Outcome, Unit, run_units

VERSION = 2
DATA = "sentences/00000.parquet"

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
}


def translate(settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Translate what the store does not hold yet; the sources must have been downloaded.

    Raises UserError where the model cannot be used or does not know a language.
    """
    outcome = run_units(segment.units(settings, store), segment.do, settings, store, progress)
    return outcome + run_units(units(settings, store), do, settings, store, progress)


def units(settings: Settings, store: Store) -> list[Unit]:
    """The back-translations to be had, one unit a language and sentence shard; making one makes its translation too.

    Raises UserError where the model cannot be used or does not know a language.
    """
    model = model_of(settings)
    decoding = settings.translation.model_dump(exclude=_RESOURCES)
    segmented_units = segment.units(settings, store)
    planned: list[Unit] = []
    for code in settings.languages:
        model.check_direction(ENGLISH, LANGUAGES.find(code))
        model.check_direction(LANGUAGES.find(code), ENGLISH)
        for segmented in segmented_units:
            if segmented.language not in ("", code):
                continue
            record = segmented.result(store)
            for shard, file in enumerate(record.shards("sentences")):
                path = f"{code}/{segmented.source}/{shard:05d}"
                same = {"model": model.fingerprint, "decoding": decoding, "version": VERSION}
                content = {"language": code, "sentences": record.files[file].sha256, **same}
                place = (segmented.source, code, "sentences", shard)
                if segmented.language:  # the sentences are in that language already
                    back = fingerprint(stage="back-translate", **content)
                    planned.append(Unit(f"back_translated/{path}", back, *place, {"sentences": segmented}))
                    continue
                forward = Unit(f"translated/{path}", fingerprint(stage="translate", **content), *place, {"sentences": segmented})
                back = fingerprint(stage="back-translate", translated=forward.fingerprint, **same)
                planned.append(Unit(f"back_translated/{path}", back, *place, {"translated": forward}))
    return planned


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Translate one shard of sentences into one language, and the result back into English.

    Sentences that a source has in that language itself are only translated back.
    """
    engine = _engine(model_of(settings), settings.translation)
    language = LANGUAGES.find(unit.language)
    forward = unit.inputs.get("translated")
    segmented = (forward or unit).inputs["sentences"]
    sentences = store.read_table(segmented.result(store), f"sentences/{unit.shard:05d}.parquet")
    progress.start(unit.path, (2 if forward else 1) * sentences.num_rows, "sentences")

    def advance(count: int, tokens: int) -> None:
        progress.advance(unit.path, count, tokens)

    texts: list[str] = sentences["text"].to_pylist()
    if forward:
        record = forward.record(store)
        if record is None:
            translations = engine.translate(texts, ENGLISH, language, advance)
            _write(store, forward, translations)
            texts = [translation.text for translation in translations]
        else:
            texts = store.read_table(record, DATA)["text"].to_pylist()
            advance(len(texts), 0)
    unique = list(dict.fromkeys(texts))
    advance(len(texts) - len(unique), 0)
    backwards = dict(zip(unique, engine.translate(unique, language, ENGLISH, advance), strict=True))
    _write(store, unit, [backwards[text] for text in texts])
    progress.finish(unit.path)


def _write(store: Store, unit: Unit, translations: list[Translation]) -> None:
    columns = {"text": [t.text for t in translations], "mark": [t.mark for t in translations], "score": [t.score for t in translations]}
    table = pa.table(columns, schema=schema.TRANSLATIONS)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, table)


_lock = threading.Lock()
_models: dict[str, Model] = {}
_engines: dict[str, Engine] = {}


def model_of(settings: Settings) -> Model:
    """The run's model; found, checked and where needed converted once in a process."""
    key = settings.translation.model_dump_json() + str(settings.folder)
    with _lock:
        if key not in _models:
            _models[key] = find_model(settings.translation, settings.folder)
        return _models[key]


def _engine(model: Model, settings: TranslationSettings) -> Engine:
    key = model.fingerprint + settings.model_dump_json()
    with _lock:
        if key not in _engines:
            _engines.clear()  # one model in memory at a time
            _engines[key] = Engine(model, settings)
        return _engines[key]
