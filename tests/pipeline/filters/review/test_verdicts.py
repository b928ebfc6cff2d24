from __future__ import annotations

import json
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.review.verdicts import load_verdicts

GOOD = {"language": "deu_Latn", "table": "queries", "id": "ab", "good": True}


@pytest.mark.parametrize(("version", "key"), [(2, "verdicts"), (1, "marks")])
def test_verdicts_are_read_by_language_table_and_id(tmp_path: Path, version: int, key: str) -> None:
    file = tmp_path / "verdicts.json"
    file.write_text(json.dumps({"format": version, "name": "run", key: [GOOD, GOOD | {"id": "cd", "good": False}]}), encoding="utf-8")
    assert load_verdicts(file) == {("deu_Latn", "queries", "ab"): True, ("deu_Latn", "queries", "cd"): False}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"verdicts\.json: the file: Invalid JSON"),
        ('{"format": 3, "name": "run", "verdicts": []}', r"verdicts\.json: format: "),
        ('{"format": 2, "name": "run"}', r"verdicts\.json: verdicts: Field required"),
        (json.dumps({"format": 2, "name": "run", "verdicts": [GOOD, GOOD | {"good": "perhaps"}]}), r"verdicts\.json: verdicts\.1\.good: "),
        (json.dumps({"format": 1, "name": "run", "marks": [GOOD | {"table": "pairs"}]}), r"verdicts\.json: marks\.0\.table: "),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "verdicts.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_verdicts(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.json: No such file"):
        load_verdicts(tmp_path / "nothing.json")
