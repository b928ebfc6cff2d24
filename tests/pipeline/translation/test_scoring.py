from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES, Language
from parallel_qa.pipeline.settings import TranslationSettings
from parallel_qa.pipeline.translation.cutting import cut_model
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import SENTENCEPIECE, open_model, vocabulary
from parallel_qa.pipeline.translation.scoring import Scorer, _batches, _Pair, words_of

GERMAN, CHINESE = LANGUAGES.find("de"), LANGUAGES.find("zho_Hans")
PIECES = sentencepiece.SentencePieceProcessor(model_file=str(SAMPLE / SENTENCEPIECE))
GERMAN_TEXTS = [
    "Der Fluss Aldo ist 740 Kilometer lang.",
    "Der Fluss Aldo ist lang.",
    "Die Stadt",
    "Wie lang ist der Fluss Aldo in Velu, und wie lang ist der Fluss Bel in Tambri?",
]
ENGLISH_TEXTS = [
    "The river Aldo is 740 kilometres long.",
    "The river Aldo is 740 kilometres long.",
    "The town  of Tessi",
    "How long is the river Aldo in Velu?",
]


def scorer(**settings: object) -> Scorer:
    return Scorer(open_model(SAMPLE), TranslationSettings.model_validate({"compute_type": "int8", **settings}))


def test_the_scores_are_those_of_the_bare_engine_and_in_order() -> None:
    bare = ctranslate2.Translator(str(SAMPLE), compute_type="int8")
    done: list[tuple[int, int]] = []
    scores = scorer().score(GERMAN_TEXTS, ENGLISH_TEXTS, GERMAN, ENGLISH, lambda sentences, tokens: done.append((sentences, tokens)))
    for german, english, score in zip(GERMAN_TEXTS, ENGLISH_TEXTS, scores, strict=True):
        source, output = (PIECES.encode(text, out_type=str) for text in (german, english))
        [expected] = bare.score_batch([["deu_Latn", *source, "</s>"]], [["eng_Latn", *output]])
        assert score is not None
        assert score.pieces == pytest.approx(expected.log_probs[1:], abs=1e-4)
        assert len(score.pieces) == len(output) + 1
        assert [english[word.start : word.end] for word in score.words] == english.split()
        assert sum(word.log_probability for word in score.words) + score.pieces[-1] == pytest.approx(sum(score.pieces), abs=1e-3)
        assert score.mean == pytest.approx(sum(score.pieces) / len(score.pieces))
        assert score.unknown == 0
    assert sum(sentences for sentences, _ in done) == len(GERMAN_TEXTS)
    assert sum(tokens for _, tokens in done) == sum(len(score.pieces) + 1 for score in scores if score)


def test_a_word_that_the_source_lacks_is_less_likely_than_where_it_is_there() -> None:
    whole, without, *_ = scorer().score(GERMAN_TEXTS, ENGLISH_TEXTS, GERMAN, ENGLISH)
    assert whole and without
    changes = [one.log_probability - other.log_probability for one, other in zip(whole.words, without.words, strict=True)]
    words = ENGLISH_TEXTS[0].split()
    assert words[changes.index(max(changes))] == "740"


@pytest.mark.parametrize(("compute_type", "difference"), [("float32", 0.001), ("int8", 0.1)])
def test_the_scores_hardly_depend_on_the_batch_size(compute_type: str, difference: float) -> None:
    """In 8 bits a sum that differs in its seventh digit may be rounded to the next number."""
    sources = GERMAN_TEXTS + [f"Der Fluss Aldo ist {number} Kilometer lang." for number in range(120, 200)]
    outputs = ENGLISH_TEXTS + [f"The river is {number} kilometres long, and Aldo is its name." for number in range(120, 200)]
    one, *others = (
        scorer(max_batch_tokens=size, inter_threads=1, compute_type=compute_type).score(sources, outputs, GERMAN, ENGLISH)
        for size in (16, 200, 4096)
    )
    for other in others:
        for score, same in zip(one, other, strict=True):
            assert score and same and score.pieces == pytest.approx(same.pieces, rel=0, abs=difference)


def test_what_is_blank_or_too_long_has_no_score() -> None:
    long = " and ".join(["the river Aldo is long"] * 20)
    sources = ["", "Der Fluss", " \n", "Der Fluss", long, "Der Fluss"]
    outputs = ["the river", "", "the river", long, "the river", "the river"]
    scores = scorer(max_source_tokens=50, max_target_tokens=50).score(sources, outputs, GERMAN, ENGLISH)
    assert [score is None for score in scores] == [True, True, True, True, True, False]
    assert all(scorer().score(sources[3:], outputs[3:], GERMAN, ENGLISH))
    assert scorer().score([], [], GERMAN, ENGLISH) == []


@pytest.mark.parametrize(("most", "scored"), [(6, False), (7, True), (8, True)])
def test_the_longest_output_that_is_scored_has_so_many_tokens_with_language_and_end(most: int, scored: bool) -> None:
    output = "the river is long and"
    assert len(PIECES.encode(output)) == 5
    [score] = scorer(max_target_tokens=most).score(["Der Fluss"], [output], GERMAN, ENGLISH)
    assert (score is not None) is scored


def test_pieces_outside_of_a_cut_vocabulary_are_counted_and_scored_as_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLEL_QA_CACHE", str(tmp_path))
    known, unknown = ENGLISH_TEXTS[0], "The river Tambri is 740 kilometres long."
    lacking = set(PIECES.encode(unknown, out_type=str)) - set(PIECES.encode(known, out_type=str))
    model = cut_model(open_model(SAMPLE), ENGLISH, [piece for piece in vocabulary(SAMPLE) if piece not in lacking])
    cut = Scorer(model, TranslationSettings(compute_type="int8"))
    scores = cut.score(GERMAN_TEXTS[:1] * 2, [known, unknown], GERMAN, ENGLISH)
    assert [score and score.unknown for score in scores] == [0, len(lacking)]
    of_unknown, as_unknown = ctranslate2.Translator(str(model.folder), compute_type="int8").score_batch(
        [["deu_Latn", *PIECES.encode(GERMAN_TEXTS[0], out_type=str), "</s>"]] * 2,
        [
            ["eng_Latn", *(piece if piece not in lacking else other for piece in PIECES.encode(unknown, out_type=str))]
            for other in ("no such piece", "<unk>")
        ],
    )
    assert scores[1] and scores[1].pieces == pytest.approx(of_unknown.log_probs[1:], abs=1e-4)
    assert of_unknown.log_probs == as_unknown.log_probs
    [whole] = scorer().score(GERMAN_TEXTS[:1], [unknown], GERMAN, ENGLISH)
    assert whole and whole.unknown == 0


def test_characters_that_no_piece_has_are_counted() -> None:
    [score] = scorer().score(["Der Fluss"], ["the ᚠᚢ river"], GERMAN, ENGLISH)
    assert score and score.unknown == 1
    assert [word.end - word.start for word in score.words] == [3, 2, 5]


def test_as_many_outputs_as_sentences_are_needed_and_a_language_that_the_model_knows() -> None:
    with pytest.raises(ValueError, match="2 sentences and 1 outputs: each output needs its sentence"):
        scorer().score(["a", "b"], ["a"], GERMAN, ENGLISH)
    with pytest.raises(UserError, match=r"model 'sample' does not know kor_Hang"):
        scorer().score(["a"], ["a"], LANGUAGES.find("ko"), ENGLISH)


class SmallMemory:
    """A real translator on a device with room for batches of so many tokens."""

    def __init__(self, scorer: Scorer, room: int) -> None:
        self.real, self.room = scorer._translator, room
        self.sizes: list[int] = []

    def score_batch(self, sources: list[list[str]], outputs: list[list[str]], **options: object) -> object:
        size = len(sources) * max(max(len(source), len(output) + 1) for source, output in zip(sources, outputs, strict=True))
        self.sizes.append(size)
        if size <= self.room:
            return self.real.score_batch(sources, outputs, **options)

        class Failed:
            def result(self) -> None:
                raise RuntimeError("CUDA failed with error out of memory")

        return [Failed() for _ in sources]


MANY = [f"The river Aldo is {number} kilometres long." for number in range(300)]


def test_out_of_memory_halves_the_batch_once_however_many_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scorer().score(GERMAN_TEXTS[:1] * 300, MANY, GERMAN, ENGLISH)
    short = scorer(max_batch_tokens=512, inter_threads=1)
    memory = SmallMemory(short, 128)
    monkeypatch.setattr(short, "_translator", memory)
    scores = short.score(GERMAN_TEXTS[:1] * 300, MANY, GERMAN, ENGLISH)
    for score, same in zip(scores, expected, strict=True):
        assert score and same and score.pieces == pytest.approx(same.pieces, rel=0, abs=0.1)
    assert short.batch_tokens == 128
    assert sum(size > 256 for size in memory.sizes) > 1
    never = scorer(max_batch_tokens=512)
    monkeypatch.setattr(never, "_translator", SmallMemory(never, 0))
    with pytest.raises(UserError, match="model 'sample': memory does not suffice on cpu for the smallest batch"):
        never.score(GERMAN_TEXTS[:1] * 300, MANY, GERMAN, ENGLISH)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30))), st.integers(1, 100))
def test_a_batch_has_so_many_tokens_at_most_by_its_longer_side(lengths: list[tuple[int, int]], size: int) -> None:
    """Otherwise outputs of 200 tokens for sources of 3, which a translation that lost all is, would take 70 times the memory."""
    pairs = [_Pair(row, ["x"] * source, ["x"] * target, []) for row, (source, target) in enumerate(lengths)]
    batches = _batches(pairs, size)
    assert sorted(pair.row for batch in batches for pair in batch) == list(range(len(pairs)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(max(len(pair.source), len(pair.target) + 1) for pair in batch) <= size


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("ﬁne  “words”,\tand ㎞ x\u200by", ENGLISH, ["ﬁne", "“words”,", "and", "㎞", "x\u200by"]),
        (" Die Stadt ist alt. ", GERMAN, ["Die", "Stadt", "ist", "alt."]),
    ],
)
def test_words_are_what_stands_between_white_space(text: str, language: Language, expected: list[str]) -> None:
    [score] = scorer().score(["The town is old."], [text], ENGLISH, language)
    assert score and [text[word.start : word.end] for word in score.words] == expected


def test_in_scripts_without_spaces_a_word_is_what_a_piece_stands_for() -> None:
    text = "这座城市很古老。 河很长，是吗？"
    [score] = scorer().score(["The town is old. The river is long, isn't it?"], [text], ENGLISH, CHINESE)
    assert score is not None
    words = [text[word.start : word.end] for word in score.words]
    assert "".join(words) == text.replace(" ", "")
    assert len(words) > 4 and all(word == word.strip() != "" for word in words)


def encoded(text: str) -> Sequence[tuple[int, int]]:
    offsets: list[tuple[int, int]] = PIECES.encode(text, return_type="offset_mapping")["offsets"]
    return offsets


texts = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from(" \u3000\u200b\t\nabcàç“ß東ﬁ")), min_size=1).filter(str.strip)


@given(texts, st.booleans())
def test_every_piece_belongs_to_one_word_and_words_to_their_places(text: str, spaced: bool) -> None:
    places = encoded(text)
    words = words_of(text, places, [-1.0] * len(places), spaced)
    assert sum(word.log_probability for word in words) == -len(places)
    assert all(word.start < word.end <= len(text) for word in words)
    assert all(one.end <= other.start for one, other in itertools.pairwise(words))
    if spaced:
        assert {text[word.start : word.end] for word in words} <= set(text.split())
