"""One damaged row never stops a source: it is set aside, and all other rows are read, whatever the format and the damage."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.sources import reading
from parallel_qa.pipeline.sources.card import load_card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.evaluation import evaluation_of
from parallel_qa.pipeline.sources.prepare import units
from parallel_qa.pipeline.sources.records import Pair, SetAside, encodable
from parallel_qa.pipeline.store import Store
from tests.project import Project

THINGS = ("salt", "wool", "silver", "honey")
MANY = [letter * 3 for letter in "abcdefghijklmnopqrstuvwxyz"]
MAPPED = {"id": "id", "query": "q", "passage": "p", "answer": "a"}
BROKEN = "�MARK�"
"""Stands for bytes that are no UTF-8 where a test writes its rows."""
HUGE = "HUGE NUMBER"
"""Stands for a number of more digits than Python reads."""


def row_of(thing: str) -> dict[str, Any]:
    return {"id": f"id-{thing}", "q": f"Where is {thing} sold?", "p": f"The place where {thing} is sold is the market.", "a": thing}


def with_broken_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").replace(BROKEN.encode(), b"\xff\xfe")


def json_line(row: dict[str, Any]) -> bytes:
    text = json.dumps(row).replace(json.dumps(BROKEN)[1:-1], BROKEN).replace(json.dumps(HUGE), "9" * 5000)
    return with_broken_bytes(text)


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def rejected_of(store: Store, project: Project, **profile: Any) -> tuple[list[str], dict[str, str]]:
    """The questions that are kept, and the reason of each position that is set aside; all rows that are read are one or the other."""
    run = project.settings(**profile)
    prepare(run, store)
    record = units(run)[0].result(store)
    rows = record.facts["rows"]
    assert rows["read"] == rows["kept"] + sum(rows["rejected"].values())
    rejected = {row["position"]: row["reason"] for row in store.read_tables(record, "rejected").to_pylist()}
    assert len(rejected) == sum(rows["rejected"].values())
    return store.read_tables(record, "queries")["text"].to_pylist(), rejected


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json_line(row) + b"\n" for row in rows)


def document(rows: list[dict[str, Any]]) -> bytes:
    return b"[" + b", ".join(json_line(row) for row in rows) + b"]"


def squad(rows: list[dict[str, Any]]) -> bytes:
    articles = [
        {
            "title": "",
            "paragraphs": [{"context": row["p"], "qas": [{"id": row["id"], "question": row["q"], "answers": [{"text": row["a"]}]}]}],
        }
        for row in rows
    ]
    return b'{"data": [' + b", ".join(json_line(article) for article in articles) + b"]}"


JSON_FORMATS: dict[str, tuple[Callable[[list[dict[str, Any]]], bytes], dict[str, Any], Callable[[int], str]]] = {
    "jsonl": (jsonl, {"rows": MAPPED}, lambda place: f"rows.jsonl#{place + 1}"),
    "json": (document, {"rows": MAPPED}, lambda place: f"rows.json#{place}"),
    "squad": (squad, {"format": "squad"}, lambda place: f"rows.squad#data.{place}.paragraphs.0.qas.0"),
}
JSON_DAMAGE: list[tuple[str, Any, str | None]] = [
    ("id", "a \ud800 b", "broken_encoding"),
    ("id", BROKEN, "broken_encoding"),
    ("q", "What \udc00 is it?", "broken_encoding"),
    ("p", f"It is {BROKEN} here.", "broken_encoding"),
    ("a", "\ud800", "broken_encoding"),
    ("p", "It is \0 here.", "nul"),
    ("q", ["no", "text"], "malformed"),
    ("q", 5, "malformed"),
    ("p", float("inf"), "malformed"),
    ("p", None, "no_passage"),
    ("id", float("nan"), None),
    ("id", 1.5, None),
    ("id", True, None),
    ("id", ["a", {"b": None}], None),
    ("id", None, None),
    ("id", "\0", None),
]


@pytest.mark.parametrize("kind", JSON_FORMATS)
def test_json(project: Project, store: Store, kind: str) -> None:
    write, front, position = JSON_FORMATS[kind]
    rows = [row_of(thing) for thing in MANY]
    expected = {}
    for place, (field, value, reason) in enumerate(JSON_DAMAGE, 1):
        rows[place][field] = value
        if reason:
            expected[position(place)] = reason
    (project.folder / f"rows.{kind}").write_bytes(write(rows))
    project.card("questions", files=[f"rows.{kind}"], licence="MIT", **front)
    kept, rejected = rejected_of(store, project)
    assert rejected == expected
    assert kept == [row["q"] for place, row in enumerate(rows) if position(place) not in expected]


NOT_READ = ["9" * 5000, "-" + "9" * 5000, "[" * 5000 + "]" * 5000, '{"a":' * 3000 + '"]"' + "}" * 3000, "1e999", "NaN"]


@pytest.mark.parametrize("kind", JSON_FORMATS)
def test_json_numbers_and_nesting_that_python_does_not_read(project: Project, store: Store, kind: str) -> None:
    write, front, position = JSON_FORMATS[kind]
    rows = [row_of(thing) for thing in MANY]
    for place in range(len(NOT_READ)):
        rows[place + 1]["q"] = f"VALUE {place}"
    content = write(rows)
    for place, value in enumerate(NOT_READ):
        content = content.replace(f'"VALUE {place}"'.encode(), value.encode())
    (project.folder / f"rows.{kind}").write_bytes(content)
    project.card("questions", files=[f"rows.{kind}"], licence="MIT", **front)
    kept, rejected = rejected_of(store, project)
    assert kept == [row["q"] for row in rows if not row["q"].startswith("VALUE")]
    assert rejected == {position(place): "malformed" for place in range(1, len(NOT_READ) + 1)}


def test_an_id_that_is_nested_as_deep_as_python_reads(project: Project) -> None:
    rest = json.dumps({name: value for name, value in row_of("salt").items() if name != "id"})[1:]
    lines = [f'{{"id": {"[" * levels + "]" * levels}, {rest}' for levels in range(900, 1000)]
    (project.folder / "rows.jsonl").write_text("\n".join([*lines, json.dumps(row_of("wool"))]))
    for mapping in (MAPPED, {**MAPPED, "group": "id", "query": "rows[0].q", "keep": {"other": "id != answer"}}):
        project.card("questions", files=["rows.jsonl"], licence="MIT", rows=mapping)
        *others, last = read_rows(load_card(project.settings(), "./questions.md"))
        assert len(others) == 100
        assert isinstance(last, Pair)


def csv_of(lines: list[bytes]) -> bytes:
    return b"id,q,p,a\n" + b"\n".join(lines) + b"\n"


def csv_line(thing: str) -> bytes:
    return ",".join(row_of(thing).values()).encode()


CSV_DAMAGE: list[tuple[bytes, str]] = [
    (b'id-x,"Where is it?,It is here.,x', "malformed"),
    (b'"id-x,Where is it?,It is here.,x', "malformed"),
    (b'id-x,"Where is "it" now?",It is here.,x', "malformed"),
    (b"id-x,Where is it?,It is\rhere.,x", "malformed"),
    (b"id-x,Where is it?,It is here.", "malformed"),
    (b"id-x,Where is it?,It is here.,x,y", "malformed"),
    (b"id-x,Where \xff\xfe is it?,It is here.,x", "broken_encoding"),
    (b"\xff,Where is it?,It is here.,x", "broken_encoding"),
    (b"id-x,Where is it?,It is \0 here.,x", "nul"),
    (b"id-x,Where is it?," + b"x" * 5000 + b",x", "record_too_large"),
    (b'id-x,Where is it?,"' + b"x" * 5000 + b'",x', "record_too_large"),
]


@pytest.mark.parametrize("quoted", [False, True])
def test_csv(project: Project, store: Store, monkeypatch: pytest.MonkeyPatch, quoted: bool) -> None:
    monkeypatch.setattr(reading, "MAX_RECORD", 2000)
    good = [csv_line(thing) for thing in MANY]
    if quoted:
        good = [b'"' + line.replace(b",", b'","') + b'"' for line in good]
    damaged = [line for line, _ in CSV_DAMAGE]
    lines = [*damaged, *(line for both in zip(good, damaged, strict=False) for line in both), *damaged[:2]]
    (project.folder / "rows.csv").write_bytes(csv_of(lines))
    project.card("questions", files=["rows.csv"], licence="MIT", rows=MAPPED)
    kept, rejected = rejected_of(store, project)
    assert kept == [row_of(thing)["q"] for thing in MANY[: len(damaged)]]
    reasons = dict(CSV_DAMAGE)
    assert rejected == {f"rows.csv#{number}": reasons[line] for number, line in enumerate(lines, 2) if line in reasons}


def test_csv_with_a_quotation_mark_that_is_never_closed_is_read_on_from_the_next_line(
    project: Project, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_RECORD", 2000)
    good = [f'id-{number},Which is number {number}?,"The passage\nof number {number}, it says."' for number in range(100)]
    lines = ['id-x,"Which is it?,This one.', *good, 'id-y,Which?,"That one.']
    (project.folder / "rows.csv").write_text("id,q,p\n" + "\n".join(lines) + "\n")
    project.card("questions", files=["rows.csv"], licence="MIT", rows={"query": "q", "passage": "p"})
    rows = list(read_rows(load_card(project.settings(), "./questions.md")))
    assert [row.passage for row in rows if isinstance(row, Pair)] == [f"The passage\nof number {number}, it says." for number in range(100)]
    aside = [(row.position, row.reason, row.detail) for row in rows if isinstance(row, SetAside)]
    assert aside == [
        ("rows.csv#2", "malformed", "',' expected after '\"'"),
        ("rows.csv#203", "malformed", "a quotation mark is not closed"),
    ]


@pytest.mark.parametrize("content", ['"q,p\nWho?,It.\n', "q,p\rWho?,It.\r", "x" * 3000 + ",p\nWho?,It.\n"])
def test_csv_without_the_names_of_its_columns_is_an_error(project: Project, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(reading, "MAX_RECORD", 2000)
    (project.folder / "rows.csv").write_text(content, newline="")
    project.card("questions", files=["rows.csv"], licence="MIT", rows={"query": "q", "passage": "p"})
    with pytest.raises(UserError, match=r"questions\.md: file 'rows\.csv': its first line, the names of the columns, cannot be read"):
        list(read_rows(load_card(project.settings(), "./questions.md")))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(project: Project, kind: str) -> None:
    row = row_of("salt")
    content = {"csv": "q,p\n{q},{p}\n", "tsv": "q\tp\n{q}\t{p}\n"}.get(kind, json.dumps(row).replace("{", "{{").replace("}", "}}")).format(
        **row
    )
    (project.folder / f"rows.{kind}").write_text(content, encoding="utf-8-sig")
    project.card("questions", files=[f"rows.{kind}"], licence="MIT", rows={"query": "q", "passage": "p"})
    [pair] = read_rows(load_card(project.settings(), "./questions.md"))
    assert isinstance(pair, Pair)
    assert pair.query == row["q"]


def strings(values: list[bytes], kind: pa.DataType) -> pa.Array:
    """An array of strings, unchecked, of bytes that need not be UTF-8."""
    array = pa.array(values, pa.large_binary() if pa.types.is_large_string(kind) else pa.binary())
    return pa.Array.from_buffers(kind, len(array), array.buffers())


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_parquet(project: Project, store: Store, kind: pa.DataType) -> None:
    rows = [row_of(thing) for thing in MANY]
    columns = {name: [row[name].encode() for row in rows] for name in rows[0]}
    for place, name in zip((0, 5, 6, 25), columns, strict=True):
        columns[name][place] += b"\xff"
    table = pa.table({name: strings(values, kind) for name, values in columns.items()})
    pq.write_table(table, project.folder / "rows.parquet", row_group_size=6)
    project.card("questions", files=["rows.parquet"], licence="MIT", rows=MAPPED)
    kept, rejected = rejected_of(store, project)
    assert kept == [row["q"] for place, row in enumerate(rows) if place not in (0, 5, 6, 25)]
    assert rejected == {f"rows.parquet#{place}": "broken_encoding" for place in (0, 5, 6, 25)}


def test_parquet_with_values_that_python_has_no_form_for(project: Project, store: Store) -> None:
    rows = [row_of(thing) for thing in THINGS]
    table = pa.Table.from_pylist(rows)
    table = table.set_column(0, "id", pa.array([1, 2**40, 3, 4], pa.int64()).cast(pa.timestamp("s")))
    nested = strings([b"salt", b"wool", b"silver", b"\xff"], pa.string())
    table = table.set_column(3, "a", pa.ListArray.from_arrays(pa.array([0, 1, 2, 3, 4], pa.int32()), nested))
    pq.write_table(table, project.folder / "rows.parquet")
    project.card("questions", files=["rows.parquet"], licence="MIT", rows={**MAPPED, "answer": "a[0]"})
    kept, rejected = rejected_of(store, project)
    assert kept == [rows[0]["q"], rows[2]["q"]]
    assert rejected == {"rows.parquet#1": "malformed", "rows.parquet#3": "broken_encoding"}


IDS: list[tuple[Any, str | None]] = [
    ("\ud800", "broken_encoding"),
    (BROKEN, "broken_encoding"),
    (1.5, "malformed"),
    (float("nan"), "malformed"),
    (True, "malformed"),
    (["x"], "malformed"),
    ({"x": 1}, "malformed"),
    (None, "malformed"),
    ("", "malformed"),
    (HUGE, "malformed"),
    (7, None),
    ("\0", None),
    ("a\0b", None),
    ("a", None),
]


@pytest.mark.parametrize("layout", ["tables", "beir"])
def test_ids_of_joined_tables(project: Project, store: Store, layout: str) -> None:
    keys = [key for key, _ in IDS]
    rows = [row_of(thing) for thing in MANY[: len(IDS)]]
    queries = [{"_id": key, "text": row["q"]} for key, row in zip(keys, rows, strict=True)]
    passages = [{"_id": key, "title": "", "text": row["p"]} for key, row in zip(keys, rows, strict=True)]
    for name, table in (("queries", queries), ("corpus", passages)):
        (project.folder / f"{name}.jsonl").write_bytes(jsonl(table))
    if layout == "tables":
        (project.folder / "links.jsonl").write_bytes(jsonl([{"query": key, "passage": key} for key in keys]))
        tables = {name: {"files": [f"{file}.jsonl"]} for name, file in (("queries", "queries"), ("passages", "corpus"))}
        links = {"files": ["links.jsonl"], "query": "query", "passage": "passage"}
        project.card("questions", licence="MIT", links=links, **tables)
    else:
        (project.folder / "qrels").mkdir()
        cells = [BROKEN if reason == "broken_encoding" else str(key) for key, reason in IDS]
        lines = ["query-id\tcorpus-id\tscore", *(f"{cell}\t{cell}\t1" for cell in cells)]
        (project.folder / "qrels" / "train.tsv").write_bytes(with_broken_bytes("\n".join(lines) + "\n"))
        project.card("questions", format="beir", files=["."], split="train", licence="MIT")
    kept, rejected = rejected_of(store, project)
    assert kept == [row["q"] for row, (_, reason) in zip(rows, IDS, strict=True) if reason is None]
    of_links = {"": "malformed", BROKEN: "broken_encoding"}
    for number, (key, reason) in enumerate(IDS, 1):
        assert rejected.pop(f"queries.jsonl#{number}", None) == rejected.pop(f"corpus.jsonl#{number}", None) == reason
        position, why = f"links.jsonl#{number}", reason
        if layout == "beir":
            position = f"./qrels/train.tsv#{number + 1}"
            why = reason and of_links.get(BROKEN if reason == "broken_encoding" else key if isinstance(key, str) else "x", "no_query")
        assert rejected.pop(position, None) == why
    assert rejected == {}


def test_bad_rows_of_translations_are_missing_texts(project: Project, store: Store) -> None:
    table = {"format": "jsonl"}
    texts = {"english": ("Where is salt sold?", "Where is wool sold?"), "german": ("Wo gibt es Salz?", "Wo gibt es Wolle?")}
    for language, (salt, wool) in texts.items():
        rows = [{"_id": "1", "text": salt}, {"_id": "2", "text": wool}]
        damaged = [
            {"_id": "\ud800", "text": salt},
            {"_id": "2", "text": f"{BROKEN}"},
            {"_id": [1], "text": wool},
            {"_id": "1", "text": deep(3)},
        ]
        content = jsonl([*(damaged if language == "german" else []), *rows]) + b"[" * 5000 + b"\n\xff\n"
        (project.folder / f"{language}_queries.jsonl").write_bytes(content)
    (project.folder / "english_passages.jsonl").write_bytes(jsonl([{"_id": "p", "text": row_of("salt")["p"]}]))
    (project.folder / "german_passages.jsonl").write_bytes(b'{"_id": "p", "text": "Hier, auf dem Markt."}\n"\xff"\n')
    (project.folder / "links.tsv").write_text("q\tp\n1\tp\n2\tp\n")
    project.card(
        "questions",
        licence="MIT",
        queries={"files": ["english_queries.jsonl"], **table},
        passages={"files": ["english_passages.jsonl"], **table},
        links={"files": ["links.tsv"], "query": "q", "passage": "p"},
        translations={"queries": "{}_queries.jsonl", "passages": "{}_passages.jsonl", "languages": {"de": "german"}},
    )
    run = project.settings(languages=["de"])
    prepare(run, store)
    plan = Plan(run, store)
    [german] = plan.inventory.records(plan.imported)
    assert store.read_tables(german, "queries")["text"].to_pylist() == list(texts["german"])
    assert store.read_tables(german, "passages")["text"].to_pylist() == ["Hier, auf dem Markt."]


def test_bad_rows_of_evaluation_sets_stop_nothing_and_their_texts_still_count(project: Project, store: Store) -> None:
    known = [
        {**row_of("salt"), "id": "\ud800"},
        {**row_of("wool"), "id": BROKEN, "a": "\udc00"},
        {**row_of("honey"), "q": f"Where is {BROKEN}?"},
    ]
    (project.folder / "known.jsonl").write_bytes(jsonl(known) + b"[" * 5000 + b"\n{\n")
    project.card("known", role="evaluation", files=["known.jsonl"], licence="MIT", rows=MAPPED)
    set_folder = project.folder / "set"
    (set_folder / "qrels").mkdir(parents=True)
    (set_folder / "queries.jsonl").write_bytes(jsonl([{"_id": "\ud800", "text": "Who?"}, {"_id": "q", "text": row_of("silver")["q"]}]))
    (set_folder / "corpus.jsonl").write_bytes(
        jsonl([{"_id": "d", "title": BROKEN, "text": "x"}, {"_id": "e", "text": "A passage of its own."}])
    )
    (set_folder / "qrels" / "test.tsv").write_bytes(b'query-id\tcorpus-id\tscore\nq\te\t1\n"q\te\t1\n\xff\td\t1\nq\td\t1\n')
    (project.folder / "rows.jsonl").write_bytes(jsonl([row_of(thing) for thing in (*THINGS, "tea")]))
    project.card("questions", files=["rows.jsonl"], licence="MIT", rows=MAPPED)
    profile = {"evaluation": ["./known.md", "set"]}
    kept, rejected = rejected_of(store, project, **profile)
    assert kept == [row_of("tea")["q"]]
    assert rejected == {
        "rows.jsonl#1": "evaluation_query",
        "rows.jsonl#2": "evaluation_query",
        "rows.jsonl#3": "evaluation_query",
        "rows.jsonl#4": "evaluation_passage",
    }
    assert [entry["name"] for entry in evaluation_of(project.settings(**profile)).facts()["sets"]] == ["known", "set"]


def content_of(kind: str) -> bytes:
    rows = [{**row_of(thing), "p": f'{row_of(thing)["p"]} It is "fine", and\n{number} of it.'} for number, thing in enumerate(THINGS * 3)]
    if kind == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), sink, compression="none")
        return sink.getvalue()
    if kind == "csv":
        quoted = [",".join('"' + value.replace('"', '""') + '"' for value in row.values()) for row in rows]
        return csv_of([line.encode() for line in quoted])
    if kind == "tsv":
        return b"id\tq\tp\ta\n" + b"".join("\t".join(row.values()).replace("\n", " ").encode() + b"\n" for row in rows)
    if kind == "gz":
        return gzip.compress(jsonl(rows), mtime=0)
    return {"jsonl": jsonl, "json": document, "squad": squad}[kind](rows)


FUZZED = ("jsonl", "json", "squad", "csv", "tsv", "parquet", "gz")
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=12)
"""Where in a file, the bytes to put there, and how many to take away."""


def damage(project: Project, kind: str, edits: list[tuple[float, bytes, int]]) -> str:
    """Write a file of `kind` with `edits`, and its card; the file's name."""
    content = bytearray(content_of(kind))
    for place, new, removed in edits:
        start = int(place * len(content))
        content[start : start + removed] = new
    name = "rows.jsonl.gz" if kind == "gz" else f"rows.{kind}"
    (project.folder / name).write_bytes(content)
    project.card("questions", files=[name], licence="MIT", **({"format": "squad"} if kind == "squad" else {"rows": MAPPED}))
    return name


@pytest.mark.parametrize("kind", FUZZED)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_whatever_bytes_change_rows_are_read_or_set_aside_or_the_file_is_named(
    project: Project, kind: str, edits: list[tuple[float, bytes, int]]
) -> None:
    name = damage(project, kind, edits)
    try:
        rows = list(read_rows(load_card(project.settings(), "./questions.md")))
    except UserError as error:
        assert name in str(error)
        return
    for row in rows:
        assert isinstance(row, SetAside) or encodable(row.position, row.source_id, row.query, row.passage, row.title, row.answer)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_whatever_bytes_change_what_is_read_is_kept_or_set_aside(
    project: Project, store: Store, kind: str, edits: list[tuple[float, bytes, int]]
) -> None:
    name = damage(project, kind, edits)
    try:
        rejected_of(store, project)
    except UserError as error:
        assert name in str(error)
