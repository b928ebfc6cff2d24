from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_qa.pipeline.planning.constants import ROW_BYTES, SENTENCE_CHARACTERS, STORED_BYTES, stored_ratio, utf8_ratio
from parallel_qa.pipeline.settings import HOUSE


def test_it_weighs_a_few_questions(xquad: Path, flores: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.sizes", str(xquad), "--flores", str(flores), "--questions", "20"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=HOUSE)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])
    assert figures["sentences_of_queries"] == 1
    for table, characters in SENTENCE_CHARACTERS.items():
        assert figures[f"characters_of_sentence_in_{table}"] == pytest.approx(characters, rel=0.5)
    assert figures["stored_bytes_per_character"] == pytest.approx(STORED_BYTES, rel=0.5)
    assert set(figures["core_microseconds"]) == {"prepare", "segment", "filter", "compare", "publish"}
    assert all(spent > 0 for by_table in figures["core_microseconds"].values() for spent in by_table.values())
    assert ROW_BYTES["english", "queries"] <= figures["weights"]["english queries"]["row_bytes"] < 4 * ROW_BYTES["english", "queries"]
    kinds = {"english", "translated", "back_translated", "scored", "compared", "segments"}
    assert {kind.split()[0] for kind in figures["weights"]} == {*kinds, "release"}
    assert {kind.split()[1] for kind in figures["weights"]} == {"queries", "passages", "pairs", "answers", "rejected"}
    assert {kind.split()[2] for kind in figures["weights"] if kind.startswith("release ") and kind != "release pairs"} == {
        "eng_Latn",
        "deu_Latn",
        "arb_Arab",
    }
    assert figures["cache"]["index_bytes_per_text"] == pytest.approx(8, abs=1)
    for measured, code in (("of_english", "tha_Thai"), ("of_english_in_flores", "jpn_Jpan")):
        ratios = figures[measured][{"tha_Thai": "th", "jpn_Jpan": "ja"}[code]]
        assert ratios["utf8"] == pytest.approx(utf8_ratio(code), rel=0.2)
        assert 0.7 * stored_ratio(code) < ratios["stored"] < 2 * stored_ratio(code)  # a handful of texts compress badly
