"""Edits of a release that `verify` is tried on: each makes a random change of one kind, in a random place.

What depends on what is changed (counts, bits, reasons elsewhere) stays as it was; what a careful forger would keep the same (a text's id
and source in all languages, a rejected text's scores in both tables) is changed together.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import resealing
from parallel_qa.pipeline import schema
from parallel_qa.pipeline.release.layout.provenance import METADATA

Row = dict[str, Any]
Edit = Callable[["Draft"], None]

_LICENCES = ("CC0-1.0", "MIT", "CC-BY-4.0", "CC-BY-NC-4.0", "LicenseRef-Own")


class Draft:
    """A release with changes that are not written yet."""

    def __init__(self, folder: Path, draw: random.Random) -> None:
        """The release in `folder` is only read; `draw` decides about everything."""
        self.draw = draw
        self.before = resealing.read_manifest(folder)
        self.manifest = copy.deepcopy(self.before)
        self.written: dict[str, pa.Table] = {}
        """By name, the files that have other rows or metadata, or are new."""
        self.removed: set[str] = set()
        """The names of files that are gone."""
        self.texts: dict[str, str] = {}
        """By name, other content of the cards."""
        self._folder = folder

    @cached_property
    def languages(self) -> list[str]:
        """NLLB codes, English first."""
        codes: list[str] = self.before["languages"]
        return codes

    def table(self, name: str) -> pa.Table:
        """A file of the release, with the changes so far."""
        return self.written[name] if name in self.written else resealing.read(self._folder, name)

    def rows(self, name: str) -> list[Row]:
        """The rows of a file."""
        rows: list[Row] = self.table(name).to_pylist()
        return rows

    def write(self, name: str, rows: list[Row]) -> None:
        """Other rows of a file."""
        self.written[name] = pa.Table.from_pylist(rows, self.table(name).schema)

    def names(self, folder: str) -> list[str]:
        """The files of a table that have rows."""
        found = [name for name, facts in self.before["files"].items() if name.startswith(f"{folder}/") and facts.get("rows")]
        return sorted(found)

    def any_file(self, folders: Iterable[str]) -> str:
        """A file with rows in one of the folders."""
        return self.draw.choice([name for folder in folders for name in self.names(folder)])

    def any_texts(self, english: bool = False) -> str:
        """A file of texts, in any language but English unless it may be."""
        codes = self.languages if english else self.languages[1:]
        return self.any_file(f"{table}/{code}" for table in schema.TEXTS for code in codes)

    def everywhere(self, name: str) -> list[str]:
        """The same block of texts in every language."""
        table, _, file = name.split("/")
        return [f"{table}/{code}/{file}" for code in self.languages]

    def changes_something(self) -> bool:
        """Whether the release would be another one: rows, metadata, cards or the manifest."""
        return (
            bool(self.removed)
            or bool(self.texts)
            or json.dumps(self.manifest, sort_keys=True) != json.dumps(self.before, sort_keys=True)
            or any(name not in self.before["files"] or self._differs(name) for name in self.written)
        )

    def _differs(self, name: str) -> bool:
        return not self.written[name].equals(resealing.read(self._folder, name), check_metadata=True)


def rotate_texts(draft: Draft) -> None:
    """Give the texts that are there to other rows, in one or several languages, in a block or in all."""
    table, column = draft.draw.choice([("queries", ["text"]), ("passages", ["text"]), ("passages", ["title", "text"])])
    codes = draft.draw.sample(draft.languages[1:], draft.draw.randint(1, len(draft.languages) - 1))
    names = draft.names(f"{table}/{codes[0]}")
    for name in names if draft.draw.random() < 0.5 else [draft.draw.choice(names)]:
        step = draft.draw.randint(1, 5)
        for code in codes:
            file = f"{table}/{code}/{name.rpartition('/')[2]}"
            rows = draft.rows(file)
            there = [row for row in rows if row["text"] is not None]
            values = [[row[part] for part in column] for row in there]
            for place, row in enumerate(there):
                row.update(zip(column, values[(place + step) % len(there)], strict=True))
            draft.write(file, rows)


def swap_texts(draft: Draft) -> None:
    """Swap the texts of two rows of one language."""
    name = draft.any_texts(english=True)
    rows = draft.rows(name)
    one, other = draft.draw.choice(rows), draft.draw.choice(rows)
    if one["text"] is not None and other["text"] is not None:
        one["text"], other["text"] = other["text"], one["text"]
    draft.write(name, rows)


def replace_text(draft: Draft) -> None:
    """Write other words, one letter more, or nothing into a text or a title that is there, or into a rejected one."""
    kind = draft.draw.choice(["text", "title", "rejected"])
    if kind == "rejected":
        name, column = draft.any_file(f"rejected/{code}" for code in draft.languages[1:]), draft.draw.choice(["text", "back_translation"])
    elif kind == "title":
        name, column = draft.any_file(f"passages/{code}" for code in draft.languages), "title"
    else:
        name, column = draft.any_texts(english=True), "text"
    rows = draft.rows(name)
    row = draft.draw.choice(rows)
    if row[column] is not None:
        row[column] = draft.draw.choice(["other words", f"{row[column]}.", row[column][1:], ""])
    draft.write(name, rows)


def change_score(draft: Draft) -> None:
    """Change a score of a row or of all rows of a block; of rejected texts in both tables."""
    name = draft.any_texts()
    column, everything = draft.draw.choice(schema.SCORES.names), draft.draw.random() < 0.3
    table, code, file = name.split("/")
    fallen_name = f"rejected/{code}/{table}/{file}"
    rows, fallen = draft.rows(name), draft.rows(fallen_name)
    chosen = rows if everything else [draft.draw.choice(rows)]
    value = draft.draw.choice([0, 0, 1, draft.draw.randint(0, 100), None])
    for row in chosen:
        if row["reject_reason"] != "not_translated":
            row[column] = value
            for other in fallen:
                if other["id"] == row["id"]:
                    other[column] = value
    draft.write(name, rows)
    draft.write(fallen_name, fallen)


def change_reason(draft: Draft) -> None:
    """Give another reason, add one, take a rejected text back, or reject one that was kept."""
    name = draft.any_texts()
    table, code, file = name.split("/")
    fallen_name = f"rejected/{code}/{table}/{file}"
    rows, fallen = draft.rows(name), draft.rows(fallen_name)
    how = draft.draw.choice(["another", "added", "back", "rejected"])
    reason = draft.draw.choice(["names", "numbers", "length", "ending", "round_trip"])
    if how == "rejected":
        row = draft.draw.choice(rows)
        row.update({"text": None, "reject_reason": reason} | ({"title": None} if "title" in row else {}))
    elif fallen:
        gone = draft.draw.choice(fallen)
        [row] = [row for row in rows if row["id"] == gone["id"]]
        if how == "another":
            row["reject_reason"], gone["reasons"] = reason, [reason]
        elif how == "added":
            gone["reasons"] = [*gone["reasons"], reason]
        else:
            row.update({"text": gone["text"], "reject_reason": None} | ({"title": ""} if "title" in row else {}))
            fallen.remove(gone)
    draft.write(name, rows)
    draft.write(fallen_name, fallen)


def flip_language_bit(draft: Draft) -> None:
    """Say of a pair that a side is in a language where it is not, or the other way round."""
    name, rows, row = _any_pair(draft)
    row[draft.draw.choice(["query_langs", "passage_langs"])] ^= 1 << draft.draw.randrange(len(draft.languages))
    draft.write(name, rows)


def change_pair(draft: Draft) -> None:
    """Point a pair at another text, change its answer, the answer's scores or its row in the source, remove it, or double it."""
    name, rows, row = _any_pair(draft)
    how = draft.draw.choice(["query_row", "passage_row", "answer", "source_id", "answer_scores", "removed", "doubled"])
    if how in ("query_row", "passage_row"):
        row[how] = draft.draw.randrange(draft.before["rows"]["queries" if how == "query_row" else "passages"])
    elif how == "answer_scores":
        row[how] = [draft.draw.choice([0.0, 100.0, draft.draw.uniform(0, 100)]) for _ in draft.languages[1:]]
    elif how == "removed":
        rows.remove(row)
    elif how == "doubled":
        rows.insert(draft.draw.randrange(len(rows)), row)
    else:
        row[how] = draft.draw.choice(["", f"{row[how]}x", draft.draw.choice(rows)[how]])
    draft.write(name, rows)


def change_negative(draft: Draft) -> None:
    """Add, replace, remove or double a negative; what is added may be a positive of the same query."""
    name, rows, row = _any_pair(draft)
    negatives = row["negative_rows"]
    how = draft.draw.choice(["added", "replaced", "removed", "doubled", "positive"])
    own = [other["passage_row"] for other in rows if other["query_row"] == row["query_row"]]
    other = draft.draw.choice(own) if how == "positive" else draft.draw.randrange(draft.before["rows"]["passages"])
    place = draft.draw.randrange(len(negatives) + 1)
    if how == "removed" and negatives:
        negatives.remove(draft.draw.choice(negatives))
    elif how == "doubled" and negatives:
        negatives.append(draft.draw.choice(negatives))
    elif how == "replaced" and place < len(negatives):
        negatives[place] = other
    else:
        negatives.insert(place, other)
    draft.write(name, rows)


def change_id(draft: Draft) -> None:
    """Give a text another id, in all languages and among the rejected."""
    name = draft.any_texts(english=True)
    place, other = draft.draw.randrange(len(draft.rows(name))), f"{draft.draw.getrandbits(64):016x}"
    own = draft.rows(name)[place]["id"]
    table, _, file = name.split("/")
    for same in [*draft.everywhere(name), *(f"rejected/{code}/{table}/{file}" for code in draft.languages[1:])]:
        rows = draft.rows(same)
        if any(row["id"] == own for row in rows):
            draft.write(same, [row | ({"id": other} if row["id"] == own else {}) for row in rows])


def change_source(draft: Draft) -> None:
    """Say of a text, in all languages, or of a pair that it is of another source; or change what the manifest says of one."""
    sources, how = list(draft.before["sources"]), draft.draw.choice(["text", "pair", "manifest"])
    if how == "pair":
        name, rows, row = _any_pair(draft)
        row["source"] = draft.draw.choice(sources)
        draft.write(name, rows)
    elif how == "text":
        name, other = draft.any_texts(english=True), draft.draw.choice(sources)
        place = draft.draw.randrange(len(draft.rows(name)))
        for same in draft.everywhere(name):
            rows = draft.rows(same)
            rows[place]["source"] = other
            draft.write(same, rows)
    else:
        facts = draft.manifest["sources"][draft.draw.choice(sources)]
        field = draft.draw.choice(["title", "fingerprint", "homepage", "citation", "not_translated"])
        facts[field] = [draft.draw.choice(draft.languages[1:])] if field == "not_translated" else f"{facts[field]}x"


def change_licence(draft: Draft) -> None:
    """Change the licence of the release or of a part, or what follows from it, in one place or wherever the manifest has it."""
    manifest, other = draft.manifest, draft.draw.choice(_LICENCES)
    part = draft.draw.choice(list(manifest["licences"]["parts"]))
    how = draft.draw.choice(["release", "part", "source", "consequence", "cards"])
    if how == "release":
        manifest["licence"] = other
    elif how == "part":
        manifest["licences"]["parts"][part] = other
    elif how == "source":
        manifest["sources"][draft.draw.choice(list(manifest["sources"]))]["licence"] = other
    elif how == "consequence":
        manifest["licences"][draft.draw.choice(["non_commercial", "share_alike", "own_terms"])] = [part]
    else:
        name = draft.draw.choice(["README.md", "croissant.json"])
        content = (draft._folder / name).read_text(encoding="utf-8")
        draft.texts[name] = content.replace(manifest["licence"], other).replace(manifest["licence"].lower(), other.lower())


def change_version(draft: Draft) -> None:
    """Name another version in the manifest, or in the metadata of a file."""
    other = f"{draft.before['version'].rpartition('-')[0]}-{draft.draw.getrandbits(32):08x}"
    if draft.draw.random() < 0.5:
        draft.manifest["version"] = other
    else:
        _change_metadata(draft, "release", other)


def change_count(draft: Draft) -> None:
    """Change a number that the manifest counts, by one or to anything."""
    manifest, draw = draft.manifest, draft.draw
    facts = draw.choice(list(manifest["sources"].values()))
    counts = draw.choice(list(facts["languages"].values()))
    places: list[dict[str, Any]] = [
        manifest["rows"],
        manifest["rejected"],
        facts["provided"],
        facts["shared"],
        facts["rows"],
        draw.choice(list(counts.values())),
        {"blocks": manifest["blocks"]},
    ]
    numbers = draw.choice(places)
    name = draw.choice([name for name, value in numbers.items() if isinstance(value, int)])
    value = max(0, draw.choice([numbers[name] + 1, numbers[name] - 1, draw.randrange(1000)]))
    numbers[name] = value
    if name == "blocks":
        manifest["blocks"] = max(1, value)


def change_model(draft: Draft) -> None:
    """Name another model, licence, quantization or fingerprint of it, in the manifest or in the metadata of a file."""
    if draft.draw.random() < 0.2:
        _change_metadata(draft, "model", f"{draft.draw.getrandbits(64):016x}")
        return
    field = draft.draw.choice(["name", "licence", "fingerprint", "quantization"])
    draft.manifest["model"][field] = draft.draw.choice(_LICENCES) if field == "licence" else f"{draft.manifest['model'][field]}x"
    if field == "name" and draft.draw.random() < 0.5:  # wherever the manifest has it
        draft.manifest["settings"]["translation"]["model"] = draft.manifest["model"]["name"]
        parts = draft.manifest["licences"]["parts"]
        parts[f"model {draft.manifest['model']['name']}"] = parts.pop(f"model {draft.before['model']['name']}")


def change_setting(draft: Draft) -> None:
    """Change a threshold, or another setting that is a number or a switch."""
    settings = draft.manifest["settings"]
    section = settings[draft.draw.choice(["filters", "filters", "filters", "release", "cleaning", "translation"])]
    name = draft.draw.choice([name for name, value in section.items() if isinstance(value, int | float)])
    value = section[name]
    if isinstance(value, bool):
        section[name] = not value
    else:
        section[name] = draft.draw.choice([0, value / 2, 1]) if isinstance(value, float) else value + 1


def remove_shard(draft: Draft) -> None:
    """Take a file away, with its entry, or all rows of it."""
    name = draft.any_file(["queries", "passages", "rejected", "pairs"])
    if draft.draw.random() < 0.5:
        draft.removed.add(name)
    else:
        draft.write(name, [])


def double_shard(draft: Draft) -> None:
    """Have a file once more, as the next one of its table, or its rows twice in it."""
    name = draft.any_file(["queries", "passages", "rejected", "pairs"])
    rows = draft.rows(name)
    if draft.draw.random() < 0.5:
        draft.write(name, rows + rows)
    else:
        draft.written[f"{name.rpartition('/')[0]}/{draft.before['blocks']:05d}.parquet"] = draft.table(name)


def reorder_shard(draft: Draft) -> None:
    """Put the rows of a file in another order; of texts perhaps in all languages alike."""
    name = draft.any_file(["queries", "passages", "rejected", "pairs"])
    order = list(range(len(draft.rows(name))))
    draft.draw.shuffle(order)
    together = name.split("/")[0] in schema.TEXTS and draft.draw.random() < 0.5
    for same in draft.everywhere(name) if together else [name]:
        rows = draft.rows(same)
        draft.write(same, [rows[place] for place in order])


def move_shard(draft: Draft) -> None:
    """Put a file in the place of another: of another language or another block, with its metadata or with those that were there."""
    name = draft.any_file(["queries", "passages", "rejected"])
    kind, code, *rest = name.split("/")
    languages, blocks = [other for other in draft.languages if other != code], range(draft.before["blocks"])
    if kind == "rejected":
        languages.remove(draft.languages[0])
    if draft.draw.random() < 0.5:
        target = "/".join([kind, draft.draw.choice(languages), *rest])
    else:
        target = "/".join([kind, code, *rest[:-1], f"{draft.draw.choice(blocks):05d}.parquet"])
    moved = draft.table(name)
    kept = draft.table(target).schema.metadata
    draft.written[target] = moved.replace_schema_metadata(kept) if draft.draw.random() < 0.5 else moved


EDITS: dict[str, Edit] = {
    "text rotated": rotate_texts,
    "text swapped": swap_texts,
    "text replaced": replace_text,
    "score": change_score,
    "reason": change_reason,
    "language bit": flip_language_bit,
    "pair": change_pair,
    "negative": change_negative,
    "id": change_id,
    "source": change_source,
    "licence": change_licence,
    "version": change_version,
    "count": change_count,
    "model": change_model,
    "setting": change_setting,
    "shard removed": remove_shard,
    "shard doubled": double_shard,
    "shard reordered": reorder_shard,
    "shard moved": move_shard,
}
"""By kind."""


def _any_pair(draft: Draft) -> tuple[str, list[Row], Row]:
    """A file of pairs, its rows, and one of them."""
    name = draft.any_file(["pairs"])
    rows = draft.rows(name)
    return name, rows, draft.draw.choice(rows)


def _change_metadata(draft: Draft, part: str, value: str) -> None:
    name = draft.any_file(["queries", "passages", "rejected", "pairs"])
    table = draft.table(name)
    about = json.loads(table.schema.metadata[METADATA.encode()]) | {part: value}
    draft.written[name] = table.replace_schema_metadata({METADATA: json.dumps(about, sort_keys=True, ensure_ascii=False)})
