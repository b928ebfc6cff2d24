"""The plan of a run: the units of all its stages, and which of them the store holds.

A stage says what it makes of what; the plan asks each once, hands it what the stages before it made, and keeps the answers. The
units of a step are known when those of the step before are done, so a plan grows with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain

from parallel_qa.pipeline import facts
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.filters import filter as filtering
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.settings import ModelSettings, Settings
from parallel_qa.pipeline.sources import imported, prepare
from parallel_qa.pipeline.sources.training import TrainingSource, training_sources
from parallel_qa.pipeline.store import Record, Store
from parallel_qa.pipeline.translation import candidates, repeated, segment, translate
from parallel_qa.pipeline.translation.model_finding import ModelFacts, check_model, model_facts
from parallel_qa.pipeline.translation.packs import Pack, packs_of
from parallel_qa.pipeline.translation.run_models import choices_of
from parallel_qa.pipeline.work import Inventory, Step, Unit

STAGES = ("prepare", "translate", "filter")
"""The stages that make units; `publish` makes a release of them."""


class Plan:
    """What a run consists of."""

    def __init__(self, settings: Settings, store: Store) -> None:
        """Nothing is read before it is asked for."""
        self.settings = settings
        self.store = store
        self.inventory = Inventory(store)

    def steps(self, stage: str) -> Iterator[Step]:
        """The steps of a stage, in order. Each must be done before the next one is asked for, which it decides.

        Raises UserError where an earlier stage has not been run.
        """
        return {"prepare": self._prepare, "translate": self._translate, "filter": self._filter}[stage]()

    def _prepare(self) -> Iterator[Step]:
        english = prepare.units(self.settings)
        yield Step("prepare", english, prepare.do)
        prepare.remember(self.settings, self.store, english)
        self.__dict__["english"] = english
        own = imported.units(self.settings, english, self.inventory.record)
        yield Step("import", own, imported.do)
        imported.remember(self.settings, self.store, own)
        self.__dict__["imported"] = own

    def _translate(self) -> Iterator[Step]:
        settings = self.settings
        check_model(settings.translation, settings.folder, map(LANGUAGES.find, settings.languages))
        yield Step("segment", self.segment_units, segment.do, prepares=True, keeps_python_busy=True)
        yield Step("find repeated", self.repeated_units, repeated.do, prepares=True)
        self._remember_models()
        yield Step("translate repeated", self.repeated_translations, translate.do, prepares=True)
        if self.lessons:
            yield Step("translate lessons", list(chain.from_iterable(self.lessons.values())), translate.do, prepares=True)
            yield Step("learn candidates", list(self.candidates.values()), candidates.do, prepares=True)
        yield Step("translate", self.translation_units, translate.do)
        self._remember_models()  # a model says what its licence is once it is converted

    def _remember_models(self) -> None:
        """Keep what the models are, so that later stages need none of them."""
        self.__dict__["models"] = self._models(at_hand=True)
        both = [pair for code, choices in self._choices.items() for pair in zip(choices, self.models[code], strict=True)]
        for choice, model in {choice.model_dump_json(): (choice, model) for choice, model in both}.values():
            facts.remember(self.store, "model", _described(self.settings, choice), vars(model))

    def _filter(self) -> Iterator[Step]:
        yield Step("filter", self.scored, filtering.do, prepares=True, keeps_python_busy=True)
        yield Step("compare", self.compared, filtering.do_comparison, keeps_python_busy=True)

    @cached_property
    def sources(self) -> list[TrainingSource]:
        """The run's sources."""
        return training_sources(self.settings)

    @cached_property
    def english(self) -> list[Unit]:
        """The English texts, one unit a source."""
        return prepare.prepared_units(self.settings, self.store)

    @cached_property
    def imported(self) -> list[Unit]:
        """The texts that sources have in other languages themselves, one unit a source and language."""
        return imported.imported_units(self.settings, self.store, self.english, self.inventory.record)

    @cached_property
    def segmented(self) -> dict[tuple[str, str], list[Unit]]:
        """By source and language of the texts, their sentences: of English ones, and of those that a source has itself."""
        own = {unit.source for unit in self.imported}
        translated = {source.name for source in self.sources if source.languages}
        texts = [unit for unit in self.english if unit.source in translated - own] + self.imported
        self.inventory.records(texts)
        return {(unit.source, unit.language or ENGLISH.code): segment.units(self.settings, [unit], self.inventory.record) for unit in texts}

    @property
    def segment_units(self) -> list[Unit]:
        """The same, one after the other."""
        return list(chain.from_iterable(self.segmented.values()))

    @cached_property
    def packs(self) -> dict[tuple[str, str], list[Pack]]:
        """By source and language of the texts, their sentences as they are translated together."""
        self.inventory.records(self.segment_units)
        most = self.settings.translation.shard_sentences
        return {key: packs_of(units, self.inventory.record, most) for key, units in self.segmented.items()}

    def _texts_for(self, code: str) -> Iterator[tuple[str, str]]:
        """The sources that are to have a language, each with the language of the texts that it has it from: English or its own."""
        for source in self.sources:
            if code in source.languages:
                yield source.name, code if (source.name, code) in self.segmented else ENGLISH.code

    @cached_property
    def repeated(self) -> dict[tuple[str, str], Unit]:
        """By target language and language of the sentences, the unit of those that several packs have."""
        found = {}
        for code in self.settings.languages:
            for language in (ENGLISH.code, code):
                together = [pack for key in self._texts_for(code) if key[1] == language for pack in self.packs[key]]
                for unit in repeated.units(self.settings, together):
                    found[code, language] = unit
        return found

    @property
    def repeated_units(self) -> list[Unit]:
        """The same, each once: languages that have the same packs share one."""
        return list({unit.fingerprint: unit for unit in self.repeated.values()}.values())

    @cached_property
    def models(self) -> dict[str, tuple[ModelFacts, ModelFacts]]:
        """By language what is known of the models for the way there and back: what the store says translated, else those at hand."""
        return self._models(at_hand=False)

    @property
    def model(self) -> ModelFacts:
        """The model of the languages that have none of their own; that of the first language where all have one."""
        own, codes = self.settings.translation.choice, self.settings.languages
        return self.models[next((code for code in codes if self._choices[code][0] == own), codes[0])][0]

    @cached_property
    def _choices(self) -> dict[str, tuple[ModelSettings, ModelSettings]]:
        return choices_of(self.settings)

    def _models(self, at_hand: bool) -> dict[str, tuple[ModelFacts, ModelFacts]]:
        choices = {choice.model_dump_json(): choice for both in self._choices.values() for choice in both}
        found = {name: self._model(choice, at_hand) for name, choice in choices.items()}
        return {code: (found[there.model_dump_json()], found[back.model_dump_json()]) for code, (there, back) in self._choices.items()}

    def _model(self, choice: ModelSettings, at_hand: bool) -> ModelFacts:
        look_up = (self._known_model, self._model_at_hand) if not at_hand else (self._model_at_hand, self._known_model)
        found = look_up[0](choice) or look_up[1](choice)
        if found is None:
            raise UserError(f"translation.model: {choice.model!r} is not on this machine, and nothing was translated with it here yet")
        return found

    def _model_at_hand(self, choice: ModelSettings) -> ModelFacts | None:
        found = model_facts(choice, self.settings.folder)
        if found is None or found.licence is not None:
            return found
        known = self._known_model(choice)  # another machine may have converted it
        return known if known and known.fingerprint == found.fingerprint else found

    def _known_model(self, choice: ModelSettings) -> ModelFacts | None:
        known = facts.recall(self.store, "model", _described(self.settings, choice))
        return None if known is None else ModelFacts(**known)

    @cached_property
    def repeated_translations(self) -> list[Unit]:
        """The translations of the sentences that several packs have."""
        most = self.settings.translation.shard_sentences
        return [
            unit
            for (code, _), shared in self.repeated.items()
            for unit in translate.units(self.settings, self.models[code], code, packs_of([shared], self.inventory.record, most))
        ]

    @cached_property
    def translated(self) -> dict[tuple[str, str], list[Unit]]:
        """By source and language, the translations of its sentences, and back."""
        return {
            (source, code): self._translations(code, self.packs[source, language])
            for code in self.settings.languages
            for source, language in self._texts_for(code)
        }

    def _translations(self, code: str, packs: Sequence[Pack]) -> list[Unit]:
        """Those that teach first, which are a source's first ones."""
        taught = [pack for pack in packs if pack in self._lessons[code]]
        return self._units(code, taught) + self._units(code, packs[len(taught) :], self.candidates.get(code))

    def _units(self, code: str, packs: Sequence[Pack], learnt: Unit | None = None) -> list[Unit]:
        repeated = self.repeated.get((code, packs[0].language)) if packs else None
        return translate.units(self.settings, self.models[code], code, packs, repeated, learnt)

    def _packs_for(self, code: str) -> list[Pack]:
        return [pack for key in self._texts_for(code) for pack in self.packs[key[0], key[1]]]

    @cached_property
    def _lessons(self) -> dict[str, list[Pack]]:
        """By language the packs that are translated with all pieces of the vocabulary, for the others to learn from."""
        choice = self.settings.translation.candidates
        return {code: candidates.lessons(self._packs_for(code), choice) for code in self.settings.languages}

    @cached_property
    def lessons(self) -> dict[str, list[Unit]]:
        """The same as units, for the languages that have some."""
        return {code: [unit for pack in packs for unit in self._units(code, [pack])] for code, packs in self._lessons.items() if packs}

    @cached_property
    def candidates(self) -> dict[str, Unit]:
        """By language the pieces that are learnt from these lessons."""
        return {code: candidates.unit_of(self.models[code], code, taught, self._packs_for(code)) for code, taught in self.lessons.items()}

    @property
    def translation_units(self) -> list[Unit]:
        """The units of `translated`, one after the other."""
        return list(chain.from_iterable(self.translated.values()))

    @cached_property
    def scored(self) -> list[Unit]:
        """The scores of every text in every language that its source is to have. Raises UserError where one was not translated."""
        self.inventory.require(back for unit in self.scoring for back in unit.inputs.values())
        return self.scoring

    @cached_property
    def scoring(self) -> list[Unit]:
        """The same, whether or not the translations are there."""
        english = {unit.source: self.inventory.record(unit) for unit in self.english}
        own = {(unit.source, unit.language): self.inventory.record(unit) for unit in self.imported}
        return [
            unit
            for source in self.sources
            for code in source.languages
            for unit in filtering.units(
                english[source.name],
                self.segmented[source.name, code if (source.name, code) in own else ENGLISH.code],
                self.translated[source.name, code],
                code,
                self.inventory.record,
                own.get((source.name, code)),
            )
        ]

    @cached_property
    def compared(self) -> list[Unit]:
        """What the languages of each shard say about each other."""
        return filtering.comparisons(self.scored)

    @cached_property
    def scored_shards(self) -> list[ScoredShard]:
        """Every shard in every language, in the order of sources, tables and shards. Raises UserError where one was not scored."""
        self.inventory.records([*self.scored, *self.compared])
        return [
            ScoredShard(
                scored.source,
                scored.language,
                scored.table,
                scored.files["english"],
                self.inventory.record(scored),
                self.inventory.record(compared),
            )
            for compared in self.compared
            for scored in compared.inputs.values()
        ]

    @property
    def note(self) -> str | None:
        """What a user should know of a store that an older version wrote; None of any other."""
        if not self.store.names("sentences"):
            return None
        return (
            f"{self.store.url} was written by an older version. Its English texts stay as they are and its translations are taken over, so "
            "that no sentence is translated again; texts are scored again. Once a run has ended, its folder sentences can be deleted."
        )

    def english_records(self) -> dict[str, Record]:
        """The record of each source's English texts."""
        return {unit.source: self.inventory.record(unit) for unit in self.english}


def _described(settings: Settings, choice: ModelSettings) -> dict[str, object]:
    """What a run's settings say of a model; its folder is relative to the profile, so that the run is named too."""
    return {"run": settings.name, **choice.model_dump(include=set(ModelSettings.model_fields))}
