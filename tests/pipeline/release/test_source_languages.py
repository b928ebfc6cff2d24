"""A release of a source that is translated and of one that stays English, from tables in memory: made, looked through, shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import resealing
from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.licences import combine
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.release.layout.manifest import FORMAT, MANIFEST, languages_of, read_manifest, sealed
from parallel_qa.pipeline.release.making import publish as publishing
from parallel_qa.pipeline.release.reading.diff import diff
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import ReleaseSettings, Settings
from parallel_qa.pipeline.store import Store, json_bytes
from parallel_qa.pipeline.text_ids import text_id

CODES = ["deu_Latn", "spa_Latn"]
SHARED = 10
"""Texts that the English source has of the translated one."""
RELEASE = ReleaseSettings(shard_bytes=1_500)


@dataclass(frozen=True)
class Numbered:
    """Texts with numbers: passage n answers query n. In every language each fourth text has a fault."""

    name: str
    numbers: range
    languages: Sequence[str]

    def english(self, table: str) -> Iterator[pa.Table]:
        title = "A title" if table == "passages" else ""
        texts = [f"{table} {number} of some length" for number in self.numbers]
        columns = {"id": [text_id(title, text) for text in texts], "title": [title] * len(texts), "text": texts}
        yield pa.table({name: columns[name] for name in schema.TEXTS[table].names}, schema=schema.TEXTS[table])

    def pairs(self) -> Iterator[pa.Table]:
        rows = list(range(len(self.numbers)))
        columns = {"query_row": rows, "passage_row": rows, "negative_rows": [[]] * len(rows), "source": [self.name] * len(rows)}
        yield pa.table(columns | {"source_id": [""] * len(rows), "answer": [""] * len(rows)}, schema=schema.PAIRS)

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        assert code in self.languages
        [english] = self.english(table)
        target = schema.scored(table)
        columns: dict[str, Any] = {field.name: pa.nulls(len(english), field.type) for field in target}
        columns |= {name: english[name] for name in english.column_names}
        columns |= {"faults": [int(number % 4 == 0) for number in self.numbers], "chrf": [50.0] * len(english)}
        yield pa.table({name: columns[name] for name in target.names}, schema=target)

    def answers(self) -> Iterator[pa.Table]:
        return iter(())

    def answer_scores(self, code: str) -> Iterator[pa.Table]:
        return iter(())

    def mined(self) -> Iterator[pa.Table]:
        return iter(())


TRANSLATED, PLAIN = Numbered("translated", range(40), CODES), Numbered("plain", range(40 - SHARED, 80 - SHARED), [])


def write_release(folder: Path, sources: Sequence[Numbered]) -> dict[str, Any]:
    """A release with manifest and card; returns the manifest."""
    settings = Settings(name="test", sources=[source.name for source in sources], languages=CODES, release=RELEASE, evaluation=[])
    parts = {f"source {source.name}": "CC0-1.0" for source in sources} | {"model m": "CC0-1.0"}
    licence = combine(parts)
    profile = settings.model_dump(mode="json", exclude={"batches"})
    stated = {
        "format": FORMAT,
        "version": "test-00000000",
        "licence": licence.expression,
        "licences": licence.facts(),
        "languages": [ENGLISH.code, *CODES],
        "sources": {source.name: source_facts(source) for source in sources},
        "model": {"name": "m", "licence": "CC0-1.0", "fingerprint": "", "quantization": None},
        "evaluation": {"sets": [], "rules": {}, "rows_set_aside": {source.name: {} for source in sources}},
        "settings": profile | {"sources": [source.name for source in sources], "translation": profile["translation"] | {"model": "m"}},
    }
    return publishing.write_release(Store(str(folder.parent)), folder.name, sources, stated, settings, LogProgress())


def source_facts(source: Numbered) -> dict[str, Any]:
    return {
        "title": source.name.title(),
        "licence": "CC0-1.0",
        "homepage": None,
        "citation": None,
        "fingerprint": "",
        "rows": {"read": len(source.numbers), "kept": len(source.numbers), "rejected": {}},
        "cleaned": {},
        "merged": {},
    }


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_release(tmp_path / "release", [TRANSLATED, PLAIN])
    return tmp_path / "release"


def manifest_of(folder: Path) -> dict[str, Any]:
    return read_manifest((folder / MANIFEST).read_bytes(), "here")


def faults(folder: Path) -> list[str]:
    return [str(fault) for fault in verify(Store(str(folder), writable=False))]


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    return [row for file in sorted((folder / table).rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_it_is_sound_and_rows_line_up(release: Path) -> None:
    assert faults(release) == []
    assert manifest_of(release)["blocks"] > 2
    for table in schema.TEXTS:
        english = rows(release, f"{table}/eng_Latn")
        for code in CODES:
            texts = rows(release, f"{table}/{code}")
            assert [(row["id"], row["source"]) for row in texts] == [(row["id"], row["source"]) for row in english]
            plain = [row for row in texts if row["source"] == "plain"]
            assert len(plain) == 40 - SHARED
            empty = dict.fromkeys([name for name in plain[0] if name not in ("id", "source", "reject_reason")])
            assert [row | {"id": ""} for row in plain] == [empty | {"id": "", "source": "plain", "reject_reason": "not_translated"}] * len(
                plain
            )
            assert all(row["reject_reason"] != "not_translated" for row in texts if row["source"] == "translated")


def test_they_are_counted_and_not_among_the_rejected_texts(release: Path) -> None:
    manifest = manifest_of(release)
    missing, plain = 40 - SHARED, manifest["sources"]["plain"]
    assert plain["not_translated"] == CODES and "not_translated" not in manifest["sources"]["translated"]
    assert (languages_of(manifest, "plain"), languages_of(manifest, "translated")) == (["eng_Latn"], ["eng_Latn", *CODES])
    for code in CODES:
        assert plain["languages"][code] == {
            "queries": {"read": missing, "kept": 0, "rejected": {"not_translated": missing}},
            "passages": {"read": missing, "kept": 0, "rejected": {"not_translated": missing}},
            "pairs": {"read": missing, "kept": 0, "rejected": {"query_not_translated": missing}},
        }
        counts = manifest["sources"]["translated"]["languages"][code]
        assert counts["queries"] == {"read": 40, "kept": 30, "rejected": {"translation_fault": 10}}
        assert {(row["source"], *row["reasons"]) for row in rows(release, f"rejected/{code}")} == {("translated", "translation_fault")}
        assert manifest["rejected"][code] == 20
    bits = {(pair["source"], pair["query_langs"], pair["passage_langs"]) for pair in rows(release, "pairs")}
    assert bits == {("translated", 0b111, 0b111), ("translated", 0b001, 0b001), ("plain", 0b001, 0b001)}


def test_a_text_of_both_is_that_of_the_first(tmp_path: Path) -> None:
    sources = write_release(tmp_path / "release", [PLAIN, TRANSLATED])["sources"]
    assert sources["plain"]["provided"] == {"queries": 40, "passages": 40, "pairs": 40}
    assert sources["translated"]["shared"]["queries"] == SHARED
    assert sources["plain"]["languages"]["deu_Latn"]["queries"]["rejected"] == {"not_translated": 40}
    assert faults(tmp_path / "release") == []


def test_a_pair_of_which_one_side_is_translated_says_which_is_not(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Shifted(Numbered):
        """Query n with passage n + 1."""

        def pairs(self) -> Iterator[pa.Table]:
            [pairs] = super().pairs()
            yield pairs.set_column(1, schema.PAIRS.field(1), pa.array(np.arange(1, len(pairs) + 1) % len(pairs)))

    manifest = write_release(tmp_path / "release", [TRANSLATED, Shifted("plain", PLAIN.numbers, [])])
    assert faults(tmp_path / "release") == []
    tally = manifest["sources"]["plain"]["languages"]["deu_Latn"]["pairs"]
    # Of the queries 30 to 39, which are translated, two have faults; the passage of the last is number 40, which is not translated.
    assert tally["rejected"] == {
        "query_not_translated": 30,
        "passage_not_translated": 1,
        "query_translation_fault": 2,
        "passage_translation_fault": 2,
    }
    assert (tally["read"], tally["kept"]) == (40, 5)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda row: row | {"text": "plötzlich da"}, "has a text and a reason to reject it"),
        (lambda row: row | {"chrf": 40.0}, "is not_translated and has a value in chrf"),
        (lambda row: row | {"title": "Ein Titel"}, "is not_translated and has a value in title"),
        (lambda row: row | {"reject_reason": "empty"}, "has another reason than not_translated, which the manifest says of its source"),
        (
            lambda row: row | {"reject_reason": None, "text": "da"},
            "has another reason than not_translated, which the manifest says of its source",
        ),
    ],
)
def test_an_edited_row_is_found(release: Path, change: Callable[[dict[str, Any]], dict[str, Any]], what: str) -> None:
    name, row = first_row(release, "passages/deu_Latn", "plain")
    edit(release, name, row, change)
    assert f"{name}, row {row}: {what}" in faults(release)


def test_a_translated_text_that_is_said_not_to_be_is_found(release: Path) -> None:
    name, row = first_row(release, "queries/deu_Latn", "translated")
    edit(release, name, row, lambda text: text | {"text": None, "reject_reason": "not_translated"} | dict.fromkeys(schema.SCORES.names))
    assert f"{name}, row {row}: is not_translated, and the manifest does not say so of its source" in faults(release)


def test_one_among_the_rejected_texts_is_found(release: Path) -> None:
    name, row = first_row(release, "queries/deu_Latn", "plain")
    block = int(Path(name).stem)
    before = sum(len(pq.read_table(release / f"queries/deu_Latn/{number:05d}.parquet")) for number in range(block))
    [text] = pq.read_table(release / name).slice(row, 1).to_pylist()
    rejected = f"rejected/{name.removeprefix('queries/').replace('/', '/queries/')}"
    table = pq.read_table(release / rejected)
    added = dict.fromkeys(table.column_names) | {"table": "queries", "row": before + row, "id": text["id"], "source": "plain"}
    rewrite(release, rejected, pa.Table.from_pylist([*table.to_pylist(), added | {"reasons": ["not_translated"]}], table.schema))
    assert f"{rejected}, row {len(table)}: is not_translated: no filter rejected it" in faults(release)


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        (["deu_Latn"], "is not_translated, and the manifest does not say so of its source"),
        ([*CODES, "fra_Latn"], "sources.plain.not_translated has fra_Latn, which is no language of the release besides English"),
    ],
)
def test_an_edited_manifest_is_found(release: Path, codes: list[str], fault: str) -> None:
    manifest = manifest_of(release)
    manifest["sources"]["plain"]["not_translated"] = codes
    (release / MANIFEST).write_bytes(json_bytes(sealed(manifest)))
    assert any(fault in line for line in faults(release))


def test_the_card_says_which_languages_a_source_has_and_counts_no_loss(release: Path) -> None:
    card = (release / "README.md").read_text(encoding="utf-8")
    assert "The texts of plain are in English only; in the other languages their `reject_reason` is `not_translated`." in card
    assert "each translated into up to 2 languages" in card
    assert "| translated | German | 30 / 40 | 30 / 40 | 30 / 40 |" in card and "| plain | German |" not in card
    assert "| query | `translation_fault` | 20 |" in card and "| `not_translated` |" not in card


def test_croissant_says_which_languages_a_source_has(release: Path) -> None:
    read = mlcroissant.Dataset(jsonld=str(release / "croissant.json"))
    assert not read.metadata.ctx.issues.errors
    assert read.metadata.description == "Parallel questions and passages in 3 languages, translated from: Translated, Plain (English only)."


def test_a_difference_tells_what_is_no_longer_translated(release: Path, tmp_path: Path) -> None:
    write_release(tmp_path / "before", [TRANSLATED, Numbered("plain", PLAIN.numbers, ["spa_Latn"])])
    difference = diff(Store(str(tmp_path / "before"), writable=False), Store(str(release), writable=False))
    assert difference.settings == {"sources.plain.not_translated": (["deu_Latn"], CODES)}
    assert difference.texts["queries", "deu_Latn"].fates == {}
    faulty = sum(number % 4 == 0 for number in PLAIN.numbers[SHARED:])
    assert difference.texts["queries", "spa_Latn"].fates == {
        (None, "not_translated"): 40 - SHARED - faulty,
        ("translation_fault", "not_translated"): faulty,
    }


def first_row(folder: Path, table: str, source: str) -> tuple[str, int]:
    """File and row of the first text of a source that has no fault."""
    for file in sorted((folder / table).glob("*.parquet")):
        for row, text in enumerate(pq.read_table(file).to_pylist()):
            if text["source"] == source and text["reject_reason"] in (None, "not_translated"):
                return str(file.relative_to(folder)), row
    raise AssertionError(f"{table} has no text of {source}")


def edit(folder: Path, name: str, row: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    table = pq.read_table(folder / name)
    texts = table.to_pylist()
    texts[row] = change(texts[row])
    rewrite(folder, name, pa.Table.from_pylist(texts, table.schema))


def rewrite(folder: Path, name: str, table: pa.Table) -> None:
    """Write another table in the place of a file, and make the manifest fit."""
    resealing.rewrite(folder, {name: table})
