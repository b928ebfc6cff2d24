"""Make the sample question set and its evaluation set from held-out facts of the phrase book.

    python -m parallel_qa.pipeline.sample.questions

Both are SQuAD JSON in `pipeline/sample/data/`. The model never saw any of their combinations. A few rows
are there to fail or to need care, as rows of real sets do.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

from parallel_qa.pipeline.sample.phrasebook import Fact, PhraseBook, Record, Template, load

DATA = Path(__file__).parent / "data"
PASSAGES_OF_A_RECORD = 9
EVALUATION_OF_A_RECORD = 1
_TRIES = 2000

OUT_OF_DOMAIN = [
    (
        "Linkers",
        "A linker joins object files into one program. It resolves each symbol, lays out the sections and patches the "
        "addresses that the compiler had to leave open. Most of them can drop code that nothing refers to.",
        [("What does a linker resolve?", "each symbol"), ("What can most linkers drop?", "code that nothing refers to")],
    ),
    (
        "Sourdough",
        "Wild yeast grows slowly, so bakers let the dough stand overnight. Acid from the bacteria keeps the crumb moist "
        "and gives the loaf its sharp smell.",
        [("Why do bakers let the dough stand overnight?", "Wild yeast grows slowly")],
    ),
    (
        "Leases",
        "Unless the tenant objects in writing within a fortnight, the deposit is forfeited and the agreement lapses.",
        [("When does the agreement lapse?", "within a fortnight")],
    ),
    (
        "Chess endings",
        "With only a pawn left, the side to move must count tempi. If the defending king reaches the square in front of "
        "the pawn, the game is usually drawn.",
        [("What must the side to move count?", "tempi"), ("When is a pawn ending usually drawn?", "reaches the square")],
    ),
    (
        "Knots",
        "A bowline holds under load and still unties easily, which is why sailors trust it. Wet rope slips sooner than dry rope.",
        [("Why do sailors trust the bowline?", "still unties easily"), ("Which rope slips sooner?", "Wet rope")],
    ),
    (
        "Invoices",
        "Late invoices attract interest from the thirty-first day, though most suppliers waive it for small sums.",
        [("From which day do late invoices attract interest?", "thirty-first"), ("What do most suppliers waive?", "interest")],
    ),
]


def facts(book: PhraseBook, record: Record, rng: random.Random) -> list[Fact]:
    """All facts of `record` with a held-out key, in random order; every sentence of each is held out."""
    found = []
    keys = itertools.product(*(book.lists[str(record.slots[slot])] for slot in record.key))
    for entries in keys:
        key = dict(zip(record.key, entries, strict=True))
        for _ in range(_TRIES):
            drawn = book.draw(record, rng)
            fact = Fact(record, {**drawn.fillers, **key})
            if not all(fact.held_out(question) for question in record.questions):
                break  # decided by the key alone
            if all(fact.held_out(statement) for statement in record.statements) and _distinct(fact):
                found.append(fact)
                break
    rng.shuffle(found)
    return found


def _distinct(fact: Fact) -> bool:
    fillers = [fact.english(slot) for slot in fact.fillers]
    return len(set(fillers)) == len(fillers)


def article(fact: Fact, rng: random.Random) -> dict[str, Any]:
    """One SQuAD article: a passage of two to four sentences and the questions that it answers."""
    first = next(s for s in fact.record.statements if s.slots.issuperset(fact.record.key))
    others = [statement for statement in fact.record.statements if statement is not first]
    chosen = [first, *rng.sample(others, rng.randint(min(2, len(others)), min(3, len(others))))]
    told = frozenset().union(*(statement.slots for statement in chosen))
    context = " ".join(fact.say(statement, "en") for statement in chosen)
    questions = [question for question in fact.record.questions if question.answer in told]
    title = fact.english("name")
    return {"title": title, "paragraphs": [{"context": context, "qas": [_question(fact, q, context) for q in questions]}]}


def _question(fact: Fact, question: Template, context: str) -> dict[str, Any]:
    key = "-".join(fact.english(slot) for slot in fact.record.key).lower().replace(" ", "-")
    name = f"{fact.record.domain}.{fact.record.name}.{key}.{question.name.removeprefix('questions.')}"
    return _qa(name, fact.say(question, "en"), fact.english(str(question.answer)), context)


def _qa(name: str, question: str, answer: str, context: str) -> dict[str, Any]:
    return {"id": name, "question": question, "answers": [{"text": answer, "answer_start": context.lower().find(answer.lower())}]}


def rows_that_need_care(good: list[dict[str, Any]], evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Articles as real sets have them, made from `good` ones; each says in its ids what is wrong."""
    care = []
    for number, (title, context, questions) in enumerate(OUT_OF_DOMAIN):
        qas = [_qa(f"care.out-of-domain.{number}.{q}", question, answer, context) for q, (question, answer) in enumerate(questions)]
        care.append({"title": title, "paragraphs": [{"context": context, "qas": qas}]})
    plain = good[0]["paragraphs"][0]
    care.append({"title": "", "paragraphs": [{"context": plain["context"], "qas": [_qa("care.number-only", "1642", "1642", "1642")]}]})
    care.append({"title": "", "paragraphs": [{"context": plain["context"], "qas": [_qa("care.no-question", "", "1642", "1642")]}]})
    care.append({"title": "", "paragraphs": [{"context": "", "qas": [{**plain["qas"][0], "id": "care.empty-passage"}]}]})
    care.append(
        {"title": good[0]["title"], "paragraphs": [{"context": plain["context"], "qas": [{**plain["qas"][0], "id": "care.duplicate"}]}]}
    )
    marked_up = good[1]["paragraphs"][0]
    html = "<p>" + marked_up["context"].replace(". ", ".<br/>&nbsp;", 1) + "</p>"
    question = "<b>" + marked_up["qas"][0]["question"] + "</b>"
    good[1]["paragraphs"] = [
        {"context": html, "qas": [{**marked_up["qas"][0], "question": question, "id": "care.html"}, *marked_up["qas"][1:]]}
    ]
    known = evaluation["paragraphs"][0]
    asked = {**known["qas"][0], "id": "care.evaluation-question", "question": known["qas"][0]["question"].lower()}
    care.append({"title": good[0]["title"], "paragraphs": [{"context": plain["context"], "qas": [asked]}]})
    context = known["context"].upper()
    care.append(
        {"title": evaluation["title"], "paragraphs": [{"context": context, "qas": [{**plain["qas"][-1], "id": "care.evaluation-passage"}]}]}
    )
    return care


def build() -> tuple[dict[str, Any], dict[str, Any]]:
    """The question set and the evaluation set."""
    book = load()
    rng = random.Random(2408)
    training: list[dict[str, Any]] = []
    evaluation: list[dict[str, Any]] = []
    for record in book.records:
        chosen = facts(book, record, rng)
        evaluation += [article(fact, rng) for fact in chosen[:EVALUATION_OF_A_RECORD]]
        training += [article(fact, rng) for fact in chosen[EVALUATION_OF_A_RECORD:][:PASSAGES_OF_A_RECORD]]
    care = rows_that_need_care(training, evaluation[0])
    return {"version": "sample-1", "data": training + care}, {"version": "sample-1", "data": evaluation}


def main() -> None:
    """Write both sets."""
    DATA.mkdir(exist_ok=True)
    for name, document in zip(("questions", "evaluation"), build(), strict=True):
        path = DATA / f"{name}.json"
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        count = sum(len(paragraph["qas"]) for entry in document["data"] for paragraph in entry["paragraphs"])
        print(f"{path.name}: {len(document['data'])} passages, {count} questions")


if __name__ == "__main__":
    main()
