from __future__ import annotations

from pathlib import Path
from string import ascii_letters, ascii_lowercase

import pytest
import sentencepiece

from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.planning.plan import Plan
from parallel_qa.pipeline.planning.stages import filter_texts, prepare, translate
from parallel_qa.pipeline.settings import CandidateSettings, Settings
from parallel_qa.pipeline.store import FileRef, Store
from parallel_qa.pipeline.translation.candidates import candidate_pieces, copied_words, lessons, needed_pieces, read_candidates
from parallel_qa.pipeline.translation.model_finding import SAMPLE
from parallel_qa.pipeline.translation.models import open_model, vocabulary
from parallel_qa.pipeline.translation.packs import Pack
from tests.project import Project, article

ARTICLES = [
    article(
        f"Town{number} is a small town in the north of Orso. The river Aldo is {number} kilometres long.",
        (f"How long is the river Aldo in Town{number}?", str(number)),
        title=f"Town{number}",
    )
    for number in range(120, 180)
]
CODES = ["de", "ar", "zh"]


def pack(source: str, number: int, rows: int) -> Pack:
    return Pack(source, number, ENGLISH.code, {"queries/00000/00000": FileRef(f"{source}-{number}", "0", rows)})


def test_the_first_packs_of_each_source_teach_in_turn() -> None:
    packs = [pack("one", 0, 50), pack("one", 1, 50), pack("two", 0, 30), pack("two", 1, 100)]
    settings = CandidateSettings(lessons=100, worth_from=2)
    assert [(chosen.source, chosen.number) for chosen in lessons(packs, settings)] == [("one", 0), ("two", 0), ("one", 1)]
    assert lessons(packs, settings.model_copy(update={"worth_from": 2.31})) == []
    assert lessons(packs, settings.model_copy(update={"use": False})) == []


@pytest.mark.parametrize("code", ["deu_Latn", "arb_Arab", "zho_Hans"])
def test_candidates_spell_any_word_of_the_language_and_what_is_copied(code: str) -> None:
    model, language = open_model(SAMPLE), LANGUAGES.find(code)
    known = vocabulary(SAMPLE)
    pieces = candidate_pieces(model, language, ["Kilometer", "Marlo", "1642"])
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1]))
    assert set(encoder.encode("Kilometer Marlo 1642", out_type=str)) <= set(pieces) <= set(known)
    assert code in pieces and [piece for piece in known if piece in set(pieces)] == pieces
    foreign = {"deu_Latn": "\u0627", "arb_Arab": "\u56fd", "zho_Hans": "\u0627"}[code]
    own = {"deu_Latn": "x", "arb_Arab": "\u0627", "zho_Hans": "\u56fd"}[code]
    assert own in pieces and foreign not in pieces
    assert len(pieces) < len(known)


def test_pieces_of_the_script_that_are_short_or_without_letters_need_no_lesson() -> None:
    pieces = ["▁2024", "。", "ツアー", "学校", "▁to", "ur", "▁tour", "шко", "ш", *(f"▁school{'x' * number}" for number in range(3))]
    assert needed_pieces(pieces, LANGUAGES.find("ja"), {"▁schoolx"}) == ["▁2024", "。", "ツアー", "学校", "▁to", "ur", "▁schoolx"]
    latin = [f"{first}{second}{third}" for first in ascii_lowercase for second in ascii_letters for third in ascii_letters]
    assert needed_pieces([*pieces, *latin], LANGUAGES.find("de"), {"abc"}) == ["▁2024", "。", "▁to", "ur", "abc"]


def test_english_words_are_copied_after_a_space_and_after_a_letter() -> None:
    model = open_model(SAMPLE)
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(model.pieces[1]))
    pieces = candidate_pieces(model, LANGUAGES.find("zh"), copied_words(["Marlo"]))
    assert {*encoder.encode("Marlo", out_type=str), *encoder.encode("\u56fdMarlo", out_type=str)[1:]} <= {*pieces, "\u56fd"}


@pytest.fixture
def settings(project: Project) -> Settings:
    project.source("questions", ARTICLES)
    return restricted(project, {"lessons": 60, "worth_from": 1.5, "checked_share": 0.3})


def restricted(project: Project, candidates: dict[str, object]) -> Settings:
    return project.settings(languages=CODES, translation={"shard_sentences": 40, "candidates": candidates})


def translated(settings: Settings, folder: Path) -> tuple[Plan, dict[str, list[str]]]:
    """A run, and the translations and back-translations of each language."""
    store = Store(str(folder))
    prepare(settings, store)
    translate(settings, store)
    plan = Plan(settings, store)
    texts: dict[str, list[str]] = {}
    for unit in plan.translation_units:
        for kind, made in (("there", unit.inputs["translated"]), ("back", unit)):
            record = made.result(store)
            for name in record.files:
                texts.setdefault(f"{kind} {unit.language}", []).extend(store.read_table(record, name)["text"].to_pylist())
    return plan, texts


def test_a_run_among_candidates_makes_what_a_run_with_all_pieces_does(settings: Settings, project: Project, tmp_path: Path) -> None:
    plan, texts = translated(settings, tmp_path / "among")
    assert {code: len(units) > 0 for code, units in plan.lessons.items()} == {LANGUAGES.find(code).code: True for code in CODES}
    taught = {unit.path for units in plan.lessons.values() for unit in units}
    for unit in plan.translation_units:
        assert ("candidates" in unit.inputs) == (unit.path not in taught)
        for made in (unit, unit.inputs["translated"]):
            facts = made.result(plan.store).facts
            assert ("candidates" in facts) == (unit.path not in taught)
            if unit.path not in taught:
                assert facts["candidates"]["checked"] > 0 and not facts["candidates"]["all_pieces"]
    all_pieces = restricted(project, {"use": False})
    expected = translated(all_pieces, tmp_path / "all")[1]
    assert Plan(all_pieces, Store(str(tmp_path / "all"))).lessons == {}
    differing = sum(one != other for name in expected for one, other in zip(texts[name], expected[name], strict=True))
    assert 0 < differing <= 0.01 * sum(map(len, expected.values()))  # of so few lessons
    again = translate(settings, plan.store)
    assert again.done == 0
    filter_texts(settings, plan.store)


def test_other_lessons_are_other_units_and_translate_nothing_again(settings: Settings, project: Project, tmp_path: Path) -> None:
    plan, texts = translated(settings, tmp_path / "store")
    fewer, again = translated(restricted(project, {"lessons": 20, "worth_from": 1.5}), tmp_path / "store")
    assert again == texts
    assert {unit.fingerprint for unit in fewer.candidates.values()}.isdisjoint(unit.fingerprint for unit in plan.candidates.values())
    assert sum(unit.result(plan.store).facts["tokens"] for unit in fewer.translation_units if "candidates" in unit.inputs) == 0


def test_a_language_whose_candidates_do_not_suffice_is_done_with_all_pieces(
    settings: Settings, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parallel_qa.pipeline.translation import translate as translating

    expected = translated(restricted(project, {"use": False}), tmp_path / "all")[1]
    few = ["deu_Latn", "arb_Arab", "zho_Hans", "eng_Latn", "\u2581"]
    monkeypatch.setattr(translating, "read_candidates", lambda store, unit: (few, few))
    settings = restricted(project, {"lessons": 60, "worth_from": 1.5, "checked_share": 0.3, "min_log_probability": -1000})
    plan, texts = translated(settings, tmp_path / "few")
    assert texts == expected
    for unit in plan.translation_units:
        if "candidates" in unit.inputs:
            facts = unit.inputs["translated"].result(plan.store).facts["candidates"]
            assert facts["all_pieces"] and facts["checked"] >= facts["differing"] > 0


def test_what_was_learnt_is_in_the_store(settings: Settings, tmp_path: Path) -> None:
    plan, _ = translated(settings, tmp_path / "store")
    unit = plan.candidates["deu_Latn"]
    there, back = read_candidates(plan.store, unit)
    facts = unit.result(plan.store).facts
    assert (facts["there"], facts["back"]) == (len(there), len(back))
    assert "deu_Latn" in there and "eng_Latn" in back
    assert there == sorted(there, key=vocabulary(SAMPLE).index)
