"""The stage `publish`: one release out of all that was kept.

Makes `releases/NAME-FINGERPRINT/` with `queries/LANG`, `passages/LANG`, `rejected/LANG`, `pairs`, `manifest.json` and the
dataset card `README.md`, and points `releases/latest.json` at it.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.licences import Combined, combine
from parallel_qa.pipeline.planning.candidate_facts import candidate_facts
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.progress import LogProgress, Progress
from parallel_qa.pipeline.release.layout.croissant import croissant
from parallel_qa.pipeline.release.layout.manifest import FORMAT, MANIFEST
from parallel_qa.pipeline.release.making import mining
from parallel_qa.pipeline.release.making.build import Built, Source, build
from parallel_qa.pipeline.release.making.dataset_card import dataset_card
from parallel_qa.pipeline.release.making.release_files import ReleaseFiles
from parallel_qa.pipeline.settings import WAYS, Settings
from parallel_qa.pipeline.sources.card import Card
from parallel_qa.pipeline.sources.pinning import single_commit
from parallel_qa.pipeline.sources.training import TrainingSource, training_sources
from parallel_qa.pipeline.store import Record, Store, fingerprint, json_bytes
from parallel_qa.pipeline.tally import Tally
from parallel_qa.pipeline.translation.model_finding import ModelFacts, model_facts
from parallel_qa.pipeline.translation.run_models import choices_of
from parallel_qa.pipeline.work import Step, Unit, run_here, run_step

log = logging.getLogger("parallel_qa")

VERSION = 7
LATEST = "releases/latest.json"


@dataclass(frozen=True)
class Release:
    """A finished release."""

    path: str  # in the store
    new: bool  # False where it stood there already
    manifest: dict[str, Any]


def mining_step(plan: Plan) -> Step:
    """The units of hard negatives that the release is to have; none where none are asked for."""
    wanted = plan.settings.release.mined_negatives
    return Step("mine", mining.units(plan.english, plan.inventory.record, wanted), mining.do)  # processes would have an index each


def publish(settings: Settings, store: Store, progress: Progress | None = None, plan: Plan | None = None) -> Release:
    """Publish what the filters keep; everything must have been filtered.

    `plan` is that of the run, where it has one. Raises UserError where a licence is unknown.
    """
    progress = progress or LogProgress()
    plan = plan or Plan(settings, store)
    licence = _licence(plan)
    step = mining_step(plan)
    run_step(step, (1, 1), plan.inventory, run_here(settings, plan.inventory, progress))
    version = _version(plan, licence, step.units)
    path = f"releases/{version}"
    if store.exists(f"{path}/{MANIFEST}"):
        _point(store, version)
        return Release(path, False, json.loads(store.read(f"{path}/{MANIFEST}")))
    # On a local disk a release is built aside and renamed; an object store has no renaming, but there a
    # release exists only once its manifest, written last, does.
    building = f"releases/.building-{version}" if store.local else path
    store.remove_folder(building)  # what a killed run left
    try:
        manifest = _write(plan, building, version, step.units, licence, progress)
        if store.local:
            store.move_folder(building, path)
    except BaseException:
        store.remove_folder(building)
        raise
    _point(store, version)
    return Release(path, True, manifest)


def check_licences(settings: Settings) -> None:
    """Raises UserError where the licences of the sources allow no release: better before all the work than after it.

    Warns of what will keep the release from being passed on, of the model too if its licence is known yet.
    """
    named = {
        choice.model_dump_json(): (choice, settings.translation.section_of(code, way))
        for code, both in choices_of(settings).items()
        for way, choice in zip(WAYS, both, strict=True)
    }
    found = (model_facts(choice, settings.folder, section) for choice, section in named.values())
    combined = _combined(settings, training_sources(settings), [model for model in found if model])
    for conflict in [] if combined.decided else combined.conflicts:
        log.warning("licences: %s: the release cannot be uploaded unless release.licence decides", conflict)


def _licence(plan: Plan) -> Combined:
    """What follows from the licences of the sources and the models. Raises UserError where one is unknown."""
    for code, both in plan.models.items():
        for way, model in zip(WAYS, both, strict=True):
            if model.licence is None:
                section = plan.settings.translation.section_of(code, way)
                raise UserError(f"the licence of model {model.name!r} is unknown: set {section}.licence in the profile")
    return _combined(plan.settings, plan.sources, [plan.model, *chain.from_iterable(plan.models.values())])


def _combined(settings: Settings, sources: Sequence[TrainingSource], models: Iterable[ModelFacts]) -> Combined:
    parts = {f"source {source.name}": source.card.licence for source in sources}
    for model in models:
        known = parts.setdefault(f"model {model.name}", model.licence) if model.licence else model.licence
        if known != model.licence:
            raise UserError(
                f"two models are called {model.name!r}, and their licences are {known} and {model.licence}: rename the folder of one"
            )
    stated = {f"source {source.name}": terms for source in sources if (terms := source.card.licence_terms) is not None}
    return combine(parts, settings.release.licence, stated)


def _point(store: Store, version: str) -> None:
    store.write(LATEST, json_bytes({"version": version}))


def _version(plan: Plan, licence: Combined, mined: Sequence[Unit]) -> str:
    settings, english = plan.settings, plan.english_records()
    added = {"mined": [unit.fingerprint for unit in mined], "batches": _batches(settings)}
    content = fingerprint(
        stage="publish",
        version=VERSION,
        scored=[[record.path, record.checksum] for shard in plan.scored_shards for record in (shard.scored, shard.compared)],
        english=[record.checksum for record in english.values()],
        filters=settings.filters.model_dump(),
        release=settings.release.model_dump(),
        languages=settings.languages,
        cards=[source.card.model_dump(include={"name", "title", "licence", "homepage", "citation"}) for source in plan.sources],
        licence=[licence.expression, licence.facts()],
        **{name: value for name, value in added.items() if value},
    )
    return f"{settings.name}-{content[:8]}"


@dataclass(frozen=True)
class _Source:
    """A source's tables in the store."""

    name: str
    store: Store
    record: Record
    shards: list[ScoredShard]
    languages: list[str]
    negatives: list[Record]
    """Of the unit of each shard of its queries; none where no negatives are mined."""

    def english(self, table: str) -> Iterator[pa.Table]:
        return (self.store.read_table(self.record, name) for name in self.record.shards(table))

    def pairs(self) -> Iterator[pa.Table]:
        return (self.store.read_table(self.record, name) for name in self.record.shards("pairs"))

    def scored(self, code: str, table: str) -> Iterator[pa.Table]:
        return (shard.read(self.store) for shard in self.shards if shard.key == (self.name, code, table))

    def answers(self) -> Iterator[pa.Table]:
        return (self.store.read_table(self.record, name) for name in self.record.shards("answers"))

    def answer_scores(self, code: str) -> Iterator[pa.Table]:
        return (shard.answer_scores(self.store) for shard in self.shards if shard.key == (self.name, code, "passages"))

    def mined(self) -> Iterator[pa.Table]:
        return (self.store.read_table(record, mining.DATA) for record in self.negatives)


def _write(plan: Plan, folder: str, version: str, mined: Sequence[Unit], licence: Combined, progress: Progress) -> dict[str, Any]:
    records = plan.english_records()
    # A text of several sources is provided by the first: by one that has it in more languages.
    sources = [
        _Source(
            source.name,
            plan.store,
            records[source.name],
            [shard for shard in plan.scored_shards if shard.source == source.name],
            source.languages,
            [plan.inventory.record(unit) for unit in mined if unit.source == source.name],
        )
        for source in sorted(plan.sources, key=lambda source: -len(source.languages))
    ]
    return write_release(plan.store, folder, sources, _stated(plan, version, licence), plan.settings, progress)


def write_release(
    store: Store, folder: str, sources: Sequence[Source], stated: dict[str, Any], settings: Settings, progress: Progress
) -> dict[str, Any]:
    """Write a release of `sources` into a folder of the store and return its manifest.

    `stated` is what the manifest says that is known before (`layout.provenance.statement`).
    """
    built = Built()
    files = ReleaseFiles(store, folder, stated, built.shared)
    with tempfile.TemporaryDirectory(prefix="parallel-qa-") as scratch:
        build(sources, settings.languages, settings.filters, settings.release, files.write_shard, Path(scratch), progress, built)
    manifest = stated | {
        "blocks": built.blocks,
        "rows": built.rows,
        "rejected": built.rejected,
        "sources": {source: facts | _counts(source, settings.languages, built) for source, facts in stated["sources"].items()},
    }
    files.write("README.md", dataset_card(settings, store, folder, manifest).encode())
    files.write("croissant.json", json_bytes(croissant(manifest | {"files": files.files}, settings.name)))
    return files.write_manifest(manifest)


def _stated(plan: Plan, version: str, licence: Combined) -> dict[str, Any]:
    """What the manifest says that is known before a file is written."""
    settings, records, model = plan.settings, plan.english_records(), plan.model
    cards = {source.name: source.card for source in plan.sources}
    checked = next(iter(records.values())).facts["evaluation"]
    fell = {source: record.facts["evaluation"]["rows_set_aside"] for source, record in records.items()}
    evaluation = [entry["name"] for entry in checked["sets"]]
    models = {
        code: {"there": _model(there, licence), "back": _model(back, licence)}
        for code, (there, back) in plan.models.items()
        if (there, back) != (model, model)
    }
    candidates = candidate_facts(plan)
    return {
        "format": FORMAT,
        "version": version,
        "licence": licence.expression,
        "licences": licence.facts(),
        "languages": [ENGLISH.code, *settings.languages],
        "sources": {source: _source(cards[source], record) for source, record in records.items()},
        "model": _model(model, licence),
        **({"models": models} if models else {}),
        **({"candidates": candidates} if candidates else {}),
        "evaluation": {"sets": checked["sets"], "rules": checked["rules"], "rows_set_aside": fell},
        "settings": _settings_of_record(settings, list(cards), evaluation, model.name),
    }


def _model(model: ModelFacts, licence: Combined) -> dict[str, Any]:
    return vars(model) | {"licence": licence.parts[f"model {model.name}"]}


def _source(card: Card, record: Record) -> dict[str, Any]:
    return {
        "title": card.title,
        "licence": card.licence,
        "homepage": card.homepage,
        "citation": card.citation,
        "revision": single_commit(card),
        "fingerprint": record.fingerprint,
        "rows": record.facts["rows"],
        "cleaned": record.facts["cleaned"],
        "merged": record.facts["merged"],
    }


def _counts(source: str, languages: Sequence[str], built: Built) -> dict[str, Any]:
    """What the manifest says of a source once the release is built."""
    missing = built.not_translated[source]
    return {
        "provided": built.provided[source] | {"pairs": built.pairs[source]},
        "shared": built.shared[source] | {"pairs": built.shared_pairs[source]},
        "languages": {
            code: {table: built.tallies.get((source, code, table), Tally()).to_json() for table in ("queries", "passages", "pairs")}
            for code in languages
        },
        **({"not_translated": missing} if missing else {}),
    }


def _settings_of_record(settings: Settings, sources: list[str], evaluation: list[str], model: str) -> dict[str, Any]:
    """The settings as a manifest keeps them: names where the profile may have paths of one machine."""
    kept = settings.model_dump(mode="json", exclude={"folder", "batches"}) | _batches(settings)
    translation = _without_paths(kept["translation"]) | {"model": model}
    return kept | {"sources": sources, "evaluation": evaluation, "translation": translation}


def _without_paths(section: dict[str, Any]) -> dict[str, Any]:
    """A section that names a model, and those in it, with the names of folders in place of their paths."""
    model = section["model"]
    named = section | {"model": Path(model).name if model.startswith((".", "/", "~")) else model}
    if section.get("back"):
        named |= {"back": _without_paths(section["back"])}
    if section.get("models"):
        named |= {"models": {code: _without_paths(of_language) for code, of_language in section["models"].items()}}
    return named


def _batches(settings: Settings) -> dict[str, Any]:
    """What the profile says of how batches are to be drawn; nothing where it says nothing."""
    return {"batches": settings.batches.model_dump(mode="json", exclude_unset=True)} if settings.batches else {}
