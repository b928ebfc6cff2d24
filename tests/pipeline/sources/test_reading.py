from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.planning.stages import prepare
from parallel_qa.pipeline.sources import reading
from parallel_qa.pipeline.sources.card import load_card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.mapping import Raw
from parallel_qa.pipeline.sources.prepare import units
from parallel_qa.pipeline.sources.reading import raw_rows
from parallel_qa.pipeline.sources.records import SetAside
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.work import Outcome
from tests.project import Project, article

ROWS = {"query": "q", "passage": "p"}


def raws(project: Project, file: str, **front: Any) -> list[Raw | SetAside]:
    project.card("questions", **{"files": [file], "rows": ROWS, "licence": "MIT", **front})
    card = load_card(project.settings(), "./questions.md")
    return list(raw_rows(card, card))


def test_bad_json_lines_are_set_aside(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_RECORD", 1000)
    lines = [
        b'{"q": "Fine?"}',
        b'{"q": "cut',
        b"[1, 2]",
        b"",
        b'{"q": "' + b"x" * 5000 + b'"}',
        b'{"q": "\xff\xfe"}',
        b"[" * 900,
        b'{"q": "Also fine?"}',
    ]
    (project.folder / "rows.jsonl").write_bytes(b"\n".join(lines))
    rows = raws(project, "rows.jsonl")
    assert [(row.position, getattr(row, "reason", None)) for row in rows] == [
        ("rows.jsonl#1", None),
        ("rows.jsonl#2", "malformed"),
        ("rows.jsonl#3", "malformed"),
        ("rows.jsonl#5", "record_too_large"),
        ("rows.jsonl#6", None),
        ("rows.jsonl#7", "malformed"),
        ("rows.jsonl#8", None),
    ]
    assert isinstance(rows[3], SetAside) and rows[3].detail == "5010 bytes; 1000 are read"
    assert isinstance(rows[4], Raw) and rows[4].row["q"] == "\udcff\udcfe"  # the stage sets it aside as `broken_encoding`


@pytest.mark.parametrize("quotes", [True, False])
def test_tables_with_a_wrong_number_of_columns(project: Project, quotes: bool) -> None:
    (project.folder / "rows.tsv").write_text('q\tp\nWho?\t"One, two"\nonly one\nWhy?\tBecause.\tmore\nWho else?\tNobody\n')
    rows = raws(project, "rows.tsv", quotes=quotes)
    assert [row.row if isinstance(row, Raw) else row.detail for row in rows] == [
        {"q": "Who?", "p": "One, two" if quotes else '"One, two"'},
        "1 columns instead of 2",
        "3 columns instead of 2",
        {"q": "Who else?", "p": "Nobody"},
    ]


def test_a_csv_file_may_break_lines_inside_quotes(project: Project) -> None:
    (project.folder / "rows.csv").write_text('Who?,"One\ntwo"\nWhy?,"Be ""cause"""\n')
    rows = raws(project, "rows.csv", columns=["q", "p"])
    assert [row.row["p"] for row in rows if isinstance(row, Raw)] == ["One\ntwo", 'Be "cause"']


def test_json_documents_name_their_list(project: Project) -> None:
    (project.folder / "rows.json").write_text(json.dumps({"inner": {"rows": [{"q": "Who?"}, "no row"]}}))
    rows = raws(project, "rows.json", items="inner.rows")
    assert rows[0] == Raw("rows.json#inner.rows.0", {"q": "Who?"})
    assert rows[1] == SetAside("rows.json#inner.rows.1", "rows.json#inner.rows.1", "malformed", detail="no JSON object")
    with pytest.raises(UserError, match=r"questions\.md: file 'rows\.json': the document has no list 'rows'"):
        raws(project, "rows.json", items="rows")
    with pytest.raises(UserError, match=r"the document is not a list; name it with `items`"):
        raws(project, "rows.json")


def test_a_zip_is_read_by_member(project: Project) -> None:
    with zipfile.ZipFile(project.folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("set/train/b.json", "set/train/a.json", "set/test/c.json", "../evil.json"):
            archive.writestr(name, json.dumps([{"q": name}]))
    rows = raws(project, "set.zip", member="set/train/*.json")
    assert [row.position for row in rows] == ["set/train/a.json#0", "set/train/b.json#0"]
    with pytest.raises(UserError, match=r"file 'set\.zip' holds no 'other/\*'"):
        raws(project, "set.zip", member="other/*")
    assert sorted(path.name for path in project.folder.iterdir()) == ["profile.yaml", "questions.md", "set.zip"]


def test_of_parquet_only_the_needed_columns_are_read(project: Project) -> None:
    table = pa.table({"q": ["Who?", None], "p": ["One.", "Two."], "big": ["x" * 100] * 2})
    pq.write_table(table, project.folder / "rows.parquet")
    project.card("questions", files=["*.parquet"], rows=ROWS, licence="MIT")
    card = load_card(project.settings(), "./questions.md")
    assert list(raw_rows(card, card, {"q", "p", "absent"})) == [
        Raw("rows.parquet#0", {"q": "Who?", "p": "One."}),
        Raw("rows.parquet#1", {"q": None, "p": "Two."}),
    ]


def test_a_limit_and_a_sample_take_the_same_rows_each_time(project: Project) -> None:
    (project.folder / "rows.jsonl").write_text("".join(json.dumps({"q": str(number)}) + "\n" for number in range(1000)))
    assert len(raws(project, "rows.jsonl", limit=7)) == 7
    sample = raws(project, "rows.jsonl", sample=0.1)
    assert 60 < len(sample) < 140
    assert raws(project, "rows.jsonl", sample=0.1) == sample
    assert raws(project, "rows.jsonl", sample=0.1, limit=5) == sample[:5]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.jsonl.gz", gzip.compress(b'{"q": "Who?"}\n' * 50_000)[:-200], r"Compressed file ended before the end-of-stream marker"),
        ("bomb.jsonl.gz", gzip.compress(b"\0" * 150_000_000, 9), r"it unpacks to more than 200 times its size: no text does"),
        ("cut.json", b'{"data": [{"q"', r"is not JSON"),
        ("cut.parquet", b"PAR1 and nothing else", r"cannot be read: .*[Pp]arquet"),
        ("set.zip", b"no zip", r"cannot be read: File is not a zip file"),
        ("rows.xml", b"<rows/>", r"format: cannot be told from the name 'rows\.xml'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(project: Project, name: str, content: bytes, message: str) -> None:
    (project.folder / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"questions\.md: .*{message}"):
        raws(project, name, member="*" if name == "set.zip" else None)


def test_a_parquet_file_with_a_damaged_page_is_named(project: Project) -> None:
    path = project.folder / "rows.parquet"
    pq.write_table(pa.table({"q": [f"Question {n}?" for n in range(5000)], "p": ["P."] * 5000}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[100:400] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"questions\.md: file 'rows\.parquet' cannot be read"):
        raws(project, "rows.parquet")


def test_a_card_that_fits_no_row_is_an_error(project: Project) -> None:
    (project.folder / "rows.jsonl").write_text('{"question": "Who?", "text": "One."}\n' * 100)
    project.card("questions", files=["rows.jsonl"], rows=ROWS, licence="MIT")
    with pytest.raises(
        UserError, match=r"none of the first 100 rows can be mapped \(no_query\); their columns are question, text: correct"
    ):
        list(read_rows(load_card(project.settings(), "./questions.md")))


BAD_TEXTS = {
    "broken_encoding": "lone \ud800 surrogate",
    "nul": "with a \0 in it",
    "direction_override": "from right \u202e to left",
    "replacement_character": "no \ufffd more",
    "query_too_long": "long " * 400,
}


def test_bad_rows_are_set_aside_and_the_original_can_be_found(project: Project, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"q": "What is the name of the mine?", "p": "The name of the mine is Salt, and it is very old."}
    lines = [
        json.dumps(good),
        *(json.dumps({**good, "q": text}) for text in BAD_TEXTS.values()),
        json.dumps({**good, "q": "x" * 50_000_000}),
    ]
    (project.folder / "rows.jsonl").write_text("\n".join(lines))
    project.card("questions", files=["rows.jsonl"], rows=ROWS, licence="MIT")
    settings = project.settings()
    assert prepare(settings, store) == Outcome(done=1)
    record = units(settings)[0].result(store)
    reasons = {**dict.fromkeys(BAD_TEXTS, 1), "record_too_large": 1}
    assert record.facts["rows"] == {"read": 7, "kept": 1, "rejected": dict(sorted(reasons.items()))}
    rejected = {row["reason"]: row for row in store.read_tables(record, "rejected").to_pylist()}
    assert [rejected[reason]["position"] for reason in BAD_TEXTS] == [f"rows.jsonl#{number}" for number in range(2, 7)]
    assert rejected["record_too_large"]["position"] == "rows.jsonl#7"
    assert rejected["broken_encoding"]["query"] == "lone \\ud800 surrogate"


def test_a_source_that_cannot_be_read_leaves_the_others_running(project: Project, store: Store) -> None:
    passage = "Salt is mined in the north. It is white."
    project.source("first", [article(passage, ("What is mined?", "Salt"))])
    project.source("broken", [])
    project.source("last", [article(passage, ("What is white?", "It"))])
    (project.folder / "broken.json").write_text('{"data": [')
    project.card("missing", format="squad", files=["nowhere.json"], licence="MIT")
    settings = project.settings(sources=["./first.md", "./broken.md", "./missing.md", "./last.md"])
    with pytest.raises(UserError, match=r"broken\.md: file 'broken\.json' is not JSON"):
        prepare(settings, store)
    assert [unit.source for unit in units(settings) if unit.record(store)] == ["first", "last"]


def test_nothing_is_left_in_scratch_space(project: Project, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    project.source("questions", [article("Salt is mined in the north. It is white.", ("What is mined?", "Salt"))])
    prepare(project.settings(), store)
    assert list((tmp_path / "scratch").iterdir()) == []
