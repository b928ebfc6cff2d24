"""Damage of every kind is found, and named by file and row."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import resealing
from benchmarks.resealing import change_manifest
from parallel_qa.pipeline import schema
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import filter_texts, translate
from parallel_qa.pipeline.release.layout.manifest import SCHEMA, json_schema
from parallel_qa.pipeline.release.layout.order import pair_keys, shuffle_keys, text_hashes
from parallel_qa.pipeline.release.making.publish import publish
from parallel_qa.pipeline.release.reading.verify import verify
from parallel_qa.pipeline.settings import HOUSE
from parallel_qa.pipeline.store import Store, json_bytes
from tests.conftest import Run

GERMAN = "queries/deu_Latn/00000.parquet"
ENGLISH = "queries/eng_Latn/00000.parquet"
PAIRS = "pairs/00000.parquet"
MANIFESTS = "than follows from the manifest"
LANGUAGES = ("eng_Latn", "deu_Latn", "arb_Arab", "zho_Hans")


@pytest.fixture
def release(sample_run: Run, tmp_path: Path) -> Path:
    """A copy of the sample release."""
    folder = tmp_path / "release"
    shutil.copytree(sample_run.folder, folder)
    return folder


@pytest.fixture(scope="module")
def cut_release(sample_run: Run) -> Path:
    """The sample release in several blocks, some of them empty in some tables."""
    small = sample_run.settings.release.model_copy(update={"shard_bytes": 1_000, "row_group_bytes": 1_000})
    released = publish(sample_run.settings.model_copy(update={"release": small}), sample_run.store)
    publish(sample_run.settings, sample_run.store)
    return Path(sample_run.store.root) / released.path


@pytest.fixture
def blocks(cut_release: Path, tmp_path: Path) -> Path:
    """A copy of the sample release in several blocks."""
    folder = tmp_path / "blocks"
    shutil.copytree(cut_release, folder)
    return folder


def found(folder: Path) -> list[str]:
    return [str(fault) for fault in verify(Store(str(folder), writable=False))]


def rewrite(folder: Path, name: str, table: pa.Table) -> None:
    """Write another table in the place of a file, and make the manifest fit."""
    resealing.rewrite(folder, {name: table})


def shards(folder: Path, table: str) -> list[pa.Table]:
    return [pq.read_table(file) for file in sorted((folder / table).glob("*.parquet"))]


def swap(folder: Path, table: str, first: int, second: int) -> None:
    """Swap two shards of a table."""
    tables = shards(folder, table)
    for number, other in ((first, second), (second, first)):
        rewrite(folder, f"{table}/{number:05d}.parquet", tables[other])


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))


def test_a_sound_release_has_no_fault(release: Path) -> None:
    assert found(release) == []


def test_a_flipped_byte_is_found(release: Path) -> None:
    content = bytearray((release / GERMAN).read_bytes())
    content[len(content) // 2] ^= 1
    (release / GERMAN).write_bytes(content)
    assert f"{GERMAN}: its checksum is not that of the manifest" in found(release)


def test_a_truncated_file_is_found(release: Path) -> None:
    size = (release / GERMAN).stat().st_size
    (release / GERMAN).write_bytes((release / GERMAN).read_bytes()[:-10])
    assert f"{GERMAN}: has {size - 10} bytes, and {size} in the manifest" in found(release)


def test_a_missing_and_an_extra_file_are_found(release: Path) -> None:
    (release / GERMAN).rename(release / "queries/deu_Latn/00007.parquet")
    faults = found(release)
    assert "queries/deu_Latn/00007.parquet: is not in the manifest" in faults
    assert f"{GERMAN}: is missing" in faults


def test_swapped_files_are_found_even_if_the_manifest_was_made_to_fit(release: Path) -> None:
    german, arabic = pq.read_table(release / GERMAN), pq.read_table(release / "queries/arb_Arab/00000.parquet")
    (release / GERMAN).write_bytes((release / "queries/arb_Arab/00000.parquet").read_bytes())
    assert any(fault.startswith(f"{GERMAN}: has ") or "checksum" in fault for fault in found(release))
    rewrite(release, GERMAN, arabic)
    rewrite(release, "queries/arb_Arab/00000.parquet", german)
    faults = found(release)
    assert any(fault.startswith("manifest.json: sources.questions.languages.") for fault in faults)
    assert any(fault.startswith(PAIRS) and "query_langs is not what survived in queries" in fault for fault in faults)


def test_reordered_rows_are_found_in_one_language_and_in_all(release: Path, tmp_path: Path) -> None:
    table = pq.read_table(release / GERMAN)
    order = [1, 0, *range(2, len(table))]
    rewrite(release, GERMAN, table.take(order))
    assert f"{GERMAN}, row 0: has another id than the English row (2 rows)" in found(release)
    for code in ("eng_Latn", "arb_Arab", "zho_Hans"):
        name = f"queries/{code}/00000.parquet"
        rewrite(release, name, pq.read_table(release / name).take(order))
    assert f"{ENGLISH}, row 1: is not in the order of the release" in found(release)


def test_reordered_pairs_are_found(release: Path) -> None:
    table = pq.read_table(release / PAIRS)
    rewrite(release, PAIRS, table.take([*range(1, len(table)), 0]))
    assert f"{PAIRS}, row {len(table) - 1}: is not in the order of the release" in found(release)


def test_an_edited_manifest_is_found(release: Path) -> None:
    manifest = json.loads((release / "manifest.json").read_bytes())
    manifest["licence"] = "CC0-1.0"
    (release / "manifest.json").write_bytes(json_bytes(manifest))
    assert found(release)[0] == "manifest.json: its seal does not fit its content: it was changed after it was written"
    (release / "manifest.json").write_text("{")
    assert [fault[:23] for fault in found(release)] == ["manifest.json: no JSON:"]
    del manifest["rows"]
    (release / "manifest.json").write_bytes(json_bytes(manifest))
    assert found(release) == ["manifest.json: rows: Field required"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda m: m["rows"].update(pairs=3), "manifest.json: rows.pairs is 3, and its shards have"),
        (lambda m: m["rejected"].update(deu_Latn=999), "manifest.json: rejected.deu_Latn is 999, and there are"),
        (lambda m: m["sources"]["questions"]["rows"].update(kept=1), "manifest.json: sources.questions.rows: kept and rejected are not"),
        (lambda m: m["sources"]["questions"]["provided"].update(queries=1), "manifest.json: sources.questions.provided.queries is 1"),
        (
            lambda m: m["sources"]["questions"]["languages"]["deu_Latn"]["pairs"].update(kept=1),
            "manifest.json: sources.questions.languages.deu_Latn.pairs is not what the rows say",
        ),
        (lambda m: m["files"].pop(GERMAN), "manifest.json: files: queries/deu_Latn is not one shard for each of the 1 blocks"),
        (lambda m: m["files"].update({"extra/00000.parquet": m["files"][GERMAN]}), "extra/00000.parquet: is no table of this release"),
    ],
)
def test_counts_that_do_not_fit_the_rows_are_found(release: Path, change: Callable[[dict[str, Any]], None], fault: str) -> None:
    change_manifest(release, change)
    assert any(line.startswith(fault) for line in found(release)), found(release)


def test_a_text_that_is_gone_without_a_reason_is_found(release: Path) -> None:
    table = pq.read_table(release / GERMAN)
    row = table["text"].is_null().to_pylist().index(False)
    texts = table["text"].to_pylist()
    texts[row] = None
    rewrite(release, GERMAN, with_column(table, "text", texts))
    faults = found(release)
    assert f"{GERMAN}, row {row}: has no text and no reason why" in faults
    assert any(fault.startswith(PAIRS) and "query_langs is not what survived in queries" in fault for fault in faults)


def test_a_rejected_text_that_is_there_and_an_unknown_reason_are_found(release: Path) -> None:
    name = "passages/arb_Arab/00000.parquet"
    table = pq.read_table(release / name)
    row = table["reject_reason"].is_valid().to_pylist().index(True)
    texts, reasons = table["text"].to_pylist(), table["reject_reason"].to_pylist()
    texts[row], reasons[row] = "here", "whim"
    rewrite(release, name, with_column(with_column(table, "text", texts), "reject_reason", reasons))
    faults = found(release)
    assert f"{name}, row {row}: has a text and a reason to reject it" in faults
    assert f"{name}, row {row}: is rejected for no reason that there is" in faults


def test_a_lost_rejected_text_is_found(release: Path) -> None:
    name = "rejected/deu_Latn/queries/00000.parquet"
    table = pq.read_table(release / name)
    rewrite(release, name, table.slice(1))
    first = table["row"][0].as_py()
    faults = found(release)
    assert f"{name}: 1 rejected texts of queries/deu_Latn are not here, the first is its row {first}" in faults
    rewrite(release, name, with_column(table, "reasons", [["empty"]] * len(table)))
    what = f"its reasons are not those that its scores say by the thresholds of the manifest ({len(table)} rows)"
    assert f"{name}, row 0: {what}" in found(release)


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("query_row", 10**6, f"{PAIRS}, row 2: points at a row that there is not"),
        ("query_langs", 0, f"{PAIRS}, row 2: query_langs is not what survived in queries"),
        ("passage_langs", 0, f"{PAIRS}, row 2: passage_langs is not where the passage survived with the answer"),
        ("negative_rows", [10**6], f"{PAIRS}, row 2: has a negative that there is not"),
    ],
)
def test_a_broken_reference_is_found(release: Path, column: str, value: Any, fault: str) -> None:
    table = pq.read_table(release / PAIRS)
    values = table[column].to_pylist()
    values[2] = value
    rewrite(release, PAIRS, with_column(table, column, values))
    assert fault in found(release)


def test_another_schema_is_found(release: Path) -> None:
    table = pq.read_table(release / GERMAN)
    rewrite(release, GERMAN, table.drop_columns(["chrf"]))
    assert any(fault.startswith(f"{GERMAN}: its columns are not those of this table") for fault in found(release))
    (release / GERMAN).write_bytes(b"PAR1 nothing PAR1")
    content = (release / GERMAN).read_bytes()
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": len(table)}
    change_manifest(release, lambda manifest: manifest["files"].update({GERMAN: facts}))
    assert any(fault.startswith(f"{GERMAN}: is no Parquet file") for fault in found(release))


def test_what_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no release here: it has no manifest\.json"):
        list(verify(Store(str(tmp_path), writable=False)))


def test_the_published_schema_is_that_of_the_manifest() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), "write json_schema() into manifest.schema.json"


def test_a_release_in_blocks_is_sound_and_opens(cut_release: Path, sample_run: Run, tmp_path: Path) -> None:
    assert found(cut_release) == []
    manifest = json.loads((cut_release / "manifest.json").read_bytes())
    english, german = shards(cut_release, "queries/eng_Latn"), shards(cut_release, "queries/deu_Latn")
    assert len(english) == len(german) == len(shards(cut_release, "passages/arb_Arab")) == manifest["blocks"] > 5
    assert any(not len(shard) for shard in shards(cut_release, "rejected/deu_Latn/queries"))
    for first, second in zip(english, german, strict=True):
        assert pc.all(pc.equal(first["id"], second["id"])).as_py() is not False
    about = json.loads(pq.read_schema(cut_release / GERMAN).metadata[b"parallel-qa"])
    assert (about["release"], about["table"], about["language"]) == (manifest["version"], "queries", "deu_Latn")
    assert about["model"] == manifest["model"]["fingerprint"]
    for name, rows in (("pairs", manifest["rows"]["pairs"]), ("rejected-deu_Latn", manifest["rejected"]["deu_Latn"])):
        assert datasets.load_dataset(str(cut_release), name, split="train", cache_dir=str(tmp_path)).num_rows == rows
    assert all(next(open_release(cut_release).batches(batch_size=4, steps=1)).queries)
    assert "## One pair" in (cut_release / "README.md").read_text(encoding="utf-8")


def full(folder: Path, table: str) -> tuple[int, int]:
    """The first and the last shard of a table with rows."""
    filled = [number for number, shard in enumerate(shards(folder, table)) if len(shard)]
    return filled[0], filled[-1]


def test_swapped_shards_of_passages_are_found(blocks: Path) -> None:
    first, last = full(blocks, "passages/eng_Latn")
    for code in LANGUAGES:
        swap(blocks, f"passages/{code}", first, last)
    faults = found(blocks)
    for number, shard in enumerate(shards(blocks, "passages/eng_Latn")):
        more = f" ({len(shard)} rows)" if len(shard) > 1 else ""
        fault = f"passages/eng_Latn/{number:05d}.parquet, row 0: is of another block{more}"
        assert (fault in faults) == (number in (first, last))


def test_swapped_shards_of_pairs_and_of_rejected_texts_are_found(blocks: Path) -> None:
    for table, what in (
        ("pairs", "in another block than its query"),
        ("rejected/deu_Latn/queries", "of a row of queries in another block"),
    ):
        first, last = full(blocks, table)
        swap(blocks, table, first, last)
        faults = [fault for fault in found(blocks) if what in fault]
        assert [fault[: fault.index(" (") if " (" in fault else None] for fault in faults] == [
            f"{table}/{number:05d}.parquet, row 0: is {what}" for number in (first, last)
        ]
        swap(blocks, table, first, last)
    assert found(blocks) == []


def test_a_query_that_was_moved_to_another_block_with_all_that_belongs_to_it_is_found(blocks: Path) -> None:
    english, pairs = (pa.concat_tables(shards(blocks, table)) for table in ("queries/eng_Latn", "pairs"))
    block = np.repeat(np.arange(len(shards(blocks, "pairs"))), [len(shard) for shard in shards(blocks, "queries/eng_Latn")])
    block[0] = target = full(blocks, "pairs")[1]
    hashes = text_hashes(english["id"])
    order = np.lexsort((shuffle_keys(hashes, 0), block))
    moved = np.argsort(order)

    def write(table: str, rows: pa.Table, of_rows: Any) -> None:
        for number in range(len(shards(blocks, table))):
            rewrite(blocks, f"{table}/{number:05d}.parquet", rows.filter(pa.array(of_rows == number)))

    for code in LANGUAGES:
        write(f"queries/{code}", pa.concat_tables(shards(blocks, f"queries/{code}")).take(order), block[order])
    for code in LANGUAGES[1:]:
        fallen = pa.concat_tables(shards(blocks, f"rejected/{code}/queries"))
        rows = fallen["row"].to_numpy()
        write(f"rejected/{code}/queries", with_column(fallen, "row", moved[rows]), block[rows])
    passages = text_hashes(pa.concat_tables(shards(blocks, "passages/eng_Latn"))["id"])[pairs["passage_row"].to_numpy()]
    queries = pairs["query_row"].to_numpy()
    sorting = np.lexsort((pair_keys(hashes[queries], passages, 0), block[queries]))
    write("pairs", with_column(pairs, "query_row", moved[queries]).take(sorting), block[queries][sorting])
    row = moved[0] - np.searchsorted(block[order], target)
    assert found(blocks) == [f"queries/eng_Latn/{target:05d}.parquet, row {row}: is in another block than its pairs say"]


def test_rows_in_another_order_inside_a_block_are_found(blocks: Path) -> None:
    for table, codes in (("pairs", ()), ("queries", LANGUAGES), ("passages", LANGUAGES)):
        names = [f"{table}/{code}" for code in codes] or [table]
        number = max(range(len(shards(blocks, names[0]))), key=lambda number: len(shards(blocks, names[0])[number]))
        for name in names:
            shard = shards(blocks, name)[number]
            rewrite(blocks, f"{name}/{number:05d}.parquet", shard.take([1, 0, *range(2, len(shard))]))
        assert f"{names[0]}/{number:05d}.parquet, row 1: is not in the order of the release" in found(blocks)


def test_a_shard_too_few_and_another_number_of_blocks_are_found(blocks: Path) -> None:
    count = len(shards(blocks, "pairs"))
    change_manifest(blocks, lambda manifest: manifest["files"].pop(f"pairs/{count - 1:05d}.parquet"))
    assert f"manifest.json: files: pairs is not one shard for each of the {count} blocks, from 00000 on" in found(blocks)
    change_manifest(blocks, lambda manifest: manifest.update(blocks=count - 1))
    faults = found(blocks)
    assert f"manifest.json: files: queries/eng_Latn is not one shard for each of the {count - 1} blocks, from 00000 on" in faults
    assert f"manifest.json: files: pairs is not one shard for each of the {count - 1} blocks, from 00000 on" not in faults
    assert any(fault.startswith("passages/eng_Latn/") and "is of another block" in fault for fault in faults)


def test_a_damaged_shard_of_pairs_says_nothing_about_queries(blocks: Path) -> None:
    name = f"pairs/{full(blocks, 'pairs')[0]:05d}.parquet"
    (blocks / name).write_bytes(b"")
    assert not any("than its pairs say" in fault for fault in found(blocks))


def edited(table: pa.Table, row: int, **values: Any) -> pa.Table:
    rows = table.to_pylist()
    rows[row] |= values
    return pa.Table.from_pylist(rows, table.schema)


def kept_row(table: pa.Table) -> int:
    return int(table["text"].is_valid().to_pylist().index(True))


def test_rotated_translations_are_found_by_the_checksum_of_rows_alone(release: Path) -> None:
    expected = []
    for code in LANGUAGES[1:]:
        name = f"queries/{code}/00000.parquet"
        table = resealing.read(release, name)
        texts = table["text"].drop_null().to_pylist()
        texts = texts[1:] + texts[:1]
        rotated = with_column(table, "text", [texts.pop(0) if there else None for there in table["text"].is_valid().to_pylist()])
        resealing.rewrite(release, {name: rotated}, digest=False)
        expected.append(f"{name}: the checksum of its rows is not that of the manifest")
    assert found(release) == expected
    for code in LANGUAGES[1:]:
        name = f"queries/{code}/00000.parquet"
        rewrite(release, name, resealing.read(release, name))
    assert found(release) == []  # who knows the checksum makes it fit: it is no signature


def test_the_id_of_an_english_text_is_computed_again(release: Path) -> None:
    table = resealing.read(release, ENGLISH)
    rewrite(release, ENGLISH, edited(table, 3, text="Another question?"))
    assert found(release) == [f"{ENGLISH}, row 3: its id is not that of its text"]
    name = "passages/eng_Latn/00000.parquet"
    rewrite(release, ENGLISH, table)
    rewrite(release, name, edited(resealing.read(release, name), 0, title="Another title"))
    assert f"{name}, row 0: its id is not that of its text" in found(release)


def test_an_id_that_is_none_is_found(release: Path) -> None:
    rewrite(release, ENGLISH, edited(resealing.read(release, ENGLISH), 0, id="zz"))
    assert f"{ENGLISH}: has ids that are not sixteen hexadecimal digits" in found(release)


@pytest.mark.parametrize(("column", "value"), [("language", 0.0), ("chrf", 0.0), ("faults", 1), ("numbers", 0.5)])
def test_a_score_by_which_a_text_would_be_rejected_is_found(release: Path, column: str, value: float) -> None:
    table = resealing.read(release, GERMAN)
    row = kept_row(table)
    low = {"chrf": {"chrf": value, "token_sort": value}}.get(column, {column: value})
    rewrite(release, GERMAN, edited(table, row, **low))
    assert found(release) == [
        f"{GERMAN}, row {row}: its reason, or that it has none, is not what its scores say by the thresholds of the manifest"
    ]


def test_a_rejected_text_whose_scores_would_keep_it_is_found(release: Path) -> None:
    name = "rejected/deu_Latn/queries/00000.parquet"
    table, fallen = resealing.read(release, GERMAN), resealing.read(release, name)
    row = fallen["row"][0].as_py()
    nothing = dict.fromkeys(schema.SCORES.names) | {"faults": 0}
    rewrite(release, GERMAN, edited(table, row, **nothing))
    assert any(fault.startswith(f"{name}, row 0: has another ") for fault in found(release))
    rewrite(release, name, edited(fallen, 0, **nothing))
    what = "is not what its scores say by the thresholds of the manifest"
    assert found(release) == [
        f"{GERMAN}, row {row}: its reason, or that it has none, {what}",
        f"{name}, row 0: its reasons are not those that its scores say by the thresholds of the manifest",
    ]


def test_a_title_without_a_text_and_a_title_that_english_has_not_are_found(release: Path) -> None:
    name = "passages/deu_Latn/00000.parquet"
    table = resealing.read(release, name)
    gone = table["text"].is_null().to_pylist().index(True)
    rewrite(release, name, edited(table, gone, title="Ein Titel"))
    assert f"{name}, row {gone}: has a title without a text, or a text without a title" in found(release)


def test_an_english_row_with_a_score_or_a_reason_is_found(release: Path) -> None:
    rewrite(release, ENGLISH, edited(resealing.read(release, ENGLISH), 1, chrf=3.0, reject_reason="names"))
    faults = found(release)
    assert f"{ENGLISH}, row 1: is English and has a value in chrf" in faults
    assert f"{ENGLISH}, row 1: is rejected, and nothing English is" in faults


def test_negatives_that_are_positives_and_negatives_twice_are_found(release: Path) -> None:
    table = resealing.read(release, PAIRS)
    positive, other = table["passage_row"][0].as_py(), (table["passage_row"][0].as_py() + 1) % 3
    rewrite(release, PAIRS, edited(table, 0, negative_rows=[positive]))
    assert found(release) == [f"{PAIRS}, row 0: has a negative that is a positive of its query"]
    rewrite(release, PAIRS, edited(table, 0, negative_rows=[other, other]))
    assert found(release) == [f"{PAIRS}, row 0: has a negative twice"]


def test_a_negative_that_another_pair_of_the_query_has_as_its_positive_is_found(release: Path) -> None:
    table = resealing.read(release, PAIRS)
    one, other = table.to_pylist()[:2]
    rewrite(release, PAIRS, edited(edited(table, 1, query_row=one["query_row"]), 0, negative_rows=[other["passage_row"]]))
    assert f"{PAIRS}, row 0: has a negative that is a positive of its query" in found(release)


def test_a_lost_answer_that_is_no_longer_one_is_found(release: Path) -> None:
    table = resealing.read(release, PAIRS)
    bits, scores = table["passage_langs"].to_pylist(), table["answer_scores"].to_pylist()
    row = next(row for row, there in enumerate(bits) if there & 2 and scores[row])
    rewrite(release, PAIRS, edited(table, row, answer_scores=[0.0, *scores[row][1:]]))
    assert f"{PAIRS}, row {row}: passage_langs is not where the passage survived with the answer" in found(release)
    rewrite(release, PAIRS, edited(table, row, answer_scores=scores[row][1:]))
    assert f"{PAIRS}, row {row}: has not one score of its answer for each language" in found(release)


def test_null_where_a_pair_has_to_say_something_is_found(release: Path) -> None:
    rewrite(release, PAIRS, edited(resealing.read(release, PAIRS), 4, query_row=None))
    what = "has no value in one of query_row, passage_row, negative_rows, source, query_langs, passage_langs"
    assert found(release) == [f"{PAIRS}, row 4: {what}"]


@pytest.mark.parametrize(
    ("part", "than"), [("release", "manifest"), ("model", "manifest"), ("sources", "manifest"), ("table", "place"), ("language", "place")]
)
def test_metadata_of_another_release_or_place_are_found(release: Path, part: str, than: str) -> None:
    table = resealing.read(release, GERMAN)
    about = json.loads(table.schema.metadata[b"parallel-qa"]) | {part: "another"}
    rewrite(release, GERMAN, table.replace_schema_metadata({"parallel-qa": json.dumps(about)}))
    assert found(release) == [f"{GERMAN}: its metadata have another {part} than {'the' if than == 'manifest' else 'its'} {than}"]


def test_how_many_texts_sources_share_is_what_the_pairs_say(release: Path) -> None:
    table = resealing.read(release, PAIRS)
    about = json.loads(table.schema.metadata[b"parallel-qa"])
    assert about["shared"] == {"questions": {"queries": 0, "passages": 0}}
    about["shared"]["questions"]["passages"] = 1
    rewrite(release, PAIRS, table.replace_schema_metadata({"parallel-qa": json.dumps(about)}))
    assert found(release) == [f"{PAIRS}: its metadata have another shared than the manifest"]


def test_files_without_metadata_and_with_what_is_no_json_are_found(release: Path) -> None:
    for metadata in ({}, {"parallel-qa": "["}, {"parallel-qa": "[]"}):
        rewrite(release, GERMAN, resealing.read(release, GERMAN).replace_schema_metadata(metadata))
        assert found(release) == [
            f"{GERMAN}: its metadata have another {part} than {'its place' if part in ('language', 'table') else 'the manifest'}"
            for part in ("language", "model", "release", "sources", "statement", "table")
        ]


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (
            lambda m: m["licences"].update(non_commercial=["model sample"]),
            ["manifest.json: licences.non_commercial is ['model sample'], and by its parts []"],
        ),
        (lambda m: m.update(licence="MIT"), ["manifest.json: licence is 'MIT', and by its parts 'Apache-2.0 AND CC0-1.0'"]),
        (
            lambda m: m["sources"]["questions"].update(licence="MIT"),
            [
                "manifest.json: licences.parts is {'model sample': 'Apache-2.0', 'source questions': 'CC0-1.0'}, and by the rest of the "
                "manifest {'source questions': 'MIT', 'model sample': 'Apache-2.0'}"
            ],
        ),
        (
            lambda m: m["model"].update(name="other"),
            [
                "manifest.json: settings.translation.model is 'sample', and by the rest of the manifest 'other'",
                "manifest.json: licences.parts is {'model sample': 'Apache-2.0', 'source questions': 'CC0-1.0'}, and by the rest of the "
                "manifest {'source questions': 'CC0-1.0', 'model other': 'Apache-2.0'}",
            ],
        ),
        (
            lambda m: m.update(version="other-00000000"),
            ["manifest.json: version is not the name of the settings with a fingerprint of eight hexadecimal digits"],
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_found(release: Path, change: Callable[[dict[str, Any]], None], faults: list[str]) -> None:
    change_manifest(release, change)
    assert [fault for fault in found(release) if fault.startswith("manifest.json")] == faults


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("license_name: Apache-2.0 AND CC0-1.0", "license_name: MIT", f"its front matter has another license_name {MANIFESTS}"),
        ("- de\n", "- fr\n", f"its front matter has another language {MANIFESTS}"),
        ("path: queries/deu_Latn/*", "path: queries/arb_Arab/*", f"its front matter has another configs {MANIFESTS}"),
        ("license: other", "license: other\npretty_name: Free", f"its front matter has another pretty_name {MANIFESTS}"),
        ("| source questions | CC0-1.0 |", "| source questions | MIT |", "does not say of source questions that its licence is CC0-1.0"),
        ("| sample-evaluation |", "| sample |", "does not name the evaluation sets of the manifest"),
        ("---\n", "", "has no front matter"),
    ],
)
def test_a_card_that_says_something_else_is_found(release: Path, old: str, new: str, what: str) -> None:
    content = (release / "README.md").read_text(encoding="utf-8").replace(old, new).encode()
    (release / "README.md").write_bytes(content)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    change_manifest(release, lambda manifest: manifest["files"].update({"README.md": facts}))
    assert found(release) == [f"README.md: {what}"]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("license", "MIT", f"has another license {MANIFESTS}"),
        ("inLanguage", ["en"], f"has another inLanguage {MANIFESTS}"),
        ("version", "1", f"has another version {MANIFESTS}"),
        ("name", "another", f"has another name {MANIFESTS}"),
        ("citeAs", "nobody", f"has another citeAs {MANIFESTS}"),
        ("url", "https://elsewhere.example", f"has another url {MANIFESTS}"),
        ("recordSet", [], f"has another recordSet {MANIFESTS}"),
        ("distribution", [], f"has another distribution {MANIFESTS}"),
    ],
)
def test_metadata_for_machines_that_say_something_else_are_found(release: Path, field: str, value: Any, what: str) -> None:
    content = json_bytes(json.loads((release / "croissant.json").read_bytes()) | {field: value})
    (release / "croissant.json").write_bytes(content)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    change_manifest(release, lambda manifest: manifest["files"].update({"croissant.json": facts}))
    assert found(release) == [f"croissant.json: {what}"]


def test_a_manifest_that_has_lost_its_languages_is_found(release: Path) -> None:
    change_manifest(release, lambda manifest: manifest.update(languages=["eng_Latn"]))
    faults = found(release)
    assert "manifest.json: settings.languages is ['deu_Latn', 'arb_Arab', 'zho_Hans'], and by the rest of the manifest []" in faults
    assert [fault for fault in faults if "has not one score of its answer for each language" in fault]


@pytest.mark.parametrize("name", ["my|model a_b*c", "[x](y) &amp; `z`", "#1. <b>~$", "a  b"])
def test_a_card_names_a_model_with_signs_of_markdown(sample_run: Run, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(HOUSE / "pipeline/sample/model", folder)
    facts = json.loads((folder / "model.json").read_bytes())
    (folder / "model.json").write_bytes(json_bytes(facts | {"name": name}))
    model = sample_run.settings.translation.model_copy(update={"model": str(folder)})
    settings = sample_run.settings.model_copy(update={"translation": model})
    for stage in (translate, filter_texts):
        stage(settings, sample_run.store)
    released = publish(settings, sample_run.store)
    assert released.manifest["model"]["name"] == name
    assert found(Path(sample_run.store.root) / released.path) == []
    publish(sample_run.settings, sample_run.store)


def test_a_file_with_more_rows_than_bytes_is_not_read(release: Path) -> None:
    table = resealing.read(release, PAIRS)
    rows = pa.table({field.name: pa.nulls(4_000_000, field.type) for field in table.schema}, schema=table.schema)
    rewrite(release, PAIRS, rows)
    size = (release / PAIRS).stat().st_size
    assert found(release) == [f"{PAIRS}: has 4000000 rows in {size} bytes, which is no table of a release"]


def test_another_number_of_blocks_than_the_texts_make_is_found(blocks: Path) -> None:
    change_manifest(blocks, lambda manifest: manifest["settings"]["release"].update(shard_bytes=10**6))
    count = len(shards(blocks, "pairs"))
    assert f"manifest.json: blocks is {count}, and by settings.release.shard_bytes its texts make 1" in found(blocks)


def test_a_damaged_english_shard_leaves_what_depends_on_it_unjudged(blocks: Path) -> None:
    name = f"queries/eng_Latn/{full(blocks, 'queries/eng_Latn')[0]:05d}.parquet"
    size = (blocks / name).stat().st_size
    (blocks / name).write_bytes(b"")
    assert found(blocks) == [f"{name}: has 0 bytes, and {size} in the manifest"]


def test_a_damaged_shard_of_one_language_leaves_the_others_judged(blocks: Path) -> None:
    name = f"queries/deu_Latn/{full(blocks, 'queries/eng_Latn')[0]:05d}.parquet"
    size = (blocks / name).stat().st_size
    (blocks / name).write_bytes(b"")
    assert found(blocks) == [f"{name}: has 0 bytes, and {size} in the manifest"]
    pairs = shards(blocks, "pairs")
    number = full(blocks, "pairs")[0]
    file = f"pairs/{number:05d}.parquet"
    bits = [pairs[number]["query_langs"][0].as_py() ^ 4, *pairs[number]["query_langs"].to_pylist()[1:]]
    rewrite(blocks, file, with_column(resealing.read(blocks, file), "query_langs", bits))
    assert f"{file}, row 0: query_langs is not what survived in queries" in found(blocks)
