"""Texts mapped into memory: languages that come later, processes that make the same files, what a kill leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from parallel_qa.pipeline.batches import OpenRelease, open_release
from parallel_qa.pipeline.batches.loader import release_identity
from parallel_qa.pipeline.batches.mapped_texts import buffers
from parallel_qa.pipeline.progress import LogProgress
from parallel_qa.pipeline.settings import Environment

ROWS = 20


def texts(release: OpenRelease, table: str, bit: int) -> list[str]:
    places = release.texts.places(table, np.arange(ROWS), np.full(ROWS, bit))
    return release.texts.take(places, ["> "] * ROWS)


def expected(release: OpenRelease, table: str, bit: int) -> list[str]:
    code, links = release.languages[bit], release.columns.links
    survived = dict(
        zip(*((links[:, 0], links[:, 2] >> bit & 1) if table == "queries" else (links[:, 1], links[:, 3] >> bit & 1)), strict=True)
    )
    return [f"> {table} {row} {code}" if survived[row] else "> " for row in range(ROWS)]


def cache_of(release: OpenRelease) -> Path:
    return Environment().cache / "releases" / release_identity(release.manifest)


def test_languages_come_when_they_are_asked_for_and_stay(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"only": 60}, survival=0.5, seed=21))
    for codes in (["tha_Thai"], ["eng_Latn", "tha_Thai"], ["deu_Latn"]):
        release.texts.add(codes, LogProgress())
        there = json.loads((cache_of(release) / "there.json").read_text())["tables"]
        for name in there:
            table, code = name.split("/")
            bit = release.languages.index(code)
            assert texts(release, table, bit) == expected(release, table, bit)
    assert sorted(there) == sorted(f"{table}/{code}" for table in ("queries", "passages") for code in ("tha_Thai", "eng_Latn", "deu_Latn"))
    assert texts(open_release(release._store.url), "passages", 1) == expected(release, "passages", 1)


def test_a_language_of_which_nothing_survived_has_no_texts(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"only": 60}, survival=0.0, seed=22))
    release.texts.add(["deu_Latn"], LogProgress())
    assert texts(release, "queries", 1) == ["> "] * ROWS
    release.texts.add(["eng_Latn"], LogProgress())
    assert texts(release, "queries", 0) == [f"> queries {row} eng_Latn" for row in range(ROWS)]


def test_what_a_kill_left_is_written_over(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"only": 60}, seed=23))
    for name in ("texts", "there.json.part"):
        (cache_of(release) / name).write_bytes(b"half" * 1000)
    release.texts.add(release.languages[:2], LogProgress())
    assert texts(release, "queries", 1) == expected(release, "queries", 1)


def test_arrow_reads_the_same_texts(make_release: Callable[..., Path]) -> None:
    release = open_release(make_release(sources={"only": 60}, seed=24))
    release.texts.add(["arb_Arab"], LogProgress())
    array = release.texts.arrow("passages", "arb_Arab")
    array.validate(full=True)
    assert [f"> {text}" for text in array.to_pylist()] == expected(release, "passages", 2)


SCRIPT = """
import sys
from parallel_qa.pipeline.batches import open_release
print(hash(tuple(text for batch in open_release(sys.argv[1]).batches(batch_size=20, steps=40) for text in batch.queries + batch.passages)))
"""


def test_processes_that_open_a_release_at_once_all_read_it_right(
    make_release: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_release(sources={"only": 3000}, seed=25)
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    printed.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(set(printed)) == 1


def test_slices_and_empty_chunks_are_read_from_where_they_begin() -> None:
    parts = [pa.table({"title": ["t", "", None], "text": ["ä", "b", None]}), pa.table({"title": ["x", "y"], "text": ["", "日本"]}).slice(1)]
    table = pa.concat_tables([parts[0].slice(0, 0), *parts])
    contents, lengths = zip(*buffers(table), strict=True)
    assert b"".join(contents).decode() == "t: äby: 日本"
    assert np.concatenate(lengths).tolist() == [5, 1, 0, 9]
