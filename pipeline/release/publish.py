"""The stage `publish`: one release out of all that was kept.

Makes `releases/NAME-FINGERPRINT/` with `queries/LANG`, `passages/LANG`, `pairs`, `manifest.json` and the
dataset card `README.md`, and points `releases/latest.json` at it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UserError
from pipeline.filters import filter as filtering
from pipeline.filters.policy import Reasons
from pipeline.languages import ENGLISH
from pipeline.progress import LogProgress, Progress
from pipeline.release import tables
from pipeline.release.card import dataset_card
from pipeline.release.licences import combined_licence
from pipeline.settings import Settings
from pipeline.sources import download
from pipeline.sources.download import split_rows
from pipeline.store import Record, Store, fingerprint, json_bytes, parquet_bytes
from pipeline.tally import Tally
from pipeline.translation.translate import model_of

VERSION = 2
MANIFEST = "manifest.json"
LATEST = "releases/latest.json"

_TEXT_OF = {"queries": "query", "passages": "passage"}


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
    licence = settings.translation.licence or model.licence
    if licence is None:
        raise UserError(f"the licence of model {model.name!r} is unknown: set translation.licence in the profile")
    scored = filtering.shards(settings, store)
    version = _version(settings, scored, store, licence)
    path = f"releases/{version}"
    if store.exists(f"{path}/{MANIFEST}"):
        _point(store, version)
        return Release(path, False, json.loads(store.read(f"{path}/{MANIFEST}")))
    # On a local disk a release is built aside and renamed; an object store has no renaming, but there a
    # release exists only once its manifest, written last, does.
    building = f"releases/.building-{version}" if store.local else path
    store.remove_folder(building)  # what a killed run left
    try:
        manifest = _write(settings, store, building, version, scored, licence, progress)
        if store.local:
            store.move_folder(building, path)
    except BaseException:
        store.remove_folder(building)
        raise
    _point(store, version)
    return Release(path, True, manifest)


def _point(store: Store, version: str) -> None:
    store.write(LATEST, json_bytes({"version": version}))


def _version(settings: Settings, scored: list[filtering.Shard], store: Store, licence: str) -> str:
    cards = download.training_cards(settings)
    content = fingerprint(
        stage="publish",
        version=VERSION,
        scored=[[unit.path, unit.result(store).checksum] for shard in scored for unit in (shard.scored, shard.compared)],
        english=[unit.result(store).checksum for unit in download.units(settings)],
        filters=settings.filters.model_dump(),
        release=settings.release.model_dump(),
        languages=settings.languages,
        cards=[card.model_dump(include={"name", "title", "licence", "homepage", "citation"}) for card in cards],
        licence=licence,
    )
    return f"{settings.name}-{content[:8]}"


@dataclass
class _Writer:
    """Writes the files of a release and remembers their checksums."""

    store: Store
    folder: str
    shard_rows: int
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def table(self, name: str, table: pa.Table) -> None:
        for shard, part in enumerate(split_rows(table, self.shard_rows)):
            self.file(f"{name}/{shard:05d}.parquet", parquet_bytes(part), part.num_rows)

    def file(self, name: str, content: bytes, rows: int | None = None) -> None:
        self.store.write(f"{self.folder}/{name}", content)
        facts: dict[str, Any] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        self.files[name] = facts | ({} if rows is None else {"rows": rows})


def _write(
    settings: Settings, store: Store, folder: str, version: str, scored: list[filtering.Shard], licence: str, progress: Progress
) -> dict[str, Any]:
    writer = _Writer(store, folder, settings.release.shard_rows)
    progress.start("publish", 3 * len(settings.languages) + 3, "tables")
    english = {unit.source: unit.result(store) for unit in download.units(settings)}
    decided = filtering.decide(settings, store)
    rows = {table: tables.place_rows(store, english, table) for table in schema.TEXTS}
    for table in schema.TEXTS:
        writer.table(f"{table}/{ENGLISH.code}", tables.english_texts(store, english, table, rows[table]))
        progress.advance("publish", 1)
        for code in settings.languages:
            shards = _by_source(scored, english, code, table)
            reasons = {source: decided[(source, code, table)] for source in english}
            writer.table(f"{table}/{code}", tables.translated_texts(store, shards, reasons, table, rows[table]))
            progress.advance("publish", 1)
    rejected: dict[str, int] = {}
    for code in settings.languages:
        parts = [
            tables.rejected_texts(store, _by_source(scored, english, code, table), settings.filters, rows[table]) for table in schema.TEXTS
        ]
        rejected[code] = sum(len(part) for part in parts)
        writer.table(f"rejected/{code}", pa.concat_tables(parts))
        progress.advance("publish", 1)
    writer.table("pairs", _pairs(settings, store, english, decided, rows))
    progress.advance("publish", 1)
    manifest = _manifest(settings, store, version, english, decided, rows, licence) | {"rejected": rejected}
    writer.file("README.md", dataset_card(settings, store, folder, manifest).encode())
    manifest["files"] = writer.files
    store.write(f"{folder}/{MANIFEST}", json_bytes(manifest))
    progress.finish("publish")
    return manifest


def _by_source(scored: list[filtering.Shard], english: dict[str, Record], code: str, table: str) -> dict[str, list[filtering.Shard]]:
    return {source: [shard for shard in scored if shard.key == (source, code, table)] for source in english}


def _pairs(
    settings: Settings,
    store: Store,
    english: dict[str, Record],
    decided: dict[tuple[str, str, str], Reasons],
    rows: dict[str, tables.Rows],
) -> pa.Table:
    parts = []
    for source, record in english.items():
        bits = {table: tables.survival([decided[(source, code, table)] for code in settings.languages]) for table in schema.TEXTS}
        places = {table: rows[table].places[source] for table in schema.TEXTS}
        pairs = store.read_tables(record, "pairs")
        parts.append(tables.released_pairs(pairs, places["queries"], places["passages"], bits["queries"], bits["passages"]))
    return pa.concat_tables(parts)


def _manifest(
    settings: Settings,
    store: Store,
    version: str,
    english: dict[str, Record],
    decided: dict[tuple[str, str, str], Reasons],
    rows: dict[str, tables.Rows],
    licence: str,
) -> dict[str, Any]:
    model = model_of(settings)
    cards = {card.name: card for card in download.training_cards(settings)}
    checked = next(iter(english.values())).facts["evaluation"]
    fell = {source: record.facts["evaluation"]["rows_set_aside"] for source, record in english.items()}
    evaluation = [entry["name"] for entry in checked["sets"]]
    sources = {}
    for source, record in english.items():
        pairs = store.read_tables(record, "pairs")
        languages = {}
        for code in settings.languages:
            reasons = {table: decided[(source, code, table)] for table in schema.TEXTS}
            pair_reasons = tables.pair_reasons(pairs, reasons["queries"], reasons["passages"])
            languages[code] = {
                **{table: Tally.of(reasons[table]).to_json() for table in schema.TEXTS},
                "pairs": Tally.of(pair_reasons).to_json(),
            }
        card = cards[source]
        sources[source] = {
            "title": card.title,
            "licence": card.licence,
            "homepage": card.homepage,
            "citation": card.citation,
            "fingerprint": record.fingerprint,
            "rows": record.facts["rows"],
            "cleaned": record.facts["cleaned"],
            "merged": record.facts["merged"],
            "languages": languages,
        }
    return {
        "format": 1,
        "version": version,
        "licence": combined_licence([*(card.licence for card in cards.values()), licence]),
        "languages": [ENGLISH.code, *settings.languages],
        "rows": {**{table: rows[table].total for table in schema.TEXTS}, "pairs": sum(r.rows("pairs") for r in english.values())},
        "sources": sources,
        "model": {"name": model.name, "licence": licence, "fingerprint": model.fingerprint, "quantization": model.quantization},
        "evaluation": {"sets": checked["sets"], "rules": checked["rules"], "rows_set_aside": fell},
        "settings": _settings_of_record(settings, list(cards), evaluation, model.name),
    }


def _settings_of_record(settings: Settings, sources: list[str], evaluation: list[str], model: str) -> dict[str, Any]:
    """The settings as a manifest keeps them: names where the profile may have paths of one machine."""
    kept = settings.model_dump(mode="json", exclude={"folder"})
    return kept | {"sources": sources, "evaluation": evaluation, "translation": kept["translation"] | {"model": model}}
