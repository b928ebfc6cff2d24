from __future__ import annotations

import json
from pathlib import Path

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.review.verdicts import Verdict, Verdicts, load_verdicts

GOOD = {"language": "deu_Latn", "table": "queries", "id": "ab", "good": True}


@pytest.mark.parametrize(("version", "key"), [(2, "verdicts"), (1, "marks")])
def test_verdicts_of_earlier_reports_are_read_and_none_was_drawn_at_random(tmp_path: Path, version: int, key: str) -> None:
    file = tmp_path / "verdicts.json"
    file.write_text(json.dumps({"format": version, "name": "run", key: [GOOD, GOOD | {"id": "cd", "good": False}]}), encoding="utf-8")
    assert load_verdicts(file) == Verdicts(
        {("deu_Latn", "queries", "ab"): Verdict(good=True), ("deu_Latn", "queries", "cd"): Verdict(good=False)}
    )


def test_verdicts_say_where_a_text_is_from_and_by_which_sample_it_was_shown(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    verdicts = [
        GOOD | {"source": "squad", "sample": "random"},
        GOOD | {"id": "cd", "good": False, "source": "squad", "sample": "rejected"},
        GOOD | {"id": "ef", "source": "squad", "sample": "side_by_side"},
        GOOD | {"id": "gh"},  # a browser remembered it from an earlier report
    ]
    drawn_from = [{"source": "squad", "language": "deu_Latn", "table": "queries", "texts": 900}]
    file.write_text(json.dumps({"format": 3, "name": "run", "drawn_from": drawn_from, "verdicts": verdicts}), encoding="utf-8")
    assert load_verdicts(file) == Verdicts(
        {
            ("deu_Latn", "queries", "ab"): Verdict(True, "squad", at_random=True),
            ("deu_Latn", "queries", "cd"): Verdict(False, "squad"),
            ("deu_Latn", "queries", "ef"): Verdict(True, "squad"),
            ("deu_Latn", "queries", "gh"): Verdict(True),
        },
        {("squad", "deu_Latn", "queries"): 900},
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"verdicts\.json: the file: Invalid JSON"),
        ('{"format": 4, "name": "run", "verdicts": []}', r"verdicts\.json: format: "),
        (json.dumps({"format": 3, "name": "run", "verdicts": [GOOD | {"sample": "all"}]}), r"verdicts\.json: verdicts\.0\.sample: "),
        (
            json.dumps(
                {
                    "format": 3,
                    "name": "run",
                    "verdicts": [],
                    "drawn_from": [{"source": "a", "language": "b", "table": "queries", "texts": 0}],
                }
            ),
            r"verdicts\.json: drawn_from\.0\.texts: ",
        ),
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
