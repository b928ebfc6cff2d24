"""Which pairs cannot be examples of one batch."""

from __future__ import annotations

from collections.abc import Iterable

from parallel_qa.pipeline.batches.links import Integers, Pairs


class Conflicts:
    """Two pairs are in conflict if they share a query or a passage, or the passage of one is known to answer the query of the other."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        self._has_other_answers = pairs.index.has_other_answers
        self._queries, self._passages = pairs.index.answers[:, 0], pairs.index.answers[:, 1]

    def has_none(self, rows: Integers) -> bool:
        """Whether no two pairs are in conflict. True for sure if so it says; queries with several answers make it say False."""
        links = self._pairs.links.take(rows, axis=0)
        if any(len(set(side.tolist())) < len(rows) for side in (links[:, 0], links[:, 1])):
            return False
        return not (len(self._queries) and self._has_other_answers[rows].any())

    def add_free(self, candidates: Integers, chosen: list[int], size: int) -> None:
        """Add those candidates to `chosen` that are in no conflict with what is there, until it has `size` of them."""
        query_of, passage_of = self._pairs.query, self._pairs.passage
        queries = set(query_of[chosen].tolist())
        passages = set(passage_of[chosen].tolist())
        answers = self.known_answers(queries)
        columns = (candidates, query_of[candidates], passage_of[candidates], self._has_other_answers[candidates])
        for row, query, passage, has_others in zip(*(column.tolist() for column in columns), strict=True):
            if len(chosen) == size:
                return
            if query in queries or passage in passages or passage in answers:
                continue
            if has_others:
                own = self.known_answers([query])
                if not passages.isdisjoint(own):
                    continue
                answers |= own
            queries.add(query)
            passages.add(passage)
            chosen.append(row)

    def known_answers(self, queries: Iterable[int]) -> set[int]:
        """The passages of those of the queries that have several."""
        return {row for query in queries for row in self._answers_of(query)}

    def _answers_of(self, query: int) -> list[int]:
        low, high = self._queries.searchsorted((query, query + 1))
        rows: list[int] = self._passages[low:high].tolist()
        return rows
