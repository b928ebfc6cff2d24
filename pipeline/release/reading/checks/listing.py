"""Is every file there that should be, and no other?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from parallel_qa.pipeline.release.layout.manifest import MANIFEST
from parallel_qa.pipeline.release.reading.checks.claims import Claims
from parallel_qa.pipeline.release.reading.checks.faults import Fault
from parallel_qa.pipeline.store import Store

_SHARD = re.compile(r"\d{5}\.parquet")


def check_listing(store: Store, claims: Claims) -> Iterator[Fault]:
    """Compare the files that are there with those of the manifest, and those with the tables and blocks that there have to be."""
    present = set(store.walk("")) - {MANIFEST}
    yield from (Fault(name, "is not in the manifest") for name in sorted(present - set(claims.files)))
    yield from (Fault(name, "is missing") for name in sorted(set(claims.files) - present))
    by_folder: dict[str, list[str]] = {}
    for name in sorted(claims.files):
        folder, _, file = name.rpartition("/")
        by_folder.setdefault(folder, []).append(file)
        if folder not in claims.folders and _SHARD.fullmatch(file):
            yield Fault(name, "is no table of this release")
        elif folder not in claims.folders and claims.files[name].keys() - {"sha256", "bytes"}:
            yield Fault(MANIFEST, f"files: {name} is no table, and has rows here")
    numbered = [f"{number:05d}.parquet" for number in range(claims.blocks)]
    for folder in sorted(claims.folders):
        if by_folder.get(folder) != numbered:
            yield Fault(MANIFEST, f"files: {folder} is not one shard for each of the {claims.blocks} blocks, from 00000 on")
