"""What earlier runs translated already: a changed source costs its new sentences only.

A unit of translations says what it was made from and with what, so its sentences can be read again beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from parallel_qa.pipeline.store import Record, Store
from parallel_qa.pipeline.translation.engine import Translation
from parallel_qa.pipeline.work import Unit

DATA = "sentences/00000.parquet"
"""The file of a unit of translations."""

Translate = Callable[[list[str]], list[Translation]]

_lock = threading.Lock()
_remembered: dict[tuple[str, ...], dict[str, Translation]] = {}


def facts(made_with: str, segmented: Unit, source: Record, file: str) -> dict[str, object]:
    """What a unit's record has to say for its translations to be found again.

    `made_with` stands for model, decoding and direction; row *i* of `file` of `source` is what row *i* was made from.
    """
    return {"made_with": made_with, "sentences": segmented.fingerprint, "source": [source.path, source.fingerprint, file]}


def reuse(store: Store, unit: Unit, segmented: Unit, made_with: str, texts: Sequence[str], translate: Translate) -> list[Translation]:
    """The translations of `texts`: earlier ones where there are any, the others by `translate`, each text once."""
    known = _known(store, unit.path.rsplit("/", 1)[0], segmented.fingerprint, made_with)
    new = [text for text in dict.fromkeys(texts) if text not in known]
    made = known | dict(zip(new, translate(new), strict=True))
    return [made[text] for text in texts]


def _known(store: Store, folder: str, sentences: str, made_with: str) -> dict[str, Translation]:
    """Translations below `folder` by their texts; not those of the same division into sentences, which has no text twice."""
    key = (store.url, folder, sentences, made_with)
    with _lock:
        if key not in _remembered:
            if len(_remembered) >= 2:  # the way there and the way back of one source
                _remembered.clear()
            known: dict[str, Translation] = {}
            for record in store.records(folder):
                if record.facts.get("made_with") == made_with and record.facts.get("sentences") != sentences:
                    known |= _pairs(store, record)
            _remembered[key] = known
        return _remembered[key]


def _pairs(store: Store, record: Record) -> dict[str, Translation]:
    path, fingerprint, file = record.facts["source"]
    source = store.record(path, fingerprint)
    if source is None:
        return {}
    texts = store.read_table(source, file)["text"].to_pylist()
    rows = store.read_table(record, DATA).to_pylist()
    pairs = {text: Translation(row["text"], row["mark"], row["score"]) for text, row in zip(texts, rows, strict=True)}
    return {text: translation for text, translation in pairs.items() if translation.mark != "not_checked"}
