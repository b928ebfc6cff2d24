from __future__ import annotations

import json
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.review.human import load_marks

GOOD = {"language": "deu_Latn", "table": "queries", "id": "ab", "good": True}


def test_marks_are_read_by_language_table_and_id(tmp_path: Path) -> None:
    file = tmp_path / "marks.json"
    file.write_text(json.dumps({"format": 1, "name": "run", "marks": [GOOD, GOOD | {"id": "cd", "good": False}]}), encoding="utf-8")
    assert load_marks(file) == {("deu_Latn", "queries", "ab"): True, ("deu_Latn", "queries", "cd"): False}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"marks\.json: the file: Invalid JSON"),
        ('{"format": 2, "name": "run", "marks": []}', r"marks\.json: format: "),
        (json.dumps({"format": 1, "name": "run", "marks": [GOOD, GOOD | {"good": "perhaps"}]}), r"marks\.json: marks\.1\.good: "),
        (json.dumps({"format": 1, "name": "run", "marks": [GOOD | {"table": "pairs"}]}), r"marks\.json: marks\.0\.table: "),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "marks.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_marks(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.json: No such file"):
        load_marks(tmp_path / "nothing.json")
