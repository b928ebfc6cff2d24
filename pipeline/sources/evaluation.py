"""The evaluation sets of a run: which they are, and their texts, indexed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.once import MadeOnce
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.sources.card import Card, RowMapping, load_card
from parallel_qa.pipeline.sources.card_rows import read_rows
from parallel_qa.pipeline.sources.cleaning import clean
from parallel_qa.pipeline.sources.decontamination import RULES, EvaluationIndex
from parallel_qa.pipeline.sources.fetching import identity
from parallel_qa.pipeline.sources.joined import read_texts, tables_of_beir
from parallel_qa.pipeline.sources.pinning import single_commit
from parallel_qa.pipeline.sources.staging import in_batches
from parallel_qa.pipeline.store import fingerprint


class Evaluation:
    """The evaluation texts that training rows are compared with."""

    def __init__(self, cards: list[Card]) -> None:
        """Reads all of them. Raises UserError where one cannot be read."""
        self.sets: list[dict[str, Any]] = []
        texts: dict[str, list[tuple[str, str]]] = {kind: [] for kind in RULES}
        for card in cards:
            unique: dict[str, dict[str, str]] = {kind: {} for kind in RULES}
            for kind, name, text in _clean_texts(card):
                unique[kind].setdefault(text, name)
            for kind, named in unique.items():
                texts[kind] += [(name, text) for text, name in named.items()]
            if not any(unique.values()):
                raise UserError(f"{card.path}: the evaluation set holds no text at all")
            version = single_commit(card) or fingerprint(**identity(card))
            counts = {"queries": len(unique["query"]), "passages": len(unique["passage"])}
            self.sets.append({"name": card.name, "version": version, **counts})
        self.indexes = {kind: EvaluationIndex(kind, texts[kind]) for kind in RULES}

    def facts(self) -> dict[str, Any]:
        """What a manifest says of it: the sets with their versions and sizes, and the rules."""
        return {"sets": self.sets, "rules": {kind: asdict(rule) for kind, rule in RULES.items()}}


_loaded: MadeOnce[str, Evaluation] = MadeOnce(most=1)


def evaluation_cards(settings: Settings) -> list[Card]:
    """The cards of the run's evaluation sets; a folder among them gets one. Raises UserError."""
    return [_evaluation_card(settings, name) for name in settings.evaluation]


def evaluation_of(settings: Settings) -> Evaluation:
    """The run's evaluation texts; read once in a process."""
    cards = evaluation_cards(settings)
    key = fingerprint(cards=[identity(card) for card in cards])
    return _loaded.get(key, lambda: Evaluation(cards))


def _evaluation_card(settings: Settings, name: str) -> Card:
    folder = settings.folder / Path(name).expanduser()
    return _folder_card(folder.resolve()) if folder.is_dir() else load_card(settings, name)


def _folder_card(folder: Path) -> Card:
    common: dict[str, Any] = {
        "name": "".join(c if c.isalnum() or c in "._-" else "-" for c in folder.name).lstrip(".") or "folder",
        "title": folder.name,
        "role": "evaluation",
        "licence": "unknown",
        "path": folder / "README.md",
    }
    if any(folder.glob("queries.jsonl*")) or any(folder.glob("corpus.jsonl*")):
        return Card(format="beir", files=["."], **common)
    if any(folder.glob("*.json*")):
        return Card(format="squad", files=["*.json*"], **common)
    if any(folder.glob("*.txt")):
        line = RowMapping(query="text", passage="text")
        return Card(format="tsv", files=["*.txt"], columns=["text"], quotes=False, rows=line, **common)
    raise UserError(f"evaluation: {folder} holds neither a BEIR layout (queries.jsonl, corpus.jsonl), nor .json or .txt files")


def _clean_texts(card: Card) -> Iterator[tuple[str, str, str]]:
    """("query" or "passage", what it is called, the clean text)."""
    for batch in in_batches(_raw_texts(card), 10_000):
        texts = pa.array([text.encode(errors="replace").decode() for _, _, text in batch], pa.string())
        for (kind, name, _), text in zip(batch, clean(texts, Counter(), card.html).to_pylist(), strict=True):
            if text:
                yield kind, name, text


def _raw_texts(card: Card) -> Iterator[tuple[str, str, str]]:
    if card.format == "beir":
        card = tables_of_beir(card)
    if card.joined:
        for kind, key, text in read_texts(card):
            yield kind, f"{card.name} {key}", text
        return
    for row in read_rows(card):
        # An unanswerable question is set aside in training, and yet a question of the set.
        if row.query:
            yield "query", f"{card.name} {row.source_id}", row.query
        if row.passage:
            yield "passage", f"{card.name} {row.source_id}", row.passage
