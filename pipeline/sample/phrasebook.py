"""The phrase book: parallel templates and word lists of an invented world, in ten languages.

A *record* (a town, a dish, a club) has slots, statements about it and questions that a statement
answers. A *fact* is a record whose slots are filled. Every sentence of a fact exists in every
language, so facts give both the training pairs of the sample translation model and its question set.

About one combination in eight is *held out*: it never occurs in the model's training data, only in
the measurement of the model and in the sample question set.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PHRASES = Path(__file__).parent / "phrases"
LANGUAGES = ("en", "de", "es", "ru", "hi", "ar", "zh", "th", "tr", "sw")
HELD_OUT_SHARE = 0.125

_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")

Forms = Mapping[str, str]  # grammatical form -> text; "_" is the base form
Entry = Mapping[str, Forms]  # language -> forms


class PhraseBookError(ValueError):
    """A phrase file that cannot be used; the message names the file, the place and what is wrong."""


@dataclass(frozen=True)
class Template:
    """One sentence in every language, with `{slot}` or `{slot.form}` where a filler goes."""

    name: str
    text: Mapping[str, str]
    slots: frozenset[str]
    answer: str | None = None  # the slot that answers the question; None for a statement


@dataclass(frozen=True)
class Record:
    """One kind of thing that the book can talk about."""

    name: str
    domain: str
    key: tuple[str, ...]
    slots: Mapping[str, str | tuple[int, int]]  # a list's name, or a range of whole numbers
    statements: tuple[Template, ...]
    questions: tuple[Template, ...]


@dataclass(frozen=True)
class Fact:
    """A record whose slots are filled, each by a list entry or by a number."""

    record: Record
    fillers: Mapping[str, Entry | int]

    def say(self, template: Template, language: str) -> str:
        """The sentence of `template` about this fact in `language`."""

        def fill(match: re.Match[str]) -> str:
            filler = self.fillers[match[1]]
            if isinstance(filler, int):
                return str(filler)
            return _form(filler[language], match[2])

        sentence = _SLOT.sub(fill, template.text[language])
        return sentence[0].upper() + sentence[1:]

    def english(self, slot: str) -> str:
        """The English base form of what fills `slot`."""
        filler = self.fillers[slot]
        return str(filler) if isinstance(filler, int) else filler["en"]["_"]

    def held_out(self, template: Template) -> bool:
        """Whether the model must never see this sentence in training.

        A sentence that names the record's whole key is held out with the key, so that all questions
        on a held-out thing are; any other by its own fillers.
        """
        slots = self.record.key if template.slots.issuperset(self.record.key) else sorted(template.slots)
        scope = "" if slots is self.record.key else template.name
        combination = "|".join([self.record.name, scope, *(self.english(slot) for slot in slots)])
        digest = hashlib.blake2b(combination.encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**32 < HELD_OUT_SHARE


@dataclass(frozen=True)
class PhraseBook:
    """All records and the lists that fill their slots."""

    records: tuple[Record, ...]
    lists: Mapping[str, tuple[Entry, ...]]

    def draw(self, record: Record, rng: random.Random) -> Fact:
        """A fact of `record`, every slot filled uniformly; no entry fills two slots."""
        fillers: dict[str, Entry | int] = {}
        for slot, source in record.slots.items():
            if isinstance(source, tuple):
                fillers[slot] = rng.randint(*source)
            else:
                choices = [entry for entry in self.lists[source] if entry not in fillers.values()]
                fillers[slot] = rng.choice(choices)
        return Fact(record, fillers)

    def templates(self) -> Iterator[tuple[Record, Template]]:
        for record in self.records:
            for template in (*record.statements, *record.questions):
                yield record, template


def load(folder: Path = PHRASES) -> PhraseBook:
    """Read every `*.yaml` of `folder`; lists are shared by all files.

    Raises PhraseBookError where a language, a slot, a list or a grammatical form is missing, or where
    two templates or two entries cannot be told apart in some language.
    """
    lists: dict[str, tuple[Entry, ...]] = {}
    files = sorted(folder.glob("*.yaml"))
    contents = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}
    for path, content in contents.items():
        for name, entries in content.get("lists", {}).items():
            if name in lists:
                raise PhraseBookError(f"{path.name}: list {name!r} is defined twice")
            lists[name] = tuple(_entry(entry, f"{path.name}: list {name!r}") for entry in entries)
    records: list[Record] = []
    for path, content in contents.items():
        for name, body in content.get("records", {}).items():
            records.append(_record(name, path.stem, body, lists, f"{path.name}: record {name!r}"))
    book = PhraseBook(tuple(records), lists)
    _check_distinct(book)
    return book


def _form(forms: Forms, name: str | None) -> str:
    return forms[name] if name and name in forms else forms["_"]


def _entry(raw: Mapping[str, str | Mapping[str, str]], where: str) -> Entry:
    missing = set(LANGUAGES) - set(raw)
    if missing:
        raise PhraseBookError(f"{where}: entry {raw.get('en')!r} lacks {sorted(missing)}")
    return {language: forms if isinstance(forms, dict) else {"_": str(forms)} for language, forms in raw.items()}


def _record(name: str, domain: str, body: Mapping[str, Any], lists: Mapping[str, tuple[Entry, ...]], where: str) -> Record:
    slots: dict[str, str | tuple[int, int]] = {}
    for slot, source in body["slots"].items():
        if isinstance(source, list):
            slots[slot] = (int(source[0]), int(source[1]))
        elif source in lists:
            slots[slot] = source
        else:
            raise PhraseBookError(f"{where}: slot {slot!r} draws from an unknown list {source!r}")

    def templates(group: str) -> tuple[Template, ...]:
        return tuple(
            _template(f"{group}.{key}", texts, slots, lists, f"{where}: {group[:-1]} {key!r}") for key, texts in body[group].items()
        )

    record = Record(name, domain, tuple(body["key"]), slots, templates("statements"), templates("questions"))
    answerable = frozenset().union(*(template.slots for template in record.statements))
    for question in record.questions:
        if question.answer not in answerable:
            raise PhraseBookError(f"{where}: no statement tells {question.answer!r}, which {question.name} asks")
        if not question.slots.issuperset(record.key):
            raise PhraseBookError(f"{where}: {question.name} must name the whole key {record.key}")
    return record


def _template(
    name: str, texts: Mapping[str, str], slots: Mapping[str, Any], lists: Mapping[str, tuple[Entry, ...]], where: str
) -> Template:
    missing = set(LANGUAGES) - set(texts)
    if missing:
        raise PhraseBookError(f"{where} lacks {sorted(missing)}")
    used = frozenset(match[1] for match in _SLOT.finditer(texts["en"]))
    for language in LANGUAGES:
        for slot, form in _SLOT.findall(texts[language]):
            if slot not in slots:
                raise PhraseBookError(f"{where}, {language}: unknown slot {slot!r}")
            source = slots[slot]
            if form and (not isinstance(source, str) or not any(form in entry[language] for entry in lists[source])):
                raise PhraseBookError(f"{where}, {language}: no entry of {source!r} has a form {form!r}")
        if frozenset(slot for slot, _ in _SLOT.findall(texts[language])) != used:
            raise PhraseBookError(f"{where}, {language}: its slots differ from the English ones")
        if "{" in _SLOT.sub("", texts[language]):
            raise PhraseBookError(f"{where}, {language}: a stray brace")
    return Template(name, {language: texts[language] for language in LANGUAGES}, used, texts.get("answer"))


def _check_distinct(book: PhraseBook) -> None:
    """Names that are written alike, and sentences that differ only in their fillers, could not be translated back."""
    for language in LANGUAGES:
        seen: dict[str, str] = {}
        for record, template in book.templates():
            shape = _SLOT.sub("<>", template.text[language])
            place = f"{record.domain}.{record.name}.{template.name}"
            if shape in seen:
                raise PhraseBookError(f"{place} reads like {seen[shape]} in {language}: {shape}")
            seen[shape] = place
        for name, entries in book.lists.items():
            texts = [entry[language]["_"] for entry in entries]
            if len(set(texts)) != len(texts):
                raise PhraseBookError(f"list {name!r}: two entries are the same in {language}")
        english: dict[str, str] = {}
        for name, entry in ((name, entry) for name, entries in book.lists.items() for entry in entries):
            if entry["de"] == entry["en"]:  # a name
                text, meaning = entry[language]["_"], entry["en"]["_"]
                if english.setdefault(text, meaning) != meaning:
                    raise PhraseBookError(f"list {name!r}: {meaning!r} reads like {english[text]!r} in {language}: {text}")


def main() -> None:
    """Check the book and print two random facts of every record, for proof-reading."""
    import sys

    book = load()
    rng = random.Random((len(sys.argv) > 2 and sys.argv[2]) or 0)
    for record in book.records:
        if len(sys.argv) > 1 and record.domain != sys.argv[1]:
            continue
        fact = book.draw(record, rng)
        for template in (*record.statements, *record.questions):
            print(f"\n{record.domain}.{record.name} {template.name}")
            for language in LANGUAGES:
                print(f"  {language}  {fact.say(template, language)}")
    sentences = sum(1 for _ in book.templates())
    print(f"\n{len(book.records)} records, {sentences} templates, {sum(map(len, book.lists.values()))} list entries")


if __name__ == "__main__":
    main()
