"""Is a release what it says it is? Everything is read again, and every fault is named by file and row."""

from __future__ import annotations

from collections.abc import Iterator

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.manifest import MANIFEST, manifest_faults
from parallel_qa.pipeline.release.reading.checks.cards import check_cards
from parallel_qa.pipeline.release.reading.checks.checked_files import CheckedFiles
from parallel_qa.pipeline.release.reading.checks.claims import Claims, claims_of
from parallel_qa.pipeline.release.reading.checks.counts import check_counts
from parallel_qa.pipeline.release.reading.checks.faults import Fault
from parallel_qa.pipeline.release.reading.checks.known_texts import KnownTexts
from parallel_qa.pipeline.release.reading.checks.listing import check_listing
from parallel_qa.pipeline.release.reading.checks.pairs import Pairs
from parallel_qa.pipeline.release.reading.checks.statement import check_statement
from parallel_qa.pipeline.release.reading.checks.texts import check_texts
from parallel_qa.pipeline.store import Store

__all__ = ["Fault", "verify"]


def verify(store: Store, progress: Progress | None = None) -> Iterator[Fault]:
    """Read the release that lies in `store` (its folder), and yield every fault.

    The manifest is compared with itself, the files with the manifest, and the rows with what they have to be (`checks/`, and
    `docs/releases.md` for what that proves). Of one kind of fault in one file the first row is named, with how many there are; what
    depends on rows that could not be read is not judged. Raises UserError where there is no manifest.
    """
    try:
        content = store.read(MANIFEST)
    except FileNotFoundError:
        raise UserError(f"{store.url}: no release here: it has no {MANIFEST}") from None
    manifest, wrong = manifest_faults(content)
    yield from (Fault(MANIFEST, what) for what in wrong)
    if manifest is None:
        return
    claims, faults = claims_of(manifest)
    yield from faults
    if claims is not None:
        yield from _check(store, claims, progress or LogProgress())


def _check(store: Store, claims: Claims, progress: Progress) -> Iterator[Fault]:
    progress.start("verify", len(claims.files), "files")
    files = CheckedFiles(store, claims, progress)
    yield from check_statement(claims)
    yield from check_listing(store, claims)
    texts = {table: KnownTexts(claims.targets) for table in schema.TEXTS}
    for table, known in texts.items():
        yield from check_texts(table, files, claims, known)
    pairs = Pairs(files, claims, texts["queries"], texts["passages"])
    yield from pairs.check()
    yield from check_counts(claims, texts, pairs)
    yield from check_cards(files, claims)
    for name in sorted(claims.files.keys() - files.read):
        yield from files.content(name)[1]
    progress.finish("verify")
