"""Sentences into every language, and back into English.

Makes the units `translated/LANG/SOURCE/PACK` and `back_translated/LANG/SOURCE/PACK`, with a file for each file of sentences of a
pack, whose row *i* is the translation of row *i*; and before those `…/LANG/repeated/PACK`, of the sentences that several packs have.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import DecodingSettings, Settings, TranslationSettings
from parallel_qa.pipeline.store import FileRef, Record, Store, fingerprint
from parallel_qa.pipeline.translation.candidates import read_candidates
from parallel_qa.pipeline.translation.engine import Engine, Translation
from parallel_qa.pipeline.translation.memory import NOT_CHECKED, facts_of, memory_for, memory_of_pack, reuse_or_translate
from parallel_qa.pipeline.translation.model_finding import ModelFacts
from parallel_qa.pipeline.translation.models import Model
from parallel_qa.pipeline.translation.packs import Pack
from parallel_qa.pipeline.translation.restricted import translate_and_check
from parallel_qa.pipeline.translation.run_models import model_of
from parallel_qa.pipeline.work import Unit

VERSION = 2
"""Of what a model makes of a sentence: what was translated by the same one is used again."""
_ASKED_VERSION = 2
"""Of which sentences a model is asked for: units of another one are made anew, from what is known and those sentences."""

# What changes how fast a sentence is translated, but not how.
_RESOURCES = {
    "device",
    "gpus",
    "inter_threads",
    "intra_threads",
    "max_batch_tokens",
    "usual_target_ratio",
    "candidates",
    "shard_sentences",
    "model",
    "revision",
    "checksums",
    "licence",
    "back",
    "back_share",
    "models",
}
_YOUNGER = ("length_penalty", "patience", "hypotheses")
"""Settings that stores of older versions have no word of: left at their defaults, they are as though there were none."""


def part_of_work(part: str) -> tuple[int, int]:
    """(2, 3) for "2/3". Raises UserError where that is no part of the work."""
    match = re.fullmatch(r"(\d+)/(\d+)", part)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"part: {part!r} is no part of the work: write 1/2 and 2/2 for two workers")
    return int(match[1]), int(match[2])


def units(
    settings: Settings,
    models: tuple[ModelFacts, ModelFacts],
    code: str,
    packs: Sequence[Pack],
    repeated: Unit | None = None,
    candidates: Unit | None = None,
) -> list[Unit]:
    """The back-translations to be had in a language, one unit a pack; making one makes its translation too.

    `repeated` is the unit of the sentences that the packs share, `candidates` that of the pieces among which they are decoded. Sentences
    that a source has in that language itself are only translated back.
    """
    there, back = settings.translation.of(code), settings.translation.of(code, "back")
    same: dict[str, object] = {"language": code, "version": VERSION, "asked": _ASKED_VERSION}
    learnt: dict[str, Unit] = {}
    if candidates:
        same["candidates"] = candidates.fingerprint
        # Its name is enough to read it: a unit goes to where it is done with all that it refers to.
        learnt["candidates"] = Unit(candidates.path, candidates.fingerprint, language=code)
    helpers = {"repeated": repeated} if repeated else {}
    planned = []
    for pack in packs:
        path = f"{code}/{pack.source or 'repeated'}/{pack.number:05d}"
        content = {"sentences": [file.sha256 for file in pack.files.values()], **same}
        back_content = {"model": models[1].fingerprint, "decoding": decoding_of(back), **content}
        inputs = dict(learnt)
        if pack.language == ENGLISH.code:
            forward = fingerprint(stage="translate", model=models[0].fingerprint, decoding=decoding_of(there), **content)
            inputs["translated"] = Unit(f"translated/{path}", forward, pack.source, code, inputs=learnt, files=pack.files, helpers=helpers)
            back_content["translated"] = forward
        backward = fingerprint(stage="back-translate", **back_content)
        planned.append(Unit(f"back_translated/{path}", backward, pack.source, code, inputs=inputs, files=pack.files, helpers=helpers))
    return planned


def decoding_of(settings: TranslationSettings) -> dict[str, object]:
    """What decides, beside the model, what becomes of a sentence, by the settings of one direction of a language."""
    defaults = DecodingSettings()
    left = {name for name in _YOUNGER if getattr(settings, name) == getattr(defaults, name)}
    return settings.model_dump(exclude=_RESOURCES | left)


def file_name(name: str) -> str:
    """What a unit calls the translations of the file of sentences that its pack calls `name`."""
    return f"{name}.parquet"


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Translate one pack of sentences into one language, and the result back into English.

    Sentences that a source has in that language itself are only translated back.
    """
    language = LANGUAGES.find(unit.language)
    forward = unit.inputs.get("translated")
    there, back = read_candidates(store, unit.inputs["candidates"]) if "candidates" in unit.inputs else (None, None)
    origins = {file_name(name): file for name, file in unit.files.items()}
    sentences = {name: store.read_file(file) for name, file in origins.items()}
    rows = {name: len(table) for name, table in sentences.items()}
    texts: list[str] = [text for table in sentences.values() for text in table["text"].to_pylist()]
    checked: list[bool] = [check for table in sentences.values() for check in table["checked"].to_pylist()]
    progress.start(unit.path, (2 if forward else 1) * len(texts), "sentences")
    written = 0
    began = time.monotonic()

    def advance(count: int, tokens: int) -> None:
        nonlocal written
        written += tokens
        progress.advance(unit.path, count, tokens)

    if forward:
        record = forward.record(store)
        if record is None:
            engine = _engine(model_of(settings, language.code), settings.translation.of(language.code), there)
            translations, compared = _translated(store, forward, engine, (ENGLISH, language), texts, advance)
            record = _write(store, forward, rows, translations, _facts(engine, language, forward, origins) | compared)
        else:
            advance(len(texts), 0)
        origins = {name: record.ref(name) for name in origins}
        texts = [text for file in origins.values() for text in store.read_file(file)["text"].to_pylist()]
    back_again = [text for text, check in zip(texts, checked, strict=True) if check]
    advance(len(texts) - len(back_again), 0)
    engine = _engine(model_of(settings, language.code, "back"), settings.translation.of(language.code, "back"), back)
    translations, compared = _translated(store, unit, engine, (language, ENGLISH), back_again, advance)
    backwards = iter(translations)
    result = [next(backwards) if check else NOT_CHECKED for check in checked]
    cost = {"tokens": written, "seconds": round(time.monotonic() - began, 3)}
    _write(store, unit, rows, result, _facts(engine, ENGLISH, unit, origins) | compared | cost)
    progress.finish(unit.path)


def _translated(
    store: Store,
    unit: Unit,
    engine: Engine,
    direction: tuple[Language, Language],
    texts: list[str],
    advance: Callable[[int, int], None],
) -> tuple[list[Translation], dict[str, object]]:
    """The translation of each text, and for the record what candidates changed; what the store has already is taken from there."""
    compared: dict[str, object] = {}

    def translate_new(new: list[str]) -> list[Translation]:
        advance(len(texts) - len(new), 0)
        try:
            made, comparison = translate_and_check(engine, new, direction, advance)
        except RuntimeError:  # what went wrong on a GPU may go wrong with all that follows
            _engines.forget(engine)
            raise
        if comparison:
            compared["candidates"] = asdict(comparison)
        return made

    made_with = _made_with(engine, direction[1])
    memory = memory_for(store, unit, made_with)
    of_pack = memory_of_pack(store, unit, made_with)
    return reuse_or_translate(of_pack, texts, lambda rest: reuse_or_translate(memory, rest, translate_new)), compared


def _made_with(engine: Engine, target: Language) -> list[str]:
    """What stands for model, decoding and direction; and how stores of older versions know the same."""
    names = dict.fromkeys((engine.model.fingerprint, engine.model.of_files))
    decoding = decoding_of(engine.settings)
    return [fingerprint(model=name, decoding=decoding, target=target.code, version=VERSION) for name in names]


def _facts(engine: Engine, target: Language, unit: Unit, origins: Mapping[str, FileRef]) -> dict[str, object]:
    """What the record of a unit says of how it was made."""
    computed = {"device": engine.device, "compute_type": engine.compute_type}
    return facts_of(_made_with(engine, target)[0], unit.files.values(), origins) | computed


def _write(store: Store, unit: Unit, rows: Mapping[str, int], translations: list[Translation], facts: dict[str, object]) -> Record:
    """Write a unit, file by file; returns the record of whoever made it first."""
    names = schema.TRANSLATIONS.names
    left = iter(translations)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for name, count in rows.items():
            of_file = list(islice(left, count))
            columns = {column: [getattr(translation, column) for translation in of_file] for column in names}
            writer.write_table(name, pa.table(columns, schema=schema.TRANSLATIONS))
        writer.facts.update(facts)
    return unit.result(store)


_engines: MadeOnce[str, Engine] = MadeOnce(most=2)
"""The way there and the way back."""


def _engine(model: Model, settings: TranslationSettings, candidates: Sequence[str] | None = None) -> Engine:
    key = fingerprint(model=model.fingerprint, folder=str(model.folder), settings=settings.model_dump(), candidates=candidates)
    return _engines.get(key, lambda: Engine(model, settings, candidates))
