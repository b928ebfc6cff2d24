"""What the filters reject of good lines, and what they let through of broken ones, on real NLLB output.

    python -m benchmarks.filters [--data DIR]

DIR holds `flores-nllb/` with `source.en.gz`, `nllb.en-XX.XX.gz` and `nllb.XX-en.en.gz`, one sentence a line. Each
corruption is made of every second line; the thresholds are the profile's defaults, so no line chose them. The last
line is JSON, in percent over all languages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pipeline import schema
from pipeline.filters import policy
from pipeline.filters.copied import copied_shares
from pipeline.filters.length import length_ratios
from pipeline.filters.numbers import number_scores, numbers
from pipeline.filters.repetition import repetition_scores
from pipeline.filters.round_trip import chrf_scores
from pipeline.filters.script import script_scores
from pipeline.identification import language_scores
from pipeline.languages import LANGUAGES, Language
from pipeline.settings import HOUSE, FilterSettings

DATA = HOUSE.parent / "shared" / "data"
Lines = list[str]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    folder = parser.parse_args().data / "flores-nllb"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is absent: name a folder with --data")
    english = _lines(folder / "source.en.gz")[1::2]
    fallen: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in sorted(folder.glob("nllb.en-*.gz")):
        tag = path.name.split(".")[2]
        backwards = folder / f"nllb.{tag}-en.en.gz"
        if backwards.is_file():
            _measure(english, _lines(path)[1::2], _lines(backwards)[1::2], LANGUAGES.find(tag), fallen, total)
    passed = {name: round(100 - 100 * fallen[name] / total[name], 2) for name in total if name != "good"}
    rejected = round(100 * fallen["good"] / total["good"], 2)
    language = {f"false_accept_{name}": passed.pop(name) for name in ("copy", "head", "tail")}
    print(json.dumps({"language": language, "roundtrip": {"false_reject": rejected, **passed}}))


def _lines(path: Path) -> Lines:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def _measure(english: Lines, output: Lines, back: Lines, language: Language, fallen: Counter[str], total: Counter[str]) -> None:
    draw = random.Random(0)
    shuffled = back[:]
    draw.shuffle(shuffled)

    def share(text: str, part: float) -> str:
        return " ".join(text.split()[: max(1, round(len(text.split()) * part))])

    def each(change: Callable[[str], str]) -> Lines:
        return [change(text) for text in back]

    def mixed(head: bool) -> Lines:
        result = []
        for text, source in zip(output, english, strict=True):
            count = max(3, len(source.split()) * 3 // 10)
            cut = int(len(text) * 0.3)
            parts = [*source.split()[:count], text[cut:]] if head else [text[:-cut], *source.split()[-count:]]
            result.append(" ".join(parts))
        return result

    cases = {
        "good": (output, back),
        "shuffled": (output, shuffled),
        "half_missing": (output, each(lambda text: share(text, 0.5))),
        "quarter_missing": (output, each(lambda text: share(text, 0.75))),
        "loop": (output, each(lambda text: f"{text} " + " ".join(text.split()[-3:] * 8))),
        "number_changed": (output, each(lambda text: re.sub(r"\d{2,}", lambda found: str(int(found[0]) + 11), text))),
        "copy": (english, back),
        "head": (mixed(True), back),
        "tail": (mixed(False), back),
    }
    row = []
    for name, (outputs, backs) in cases.items():
        reasons = _reasons(english, outputs, backs, language)
        counted = [reason for reason, text in zip(reasons, back, strict=True) if name != "number_changed" or numbers(text)]
        fallen[name] += sum(reason is not None for reason in counted)
        total[name] += len(counted)
        row.append(f"{name} {100 * sum(reason is not None for reason in counted) / max(len(counted), 1):.1f}")
    print(f"{language.name:24} rejected, %: {', '.join(row)}", flush=True)


def _reasons(english: Lines, output: Lines, back: Lines, language: Language) -> list[str | None]:
    target = schema.scored("queries")
    columns: dict[str, object] = dict.fromkeys(target.names, [None] * len(output)) | {
        "id": [""] * len(output),
        "text": output,
        "language": language_scores(output, language),
        "script": script_scores(output, language),
        "copied": copied_shares(english, output),
        "chrf": chrf_scores(english, back),
        "length_ratio": length_ratios(english, back),
        "repetition": [min(pair) for pair in zip(repetition_scores(english, output), repetition_scores(english, back), strict=True)],
        "numbers": number_scores(english, back),
        "faults": [0] * len(output),
    }
    table = pa.table(columns, schema=target)
    return policy.reasons(table, pa.table({"id": [""] * len(english), "text": english}, schema=schema.QUERIES), FilterSettings())


if __name__ == "__main__":
    main()
