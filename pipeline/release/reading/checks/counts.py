"""The counts of the manifest against those of the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.layout.order import number_of_blocks
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault
from parallel_qa.pipeline.release.reading.checks.known_texts import KnownTexts
from parallel_qa.pipeline.release.reading.checks.pairs import Pairs
from parallel_qa.pipeline.tally import Tally


def check_counts(claims: Claims, texts: Mapping[str, KnownTexts], pairs: Pairs) -> Iterator[Fault]:
    """Check all counts of which every row could be read."""
    yield from _check_rejected(claims, texts)
    for place, (source, facts) in enumerate(claims.sources.items()):
        for name, what in _source_faults(claims, source, place, facts, texts, pairs):
            yield Fault(MANIFEST, f"sources.{source}.{name} {what}")
    if all(known.complete for known in texts.values()):
        size, passages = sum(known.bytes for known in texts.values()), texts["passages"].total
        blocks = number_of_blocks(size, claims.profile.release.shard_bytes, passages)
        if blocks != claims.blocks:
            yield Fault(MANIFEST, f"blocks is {claims.blocks}, and by settings.release.shard_bytes its texts make {blocks}")


def _check_rejected(claims: Claims, texts: Mapping[str, KnownTexts]) -> Iterator[Fault]:
    said = claims.manifest["rejected"]
    for code in sorted(said.keys() - set(claims.targets)):
        yield Fault(MANIFEST, f"rejected has {code}, which is no language of the release besides English")
    for code in claims.targets:
        count = sum(known.rejected[code] for known in texts.values())
        if not any(code in known.rejected_unread for known in texts.values()) and count != said.get(code):
            yield Fault(MANIFEST, f"rejected.{code} is {said.get(code)}, and there are {count}")


def _source_faults(
    claims: Claims, source: str, place: int, facts: Mapping[str, Any], texts: Mapping[str, KnownTexts], pairs: Pairs
) -> Iterator[tuple[str, str]]:
    """The counts of one source that are wrong: which, and how. `place` is its place in the manifest."""
    rows, shared, provided = facts["rows"], facts["shared"], facts["provided"]
    if rows["kept"] + sum(rows["rejected"].values()) != rows["read"]:
        yield "rows:", "kept and rejected are not what was read"
    if provided["pairs"] + shared["pairs"] != rows["kept"]:
        yield "rows.kept", f"is {rows['kept']}, and there are {provided['pairs'] + shared['pairs']} pairs, provided and shared"
    for name in ("not_translated", "languages"):
        for code in sorted(set(facts.get(name, ())) - set(claims.targets)):
            yield name, f"has {code}, which is no language of the release besides English"
    counted = {table: int((known.sources == place).sum()) for table, known in texts.items() if known.complete}
    counted |= {"pairs": pairs.provided[source]} if pairs.complete else {}
    for table, count in counted.items():
        if count != provided[table]:
            yield f"provided.{table}", f"is {provided[table]}, and there are {count}"
    if pairs.complete:
        yield from _shared_faults(source, place, shared, texts, pairs)
    for code in claims.targets:
        said = facts["languages"].get(code, {})
        for table, tally in _tallies(source, place, code, texts, pairs).items():
            if tally.to_json() != said.get(table):
                yield f"languages.{code}.{table}", f"is not what the rows say: {tally.to_json()}"


def _shared_faults(
    source: str, place: int, shared: Mapping[str, int], texts: Mapping[str, KnownTexts], pairs: Pairs
) -> Iterator[tuple[str, str]]:
    """How many texts a source has of others: at least those of its own pairs, and of questions not more than its shared pairs add."""
    for table, known in texts.items():
        least, most = len(pairs.foreign.get((source, table), ())), int((known.sources != place).sum())
        if table == "queries":
            most = min(most, least + shared["pairs"])
        if not least <= shared[table] <= most:
            yield f"shared.{table}", f"is {shared[table]}, and by its pairs from {least} to {most}"


def _tallies(source: str, place: int, code: str, texts: Mapping[str, KnownTexts], pairs: Pairs) -> dict[str, Tally]:
    """By table what became of what a source provides in a language, as far as all of it could be read."""
    unread = [table for table, known in texts.items() if not known.complete or code in known.unread]
    tallies = {}
    for table, known in texts.items():
        if table not in unread:
            fates = known.fates(code, place)
            tallies[table] = Tally(fates.total(), Counter({reason: count for reason, count in fates.items() if reason is not None}))
    return tallies if unread or not pairs.complete else tallies | {"pairs": pairs.tallies.get((source, code), Tally())}
