"""The stage `publish`: one release out of all that was kept.

Makes `releases/NAME-FINGERPRINT/` with `queries/LANG`, `passages/LANG`, `rejected/LANG`, `pairs`, `manifest.json` and the
dataset card `README.md`, and points `releases/latest.json` at it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import filter as filtering
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.manifest import FORMAT, MANIFEST, sealed
from parallel_qa.pipeline.release.making.build import Built, build
from parallel_qa.pipeline.release.making.card import dataset_card
from parallel_qa.pipeline.release.making.croissant import croissant
from parallel_qa.pipeline.release.making.licences import Combined, combine
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources import prepare as download
from parallel_qa.pipeline.sources.card import Card
from parallel_qa.pipeline.store import Record, Store, fingerprint, json_bytes, parquet_bytes
from parallel_qa.pipeline.tally import Tally
from parallel_qa.pipeline.translation.translate import model_of

VERSION = 5
LATEST = "releases/latest.json"


@dataclass(frozen=True)
class Release:
    """A finished release."""

    path: str  # in the store
    new: bool  # False where it stood there already
    manifest: dict[str, Any]


def publish(settings: Settings, store: Store, progress: Progress | None = None) -> Release:
    """Publish what the filters keep; everything must have been filtered.

    Raises UserError where a licence is unknown.
    """
    progress = progress or LogProgress()
    model = model_of(settings)
    of_model = settings.translation.licence or model.licence
    if of_model is None:
        raise UserError(f"the licence of model {model.name!r} is unknown: set translation.licence in the profile")
    licence = combine(_licences(settings) | {f"model {model.name}": of_model}, settings.release.licence)
    shards = filtering.shards(settings, store)
    version = _version(settings, shards, store, licence)
    path = f"releases/{version}"
    if store.exists(f"{path}/{MANIFEST}"):
        _point(store, version)
        return Release(path, False, json.loads(store.read(f"{path}/{MANIFEST}")))
    # On a local disk a release is built aside and renamed; an object store has no renaming, but there a
    # release exists only once its manifest, written last, does.
    building = f"releases/.building-{version}" if store.local else path
    store.remove_folder(building)  # what a killed run left
    try:
        manifest = _write(settings, store, building, version, shards, licence, progress)
        if store.local:
            store.move_folder(building, path)
    except BaseException:
        store.remove_folder(building)
        raise
    _point(store, version)
    return Release(path, True, manifest)


def check_licences(settings: Settings) -> None:
    """Raises UserError where the licences of the sources allow no release: better before all the work than after it."""
    combine(_licences(settings), settings.release.licence)


def _licences(settings: Settings) -> dict[str, str]:
    return {f"source {card.name}": card.licence for card in download.training_cards(settings)}


def _point(store: Store, version: str) -> None:
    store.write(LATEST, json_bytes({"version": version}))


def _version(settings: Settings, shards: list[filtering.Shard], store: Store, licence: Combined) -> str:
    cards = download.training_cards(settings)
    content = fingerprint(
        stage="publish",
        version=VERSION,
        scored=[[unit.path, unit.result(store).checksum] for shard in shards for unit in (shard.scored, shard.compared)],
        english=[unit.result(store).checksum for unit in download.units(settings)],
        filters=settings.filters.model_dump(),
        release=settings.release.model_dump(),
        languages=settings.languages,
        cards=[card.model_dump(include={"name", "title", "licence", "homepage", "citation"}) for card in cards],
        licence=[licence.expression, dict(licence.parts)],
    )
    return f"{settings.name}-{content[:8]}"


@dataclass(frozen=True)
class _Source:
    """A source's tables in the store."""

    name: str
    store: Store
    record: Record
    shards: list[filtering.Shard]

    def english(self, table: str) -> Iterator[pa.Table]:
        return (self.store.read_table(self.record, name) for name in self.record.shards(table))

    def pairs(self) -> Iterator[pa.Table]:
        return (self.store.read_table(self.record, name) for name in self.record.shards("pairs"))

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        return (shard.read(self.store) for shard in self.shards if shard.key == (self.name, code, table))


@dataclass
class _Writer:
    """Writes the files of a release and remembers their checksums."""

    store: Store
    folder: str
    provenance: dict[str, Any]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def shard(self, name: str, rows: pa.Table, group_rows: int) -> None:
        """A file of a table, which says itself what it is part of."""
        table, *rest = name.split("/")
        about = self.provenance | {"table": table} | ({"language": rest[0]} if len(rest) > 1 else {})
        described = rows.replace_schema_metadata({"parallel-qa": json.dumps(about, sort_keys=True, ensure_ascii=False)})
        self.file(name, parquet_bytes(described, group_rows), len(rows))

    def file(self, name: str, content: bytes, rows: int | None = None) -> None:
        self.store.write(f"{self.folder}/{name}", content)
        facts: dict[str, Any] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        with self.lock:
            self.files[name] = facts | ({} if rows is None else {"rows": rows})


def _write(
    settings: Settings, store: Store, folder: str, version: str, shards: list[filtering.Shard], licence: Combined, progress: Progress
) -> dict[str, Any]:
    model = model_of(settings)
    records = {unit.source: unit.result(store) for unit in download.units(settings)}
    provenance = {
        "release": version,
        "model": model.fingerprint,
        "sources": {source: record.fingerprint for source, record in records.items()},
    }
    writer = _Writer(store, folder, provenance)
    sources = [_Source(source, store, record, [s for s in shards if s.key[0] == source]) for source, record in records.items()]
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        built = build(sources, settings.languages, settings.filters, settings.release, writer.shard, Path(scratch), progress)
    manifest = _manifest(settings, version, records, built, licence)
    writer.file("README.md", dataset_card(settings, store, folder, manifest).encode())
    writer.file("croissant.json", json_bytes(croissant(manifest | {"files": dict(sorted(writer.files.items()))}, settings.name)))
    manifest = sealed(manifest | {"files": dict(sorted(writer.files.items()))})
    store.write(f"{folder}/{MANIFEST}", json_bytes(manifest))
    return manifest


def _manifest(settings: Settings, version: str, records: dict[str, Record], built: Built, licence: Combined) -> dict[str, Any]:
    model = model_of(settings)
    cards = {card.name: card for card in download.training_cards(settings)}
    checked = next(iter(records.values())).facts["evaluation"]
    fell = {source: record.facts["evaluation"]["rows_set_aside"] for source, record in records.items()}
    evaluation = [entry["name"] for entry in checked["sets"]]
    return {
        "format": FORMAT,
        "version": version,
        "licence": licence.expression,
        "licences": {
            "parts": dict(licence.parts),
            "non_commercial": licence.non_commercial,
            "share_alike": licence.share_alike,
            "own_terms": licence.own_terms,
            "decided_by_user": licence.decided,
        },
        "languages": [ENGLISH.code, *settings.languages],
        "blocks": built.blocks,
        "rows": built.rows,
        "rejected": built.rejected,
        "sources": {source: _source(settings, cards[source], record, built) for source, record in records.items()},
        "model": {
            "name": model.name,
            "licence": licence.parts[f"model {model.name}"],
            "fingerprint": model.fingerprint,
            "quantization": model.quantization,
        },
        "evaluation": {"sets": checked["sets"], "rules": checked["rules"], "rows_set_aside": fell},
        "settings": _settings_of_record(settings, list(cards), evaluation, model.name),
    }


def _source(settings: Settings, card: Card, record: Record, built: Built) -> dict[str, Any]:
    return {
        "title": card.title,
        "licence": card.licence,
        "homepage": card.homepage,
        "citation": card.citation,
        "fingerprint": record.fingerprint,
        "rows": record.facts["rows"],
        "cleaned": record.facts["cleaned"],
        "merged": record.facts["merged"],
        "provided": built.provided[card.name] | {"pairs": built.pairs[card.name]},
        "shared": built.shared[card.name] | {"pairs": built.shared_pairs[card.name]},
        "languages": {
            code: {table: built.tallies.get((card.name, code, table), Tally()).to_json() for table in ("queries", "passages", "pairs")}
            for code in settings.languages
        },
    }


def _settings_of_record(settings: Settings, sources: list[str], evaluation: list[str], model: str) -> dict[str, Any]:
    """The settings as a manifest keeps them: names where the profile may have paths of one machine."""
    kept = settings.model_dump(mode="json", exclude={"folder"})
    return kept | {"sources": sources, "evaluation": evaluation, "translation": kept["translation"] | {"model": model}}
