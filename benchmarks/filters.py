"""What the filters reject of good texts, what they let through of broken ones, and what they cost beside langdetect.

    python -m benchmarks.filters [--data DIR]

DIR is laid out as `../shared/data`: `flores-nllb/` with `source.en.gz`, `nllb.en-XX.XX.gz` and `nllb.XX-en.en.gz`, one
sentence a line, and `xquad-r/XX.json.gz`. Corruptions are seeded. Thresholds of the round trip are proposed by
`parallel_qa.pipeline.filters.review.calibrate` from the first half of the lines (every second one), over all languages, to keep 96.3 % of
them, because other lines fall a little more often; what is printed, by language and in the last line, was measured on the
other half. The last line is JSON, in percent.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import langdetect
import pyarrow as pa

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.checks.scores import compare, measure
from parallel_qa.pipeline.filters.review.calibrate import Batch, changes, conjoin, propose
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import LANGUAGES, Language
from parallel_qa.pipeline.settings import HOUSE, Thresholds

DATA = HOUSE.parent / "shared" / "data"
KEEP = 0.963
ABOUT_LANGUAGE = ("empty", "language", "script", "copied", "untranslated")
ROUND_TRIP = ("shuffled", "half_missing", "quarter_missing", "loop", "number_changed", "entity_swapped")
HARDER = ("half_missing_inside", "quarter_missing_inside")
Lines = list[str]


@dataclass
class Count:
    """Texts that should fall, or should not, and those that did."""

    fallen: int = 0
    total: int = 0

    def add(self, fell: Sequence[bool]) -> None:
        self.fallen += sum(fell)
        self.total += len(fell)

    @property
    def rejected(self) -> float:
        return 100 * self.fallen / max(self.total, 1)

    @property
    def accepted(self) -> float:
        return 100 - self.rejected


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    folder = parser.parse_args().data
    if not folder.is_dir():
        raise SystemExit(f"{folder} is absent: name a folder with --data")
    sets = list(_sets(folder))
    if not sets:
        raise SystemExit(f"{folder} holds neither flores-nllb nor xquad-r")
    figures = {"time_over_langdetect": _speed(sets), "language": _language(sets), "roundtrip": _round_trips(folder / "flores-nllb")}
    print(json.dumps(figures))


@dataclass(frozen=True)
class Set:
    """English texts and good translations of them."""

    name: str
    language: Language
    english: Lines
    texts: Lines


def _sets(folder: Path) -> Iterator[Set]:
    flores = folder / "flores-nllb"
    for path in sorted(flores.glob("nllb.en-*.gz")):
        language = LANGUAGES.find(path.name.split(".")[2])
        yield Set("NLLB output", language, _lines(flores / "source.en.gz"), _lines(path))
    documents = {path.name.split(".")[0]: _xquad(path) for path in sorted((folder / "xquad-r").glob("*.json.gz"))}
    for tag in documents.keys() - {"en"} if "en" in documents else ():
        for name in ("question", "paragraph"):
            yield Set(f"XQuAD {name}", LANGUAGES.find(tag), documents["en"][name], documents[tag][name])


def _lines(path: Path) -> Lines:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def _xquad(path: Path) -> dict[str, Lines]:
    paragraphs = [part for article in json.loads(gzip.decompress(path.read_bytes()))["data"] for part in article["paragraphs"]]
    return {
        "question": [asked["question"] for part in paragraphs for asked in part["qas"]],
        "paragraph": [part["context"] for part in paragraphs],
    }


def _speed(sets: list[Set]) -> float:
    """Time of all checks that need no back-translation, by that of langdetect alone over the same texts."""
    picked = [Set(item.name, item.language, item.english[:60], item.texts[:60]) for item in sets]
    for item in picked:  # models and tables are loaded before the clock starts
        _check(Set(item.name, item.language, item.english[:2], item.texts[:2]))
    _detect(picked[0].texts[0])
    spent: Counter[str] = Counter()
    for item in picked:
        began = time.perf_counter()
        _check(item)
        spent["checks"] += time.perf_counter() - began  # type: ignore[assignment]
        began = time.perf_counter()
        for text in item.texts:
            _detect(text)
        spent["langdetect"] += time.perf_counter() - began  # type: ignore[assignment]
    ratio = spent["checks"] / spent["langdetect"]
    print(f"all checks without back-translation: {ratio:.3f} of the time of langdetect, over {sum(len(p.texts) for p in picked):,} texts")
    work = picked * 6
    walls = []
    for processes in (1, max(os.cpu_count() or 1, 2)):
        with ProcessPoolExecutor(processes) as pool:
            list(pool.map(_check, picked))  # every process loads its models
            began = time.perf_counter()
            list(pool.map(_check, work))
            walls.append(time.perf_counter() - began)
    print(f"{max(os.cpu_count() or 1, 2)} processes: {walls[0] / walls[1]:.2f} x as fast as one")
    return round(ratio, 3)


def _check(item: Set) -> None:
    measure(item.english, item.texts, [None] * len(item.texts), item.language)


def _detect(text: str) -> None:
    try:
        langdetect.detect(text)
    except langdetect.LangDetectException:
        return


def _language(sets: list[Set]) -> dict[str, float]:
    """Shares of good texts rejected, and of English and half-English ones accepted, by the checks that look at language."""
    counts: dict[str, Count] = defaultdict(Count)
    by_set: dict[tuple[str, str], Count] = defaultdict(Count)
    languages = {item.language for item in sets}
    for item in sets:
        english, texts = item.english[1::2], item.texts[1::2]
        for name, broken in (("good", texts), *_mixed(english, texts)):
            chosen = [place for place, text in enumerate(broken) if text is not None]
            fell = _fell([english[place] for place in chosen], [broken[place] or "" for place in chosen], item.language)
            counts[name].add(fell)
            by_set[item.name, name].add(fell)
        for other in languages:
            if not other.labels & item.language.labels:  # outside the groups that no tool tells apart
                counts["wrong"].add([score is not None and score < 1 for score in language_scores(texts, other)])
    for (name, case), count in by_set.items():
        share = count.rejected if case == "good" else count.accepted
        print(f"{name:16} {case:5} {'rejected' if case == 'good' else 'accepted'} {share:6.2f} % of {count.total:,}")
    accepted = {f"false_accept_{name}": round(counts[name].accepted, 3) for name in ("copy", "wrong", "half", "head", "tail")}
    return {"false_reject": round(counts["good"].rejected, 3), **accepted}


def _mixed(english: Lines, texts: Lines) -> Iterator[tuple[str, list[str | None]]]:
    """The English text itself; then half of it, its first and its last 30 %, in place of that part of the translation.

    None where the English part is nothing but names and numbers, which may stand in any language.
    """
    yield "copy", list(english)
    for name, share, first in (("half", 0.5, True), ("half", 0.5, False), ("head", 0.3, True), ("tail", 0.3, False)):
        yield name, [_spliced(source, text, share, first) for source, text in zip(english, texts, strict=True)]


def _spliced(english: str, text: str, share: float, first: bool) -> str | None:
    words = english.split()
    count = max(1, round(share * len(words)))
    part = words[:count] if first else words[-count:]
    if not any(word[0].islower() for word in part):
        return None
    spaced = len(text.split()) >= 0.4 * len(words)
    pieces = text.split() if spaced else list(text)
    cut = round(share * len(pieces))
    rest = (" " if spaced else "").join(pieces[cut:] if first else pieces[: len(pieces) - cut])
    return f"{' '.join(part)} {rest}" if first else f"{rest} {' '.join(part)}"


def _fell(english: Lines, texts: Lines, language: Language) -> list[bool]:
    scores = measure(english, texts, [None] * len(texts), language)
    found = policy.hits(_table(scores, texts), _english(english), Thresholds())
    return [any(found[reason][row] for reason in ABOUT_LANGUAGE) for row in range(len(texts))]


def _table(scores: dict[str, list[float | None]], texts: Lines) -> pa.Table:
    target = schema.scored("queries")
    nothing = {name: [None] * len(texts) for name in target.names}
    columns = nothing | {"id": [""] * len(texts), "text": texts, "faults": [0] * len(texts)} | scores
    return pa.table({name: columns[name] for name in target.names}, schema=target)


def _english(texts: Lines) -> pa.Table:
    return pa.table({"id": [""] * len(texts), "text": texts}, schema=schema.QUERIES)


def _round_trips(folder: Path) -> dict[str, float]:
    """The share of good lines rejected and of corrupted ones accepted, with all checks."""
    english = _lines(folder / "source.en.gz")
    outputs, backs = {}, {}
    for path in sorted(folder.glob("nllb.en-*.gz")):
        tag = path.name.split(".")[2]
        if (folder / f"nllb.{tag}-en.en.gz").is_file():
            outputs[tag], backs[tag] = _lines(path), _lines(folder / f"nllb.{tag}-en.en.gz")
    first, second = (
        _Half(english[start::2], *({tag: lines[start::2] for tag, lines in side.items()} for side in (outputs, backs))) for start in (0, 1)
    )
    thresholds = propose(conjoin([Batch(first.scored(tag), _english(first.english)) for tag in outputs]), Thresholds(), KEEP)
    print(f"thresholds chosen on one half: {changes(Thresholds(), thresholds)}")
    total: dict[str, Count] = defaultdict(Count)
    for tag in outputs:
        row = []
        for case, broken in {"good": None, **_corrupted(second.english, backs[tag][1::2])}.items():
            found = policy.reasons(second.scored(tag, broken), _english(second.english), thresholds)
            counted = [
                fell is not None
                for fell, text, own in zip(found, broken or backs[tag][1::2], backs[tag][1::2], strict=True)
                if not broken or text != own
            ]
            total[case].add(counted)
            here = Count(sum(counted), len(counted))
            row.append(f"{case} {here.rejected if case == 'good' else here.accepted:.1f}")
        print(f"{LANGUAGES.find(tag).name:24} good rejected, others accepted, %: {', '.join(row)}", flush=True)
    print(f"harder than asked, accepted: {', '.join(f'{case} {total[case].accepted:.1f} %' for case in HARDER)}")
    return {"false_reject": round(total["good"].rejected, 2), **{case: round(total[case].accepted, 2) for case in ROUND_TRIP}}


class _Half:
    """Half of the lines: English, and output and back-translation by language."""

    def __init__(self, english: Lines, outputs: dict[str, Lines], backs: dict[str, Lines]) -> None:
        self.english, self._outputs, self._backs = english, outputs, backs
        self._own = {tag: self._measure(tag, backs[tag]) for tag in backs}

    def _measure(self, tag: str, backs: Lines) -> dict[str, list[float | None]]:
        return measure(self.english, self._outputs[tag], backs, LANGUAGES.find(tag))

    def scored(self, tag: str, backs: Lines | None = None) -> pa.Table:
        """The scores of one language; with other back-translations of it, if given, while those of the others stay."""
        own = self._own[tag] if backs is None else self._measure(tag, backs)
        everything = self._own | {tag: own}
        chrf, ratio = ({code: scores[name] for code, scores in everything.items()} for name in ("chrf", "length_ratio"))
        beside = compare(self.english, self._backs | {tag: backs or self._backs[tag]}, chrf, ratio, [tag])[tag]
        return _table(own | beside, self._outputs[tag])


_NAME = re.compile(r"(?<=[a-z,] )[A-Z][^\W\d_]{2,}(?:[ -][A-Z][^\W\d_]+)*")


def _corrupted(english: Lines, backs: Lines) -> dict[str, Lines]:
    """What could have come back had the translation been wrong."""
    draw = random.Random(0)
    shuffled = backs[:]
    draw.shuffle(shuffled)
    names = sorted(set(itertools.chain.from_iterable(map(_NAME.findall, english))))

    def first(text: str, share: float) -> str:
        words = text.split()
        return " ".join(words[: max(1, round(len(words) * share))])

    def without(text: str, share: float) -> str:
        words = text.split()
        count = max(1, round(len(words) * share))
        start = draw.randint(0, len(words) - count) if len(words) > count else 0
        left = " ".join(words[:start] + words[start + count :])
        return left if left.endswith(".") else f"{left.rstrip(',;:')}."

    def swapped(text: str) -> str:
        found = list(_NAME.finditer(text))
        if not found:
            return text
        name = draw.choice(found)
        other = draw.choice([candidate for candidate in names if not set(candidate.split()) & set(name[0].split())])
        return text[: name.start()] + other + text[name.end() :]

    def each(change: Callable[[str], str]) -> Lines:
        return [change(text) for text in backs]

    return {
        "shuffled": shuffled,
        "half_missing": each(lambda text: first(text, 0.5)),
        "quarter_missing": each(lambda text: first(text, 0.75)),
        "loop": each(lambda text: f"{text} " + " ".join(text.split()[-3:] * 8)),
        "number_changed": each(lambda text: re.sub(r"\d{2,}", lambda found: str(int(found[0]) + 11), text)),
        "entity_swapped": each(swapped),
        "half_missing_inside": each(lambda text: without(text, 0.5)),
        "quarter_missing_inside": each(lambda text: without(text, 0.25)),
    }


if __name__ == "__main__":
    main()
