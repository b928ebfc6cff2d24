"""The settings of a run: one pydantic model, read from a YAML profile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.parsing import one_line, parse

HOUSE = Path(__file__).resolve().parent.parent
"""The folder that holds `profiles/` and `data_cards/`, in a checkout and in an installation alike."""


MOST_LANGUAGES = 62
"""Target languages of one run: a release says with one bit a language, in a signed number of 64 bits, where a text survived."""

EVALUATION = (
    "xquad-r",
    "mlqa-r",
    "squadshifts",
    "miracl-dev",
    "beir-arguana",
    "beir-climate-fever",
    "beir-dbpedia",
    "beir-fever",
    "beir-fiqa",
    "beir-hotpotqa",
    "beir-msmarco",
    "beir-nfcorpus",
    "beir-nq",
    "beir-quora",
    "beir-scidocs",
    "beir-scifact",
    "beir-touche2020",
    "beir-trec-covid",
)
"""What retrievers are evaluated on: the cards that a run keeps out of its training data unless it says otherwise."""


class Environment(BaseSettings):
    """What belongs to the machine and not to the run; each is an environment variable."""

    model_config = SettingsConfigDict(env_prefix="PARALLEL_QA_")

    cache: Path = Path("~/.cache/parallel-qa")
    """Downloaded data sets, downloaded and converted models (`PARALLEL_QA_CACHE`)."""
    memory_mb: int = Field(512, ge=128)
    """What a database in scratch space may hold in memory before it writes to disk (`PARALLEL_QA_MEMORY_MB`)."""

    def __init__(self) -> None:
        """Read the environment. Raises UserError where a variable has a value that cannot be used."""
        try:
            super().__init__()
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise UserError(f"environment: PARALLEL_QA_{str(first['loc'][0]).upper()}: {one_line(first['msg'])}") from None

    @property
    def models(self) -> Path:
        return self.cache.expanduser() / "models"

    @property
    def calibration(self) -> Path:
        return self.cache.expanduser() / "batch-tokens.json"

    @property
    def datasets(self) -> Path:
        return self.cache.expanduser() / "datasets"


def _language_code(name: str) -> str:
    try:
        language = LANGUAGES.find(name)
    except UserError as error:
        raise ValueError(str(error)) from None
    if language == ENGLISH:
        raise ValueError("English is the source language and always part of a release; list the others only")
    return language.code


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(f"{name!r} must be made of letters, digits, '.', '_' and '-', all of ASCII, with no '.' or '-' at the start")
    return name


LanguageCode = Annotated[str, AfterValidator(_language_code)]
PlainName = Annotated[str, AfterValidator(_plain_name)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Way = Literal["there", "back"]
"""From English into a language, or back."""
WAYS: tuple[Way, ...] = ("there", "back")


class CleaningSettings(_Section):
    """What an English row must be to enter the pipeline."""

    shard_rows: int = Field(10_000, ge=1)
    """Queries or passages in one English shard."""
    min_letters: int = Field(3, ge=0)
    """A query or a passage with fewer letters is set aside as `query_without_words` or `passage_without_words`."""
    min_letter_share: float = Field(0.3, ge=0, le=1)
    """The same where fewer of its characters are letters."""
    max_query_characters: int = Field(1_000, ge=1)
    """A longer query: `query_too_long`."""
    max_characters: int = Field(20_000, ge=1)
    """A longer passage: `passage_too_long`."""
    language: bool = True
    """Set aside a row whose query or passage is not English (`query_not_english`, `passage_not_english`)."""
    max_negatives: int = Field(1, ge=0)
    """Hard negatives to keep of each row; each is one more passage to translate, unless it is another row's positive."""


class ModelSettings(_Section):
    """A translation model."""

    model: str = "sample"
    """`sample`, a folder with a CTranslate2 or Hugging Face model, or the hub id of a checkpoint: NLLB-200, M2M-100,
    MADLAD-400 or OPUS-MT."""
    revision: str | None = None
    """Commit of a hub model. A hub model without one is refused: what it is could change."""
    checksums: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of files of a hub model, by name; large files are checked against the hub's own in any case."""
    licence: str | None = None
    """SPDX identifier of the model's licence, where the model does not say it itself."""
    quantization: Literal["int8", "float16", "int8_float16", "float32"] = "int8"
    """Stored weights after conversion."""

    @property
    def choice(self) -> ModelSettings:
        """Which model it is, and nothing else that settings say."""
        return ModelSettings.model_validate(self.model_dump(include=set(ModelSettings.model_fields)))


class DecodingSettings(_Section):
    """How the outputs of a model are searched for."""

    beam_size: int = Field(1, ge=1)
    """Hypotheses that are followed at a time; 1: only the likeliest token is taken."""
    length_penalty: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Of several beams the hypothesis wins whose log-probability, divided by its length to the power of this, is the highest."""
    patience: float = Field(1.0, gt=0, allow_inf_nan=False)
    """A search with several beams ends when so many times as many hypotheses as beams have come to an end (arXiv 2204.05424)."""
    hypotheses: int = Field(1, ge=1)
    """The best that are looked at: the first of them that is not empty, not cut and without an unknown token is taken."""
    repetition_penalty: float = Field(1.0, gt=0)
    """Above 1 makes tokens that were written already less likely."""
    no_repeat_ngram_size: int = Field(0, ge=0)
    """No run of so many tokens twice in one output; 0: no such rule."""

    @pydantic.model_validator(mode="after")
    def _enough_beams(self) -> DecodingSettings:
        if self.beam_size * self.patience < self.hypotheses:
            raise ValueError(f"{self.hypotheses} hypotheses take more than beam_size {self.beam_size} times patience {self.patience:g}")
        return self


class DirectionSettings(ModelSettings, DecodingSettings):
    """Which model translates in one direction, and how its outputs are searched for."""


class LanguageSettings(DirectionSettings):
    """The same for one language, and for the way back from it."""

    back: DirectionSettings | None = None
    """The way back; that of the other languages if not given."""


class CandidateSettings(_Section):
    """Decoding among those pieces of the vocabulary that a language needs: half of the time, and nearly always the same output."""

    use: bool = True
    """Whether to; a model whose vocabulary cannot be restricted does without."""
    lessons: int = Field(300_000, ge=1)
    """Sentences of a language that are translated with all pieces first, to learn from: docs/performance.md says how many it takes."""
    worth_from: float = Field(4.0, ge=1)
    """Where a language has fewer than so many times as many sentences, all are translated with all pieces."""
    checked_share: float = Field(0.02, ge=0, le=1)
    """Share of the later sentences, by a hash of the text, that are translated with all pieces too, to see whether it is the same."""
    max_differing: float = Field(0.002, ge=0, le=1)
    """Where more of them differ, beyond chance, a unit is done again with all pieces."""
    min_log_probability: float = -2.0
    """An output that is less likely is made again with all pieces."""


class TranslationSettings(DirectionSettings):
    """Which model translates, and how.

    `back` and `models` need to say only what is other than here: a section that names no model means this one, and what it does not
    say of decoding is as here. But one that names a `beam_size` says itself what goes with it (`_OF_BEAMS`).
    """

    back: DirectionSettings | None = None
    """The way back into English: another model, such as a smaller one, or a cheaper search; the same if not given."""
    models: dict[LanguageCode, LanguageSettings] = Field(default_factory=dict)
    """Other models for some languages, such as those of OPUS-MT: `{de: {model: …, revision: …, back: {model: …, revision: …}}}`."""
    back_share: float = Field(1.0, ge=0, le=1)
    """Share of the texts, by a hash of their ids, that are translated back; the others have no round-trip score."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    """What CTranslate2 computes in; `auto` is the fastest that the device supports for the stored weights."""
    inter_threads: int = Field(0, ge=0)
    """Batches translated at once on a CPU; 0: one for each core."""
    intra_threads: int = Field(1, ge=1)
    """Threads for one batch; more batches beat more threads for one."""
    gpus: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)
    """Which GPUs to use, all at once; all if none is named."""
    log_probabilities: bool = True
    """Keep the mean log-probability of each output as a score."""
    max_batch_tokens: int = Field(0, ge=0)
    """Source tokens, padding included, in one batch; 0: found by a short trial where there is much to do, and remembered."""
    max_source_tokens: int = Field(400, ge=10, le=1000)
    """A longer sentence is translated clause by clause: NLLB was trained on at most 512 tokens."""
    max_target_tokens: int = Field(400, ge=1, le=1000)
    """An output that reaches this length is marked as cut."""
    usual_target_ratio: float = Field(2.0, gt=0)
    """An output with more than so many times the tokens of the longest source beside it, and 16, is made by itself: it may be endless,
    and holds up no others."""
    candidates: CandidateSettings = CandidateSettings()
    """How decoding is restricted to the pieces that a language needs."""
    shard_sentences: int = Field(20_000, ge=1)
    """Unique sentences in one unit of work: what a killed run loses at most, per language."""

    def of(self, code: str, way: Way = "there") -> TranslationSettings:
        """The settings of one direction of a language (NLLB code): with the model and the decoding that hold for it."""
        own = self.models.get(code)
        there, back = own or self, (own.back if own else None) or self.back or self
        chosen = there if way == "there" else back
        one_way = {name: getattr(chosen, name) for name in DirectionSettings.model_fields}
        return self.model_copy(update={**one_way, "back": None, "models": {}})

    def section_of(self, code: str, way: Way = "there") -> str:
        """Where a profile says the settings of one direction of a language."""
        own = self.models.get(code)
        if way == "back" and not (own and own.back):
            return "translation.back" if self.back else "translation"
        return f"translation.models.{code}{'.back' if way == 'back' else ''}" if own else "translation"

    @pydantic.model_validator(mode="before")
    @classmethod
    def _say_what_is_as_here(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        back = _filled(content.get("back"), content)
        models = content.get("models")
        if isinstance(models, dict):
            models = {code: _filled_language(own, content, back) for code, own in models.items()}
        return content | {name: value for name, value in (("back", back), ("models", models)) if name in content}

    @pydantic.field_validator("models", mode="wrap")
    @classmethod
    def _each_language_once(cls, content: Any, handler: pydantic.ValidatorFunctionWrapHandler) -> Any:
        models = handler(content)
        if len(models) < len(content):
            raise ValueError("a language stands here twice, by code and by tag")
        return models


_OF_BEAMS = {"length_penalty", "patience", "hypotheses"}


def _filled(section: Any, same: dict[str, Any]) -> Any:
    """The content of a section with what it leaves unsaid from `same`: the search, and where it names no model, the model."""
    if not isinstance(section, dict):
        return section
    kind = DecodingSettings if "model" in section else DirectionSettings
    unsaid = kind.model_fields.keys() - (_OF_BEAMS if "beam_size" in section else set())
    return {name: value for name, value in same.items() if name in unsaid} | section


def _filled_language(section: Any, same: dict[str, Any], back: Any) -> Any:
    filled = _filled(section, same)
    if not isinstance(section, dict) or "back" not in section:
        return filled
    return filled | {"back": _filled(section["back"], back if isinstance(back, dict) else same)}


class Thresholds(_Section):
    """What a text must score to be kept. Scores are stored without them, so that changing one translates nothing again.

    The defaults are those of `python -m benchmarks.filters`: at most 5 % of good texts are rejected. A threshold of null
    rejects nothing.
    """

    language: bool = True
    """Reject a text that no language detector takes for its language (`language`)."""
    min_script: float | None = Field(0.5, ge=0, le=1)
    """Reject a text of which fewer letters are in its language's script (`script`)."""
    max_copied: float | None = Field(0.25, ge=0, le=1)
    """Reject a text of whose words more were copied from the English (`copied`)."""
    max_untranslated: float | None = Field(0.15, ge=0, le=1)
    """Reject a text with a longer run of English, as a share of the English text (`untranslated`)."""
    min_repetition: float | None = Field(0.75, ge=0, le=1)
    """Reject a text if it or its back-translation has a smaller share of different runs of words or characters than this, by
    that of the English (`repetition`)."""
    min_marks: float | None = Field(0.6, ge=0, le=1)
    """Reject a text that keeps fewer of the addresses of the English; above 0.75 also one with an odd bracket or quote (`marks`)."""
    min_log_probability: float | None = Field(None, le=0)
    """Reject a text with a sentence that the model found less likely (`log_probability`); it depends on the model."""
    ending: bool = True
    """Reject a text that came back without the mark at its end (`ending`)."""
    min_sentences: float | None = Field(0.3, ge=0, le=1)
    """Reject a text of whose sentences fewer came back, or so many more (`sentences`)."""
    min_length_ratio: float | None = Field(0.5, ge=0)
    """Reject a text whose back-translation is shorter than this share of the English (`length`)."""
    max_length_ratio: float | None = Field(1.8, ge=0)
    """Reject a text whose back-translation is longer (`length`)."""
    length_from: int = Field(30, ge=0)
    """Shorter English texts are not judged by length: a word more or less is much of them."""
    min_numbers: float | None = Field(1.0, ge=0, le=1)
    """Reject a text of whose numbers fewer came back (`numbers`)."""
    min_names: float | None = Field(0.56, ge=0, le=1)
    """Reject a text where a name stands that is less like the one that was lost (`names`)."""
    min_answers: float | None = Field(50.0, ge=0, le=100)
    """Take a passage for no answer to a question of whose answer it has less (`lost_answer`): the pair is lost, the passage is not."""
    min_round_trip: float | None = Field(39.5, ge=0, le=100)
    """Reject a text whose back-translation is less like the English, as the mean of chrF and token sort (`round_trip`)."""
    min_round_trip_short: float | None = Field(37.0, ge=0, le=100)
    """The same for English texts of fewer than `short_characters`."""
    short_characters: int = Field(80, ge=0)
    min_chrf: float | None = Field(None, ge=0, le=100)
    """Reject a text whose back-translation has a lower chrF against the English (`round_trip`)."""
    min_chrf_outlier: float | None = Field(None, le=0)
    """Reject a text whose chrF is so far below that of the other languages (`outlier`)."""
    min_length_outlier: float | None = Field(0.6, ge=0)
    """Reject a text that came back so much shorter than from the other languages (`outlier`)."""
    max_length_outlier: float | None = Field(1.8, ge=0)
    """Reject a text that came back so much longer (`outlier`)."""


class FilterException(Thresholds):
    """Other thresholds for a language, for a kind of text, or for a kind in a language."""

    for_language: LanguageCode | None = None
    """Which language; any if not given."""
    for_kind: Literal["question", "passage"] | None = None
    """Which texts; both if not given."""

    def thresholds(self) -> dict[str, Any]:
        """The thresholds that were given, and they alone."""
        return {name: getattr(self, name) for name in self.model_fields_set if name in Thresholds.model_fields}


class FilterSettings(Thresholds):
    """Thresholds for all texts, and exceptions."""

    exceptions: list[FilterException] = Field(default_factory=list)
    """Where several hold for a text, later ones win: `{for_language: ig, min_chrf: 25}`."""

    def of(self, language: str, table: str) -> Thresholds:
        """The thresholds for texts of `table` ("queries" or "passages") in `language` (NLLB code)."""
        return Thresholds.model_validate(self.model_dump(exclude={"exceptions"}) | self.exceptional(language, table))

    def exceptional(self, language: str, table: str) -> dict[str, Any]:
        """The thresholds that exceptions set for these texts, and they alone."""
        kind = {"queries": "question", "passages": "passage"}[table]
        values: dict[str, Any] = {}
        for exception in self.exceptions:
            if exception.for_language in (None, language) and exception.for_kind in (None, kind):
                values |= exception.thresholds()
        return values


class ReleaseSettings(_Section):
    """How a release is laid out."""

    shard_bytes: int = Field(64 * 2**20, ge=1)
    """Bytes of English text in shard k of queries and passages together, before compression; every table has as many shards."""
    row_group_bytes: int = Field(2**20, ge=1)
    """Bytes of English text in a row group, which is what a reader has to decompress for one row."""
    mined_negatives: int = Field(0, ge=0)
    """Hard negatives of each pair: where its source gave fewer, BM25 finds more among the English passages (extra `mine`)."""
    licence: str | None = None
    """The release's licence, an SPDX expression, where those of its parts are unknown or do not go together; the card says that you
    decided it."""
    seed: int = Field(0, ge=0)
    """The order of the rows: by a hash of their ids and this number."""


class SourceSettings(_Section):
    """A source of a run; in a profile its card alone will do."""

    card: str
    """The name of a file in `data_cards/`, or the path of a card, relative to the profile."""
    languages: list[LanguageCode] | None = None
    """Those of the run's languages that it is translated into; those that its card names if not given, none of them for
    English only."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_its_card_alone(cls, content: Any) -> Any:
        return {"card": content} if isinstance(content, str) else content


class Settings(_Section):
    """One run: which sources, which languages, how translated, filtered and published."""

    name: PlainName
    """Names the run and its releases."""
    sources: list[SourceSettings] = Field(min_length=1)
    """Data cards: `squad`, `./my-card.md`, or `{card: mfaq, languages: []}` for a source with languages of its own."""
    evaluation: list[str] = list(EVALUATION)
    """Evaluation sets: cards, or folders of a BEIR layout, SQuAD files or plain text. A training row that holds one of their
    questions or passages, or most of one, is set aside. Without this setting, the usual sets are (`EVALUATION`)."""
    languages: list[LanguageCode] = Field(min_length=1, max_length=MOST_LANGUAGES)
    """Target languages, as NLLB code ("deu_Latn") or tag ("de")."""
    cleaning: CleaningSettings = CleaningSettings()
    translation: TranslationSettings = TranslationSettings()
    filters: FilterSettings = FilterSettings()
    release: ReleaseSettings = ReleaseSettings()
    batches: BatchSettings | None = None
    """How training is to draw batches from the release, such as `source_weights`: what loaders begin with."""
    folder: Path = Field(default=HOUSE / "profiles", exclude=True)
    """Where relative paths start: the folder of the profile."""

    @pydantic.field_validator("languages")
    @classmethod
    def _no_language_twice(cls, codes: list[str]) -> list[str]:
        for code in codes:
            if codes.count(code) > 1:
                raise ValueError(f"{code} is listed twice")
        return codes

    @pydantic.model_validator(mode="after")
    def _sources_have_languages_of_the_run(self) -> Settings:
        for number, source in enumerate(self.sources):
            for code in source.languages or []:
                if code not in self.languages:
                    raise ValueError(f"sources.{number}.languages: {code} is not among the run's `languages`: add it there")
        return self

    @pydantic.model_validator(mode="after")
    def _models_are_for_languages_of_the_run(self) -> Settings:
        for code in self.translation.models:
            if code not in self.languages:
                raise ValueError(f"translation.models.{code}: {code} is not among the run's `languages`: add it there")
        return self


def load_settings(profile: str) -> Settings:
    """The settings of `profile`: the name of a file in `profiles/`, or a path.

    Raises UserError that names the file and the field.
    """
    path = _profile_path(profile)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: a profile is a YAML mapping of settings, see profiles/sample.yaml")
    return parse(Settings, content | {"folder": path.resolve().parent}, str(path))


def _profile_path(profile: str) -> Path:
    path = Path(profile)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            raise UserError(f"{profile}: no such profile")
        return path
    ready = HOUSE / "profiles" / f"{profile}.yaml"
    if not ready.is_file():
        names = ", ".join(sorted(file.stem for file in (HOUSE / "profiles").glob("*.yaml")))
        raise UserError(f"no profile {profile!r}: give the path of a YAML file, or one of {names}")
    return ready


def assignments(given: Sequence[str], example: str) -> dict[str, Any]:
    """Settings from the command line, as NAME=VALUE with a value in YAML. Raises UserError that names what is wrong."""
    content = {}
    for entry in given:
        name, separator, value = entry.partition("=")
        if not separator:
            raise UserError(f"--set {entry!r}: write NAME=VALUE, such as {example}")
        try:
            content[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {entry!r}: {value!r} is no value") from None
    return content
