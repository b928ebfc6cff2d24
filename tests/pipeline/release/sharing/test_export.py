from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.reading.reader import directions_of
from parallel_qa.pipeline.release.sharing.export import export
from parallel_qa.pipeline.release.sharing.exports.examples import Count
from parallel_qa.pipeline.store import Store
from tests.conftest import Run
from tests.pipeline.release.sharing.conftest import Edited, with_negatives

FORMATS = ["sentence-transformers", "flagembedding", "tevatron", "beir"]


def all_pairs(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "pairs").to_pylist()
    return rows


@pytest.mark.parametrize("kind", FORMATS)
def test_without_a_direction_each_language_goes_with_itself(mined: Store, mined_folder: Path, tmp_path: Path, kind: str) -> None:
    counts = export(mined, kind, tmp_path / "export", None, 0)
    both = [pair["query_langs"] & pair["passage_langs"] for pair in all_pairs(mined_folder)]
    assert counts == [Count(f"{tag}-{tag}", sum(bits >> bit & 1 for bits in both)) for bit, tag in enumerate(("en", "de", "ar", "zh"))]


def test_every_language_goes_with_every_language(mined: Store, mined_folder: Path, tmp_path: Path) -> None:
    counts = export(mined, "beir", tmp_path / "export", directions_of(mined, [], True), 0)
    assert len(counts) == 16
    pairs = all_pairs(mined_folder)
    assert sum(count.examples for count in counts) == sum(
        pair["query_langs"].bit_count() * pair["passage_langs"].bit_count() for pair in pairs
    )


def test_a_direction_that_is_named_twice_is_written_once(mined: Store, tmp_path: Path) -> None:
    [once] = export(mined, "flagembedding", tmp_path / "once", [("de", "en")], 0)
    assert export(mined, "flagembedding", tmp_path / "twice", [("de", "en"), ("deu_Latn", "eng_Latn")], 0) == [once]
    assert (tmp_path / "once/train.jsonl").read_bytes() == (tmp_path / "twice/train.jsonl").read_bytes()


@pytest.mark.parametrize(("kind", "left_out"), [("sentence-transformers", 2), ("flagembedding", 1), ("tevatron", 1)])
def test_what_is_left_out_for_want_of_negatives_is_counted(
    edited: Edited, mined_folder: Path, tmp_path: Path, kind: str, left_out: int
) -> None:
    """In English everything survived. One pair has no negative, one has one, the others have two."""
    shards = sorted(path.name for path in (mined_folder / "pairs").iterdir())
    rows = {name: pq.read_table(mined_folder / "pairs" / name).to_pylist() for name in shards}
    answers: dict[int, set[int]] = {}
    for pair in all_pairs(mined_folder):
        answers.setdefault(pair["query_row"], set()).add(pair["passage_row"])
    lists = {name: [[row for row in range(9) if row not in answers[pair["query_row"]]][:2] for pair in rows[name]] for name in shards}
    lists[shards[0]][0], lists[shards[0]][1] = [], lists[shards[0]][1][:1]
    store = edited({f"pairs/{name}": with_negatives(lists[name]) for name in shards})
    total = sum(map(len, lists.values()))
    assert export(store, kind, tmp_path / "export", [("en", "en")], 2) == [Count("en-en", total - left_out, left_out)]


def test_a_release_without_negatives_says_so_and_nothing_is_left(sample_run: Run, tmp_path: Path) -> None:
    store = Store(str(sample_run.folder), writable=False)
    with pytest.raises(UserError, match=r"negatives: 2 are asked for, and this release has none: .* \(`parallel-qa mine`\)"):
        export(store, "flagembedding", tmp_path / "export", None, 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS[:3])
def test_more_negatives_than_any_pair_has_are_refused(mined: Store, tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="negatives: 3 are asked for, and no pair of this release has more than 2: ask for 2 at most"):
        export(mined, kind, tmp_path / "export", None, 3)
    assert list(tmp_path.iterdir()) == []


def test_negatives_that_are_all_answers_make_no_export(edited: Edited, mined_folder: Path, tmp_path: Path) -> None:
    shards = [path.name for path in (mined_folder / "pairs").iterdir()]
    own = {name: [[row] for row in pq.read_table(mined_folder / "pairs" / name)["passage_row"].to_pylist()] for name in shards}
    store = edited({f"pairs/{name}": with_negatives(own[name]) for name in shards})
    with pytest.raises(UserError, match=r"negatives: none of \d+ pairs has 1 in de-en that survived and do not answer its query"):
        export(store, "flagembedding", tmp_path / "export", [("de", "en")], 1)
    assert not (tmp_path / "export").exists()


def test_an_export_that_fails_is_not_there(mined: Store, mined_folder: Path, edited: Edited, tmp_path: Path) -> None:
    store = edited({})
    last = sorted((mined_folder / "pairs").iterdir())[-1].name
    (Path(store.root) / "pairs" / last).write_bytes(b"damaged")
    with pytest.raises(UserError, match=rf"pairs/{last} is damaged"):
        export(store, "beir", tmp_path / "there/export", None, 0)
    assert list((tmp_path / "there").iterdir()) == []


def test_lines_are_json_in_utf8(mined: Store, tmp_path: Path) -> None:
    export(mined, "tevatron", tmp_path / "export", [("ar", "zh")], 1)
    for name in ("train.jsonl", "corpus.jsonl"):
        content = (tmp_path / "export" / name).read_bytes()
        assert content.endswith(b"\n") and b"\\u" not in content
        assert all(json.loads(line) for line in content.decode().split("\n")[:-1])


def test_an_export_needs_neither_the_pipeline_nor_the_libraries_that_it_is_for() -> None:
    program = "import sys, parallel_qa.pipeline.release.sharing.export; print(*{name.split('.')[0] for name in sys.modules})"
    imported = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())
    assert not imported & {
        "torch",
        "datasets",
        "transformers",
        "huggingface_hub",
        "prefect",
        "duckdb",
        "ctranslate2",
        "sentence_transformers",
    }


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda store, folder: export(store, "csv", folder, None, 0), "format 'csv' is none of sentence-transformers, flagembedding"),
        (
            lambda store, folder: export(store, "beir", folder, None, 1),
            "negatives: beir says of passages whether they answer, .* set it to 0",
        ),
        (lambda store, folder: export(store, "beir", folder, [("fr", "de")], 0), "fra_Latn is not in this release, which has eng_Latn"),
        (lambda store, folder: export(store, "beir", folder, [("german", "de")], 0), "unknown language 'german'"),
        (lambda store, folder: export(store, "beir", folder.parent, None, 0), "is not empty: choose another folder"),
        (lambda store, folder: directions_of(store, ["de"], False), "direction 'de': write the languages of query and passage"),
    ],
)
def test_what_cannot_be_exported_is_refused(mined: Store, tmp_path: Path, act: Callable[[Store, Path], Any], message: str) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(UserError, match=message):
        act(mined, tmp_path / "export")
    assert [path.name for path in tmp_path.iterdir()] == ["something"]
