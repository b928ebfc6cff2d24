"""Which texts of a source are one: of the same words and symbols, or nearly equal, whatever the source's size.

Exact duplicates first. Near ones by MinHash (Broder 1997) and banding (Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, section 3.4); each candidate is then compared in full. All state is in a DuckDB file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import rensa
from numpy.typing import NDArray

from parallel_qa.pipeline.database import Database, parquet_rows
from parallel_qa.pipeline.english_words import NAME_OR_NUMBER
from parallel_qa.pipeline.sources.grouping import with_lists
from parallel_qa.pipeline.sources.words import Words

SEED = 1
_COMPARED = 10_000
"""Pairs of texts that are in memory at once."""


@dataclass(frozen=True)
class Nearness:
    """When two texts are nearly equal."""

    runs: tuple[int, ...]
    """Lengths, in words, of the runs that are compared."""
    bands: int
    band_rows: int
    """Two texts of Jaccard similarity s become candidates with probability 1 - (1 - s ** band_rows) ** bands."""
    jaccard: float
    """Share of runs in common, of all runs of both."""


NEARNESS = {
    "queries": Nearness(runs=(1, 2), bands=4, band_rows=8, jaccard=0.9),
    "passages": Nearness(runs=(3,), bands=6, band_rows=5, jaccard=0.85),
}
_TELLING = re.compile(rf"{NAME_OR_NUMBER}|\d+")  # a number that begins a sentence tells two texts apart as well
_SYMBOLS = re.compile(r"\S*[^\w\s]\S*")  # in a form, where nothing else is left between the words
_DENIALS = frozenset(["cannot", "neither", "never", "no", "nobody", "none", "nor", "not", "nothing", "nowhere", "t", "without"])
"""Words of a form that turn what is said into its opposite; "isn't" is "isn t" there."""


def bands(split: Words, nearness: Nearness) -> pa.Table:
    """For each text of a batch one number a band; texts with an equal number in a band are candidates.

    Null for a text that is too short to have a run.
    """
    runs, ends = _interleaved([split.runs(length) for length in nearness.runs])
    size = nearness.bands * nearness.band_rows
    offsets = np.concatenate([[0], ends]).astype(np.uint64)
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(runs, offsets, size, SEED).to_rows()
    matrix = np.array(digests, np.uint64).reshape(len(ends), nearness.bands, nearness.band_rows)
    empty = np.diff(offsets) == 0
    numbers = np.zeros((len(ends), nearness.bands), np.uint64)
    for row in range(nearness.band_rows):
        numbers = numbers * np.uint64(0x9E3779B97F4A7C15) + matrix[:, :, row]
    return pa.table({f"b{band}": pa.array(numbers[:, band], mask=empty) for band in range(nearness.bands)})


def nearly_equal(text: str, other: str, nearness: Nearness, forms: tuple[str, str]) -> bool:
    """Whether the runs of two texts are nearly the same, and their names, numbers, symbols and denials are the same.

    `forms` are the words and symbols of the two.
    """
    if set(_TELLING.findall(text)) != set(_TELLING.findall(other)):
        return False
    if set(_SYMBOLS.findall(forms[0])) != set(_SYMBOLS.findall(forms[1])):
        return False
    if _denials(forms[0]) != _denials(forms[1]):
        return False
    one, two = (_run_set(form, nearness) for form in forms)
    return len(one & two) >= nearness.jaccard * len(one | two)


def _denials(form: str) -> Counter[str]:
    return Counter(word for word in form.split(" ") if word in _DENIALS)


def _run_set(form: str, nearness: Nearness) -> set[tuple[str, ...]]:
    split = form.split(" ")
    return {tuple(split[start : start + length]) for length in nearness.runs for start in range(len(split) - length + 1)}


def _interleaved(parts: list[Words]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The runs of several lengths of each text, one text after the other."""
    if len(parts) == 1:
        return parts[0].values, parts[0].ends
    owners = np.concatenate([np.repeat(np.arange(len(part.ends)), part.counts()) for part in parts])
    order = np.argsort(owners, kind="stable")
    ends = np.sum([part.ends for part in parts], axis=0)
    return np.concatenate([part.values for part in parts])[order], ends


class Duplicates:
    """The texts of a source by number, and which of them are one.

    A *mention* is a text at a place of the source: mention *i* of the queries is the query of row *i*; a row's
    positive passage is followed by its negatives among the mentions of passages.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        """`folder` is scratch space; `folder/queries.parquet` and `folder/passages.parquet` will hold the mentions.

        `purpose` begins the message of the UserError that all methods raise where memory or disk do not suffice.
        """
        self._folder = folder
        self._database = Database(folder, purpose)
        for table, nearness in NEARNESS.items():
            columns = ", ".join(f"b{band} UBIGINT" for band in range(nearness.bands))
            self._database.run(f"CREATE TABLE {table} (mention BIGINT, key UHUGEINT, {columns})")
        self._database.run("CREATE TABLE rows (row BIGINT, position VARCHAR, passage BIGINT, negatives INTEGER, answer VARCHAR)")

    def add(self, table: str, start: int, forms: pa.Array, split: Words) -> None:
        """Add a batch of mentions of `table`, the first of which has the number `start`; `forms` are their words and symbols."""
        numbers = bands(split, NEARNESS[table])
        mentions = np.arange(start, start + len(forms))
        batch = pa.table({"mention": mentions, "form": forms, **{name: numbers[name] for name in numbers.column_names}})
        self._database.insert(table, batch, f"mention, md5_number(form), {', '.join(numbers.column_names)}")

    def add_rows(self, rows: pa.Table) -> None:
        """Add rows: `row`, `position`, `passage` (the mention of its positive), `negatives` (how many follow), `answer`."""
        self._database.insert("rows", rows, "row, position, passage, negatives, answer")

    def resolve(self) -> None:
        """Find out which mentions are one text, and which rows are one link. Call it once, after all `add`s."""
        for table in NEARNESS:
            self._resolve_texts(table)
        self._resolve_links()

    def _resolve_texts(self, table: str) -> None:
        self._database.run(f"CREATE TABLE {table}_first AS SELECT key, min(mention) AS first FROM {table} GROUP BY key")
        self._database.run(f"CREATE TABLE {table}_same AS SELECT mention, first FROM {table} JOIN {table}_first USING (key)")
        self._database.run(f"CREATE TABLE {table}_candidates (mention BIGINT, other BIGINT)")
        self._database.run(f"CREATE TABLE {table}_unique AS SELECT * FROM {table} WHERE mention IN (SELECT first FROM {table}_first)")
        for band in range(NEARNESS[table].bands):
            # Every text of a bucket is compared with the bucket's first: linear, where all pairs would be quadratic.
            self._database.run(
                f"""INSERT INTO {table}_candidates
                SELECT mention, other FROM {table}_unique
                JOIN (SELECT b{band}, min(mention) AS other FROM {table}_unique GROUP BY b{band} HAVING count(*) > 1) USING (b{band})
                WHERE mention <> other"""
            )
        self._database.run(f"DROP TABLE {table}_unique")
        self._database.run(f"CREATE TABLE {table}_near (mention BIGINT, other BIGINT)")
        for batch in self._nearly_equal(table):
            self._database.insert(f"{table}_near", batch)
        if table == "passages":
            self._keep_answers()
        # What is merged stands for nothing else: no chains of ever less similar texts.
        self._database.run(f"DELETE FROM {table}_near WHERE other IN (SELECT mention FROM {table}_near)")
        self._database.run(
            f"""CREATE TABLE {table}_root AS SELECT same.mention AS mention, coalesce(near.root, same.first) AS root,
            near.root IS NOT NULL AS near FROM {table}_same AS same
            LEFT JOIN (SELECT mention, min(other) AS root FROM {table}_near GROUP BY mention) AS near ON near.mention = same.first"""
        )

    def _nearly_equal(self, table: str) -> Iterator[pa.Table]:
        """The candidates that are nearly equal."""
        texts = parquet_rows(self._folder / f"{table}.parquet")
        nearness = NEARNESS[table]
        # Titles are compared here: as a condition, DuckDB would join all texts of one title first.
        for batch in self._database.read(
            f"""SELECT c.mention, c.other, a.text AS text, b.text AS other_text, a.form AS form, b.form AS other_form,
            a.title_form = b.title_form AS same_title
            FROM (SELECT DISTINCT mention, other FROM {table}_candidates) AS c
            JOIN {texts} AS a ON a.mention = c.mention JOIN {texts} AS b ON b.mention = c.other""",
            _COMPARED,
        ):
            near = [
                row
                for row in batch.to_pylist()
                if row["same_title"] and nearly_equal(row["text"], row["other_text"], nearness, (row["form"], row["other_form"]))
            ]
            yield pa.table({name: pa.array([row[name] for row in near], pa.int64()) for name in ("mention", "other")})

    def _keep_answers(self) -> None:
        """Leave out passages that hold an answer to one of their questions which the passage that would stand for them does not."""
        texts = parquet_rows(self._folder / "passages.parquet")
        self._database.run(
            f"""CREATE TABLE answer_lost AS SELECT DISTINCT near.mention AS mention, near.other AS other FROM passages_near AS near
            JOIN passages_same AS same ON same.first = near.mention JOIN rows ON rows.passage = same.mention
            JOIN {texts} AS a ON a.mention = near.mention JOIN {texts} AS b ON b.mention = near.other
            WHERE answer <> '' AND contains(a.text, answer) AND NOT contains(b.text, answer)"""
        )
        self._database.run("DELETE FROM passages_near WHERE (mention, other) IN (SELECT mention, other FROM answer_lost)")

    def _resolve_links(self) -> None:
        self._database.run(
            """CREATE TABLE links AS SELECT row, q.root AS query, p.root AS passage, q.near OR p.near AS near FROM rows
            JOIN queries_root AS q ON q.mention = row JOIN passages_root AS p ON p.mention = rows.passage"""
        )
        self._database.run("CREATE TABLE firsts AS SELECT query, passage, min(row) AS row FROM links GROUP BY query, passage")
        # A negative that answers the query after all is none.
        self._database.run(
            """CREATE TABLE hard AS SELECT firsts.row AS row, p.root AS passage, min(p.mention) AS place
            FROM (SELECT row, unnest(range(passage + 1, passage + 1 + negatives)) AS mention FROM rows WHERE negatives > 0) AS following
            JOIN firsts ON firsts.row = following.row JOIN passages_root AS p ON p.mention = following.mention
            ANTI JOIN firsts AS answer ON answer.query = firsts.query AND answer.passage = p.root
            GROUP BY firsts.row, p.root"""
        )
        for table, used in (
            ("queries", "SELECT DISTINCT query FROM firsts"),
            ("passages", "SELECT passage FROM firsts UNION SELECT passage FROM hard"),
        ):
            self._database.run(
                f"CREATE TABLE {table}_row AS SELECT root, row_number() OVER (ORDER BY root) - 1 AS number FROM ({used}) AS t(root)"
            )

    def roots(self, table: str) -> Iterator[pa.RecordBatch]:
        """The mentions that stand for all, in order: the rows of the finished table. One column, `mention`."""
        yield from self._database.read(f"SELECT root AS mention FROM {table}_row ORDER BY root")

    def pairs(self) -> Iterator[pa.RecordBatch]:
        """`mention` (the row), `query_row`, `passage_row` and `negative_rows` of each link, in the order of the rows."""
        links = self._database.read(
            """SELECT firsts.row AS mention, q.number AS query_row, p.number AS passage_row
            FROM firsts JOIN queries_row AS q ON q.root = firsts.query JOIN passages_row AS p ON p.root = firsts.passage
            ORDER BY firsts.row"""
        )
        negatives = self._database.read(
            """SELECT hard.row AS key, number AS value FROM hard JOIN passages_row ON root = hard.passage ORDER BY hard.row, place"""
        )
        yield from with_lists(links, "mention", negatives, "negative_rows", pa.int64())

    def answers(self) -> Iterator[pa.RecordBatch]:
        """`answers`, sorted, of each passage's questions, row by row of the finished table."""
        passages = self._database.read("SELECT number FROM passages_row ORDER BY number")
        answers = self._database.read(
            """SELECT DISTINCT number AS key, answer AS value FROM passages_row
            JOIN firsts ON firsts.passage = root JOIN rows ON rows.row = firsts.row WHERE answer <> '' ORDER BY key, value"""
        )
        for batch in with_lists(passages, "number", answers, "answers", pa.string()):
            yield batch.select(["answers"])

    def repeated(self) -> Iterator[pa.RecordBatch]:
        """`mention` (the row), `reason` and `first` (the position of the row it repeats) of the rows that are no new link, in order."""
        yield from self._database.read(
            """SELECT links.row AS mention, CASE WHEN near THEN 'near_duplicate' ELSE 'duplicate' END AS reason,
            rows.position AS first FROM links JOIN firsts USING (query, passage) JOIN rows ON rows.row = firsts.row
            WHERE links.row <> firsts.row ORDER BY links.row"""
        )

    def merged(self) -> dict[str, dict[str, int]]:
        """For each table how many texts are nearly equal to one that stands for them."""
        return {table: {"near": self._database.count(f"SELECT count(DISTINCT mention) FROM {table}_near")} for table in NEARNESS}

    def close(self) -> None:
        """Give back what is held in memory."""
        self._database.close()
