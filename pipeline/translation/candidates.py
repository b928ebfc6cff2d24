"""The pieces of a model's vocabulary that a language needs: to decode among them alone takes half of the time.

NLLB-200 has 256,206 pieces for 202 languages, and for each token it writes it computes the likelihood of them all. Which of them a
language needs is learnt from the run itself: the first sentences are translated with all pieces, and what they were translated to
teaches. New names are in no lesson. So to that are added the pieces of names, numbers and code of the English texts, which are
copied, and short pieces, with which any word can be spelt.

Makes the units `candidates/LANG` with the tables `there` and `back`: the pieces of translations and of back-translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import sentencepiece

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.scripts import count_letters
from parallel_qa.pipeline.settings import CandidateSettings, Settings
from parallel_qa.pipeline.store import Store, fingerprint
from parallel_qa.pipeline.translation.model_finding import ModelFacts
from parallel_qa.pipeline.translation.models import Model, vocabulary
from parallel_qa.pipeline.translation.packs import Pack
from parallel_qa.pipeline.translation.run_models import back_model_of, model_of
from parallel_qa.pipeline.work import Unit

VERSION = 1
PIECES = pa.schema([("piece", pa.string())])

_SPACE = "▁"
"""What SentencePiece writes for a space: a piece that begins a word has it in front."""
_SHORT = 3
"""Letters of a short piece at most."""
_WHOLE_SCRIPT = 20_000
"""All pieces of a script are candidates where there are no more of them."""
_ENGLISH_SENTENCES = 500_000
"""Sentences whose English pieces are looked at; of more every n-th file of them."""
_COPIED = re.compile(r"\S*[A-Z0-9_@/\\]\S*")
"""Words that may stand in a translation as they are in English: names, numbers, code."""


def lessons(packs: Sequence[Pack], settings: CandidateSettings) -> list[Pack]:
    """The packs whose translations teach, of all that are to be had in a language: the first of each source, in turn.

    There are none where so much is to be learnt from that little would be left to gain by it.
    """
    if not settings.use or sum(map(_rows, packs)) < settings.worth_from * settings.lessons:
        return []
    chosen: list[Pack] = []
    for pack in sorted(packs, key=lambda pack: pack.number):
        if sum(map(_rows, chosen)) >= settings.lessons:
            break
        chosen.append(pack)
    return chosen


def unit_of(models: tuple[ModelFacts, ModelFacts], code: str, taught: Sequence[Unit], packs: Iterable[Pack]) -> Unit:
    """The unit that learns the candidates of a language from the translations `taught`, and English from the sentences of `packs`."""
    files = [file for pack in packs if pack.language == ENGLISH.code for file in pack.files.values()]
    step = 1 + sum(file.rows for file in files) // _ENGLISH_SENTENCES
    english = {f"english/{number:05d}": file for number, file in enumerate(files[::step])}
    content = fingerprint(
        stage="candidates",
        version=VERSION,
        language=code,
        models=[model.fingerprint for model in models],
        taught=[unit.fingerprint for unit in taught],
        english=[file.sha256 for file in english.values()],
    )
    inputs = {unit.path: unit for unit in taught}
    return Unit(f"candidates/{code}", content, language=code, inputs=inputs, files=english)


def do(settings: Settings, store: Store, unit: Unit, progress: Progress) -> None:
    """Learn the candidates of one language for the way there and the way back."""
    language = LANGUAGES.find(unit.language)
    progress.start(unit.path, len(unit.inputs) + len(unit.files), "files")
    words: set[str] = set()
    sentences: set[str] = set()
    for file in unit.files.values():
        texts = store.read_file(file)["text"].to_pylist()
        words.update(word for text in texts for word in _COPIED.findall(text))
        sentences.update(word for text in texts for word in text.split())
        progress.advance(unit.path, 1)
    outputs: dict[str, set[str]] = {"there": set(), "back": sentences}
    for taught in unit.inputs.values():
        for name, made in (("there", taught.inputs.get("translated")), ("back", taught)):
            if made is not None:
                outputs[name].update(_words(store, made))
        progress.advance(unit.path, 1)
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for name, target, model in (("there", language, model_of(settings)), ("back", ENGLISH, back_model_of(settings))):
            pieces = candidate_pieces(model, target, outputs[name], words)
            writer.write_table(f"{name}.parquet", pa.table({"piece": pieces}, schema=PIECES))
            writer.facts[name] = len(pieces)
    progress.finish(unit.path)


def read_candidates(store: Store, unit: Unit) -> tuple[list[str], list[str]]:
    """The pieces of the way there and of the way back, which a unit learnt."""
    record = unit.result(store)
    there, back = (store.read_table(record, f"{name}.parquet")["piece"].to_pylist() for name in ("there", "back"))
    return there, back


def candidate_pieces(model: Model, target: Language, learnt: Iterable[str], copied: Iterable[str]) -> list[str]:
    """The pieces of the model's vocabulary, in its order, that `target` needs: by `learnt` words of the language, and `copied` ones."""
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1]))
    words = sorted({*learnt, *copied})
    used = set(chain.from_iterable(encoder.encode(words, out_type=str, num_threads=-1)))
    used.update(model.target_prefix(target))
    known = vocabulary(model.folder)
    texts = [piece.removeprefix(_SPACE) for piece in known]
    letters, own, latin = (count_letters(texts, script) for script in (None, target.script, ENGLISH.script))
    whole_script = (own == letters) if (own == letters).sum() <= _WHOLE_SCRIPT else letters == 0
    short = np.array([len(text) <= _SHORT for text in texts], dtype=bool) & ((own == letters) | (latin == letters))
    return [piece for piece, wanted in zip(known, whole_script | short, strict=True) if wanted or piece in used]


def _words(store: Store, unit: Unit) -> set[str]:
    """The words of all translations of a unit. SentencePiece makes pieces of words, so that each has to be looked at but once."""
    record = unit.result(store)
    tables = (store.read_table(record, name) for name in record.files)
    return {word for table in tables for text in table["text"].to_pylist() for word in text.split()}


def _rows(pack: Pack) -> int:
    return sum(file.rows for file in pack.files.values())
