"""BEIR: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`; with `qrels.jsonl` and a `README.md`, by which mteb 2 reads the folder.

The pairs are one split, `train`. They are there as `test` as well: that is what both read where no split is named.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.reading.reader import Reader
from parallel_qa.pipeline.release.sharing.exports.examples import Examples, surviving_texts
from parallel_qa.pipeline.release.sharing.exports.lines import line, write_lines

_HEAD = ["query-id", "corpus-id", "score"]
_CONFIGURATIONS = {
    "corpus": {"corpus": "corpus.jsonl"},
    "queries": {"queries": "queries.jsonl"},
    "default": {"train": "qrels.jsonl", "test": "qrels.jsonl"},
}
"""By the names of mteb, the splits and their files. `datasets` reads all files of a folder as the same kind: so none is a table."""


def fewest_negatives(asked: int) -> int:
    """None. Raises UserError where some are asked for."""
    if asked:
        raise UserError("negatives: beir says of passages whether they answer, and has no place for hard negatives: set it to 0")
    return 0


def write(reader: Reader, examples: Examples, folder: Path) -> None:
    """Write the examples to `folder`, and all queries and passages in their languages."""
    queries, passages = ([direction[side] for direction in examples.directions] for side in (0, 1))
    rows = surviving_texts(reader, "passages", passages)
    write_lines(folder / "corpus.jsonl", ({"_id": text_id, "title": title, "text": text} for text_id, title, text in rows))
    rows = surviving_texts(reader, "queries", queries)
    write_lines(folder / "queries.jsonl", ({"_id": text_id, "text": text} for text_id, _, text in rows))
    _write_qrels(examples, folder)
    (folder / "README.md").write_text(_card(reader, examples), encoding="utf-8")


def _write_qrels(examples: Examples, folder: Path) -> None:
    (folder / "qrels").mkdir()
    with (
        (folder / "qrels/train.tsv").open("w", encoding="utf-8", newline="\n") as table,
        (folder / "qrels.jsonl").open("w", encoding="utf-8", newline="\n") as lines,
    ):
        table.write("\t".join(_HEAD) + "\n")
        for example in examples:
            table.write(f"{example.query_id}\t{example.passage_id}\t1\n")
            lines.write(line(dict(zip(_HEAD, (example.query_id, example.passage_id, 1), strict=True))))
    shutil.copyfile(folder / "qrels/train.tsv", folder / "qrels/test.tsv")


def _card(reader: Reader, examples: Examples) -> str:
    configurations = [
        {"config_name": name, "data_files": [{"split": split, "path": path} for split, path in files.items()]}
        for name, files in _CONFIGURATIONS.items()
    ]
    front = yaml.safe_dump({"configs": configurations}, sort_keys=False)
    return f"---\n{front}---\n{reader.manifest['version']}: {', '.join(count.direction for count in examples.counts)}\n"
