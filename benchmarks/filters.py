"""What the filters reject of good texts, what they let through of broken ones, and what they cost.

    python -m benchmarks.filters [--data DIR] [--share 0.01] [--only speed|language|roundtrip]

DIR is laid out as `../shared/data`: `flores-nllb/` with `source.en.gz`, `nllb.en-XX.XX.gz` and `nllb.XX-en.en.gz`, one
sentence a line, and `xquad-r/XX.json.gz`; `--share` takes that share of the texts of each file. Corruptions are seeded. Thresholds of
the round trip are proposed by `parallel_qa.pipeline.filters.review.calibrate` from the first half of the lines (every second one), over
all languages, to keep 96.3 % of them, because other lines fall a little more often; what is printed, by language and in the last
line, was measured on the other half.

Each part runs in a process of its own. The last line is JSON: `time_over_langdetect`, time of all checks that need no
back-translation by that of langdetect alone over the same texts; `measured_per_s` and `compared_per_s`, characters of English texts that
get all scores of one language a second, and those that languages give each other; `language` and `roundtrip`, in percent.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import math
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import langdetect
import pyarrow as pa

from benchmarks.measuring import run_alone
from parallel_qa.pipeline import schema
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.checks.scores import compare, measure
from parallel_qa.pipeline.filters.review.calibrate import Part, changed_settings, propose_thresholds
from parallel_qa.pipeline.filters.review.samples import ScoredSample, concatenate
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
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the texts")
    parser.add_argument("--share", type=float, default=1.0, help="share of the texts of each file")
    parser.add_argument("--only", choices=PARTS, help="one part, in this process")
    arguments = parser.parse_args()
    folder = arguments.data.resolve()
    if not folder.is_dir():
        raise SystemExit(f"{folder} is absent: name a folder with --data")
    data = Data(folder, arguments.share)
    if not data.sets():
        raise SystemExit(f"{folder} holds neither flores-nllb nor xquad-r")
    if arguments.only:
        figures = PARTS[arguments.only](data)
    else:
        figures = {}
        for part in PARTS:
            figures |= run_alone("benchmarks.filters", "--only", part, "--data", folder, "--share", arguments.share)
    print(json.dumps(figures))


@dataclass(frozen=True)
class Translated:
    """English texts and good translations of them."""

    name: str
    language: Language
    english: Lines
    texts: Lines


@dataclass(frozen=True)
class RoundTrips:
    """English lines, and by the tag of each language its translations and what came back."""

    english: Lines
    outputs: dict[str, Lines]
    backs: dict[str, Lines]

    def half(self, start: int) -> RoundTrips:
        """Every second line, from the first (0) or the second one (1)."""
        outputs, backs = ({tag: lines[start::2] for tag, lines in side.items()} for side in (self.outputs, self.backs))
        return RoundTrips(self.english[start::2], outputs, backs)


@dataclass(frozen=True)
class Data:
    """A folder of texts, of which each file is read in part."""

    folder: Path
    share: float

    def sets(self) -> list[Translated]:
        """All texts and their translations."""
        return list(self._sets())

    def round_trips(self) -> RoundTrips:
        """The lines that went into other languages and back."""
        flores = self.folder / "flores-nllb"
        tags = [path.name.split(".")[2] for path in sorted(flores.glob("nllb.en-*.gz"))]
        tags = [tag for tag in tags if (flores / f"nllb.{tag}-en.en.gz").is_file()]
        outputs = {tag: self._lines(flores / f"nllb.en-{tag}.{tag}.gz") for tag in tags}
        backs = {tag: self._lines(flores / f"nllb.{tag}-en.en.gz") for tag in tags}
        return RoundTrips(self._lines(flores / "source.en.gz"), outputs, backs)

    def _sets(self) -> Iterator[Translated]:
        flores = self.folder / "flores-nllb"
        for path in sorted(flores.glob("nllb.en-*.gz")):
            language = LANGUAGES.find(path.name.split(".")[2])
            yield Translated("NLLB output", language, self._lines(flores / "source.en.gz"), self._lines(path))
        files = sorted((self.folder / "xquad-r").glob("*.json.gz"))
        documents = {path.name.split(".")[0]: self._documents(path) for path in files}
        for tag in sorted(documents.keys() - {"en"}) if "en" in documents else ():
            for name in ("question", "paragraph"):
                yield Translated(f"XQuAD {name}", LANGUAGES.find(tag), documents["en"][name], documents[tag][name])

    def _lines(self, path: Path) -> Lines:
        return self._part(gzip.decompress(path.read_bytes()).decode().splitlines())

    def _documents(self, path: Path) -> dict[str, Lines]:
        paragraphs = [part for article in json.loads(gzip.decompress(path.read_bytes()))["data"] for part in article["paragraphs"]]
        return {
            "question": self._part([asked["question"] for part in paragraphs for asked in part["qas"]]),
            "paragraph": self._part([part["context"] for part in paragraphs]),
        }

    def _part(self, texts: Lines) -> Lines:
        return texts[: math.ceil(self.share * len(texts))]


def measure_speed(data: Data) -> dict[str, float]:
    """Time of all checks that need no back-translation, by that of langdetect alone over the same texts; and of all checks."""
    picked = [Translated(item.name, item.language, item.english[:60], item.texts[:60]) for item in data.sets()]
    for item in picked:  # models and tables are loaded before the clock starts
        _check(Translated(item.name, item.language, item.english[:2], item.texts[:2]))
    _detect(picked[0].texts[0])
    checks = sum(_seconds(_check, item) for item in picked)
    detection = sum(_seconds(_detect, text) for item in picked for text in item.texts)
    ratio = checks / detection
    print(f"all checks without back-translation: {ratio:.3f} of the time of langdetect, over {sum(len(p.texts) for p in picked):,} texts")
    work = picked * 6
    processes = max(os.cpu_count() or 1, 2)
    alone, together = (_seconds_in_processes(count, picked, work) for count in (1, processes))
    print(f"{processes} processes: {alone / together:.2f} x as fast as one")
    return {"time_over_langdetect": round(ratio, 3), **_throughput(data.round_trips())}


def _seconds_in_processes(count: int, warm_up: list[Translated], work: list[Translated]) -> float:
    """How long so many processes take for all checks of `work`; each has loaded its models by `warm_up`."""
    with ProcessPoolExecutor(count) as pool:
        list(pool.map(_check, warm_up))
        began = time.perf_counter()
        list(pool.map(_check, work))
        return time.perf_counter() - began


def _throughput(lines: RoundTrips) -> dict[str, float]:
    """Characters of English lines that get all scores of one language a second, and those that languages give each other."""
    began = time.perf_counter()
    scores = {tag: measure(lines.english, output, lines.backs[tag], LANGUAGES.find(tag)) for tag, output in lines.outputs.items()}
    measured = time.perf_counter()
    compare(lines.english, lines.backs, *({tag: own[name] for tag, own in scores.items()} for name in ("chrf", "length_ratio")))
    characters = sum(map(len, lines.english)) * len(lines.outputs)
    figures = {"measured_per_s": characters / (measured - began), "compared_per_s": characters / (time.perf_counter() - measured)}
    print(f"all scores: {', '.join(f'{name} {figure:,.0f} characters' for name, figure in figures.items())}")
    return {name: round(figure) for name, figure in figures.items()}


def _seconds(work: Callable[[Any], object], item: object) -> float:
    began = time.perf_counter()
    work(item)
    return time.perf_counter() - began


def _check(item: Translated) -> None:
    measure(item.english, item.texts, [None] * len(item.texts), item.language)


def _detect(text: str) -> None:
    try:
        langdetect.detect(text)
    except langdetect.LangDetectException:
        return


def measure_language(data: Data) -> dict[str, dict[str, float]]:
    """Shares of good texts rejected, and of English and half-English ones accepted, by the checks that look at language."""
    counts: dict[str, Count] = defaultdict(Count)
    by_set: dict[tuple[str, str], Count] = defaultdict(Count)
    sets = data.sets()
    languages = {item.language for item in sets}
    for item in sets:
        english, texts = item.english[1::2], item.texts[1::2]
        for name, broken in (("good", texts), *_mixed(english, texts)):
            chosen = [place for place, text in enumerate(broken) if text is not None]
            fell = _rejected_by_language([english[place] for place in chosen], [broken[place] or "" for place in chosen], item.language)
            counts[name].add(fell)
            by_set[item.name, name].add(fell)
        for other in languages:
            if not other.labels & item.language.labels:  # outside the groups that no tool tells apart
                counts["wrong"].add([score is not None and score < 1 for score in language_scores(texts, other)])
    for (name, case), count in by_set.items():
        share = count.rejected if case == "good" else count.accepted
        print(f"{name:16} {case:5} {'rejected' if case == 'good' else 'accepted'} {share:6.2f} % of {count.total:,}")
    accepted = {f"false_accept_{name}": round(counts[name].accepted, 3) for name in ("copy", "wrong", "half", "head", "tail")}
    return {"language": {"false_reject": round(counts["good"].rejected, 3), **accepted}}


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


def _rejected_by_language(english: Lines, texts: Lines, language: Language) -> list[bool]:
    """Which texts the checks that look at language reject."""
    scores = measure(english, texts, [None] * len(texts), language)
    rejections = policy.rejections(_table(scores, texts), _english(english), Thresholds())
    return [any(rejections[reason][row] for reason in ABOUT_LANGUAGE) for row in range(len(texts))]


def _table(scores: dict[str, list[float | None]], texts: Lines) -> pa.Table:
    target = schema.scored("queries")
    nothing = {name: [None] * len(texts) for name in target.names}
    columns = nothing | {"id": [""] * len(texts), "text": texts, "faults": [0] * len(texts)} | scores
    return pa.table({name: columns[name] for name in target.names}, schema=target)


def _english(texts: Lines) -> pa.Table:
    return pa.table({"id": [""] * len(texts), "text": texts}, schema=schema.QUERIES)


def measure_round_trips(data: Data) -> dict[str, dict[str, float]]:
    """The share of good lines rejected and of corrupted ones accepted, with all checks."""
    lines = data.round_trips()
    first, second = (_Scored(lines.half(start)) for start in (0, 1))
    chosen_on = concatenate([ScoredSample(first.table(tag), _english(first.lines.english)) for tag in lines.outputs])
    thresholds = propose_thresholds([Part(chosen_on)], Thresholds(), KEEP)
    print(f"thresholds chosen on one half: {changed_settings(Thresholds(), thresholds)}")
    total: dict[str, Count] = defaultdict(Count)
    for tag, backs in second.lines.backs.items():
        row = []
        for case, broken in {"good": None, **_corrupted(second.lines.english, backs)}.items():
            reasons = policy.reasons(second.table(tag, broken), _english(second.lines.english), thresholds)
            counted = [
                reason is not None for reason, text, own in zip(reasons, broken or backs, backs, strict=True) if not broken or text != own
            ]
            total[case].add(counted)
            here = Count(sum(counted), len(counted))
            row.append(f"{case} {here.rejected if case == 'good' else here.accepted:.1f}")
        print(f"{LANGUAGES.find(tag).name:24} good rejected, others accepted, %: {', '.join(row)}", flush=True)
    print(f"harder than asked, accepted: {', '.join(f'{case} {total[case].accepted:.1f} %' for case in HARDER)}")
    accepted = {case: round(total[case].accepted, 2) for case in ROUND_TRIP}
    return {"roundtrip": {"false_reject": round(total["good"].rejected, 2), **accepted}}


class _Scored:
    """Lines with their scores, by language."""

    def __init__(self, lines: RoundTrips) -> None:
        self.lines = lines
        self._own = {tag: self._measure(tag, backs) for tag, backs in lines.backs.items()}

    def _measure(self, tag: str, backs: Lines) -> dict[str, list[float | None]]:
        return measure(self.lines.english, self.lines.outputs[tag], backs, LANGUAGES.find(tag))

    def table(self, tag: str, backs: Lines | None = None) -> pa.Table:
        """The scores of one language; with other back-translations of it, if given, while those of the others stay."""
        own = self._own[tag] if backs is None else self._measure(tag, backs)
        by_language = self._own | {tag: own}
        chrf, ratio = ({code: scores[name] for code, scores in by_language.items()} for name in ("chrf", "length_ratio"))
        compared = compare(self.lines.english, self.lines.backs | {tag: backs or self.lines.backs[tag]}, chrf, ratio, [tag])[tag]
        return _table(own | compared, self.lines.outputs[tag])


# Names of several words, which are swapped as one.
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
        here = list(_NAME.finditer(text))
        if not here:
            return text
        name = draw.choice(here)
        other = draw.choice([candidate for candidate in names if not set(candidate.split()) & set(name[0].split())])
        return text[: name.start()] + other + text[name.end() :]

    def changed(change: Callable[[str], str]) -> Lines:
        return [change(text) for text in backs]

    return {
        "shuffled": shuffled,
        "half_missing": changed(lambda text: first(text, 0.5)),
        "quarter_missing": changed(lambda text: first(text, 0.75)),
        "loop": changed(lambda text: f"{text} " + " ".join(text.split()[-3:] * 8)),
        "number_changed": changed(lambda text: re.sub(r"\d{2,}", lambda number: str(int(number[0]) + 11), text)),
        "entity_swapped": changed(swapped),
        "half_missing_inside": changed(lambda text: without(text, 0.5)),
        "quarter_missing_inside": changed(lambda text: without(text, 0.25)),
    }


PARTS: dict[str, Callable[[Data], dict[str, Any]]] = {
    "speed": measure_speed,
    "language": measure_language,
    "roundtrip": measure_round_trips,
}

if __name__ == "__main__":
    main()
