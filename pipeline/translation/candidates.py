"""The pieces of a model's vocabulary that a language needs: to decode among them alone takes half of the time.

NLLB-200 has 256,206 pieces for 202 languages, and for each token it writes it computes the likelihood of them all. Which of them a
language needs is learnt from the run itself: the first sentences are translated with all pieces, and what they were translated to
teaches. New names are in no lesson. So to that are added the pieces of the English texts, whose names, terms and code are copied; those
without letters, as numbers; short ones, with which any word can be spelt; and all of a script that is not as large as Latin.

Makes the units `candidates/LANG` with the tables `there` and `back`: the pieces of translations and of back-translations.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import sentencepiece

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.progress import Progress
from parallel_qa.pipeline.scripts import count_letters
from parallel_qa.pipeline.settings import CandidateSettings, Settings, Way
from parallel_qa.pipeline.store import Store, fingerprint
from parallel_qa.pipeline.translation.model_finding import ModelFacts
from parallel_qa.pipeline.translation.models import Model, vocabulary
from parallel_qa.pipeline.translation.packs import Pack
from parallel_qa.pipeline.translation.run_models import model_of
from parallel_qa.pipeline.work import Unit

VERSION = 2
PIECES = pa.schema([("piece", pa.string())])

_SPACE = "▁"
"""What SentencePiece writes for a space: a piece that begins a word has it in front."""
_SHORT = 2
"""Letters of a short piece at most."""
_WHOLE_SCRIPT = 40_000
"""All pieces of a script are candidates where there are no more of them: lessons would be long in finding them, and they cost little."""
_ENGLISH_SENTENCES = 500_000
"""Sentences whose English pieces are looked at; of more every n-th file of them."""


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
    english: set[str] = set()
    for file in unit.files.values():
        english.update(_words(store.read_file(file)))
        progress.advance(unit.path, 1)
    english = copied_words(english)
    words = {"there": {*english}, "back": english}
    for taught in unit.inputs.values():
        for way, made in (("there", taught.inputs.get("translated")), ("back", taught)):
            if made is not None:
                record = made.result(store)
                words[way].update(*(_words(store.read_table(record, name)) for name in record.files))
        progress.advance(unit.path, 1)
    ways: tuple[tuple[Way, Language], ...] = (("there", language), ("back", ENGLISH))
    with store.write_unit(unit.path, unit.fingerprint) as writer:
        for way, target in ways:
            pieces = candidate_pieces(model_of(settings, language.code, way), target, words[way])
            writer.write_table(f"{way}.parquet", pa.table({"piece": pieces}, schema=PIECES))
            writer.facts[way] = len(pieces)
    progress.finish(unit.path)


def read_candidates(store: Store, unit: Unit) -> tuple[list[str], list[str]]:
    """The pieces of the way there and of the way back, which a unit learnt."""
    record = unit.result(store)
    there, back = (store.read_table(record, f"{name}.parquet")["piece"].to_pylist() for name in ("there", "back"))
    return there, back


def candidate_pieces(model: Model, target: Language, words: Iterable[str]) -> list[str]:
    """The pieces of the model's vocabulary, in its order, that `target` needs, by `words` of the language and those that are copied."""
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1]))
    used = set(chain.from_iterable(encoder.encode(sorted({*words}), out_type=str, num_threads=-1)))
    return needed_pieces(vocabulary(model.folder, "target"), target, used.union(model.target_prefix(target)))


def copied_words(words: Iterable[str]) -> set[str]:
    """English words as they stand in a translation: after a space, or after a mark or a letter, where they are other pieces."""
    return {written for word in words for written in (word, f"({word}")}


def needed_pieces(pieces: Sequence[str], target: Language, used: Container[str]) -> list[str]:
    """Those of a vocabulary, in its order, that `target` needs: `used` ones, those without a letter, short ones, its script's if few."""
    texts = [piece.removeprefix(_SPACE) for piece in pieces]
    letters, own, latin = (count_letters(texts, script) for script in (None, target.script, ENGLISH.script))
    short = np.array([len(text) <= _SHORT for text in texts], dtype=bool) & (own + latin > 0)
    wanted = (letters == 0) | short | ((own > 0) & ((own > 0).sum() <= _WHOLE_SCRIPT))
    return [piece for piece, always in zip(pieces, wanted, strict=True) if always or piece in used]


def _words(table: pa.Table) -> set[str]:
    """The words of all texts of a table. SentencePiece makes pieces of words, so that each has to be looked at but once."""
    return {word for text in table["text"].to_pylist() for word in text.split()}


def _rows(pack: Pack) -> int:
    return sum(file.rows for file in pack.files.values())
