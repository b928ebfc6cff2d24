"""The report: one HTML page about a filtered run that needs nothing beside it.

Everything that comes from texts goes into the page as JSON and is shown as text, never as markup.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from parallel_qa.pipeline import pages
from parallel_qa.pipeline.filters import policy
from parallel_qa.pipeline.filters.filter import ScoredShard
from parallel_qa.pipeline.filters.policy import Reasons, Rejections
from parallel_qa.pipeline.filters.review.drawing import Key, allocate, random_numbers
from parallel_qa.pipeline.filters.review.samples import ScoredSample, read_sample
from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.settings import Settings, Thresholds
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.tally import Tally
from parallel_qa.pipeline.titles import judged_texts

_BINS = 40
_RANGES = {
    "repetition": (0.0, 1.0),
    "script": (0.0, 1.0),
    "copied": (0.0, 1.0),
    "untranslated": (0.0, 1.0),
    "marks": (0.0, 1.0),
    "sentences": (0.0, 1.0),
    "numbers": (0.0, 1.0),
    "names": (0.0, 1.0),
    "log_probability": (-4.0, 0.0),
    "round_trip": (0.0, 100.0),
    "chrf": (0.0, 100.0),
    "token_sort": (0.0, 100.0),
    "length_ratio": (0.0, 2.5),
    "length_outlier": (0.0, 2.5),
    "chrf_outlier": (-60.0, 60.0),
}
"""Scores that are drawn, with the ends of their axis; what lies beyond is drawn at the end."""


def report_page(
    settings: Settings,
    shards: Sequence[ScoredShard],
    store: Store,
    rows: int = 100,
    candidates: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    """The report of a run as HTML; `shards` are all that it filtered, `candidates` what decoding among candidates changed by language.

    It shows about `rows` texts of each language drawn at random, to be judged; as many rejected ones of each language and reason;
    and as many of each source and table in all languages side by side. They are always the same ones.
    """
    gathered = _Gathered(settings, rows)
    for shard in shards:
        gathered.add(shard, read_sample(shard, store))
    content = {
        "name": settings.name,
        "languages": [
            {"code": code, "name": language.name, "tag": language.tag, "direction": "rtl" if language.right_to_left else "ltr"}
            for code, language in ((code, LANGUAGES.find(code)) for code in settings.languages)
        ],
        "reasons": policy.REASONS,
        "random": gathered.random_texts(),
        "drawn_from": gathered.drawn_from(),
        "rejected": gathered.rejected_texts(),
        "texts": gathered.texts(),
    }
    return pages.render(
        "parallel_qa.pipeline.filters.review",
        "report.html.jinja",
        gathered.figures(),
        name=settings.name,
        counts=gathered.counts(),
        candidates=[{"language": LANGUAGES.find(code).name, **facts} for code, facts in (candidates or {}).items()],
        content=pages.script_json(content),
    )


@dataclass(order=True)
class _RankedText:
    """A text that the page may show; those with the lowest ranks are shown."""

    rank: int
    place: tuple[int, int]
    text: dict[str, Any] = field(compare=False)


class _Gathered:
    """What the page needs of a run, gathered shard by shard."""

    def __init__(self, settings: Settings, most: int) -> None:
        self._settings = settings
        self._most = most
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._histograms: dict[tuple[str, str], NDArray[np.int64]] = {}
        self._side_by_side: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
        self._rejected: dict[tuple[str, str], list[_RankedText]] = defaultdict(list)
        self._random: dict[Key, list[_RankedText]] = defaultdict(list)
        self._texts: Counter[Key] = Counter()
        self._shards = 0

    def add(self, shard: ScoredShard, sample: ScoredSample) -> None:
        """Look at one shard in one language."""
        rejections = policy.rejections(sample.scored, sample.english, self._settings.filters.of(shard.language, shard.table))
        reasons = policy.first_reasons(rejections)
        self._tallies[shard.key] = self._tallies.get(shard.key, Tally()) + Tally.of(reasons)
        for name, (low, high) in _RANGES.items():
            scores = policy.score_column(sample.scored, name)
            counts, _ = np.histogram(np.clip(scores[~np.isnan(scores)], low, high), _BINS, (low, high))
            histogram = self._histograms.get((name, shard.language), np.zeros(_BINS, np.int64))
            self._histograms[name, shard.language] = histogram + counts
        numbers = np.array([xxhash.xxh3_64_intdigest(text_id.encode()) for text_id in sample.scored["id"].to_pylist()], dtype=np.uint64)
        self._draw(shard, sample, rejections)
        self._choose_shown(shard, sample, rejections, numbers)
        self._choose_rejected(shard, sample, rejections, reasons, numbers)
        self._shards += 1

    def _draw(self, shard: ScoredShard, sample: ScoredSample, rejections: Rejections) -> None:
        """Texts by chance, whatever the checks say of them; those that the source does not have in the language are none."""
        present = np.flatnonzero(sample.scored["text"].is_valid().to_numpy())
        self._texts[shard.key] += len(present)
        numbers = random_numbers(sample.scored["id"].take(pa.array(present)).to_pylist(), shard.language, seed=0)
        lowest = np.argsort(numbers, kind="stable")[: self._most]
        rows = present[lowest].tolist()
        for number, row, text in zip(numbers[lowest].tolist(), rows, _page_texts(shard, sample, rejections, rows), strict=True):
            shown = {"source": shard.source, "language": shard.language, **text}
            self._random[shard.key].append(_RankedText(number, (self._shards, row), shown))
        self._random[shard.key] = heapq.nsmallest(self._most, self._random[shard.key])

    def _choose_shown(self, shard: ScoredShard, sample: ScoredSample, rejections: Rejections, numbers: NDArray[np.uint64]) -> None:
        """The same texts in every language, as they are chosen by their ids."""
        shown = self._side_by_side[shard.source, shard.table]
        rows = np.argsort(numbers, kind="stable")[: self._most].tolist()
        for row, text in zip(rows, _page_texts(shard, sample, rejections, rows), strict=True):
            of_all_languages = {name: text[name] for name in ("id", "table", "english")}
            entry = shown.setdefault(text["id"], {"number": int(numbers[row]), "source": shard.source, **of_all_languages})
            entry.setdefault("in", {})[shard.language] = {name: text[name] for name in ("text", "back", "reasons", "scores")}
        if len(shown) > self._most:
            for text_id in sorted(shown, key=lambda text_id: shown[text_id]["number"])[self._most :]:
                del shown[text_id]

    def _choose_rejected(
        self, shard: ScoredShard, sample: ScoredSample, rejections: Rejections, reasons: Reasons, numbers: NDArray[np.uint64]
    ) -> None:
        for reason in {reason for reason in reasons if reason}:
            candidates = self._rejected[shard.language, reason]
            rows = np.array([row for row, first in enumerate(reasons) if first == reason])
            chosen = rows[np.argsort(numbers[rows], kind="stable")[: self._most]].tolist()
            for row, text in zip(chosen, _page_texts(shard, sample, rejections, chosen), strict=True):
                # The worst first: those that most checks reject.
                rank = -len(text["reasons"]) << 64 | int(numbers[row])
                shown = {"source": shard.source, "language": shard.language, "reason": reason, **text}
                candidates.append(_RankedText(rank, (self._shards, row), shown))
            self._rejected[shard.language, reason] = heapq.nsmallest(self._most, candidates)

    def counts(self) -> list[dict[str, Any]]:
        """One row a source, language and table."""
        return [
            {
                "source": source,
                "language": LANGUAGES.find(code).name,
                "table": table,
                "read": tally.read,
                "kept": tally.kept,
                "share": f"{100 * tally.kept / max(tally.read, 1):.1f}",
                "reasons": ", ".join(f"{reason} {count:,}" for reason, count in tally.rejected.most_common()),
            }
            for (source, code, table), tally in sorted(self._tallies.items())
        ]

    def figures(self) -> Iterable[go.Figure]:
        """One a score that any text has: a line a language, and the thresholds."""
        for name, (low, high) in _RANGES.items():
            lines = {code: self._histograms[name, code] for code in self._settings.languages if self._histograms[name, code].any()}
            if not lines:
                continue
            figure = pages.figure(name)
            figure.update_yaxes(title="% of texts")
            figure.update_xaxes(range=[low - 0.02 * (high - low), high + 0.02 * (high - low)])
            edges = np.linspace(low, high, _BINS + 1)
            for code, counts in lines.items():
                shares = 100 * counts / counts.sum()
                steps = [*shares.round(3).tolist(), round(float(shares[-1]), 3)]
                figure.add_scatter(x=edges.tolist(), y=steps, name=LANGUAGES.find(code).name, mode="lines", line_shape="hv")
            for limit, label in self._limits(name):
                figure.add_vline(x=limit, line_dash="dash", annotation_text=label, annotation_font_size=10)
            yield figure

    def _limits(self, name: str) -> list[tuple[float, str]]:
        """The thresholds on a score: those for all texts, and those of exceptions."""
        limits: dict[tuple[float, str], None] = {}
        plain: Thresholds = self._settings.filters
        for rule in policy.RULES:
            if rule.score != name:
                continue
            limit = rule.limit(plain)
            if limit is not None:
                limits[limit, rule.setting] = None
            for exception in self._settings.filters.exceptions:
                value = exception.thresholds().get(rule.setting)
                if value is not None:
                    who = " ".join(filter(None, (exception.for_language, exception.for_kind)))
                    limits[float(value), f"{rule.setting} {who}".strip()] = None
        return list(limits)

    def texts(self) -> list[dict[str, Any]]:
        """Texts in all languages, in an order by chance that is always the same; those that no language kept are left out."""
        every = [entry for shown in self._side_by_side.values() for entry in shown.values()]
        kept = [entry for entry in every if any(not other["reasons"] for other in entry["in"].values())]
        ordered = sorted(kept, key=lambda entry: (entry["number"], entry["source"], entry["table"]))
        return [{name: value for name, value in entry.items() if name != "number"} for entry in ordered]

    def random_texts(self) -> list[dict[str, Any]]:
        """Texts of each language drawn at random, of its sources and tables in proportion to the square root of their size.

        However many of them are judged from the first on, they are spread over sources and tables in that way, and chosen by
        chance in each.
        """
        return [text for code in self._settings.languages for text in self._random_texts_of(code)]

    def _random_texts_of(self, code: str) -> list[dict[str, Any]]:
        keys = [key for key in sorted(self._random) if key[1] == code]
        sizes = [self._texts[key] for key in keys]
        places = []
        for key, count in zip(keys, allocate(self._most, sizes, [math.sqrt(size) for size in sizes]), strict=True):
            places += [((rank + 0.5) / count, key, chosen.text) for rank, chosen in enumerate(self._random[key][:count])]
        return [text for _, _, text in sorted(places, key=lambda place: place[:2])]

    def drawn_from(self) -> list[dict[str, Any]]:
        """How many texts those drawn at random are from, by source, language and table."""
        return [
            {"source": source, "language": code, "table": table, "texts": texts}
            for (source, code, table), texts in sorted(self._texts.items())
            if texts
        ]

    def rejected_texts(self) -> list[dict[str, Any]]:
        """Rejected texts, by language and reason; the worst first."""
        return [chosen.text for key in sorted(self._rejected) for chosen in sorted(self._rejected[key])]


def _page_texts(shard: ScoredShard, sample: ScoredSample, rejections: Rejections, rows: list[int]) -> list[dict[str, Any]]:
    """Some rows of a shard as the page has them."""
    scored, english = (table.take(pa.array(rows, pa.int64())) for table in (sample.scored, sample.english))
    columns = [name for name in _RANGES if name in scored.column_names] + ["language", "ending", "faults"]
    scores = {name: scored[name].to_pylist() for name in columns}
    return [
        {
            "id": text_id,
            "table": shard.table,
            "english": english_text,
            "text": text,
            "back": back,
            "reasons": reasons,
            "scores": {name: round(float(column[place]), 3) for name, column in scores.items() if column[place] is not None},
        }
        for place, (text_id, english_text, text, back, reasons) in enumerate(
            zip(
                scored["id"].to_pylist(),
                judged_texts(english),
                judged_texts(scored),
                scored["back_translation"].to_pylist(),
                policy.all_reasons(rejections, rows),
                strict=True,
            )
        )
    ]
