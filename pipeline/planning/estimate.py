"""What a run will take, before anything is spent: units, files, bytes, tokens and hours of each step.

What the store holds is counted by its records. The rest is computed: from the records of what it is made of, else from the `size` of
the sources' cards (`amounts`, `loads`, `constants`). No text is read, no model loaded, nothing downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from parallel_qa.pipeline.filters import filter as filtering
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.planning import loads
from parallel_qa.pipeline.planning.amounts import Amount, Texts, amount_of_card, amount_of_record
from parallel_qa.pipeline.planning.constants import CORE_MICROSECONDS, SENTENCE_CHARACTERS, TOKENS_PER_SECOND
from parallel_qa.pipeline.planning.loads import Load, Released, Sentences
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.sources.training import TrainingSource
from parallel_qa.pipeline.store import json_bytes
from parallel_qa.pipeline.translation.packs import shard_name
from parallel_qa.pipeline.translation.segment import SENTENCES
from parallel_qa.pipeline.work import Inventory, Unit

_SAMPLED_UNITS = 200
"""Units by which the speed of the model is told."""


@dataclass(frozen=True)
class StepEstimate:
    """One step, or one language of it."""

    name: str
    load: Load
    hours: float | None
    """Of the GPU where the model translates, else of one core; None where nothing is known of it."""
    unknown: tuple[str, ...] = ()
    """Sources that are not in it: nothing is known of them until they are prepared."""


@dataclass(frozen=True)
class Rate:
    """How fast the model writes."""

    tokens_per_second: float
    origin: str
    """"given", "measured in this store" or "published"."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes: files and bytes as they are when it has finished, tokens and hours that are yet to be spent."""

    steps: Sequence[StepEstimate]
    release: Load
    """As though nothing were rejected, and no text stood in two sources."""
    cache_bytes: float
    """Of a loader's cache of the release, with all languages, on a machine that trains."""
    scratch_bytes: float
    """The most that publishing keeps beside store and release."""
    rate: Rate

    @property
    def store(self) -> Load:
        """All units together."""
        return sum((step.load for step in self.steps), Load())

    @property
    def unknown(self) -> list[str]:
        """Sources of which nothing is known until they are prepared."""
        return list(dict.fromkeys(name for step in self.steps for name in step.unknown))

    @property
    def gpu_hours(self) -> float:
        """Hours that the model takes."""
        return self.store.tokens / self.rate.tokens_per_second / 3600

    @property
    def filter_hours(self) -> float:
        """Hours that filtering takes one core."""
        return sum(step.load.core_seconds for step in self.steps if step.name in ("filter", "compare")) / 3600

    @property
    def publish_hours(self) -> float:
        """Hours that publishing takes one core, where there is something new to publish."""
        return self.release.core_seconds / 3600

    @property
    def disk_bytes(self) -> float:
        """What a machine needs that has the store and publishes: for store, release and scratch files."""
        return self.store.bytes + self.release.bytes + self.scratch_bytes


def estimate(plan: Plan, tokens_per_second: float | None = None, times: int = 1) -> Estimate:
    """What the run of `plan` takes.

    The model writes `tokens_per_second` if given, else what it wrote in this store for the same run, else what is published. With
    `times` above 1, all is for so many times the texts, and nothing of that is in the store. Raises UserError where a card or the
    model cannot be used.
    """
    return _Estimator(plan, times).estimate(tokens_per_second)


class _Estimator:
    def __init__(self, plan: Plan, times: int) -> None:
        self._settings, self._sources, self._inventory = plan.settings, plan.sources, plan.inventory
        # Of a source of which the store has nothing, no file is looked for and no server asked.
        begun = _plan_without(plan, {source.name for source in plan.sources if not plan.inventory.finished(f"english/{source.name}")})
        held = {unit.source: plan.inventory.record(unit) for unit in begun.english if plan.inventory.holds(unit)}
        self._amounts = {
            source.name: amount_of_record(held[source.name], times) if source.name in held else amount_of_card(source.card.size, times)
            for source in plan.sources
        }
        # Each has the sources whose units of a step are known; those of the others are computed.
        self._prepared = _plan_without(begun, {source.name for source in begun.sources if times > 1 or source.name not in held})
        self._imported = _plan_without(self._prepared, self._unfinished(self._prepared.imported))
        self._segmented = _plan_without(self._imported, self._unfinished(self._imported.segment_units))

    def _unfinished(self, units: Iterable[Unit]) -> set[str]:
        return {unit.source for unit in self._inventory.missing(units)}

    def estimate(self, tokens_per_second: float | None) -> Estimate:
        rate = self._rate(tokens_per_second)
        codes = self._settings.languages
        of_steps = {
            "prepare": self._preparing(),
            "import": self._importing(),
            "segment": self._segmenting(),
            "find repeated": self._finding_repeated(),
            "translate repeated": self._translating_repeated(),
            "learn candidates": self._learning(),
            **{f"translate {code}": self._translating(code) for code in codes},
            "filter": self._filtering(),
            "compare": self._comparing(),
        }
        unknown = [source for source in self._sources if self._amounts[source.name] is None]
        steps = [
            StepEstimate(name, load, _hours(name, load, rate), tuple(source.name for source in unknown if _has_step(source, name, codes)))
            for name, load in of_steps.items()
        ]
        released = [Released(amount, source.languages) for source in self._sources if (amount := self._amounts[source.name])]
        return Estimate(
            [step for step in steps if step.load != Load() or step.unknown],
            loads.released(released, codes, self._settings.release),
            loads.cache_bytes(released, codes),
            loads.scratch_bytes(released, codes, self._settings.release),
            rate,
        )

    def _rate(self, given: float | None) -> Rate:
        if given is not None:
            return Rate(given, "given")
        units = [unit for unit in self._segmented.translation_units if self._inventory.holds(unit)]
        records = self._inventory.records(units[:: max(1, len(units) // _SAMPLED_UNITS)])
        tokens, seconds = (sum(record.facts.get(name, 0) for record in records) for name in ("tokens", "seconds"))
        return Rate(tokens / seconds, "measured in this store") if tokens and seconds else Rate(TOKENS_PER_SECOND, "published")

    def _load(self, units: Iterable[Unit], expected: Callable[[Unit], Load]) -> Load:
        """What units take: those that the store holds by their records, the others as `expected`."""
        listed = list(units)
        missing = self._inventory.missing(listed)
        held = [unit for unit in listed if self._inventory.holds(unit)]
        return _of_records(self._inventory, held) + sum(map(expected, missing), Load())

    def _computed(self, known: Plan) -> Iterator[tuple[TrainingSource, Amount]]:
        """The sources that `known` does not have, with how much is expected of them; not those of which nothing is known."""
        names = {source.name for source in known.sources}
        for source in self._sources:
            amount = self._amounts[source.name]
            if source.name not in names and amount is not None:
                yield source, amount

    def _amount(self, source: str) -> Amount:
        amount = self._amounts[source]
        assert amount is not None  # it was prepared
        return amount

    def _texts(self, unit: Unit, rows: int) -> Texts:
        """The English texts of a unit's shard."""
        return self._amount(unit.source).texts[unit.table].share(rows)

    def _shards(self, amount: Amount) -> list[Texts]:
        return [shard for texts in amount.texts.values() for shard in texts.shards(self._settings.cleaning.shard_rows)]

    def _preparing(self) -> Load:
        rows = self._settings.cleaning.shard_rows
        computed = [loads.prepared(amount, rows, source.card.translations is not None) for source, amount in self._computed(self._prepared)]
        unknown = Load(1, 1) * sum(amount is None for amount in self._amounts.values())
        return _of_records(self._inventory, self._prepared.english) + sum(computed, unknown)

    def _importing(self) -> Load:
        rows = self._settings.cleaning.shard_rows
        known = self._load(self._prepared.imported, lambda unit: loads.imported(self._amount(unit.source), unit.language, rows))
        return known + sum(
            (
                loads.imported(amount, code, rows)
                for source, amount in self._computed(self._prepared)
                if source.card.translations
                for code in source.languages
            ),
            Load(),
        )

    def _segmenting(self) -> Load:
        most = self._settings.translation.shard_sentences
        known = self._load(
            self._imported.segment_units,
            lambda unit: loads.segmented(self._texts(unit, unit.files["texts"].rows), unit.language, most),
        )
        return known + sum(
            (
                loads.segmented(shard, code, most)
                for source, amount in self._computed(self._imported)
                for code in _languages_of_sentences(source)
                for shard in self._shards(amount)
            ),
            Load(),
        )

    def _finding_repeated(self) -> Load:
        """Of sentences that several packs have nothing is known before they are found: that leaves files without rows."""
        if self._all_segmented:
            units = {unit.fingerprint: unit for unit in self._segmented.repeated.values()}.values()
            return self._load(units, lambda unit: loads.repeated())
        groups = {
            (language, frozenset(source.name for source in self._sources if code in source.languages and _is_from(source, code, language)))
            for code in self._settings.languages
            for language in (ENGLISH.code, code)
        }
        several = [names for _, names in groups if sum(self._number_of_packs(name) for name in names) > 1]
        return loads.repeated() * len(several)

    def _number_of_packs(self, source: str) -> int:
        amount = self._amounts[source]
        return len(loads.packs(self._shards(amount), self._settings.translation.shard_sentences)) if amount else 0

    @cached_property
    def _all_segmented(self) -> bool:
        return len(self._segmented.sources) == len(self._sources)

    @cached_property
    def _repeated_found(self) -> bool:
        return self._all_segmented and not self._inventory.missing(self._segmented.repeated.values())

    def _translating_repeated(self) -> Load:
        return self._load(self._segmented.repeated_translations, self._translation) if self._repeated_found else Load()

    def _learning(self) -> Load:
        """The pieces that languages need: as many units as languages have enough sentences for lessons."""
        if self._all_segmented:
            return self._load(self._segmented.candidates.values(), lambda unit: loads.learnt())
        choice = self._settings.translation.candidates
        sentences = {
            code: sum(texts.sentences for source in self._sources if code in source.languages for texts in self._texts_of(source.name))
            for code in self._settings.languages
        }
        return loads.learnt() * sum(choice.use and count >= choice.worth_from * choice.lessons for count in sentences.values())

    def _texts_of(self, source: str) -> list[Texts]:
        amount = self._amounts[source]
        return list(amount.texts.values()) if amount else []

    def _translating(self, code: str) -> Load:
        known = (unit for (_, target), units in self._segmented.translated.items() if target == code for unit in units)
        computed = [
            self._translation_of(pack, code, not source.card.translations)
            for source, amount in self._computed(self._segmented)
            if code in source.languages
            for pack in loads.packs(self._shards(amount), self._settings.translation.shard_sentences)
        ]
        return self._load(known, self._translation) + sum(computed, Load())

    def _translation(self, unit: Unit) -> Load:
        """What a unit of translations takes that is not in the store."""
        forward = unit.inputs.get("translated")
        sentences = sum((Sentences(file.rows, file.rows * self._length(unit, name), 1) for name, file in unit.files.items()), Sentences())
        new = self._new_share(unit)
        load = self._translation_of(sentences, unit.language, forward is not None and not self._inventory.holds(forward), new)
        return load + (_files_of_records(self._inventory, [forward]) if forward is not None and self._inventory.holds(forward) else Load())

    def _translation_of(self, sentences: Sentences, code: str, there: bool, new: float = 1.0) -> Load:
        """The translations of sentences into a language (only where `there` is to be made), and back."""
        back = loads.back_translated(sentences, self._settings.translation.back_share, new)
        return back + loads.translated(sentences, code, new) if there else back

    def _length(self, unit: Unit, name: str) -> float:
        """Characters of a sentence of a file in a unit of translations, as long as it is in English."""
        if not unit.source:
            return self._mean_length
        table = name.partition("/")[0]
        return self._lengths.get((unit.source, name.rpartition("/")[0]), SENTENCE_CHARACTERS[table])

    @cached_property
    def _lengths(self) -> dict[tuple[str, str], float]:
        """By source and shard, the mean length of its English sentences."""
        units = [unit for (_, code), of_source in self._segmented.segmented.items() if code == ENGLISH.code for unit in of_source]
        records = self._inventory.records(units)
        return {
            (unit.source, shard_name(unit)): record.facts["characters"] / record.rows(SENTENCES)
            for unit, record in zip(units, records, strict=True)
            if record.rows(SENTENCES)
        }

    @cached_property
    def _mean_length(self) -> float:
        lengths = list(self._lengths.values()) or list(SENTENCE_CHARACTERS.values())
        return sum(lengths) / len(lengths)

    def _new_share(self, unit: Unit) -> float:
        """Which share of the sentences of a pack is not among the repeated ones, each of which stands in two packs or more."""
        repeated = unit.helpers.get("repeated")
        if repeated is None or not unit.source or not self._inventory.holds(repeated):
            return 1.0
        sentences = sum(file.rows for file in repeated.files.values())
        return max(0.0, 1 - 2 * self._inventory.record(repeated).rows(SENTENCES) / sentences)

    def _filtering(self) -> Load:
        share = self._settings.translation.back_share
        known = self._load(
            self._segmented.scoring,
            lambda unit: loads.scored(self._texts(unit, unit.files["english"].rows), unit.language, share),
        )
        return known + sum(
            (
                loads.scored(shard, code, share)
                for source, amount in self._computed(self._segmented)
                for code in source.languages
                for shard in self._shards(amount)
            ),
            Load(),
        )

    def _comparing(self) -> Load:
        known = self._load(
            filtering.comparisons(self._segmented.scoring),
            lambda unit: loads.compared(self._texts(unit, unit.files["english"].rows), len(unit.inputs)),
        )
        return known + sum(
            (
                loads.compared(shard, len(source.languages))
                for source, amount in self._computed(self._segmented)
                if source.languages
                for shard in self._shards(amount)
            ),
            Load(),
        )


def _plan_without(plan: Plan, left_out: set[str]) -> Plan:
    """The plan of the other sources, which knows the same of the store."""
    if not left_out:
        return plan
    kept = [given for given, source in zip(plan.settings.sources, plan.sources, strict=True) if source.name not in left_out]
    others = Plan(plan.settings.model_copy(update={"sources": kept}), plan.store)
    others.inventory = plan.inventory
    return others


def _of_records(inventory: Inventory, units: Sequence[Unit]) -> Load:
    """What units of the store take; of units of translations back with those that they are made from."""
    made = [*units, *(unit.inputs["translated"] for unit in units if "translated" in unit.inputs)]
    return _files_of_records(inventory, made) + Load(len(units))


def _files_of_records(inventory: Inventory, units: Sequence[Unit]) -> Load:
    """The files of units, and their bytes, those of the records among them."""
    load = Load()
    for record in inventory.records(units):
        written = json_bytes({"files": {name: vars(file) for name, file in record.files.items()}, "facts": record.facts})
        load += Load(files=len(record.files) + 1, bytes=sum(file.bytes for file in record.files.values()) + len(written))
    return load


def _languages_of_sentences(source: TrainingSource) -> list[str]:
    """The languages whose sentences of a source are split: its own where it is parallel, else English."""
    return source.languages if source.card.translations or not source.languages else [ENGLISH.code]


def _is_from(source: TrainingSource, code: str, language: str) -> bool:
    """Whether a source's texts for a language are of sentences in `language`: that language itself where it is parallel."""
    return language == (code if source.card.translations else ENGLISH.code)


def _has_step(source: TrainingSource, step: str, codes: Sequence[str]) -> bool:
    """Whether a step has to do with a source, in a run with the languages `codes`."""
    # Of the others nothing is known anyway before repeated sentences are found, or all sentences are counted.
    if step in ("prepare", "translate repeated", "learn candidates"):
        return step == "prepare"
    if step == "import":
        return bool(source.card.translations and source.languages)
    code = step.removeprefix("translate ")
    return code in source.languages if code in codes else bool(source.languages)


def _hours(step: str, load: Load, rate: Rate) -> float | None:
    if step.startswith("translate"):
        return load.tokens / rate.tokens_per_second / 3600
    return load.core_seconds / 3600 if step in CORE_MICROSECONDS else None
