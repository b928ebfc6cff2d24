"""Data cards: one Markdown file a source, whose YAML front matter is the source's configuration."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import jmespath
import jmespath.exceptions
import pydantic
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.hub import REPOSITORY
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.licences import Term
from parallel_qa.pipeline.parsing import one_line, parse
from parallel_qa.pipeline.settings import HOUSE, LanguageCode, PlainName, Settings
from parallel_qa.pipeline.sources.pins import PINS, read_pins, shipped

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)

JOIN_VERSION = 3
"""Raise it when `joined.py` or `imported.py` makes something else of the same three tables."""
_NOT_READ = {"title", "role", "languages", "size", "licence", "licence_terms", "homepage", "citation"}

Format = Literal["parquet", "jsonl", "json", "csv", "tsv", "squad", "beir"]
ENDINGS: dict[str, Format] = {".parquet": "parquet", ".jsonl": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv"}


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"{text!r} is no JMESPath expression: {' '.join(str(error).split())}") from None
    return text


def _repository(name: str) -> str:
    if not REPOSITORY.fullmatch(name):
        raise ValueError(f"{name!r} is no hub id such as rajpurkar/squad")
    return name


Expression = Annotated[str, AfterValidator(_expression)]
"""A JMESPath expression on a row: `question`, `answers.text[0]`, `qa_pairs[].answer`, `query || question`."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hub(_Part):
    """A dataset repository on the Hugging Face hub."""

    repository: Annotated[str, AfterValidator(_repository)]
    revision: str
    """The commit, 40 hexadecimal digits; `parallel-qa sources pin` finds that of a branch. `pins.yaml` beside a profile goes before it."""


class Files(_Part):
    """The files that hold one table, and how to read them."""

    files: list[str] = Field(default_factory=list)
    """Paths relative to the card, `https://…` or `s3://…` addresses; with `hub`, paths in the repository. `*` matches within a folder."""
    config: str | list[str] | None = None
    """Configuration of a hub repository that says itself which files belong to it; several are read one after the other."""
    split: str | None = None
    """Split of that configuration; with `format: beir`, the one of the qrels."""
    format: Format | None = None
    """Told by the name's ending if not given. `squad` and `beir` are known layouts and need no `rows`."""
    items: Expression | None = None
    """In a JSON document, the list of rows, such as `data`."""
    member: str | None = None
    """In a zip file, the members to read, such as `dataset/train/*.json`."""
    columns: list[str] | None = None
    """Names of the columns of a CSV or TSV file without a line of names."""
    quotes: bool = True
    """Whether quotation marks enclose fields of a CSV or TSV file."""
    limit: int | None = Field(None, ge=1)
    """Read at most so many rows."""
    sample: float | None = Field(None, gt=0, le=1)
    """Take this share of the rows, by a hash of their places: always the same ones."""


class Excerpt(_Part):
    """Of a long passage, the part that holds the answer."""

    words: int = Field(ge=20)
    """At most so many words, cut between sentences."""
    answers: Expression
    """The answers, one of which must be in the part; a row where none is, is set aside as `answer_not_in_passage`."""


class RowMapping(_Part):
    """How a row yields a query, its positive passage, and what belongs to them."""

    adapter: Literal["natural_questions"] | None = None
    """A function of `parallel_qa.pipeline.sources.adapters` that rows go through first, for what the rest cannot say."""
    group: Expression | None = None
    """Consecutive rows with the same value become one row, with the field `rows` that lists them."""
    explode: dict[str, Expression] = Field(default_factory=dict)
    """`name: list`: a row for each item of the list, which is the field `name` of the new row; one after the other."""
    keep: dict[PlainName, Expression] = Field(default_factory=dict)
    """`reason: condition`: a row for which the condition does not hold is set aside for that reason."""
    id: Expression | None = None
    query: Expression
    passage: Expression
    title: Expression | None = None
    answer: Expression | None = None
    negatives: Expression | None = None
    """A list of texts, or of mappings with `text` and `title`."""
    excerpt: Excerpt | None = None


class TextTable(Files):
    """A table of queries or passages, called by an id."""

    id: Expression = "_id"
    title: Expression | None = None
    text: Expression = "text"


class LinkTable(Files):
    """A table of which passage answers which query."""

    query: Expression
    passage: Expression
    negative: Expression | None = None
    keep: dict[PlainName, Expression] = Field(default_factory=dict)


class Translations(_Part):
    """Where a source that is parallel already has its other languages; `{}` stands for the language's own name there."""

    queries: str
    passages: str
    languages: dict[str, str] = Field(min_length=1)
    """Its name there, by code or tag of a language."""

    @pydantic.field_validator("languages")
    @classmethod
    def _codes(cls, names: dict[str, str]) -> dict[str, str]:
        try:
            codes = {LANGUAGES.find(language).code: name for language, name in names.items()}
        except UserError as error:
            raise ValueError(str(error)) from None
        if ENGLISH.code in codes:
            raise ValueError("English is what `queries` and `passages` of the card itself hold")
        return codes


class Size(_Part):
    """About how much a source gives after cleaning, to plan with before anything is downloaded."""

    queries: NonNegativeInt | None = None
    passages: NonNegativeInt | None = None
    """Positives, and one hard negative of each pair (`cleaning.max_negatives`)."""
    pairs: NonNegativeInt | None = None
    sentences: NonNegativeInt | None = None
    """Different sentences of its queries and passages together."""


class Card(Files):
    """What a card's front matter says, and where the card stands."""

    name: PlainName
    """Names the source in the store and in every pair."""
    title: str
    """One line for people."""
    role: Literal["training", "evaluation"] = "training"
    """An evaluation set is never trained on."""
    hub: Hub | None = None
    sha256: dict[str, str] = Field(default_factory=dict)
    """Checksum of a file, by the name it has in `files`."""
    rows: RowMapping | None = None
    queries: TextTable | None = None
    passages: TextTable | None = None
    links: LinkTable | None = None
    """`queries`, `passages` and `links`: a source of three tables that belong together by id, instead of `rows`."""
    html: bool = True
    """Whether tags and entities in its texts are markup. Where they are text, as in questions about HTML, they stay as they are."""
    translations: Translations | None = None
    languages: list[LanguageCode] | None = None
    """Target languages that the source is translated into or imported in; an empty list: it stays English. If not given, all of the
    run's, or those of `translations`."""
    size: Size | None = None
    licence: str = Field(min_length=1)
    """An SPDX expression, such as `CC-BY-SA-4.0`; `LicenseRef-NAME` for terms of the source's own."""
    licence_terms: list[Term] | None = None
    """What the licence asks, where it is not in `pipeline/licences.tsv`; an empty list: nothing."""
    homepage: str | None = None
    citation: str | None = None
    """BibTeX."""
    path: Path = Field(exclude=True)
    profile_folder: Path | None = Field(None, exclude=True)
    """Of a card that comes with the project, the folder whose `pins.yaml` may name its commit; None of a card of the user's own."""

    @pydantic.field_validator("licence")
    @classmethod
    def _not_blank(cls, licence: str) -> str:
        if not licence.strip():
            raise ValueError("name the licence, such as CC-BY-SA-4.0")
        return licence

    @pydantic.field_validator("languages")
    @classmethod
    def _different_languages(cls, codes: list[str] | None) -> list[str] | None:
        for code in codes or []:
            if (codes or []).count(code) > 1:
                raise ValueError(f"{code} is listed twice")
        return codes

    @pydantic.model_validator(mode="after")
    def _complete(self) -> Card:
        for where, table in self.tables().items():
            if self.hub is None and not table.files:
                raise ValueError(f"{where}files: name the files, or the `hub` repository")
            if self.hub is None and table.config:
                raise ValueError(f"{where}config: only a `hub` repository has configurations")
            if self.hub is not None and not table.files and not (table.config and table.split):
                raise ValueError(f"{where}config: name the repository's `config` and `split`, or `files` in it")
        if self.joined and self.rows:
            raise ValueError("rows: a source of three tables takes `queries`, `passages` and `links` instead")
        if not self.joined and self.rows is None and self.format not in ("squad", "beir"):
            raise ValueError("rows: say how a row yields `query` and `passage`")
        if self.joined and self.queries is None:
            raise ValueError("queries: a source of three tables needs `queries`, `passages` and `links`")
        if self.joined and self.role == "training" and not (self.passages and self.links):
            raise ValueError("links: a source of three tables needs `queries`, `passages` and `links`")
        if self.translations and not self.joined:
            raise ValueError("translations: only a source of three tables can be joined with its translations")
        foreign = set(self.languages or []) - set(self.translations.languages) if self.translations else set()
        if foreign:
            raise ValueError(f"languages: {', '.join(sorted(foreign))}: the source has no such `translations`, and is never translated")
        return self

    @property
    def joined(self) -> bool:
        """Whether the source is tables that belong together by id."""
        return self.queries is not None or self.passages is not None or self.links is not None

    def tables(self) -> dict[str, Files]:
        """The tables to read, by where the card describes them: "" or, for example, "queries."."""
        if not self.joined:
            return {"": self}
        named = {"queries.": self.queries, "passages.": self.passages, "links.": self.links}
        return {where: table for where, table in named.items() if table is not None}

    def target_languages(self, run_languages: Sequence[str]) -> list[str]:
        """Which of the languages of a run (NLLB codes) the source is translated into or imported in, in the run's order."""
        own = self.languages
        if own is None and self.translations:
            own = list(self.translations.languages)
        return [code for code in run_languages if own is None or code in own]

    def reading(self) -> dict[str, Any]:
        """All of the card that decides what is read; not what it says for people or for planning."""
        facts = self.model_dump(mode="json", exclude=_NOT_READ, exclude_defaults=True)
        return facts | {"join": JOIN_VERSION} if self.role == "training" and (self.joined or self.format == "beir") else facts


def load_card(settings: Settings, name: str) -> Card:
    """The card `name`: a file in `data_cards/`, or a path relative to the profile. Raises UserError."""
    return find_card(name, settings.folder)


def find_card(name: str, folder: Path) -> Card:
    """The card `name`: a file in `data_cards/`, at its commit in `pins.yaml` in `folder` if there is one, or a path relative to `folder`.

    Raises UserError.
    """
    path = folder / name if name.endswith(".md") else HOUSE / "data_cards" / f"{name}.md"
    if not path.is_file():
        known = ", ".join(shipped_cards())
        raise UserError(f"no data card {name!r}: give the path of a .md file, or one of {known}")
    card = read_card(path)
    return _pinned(card, folder) if shipped(path) else card


def _pinned(card: Card, folder: Path) -> Card:
    """A shipped card as the profiles in `folder` read it."""
    pins = read_pins(folder)
    for name in sorted(pins.keys() - set(shipped_cards())):
        near = difflib.get_close_matches(name, shipped_cards(), n=1)
        raise UserError(
            f"{folder / PINS}: {name}: no such card comes with the project: {f'did you mean {near[0]!r}?' if near else 'remove the line'}"
        )
    commit = pins.get(card.path.stem)
    if commit and card.hub is None:
        raise UserError(f"{folder / PINS}: {card.path.stem}: the card reads no hub repository: there is nothing to pin; remove the line")
    hub = card.hub.model_copy(update={"revision": commit}) if card.hub and commit else card.hub
    return card.model_copy(update={"hub": hub, "profile_folder": folder})


def shipped_cards() -> list[str]:
    """The names of the cards in `data_cards/`."""
    return sorted(file.stem for file in (HOUSE / "data_cards").glob("*.md"))


def read_card(path: Path) -> Card:
    """The card in the file `path`. Raises UserError that names the file, the key and the remedy."""
    try:
        match = _FRONT_MATTER.match(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {one_line(error)}") from None
    if not match:
        raise UserError(f"{path}: a data card begins with YAML between two lines of ---")
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise UserError(f"{path}: front matter cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(front, dict):
        raise UserError(f"{path}: the front matter is a YAML mapping, see data_cards/sample-qa.md")
    if "licence" not in front:
        raise UserError(f"{path}: the card has no licence: add a line such as 'licence: CC-BY-SA-4.0'")
    return parse(Card, front | {"path": path, "profile_folder": None}, str(path))
