"""What a release's card says to machines: the YAML before its text, as the hub and its tools read it."""

from __future__ import annotations

from typing import Any

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import LANGUAGES

_HUB_LICENCES = frozenset(
    ["apache-2.0", "mit", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"]
)
_SIZES = {3: "n<1K", 4: "1K<n<10K", 5: "10K<n<100K", 6: "100K<n<1M", 7: "1M<n<10M", 8: "10M<n<100M"}
"""What the hub calls fewer than ten to the power of so many rows."""


def front_matter(manifest: dict[str, Any]) -> dict[str, Any]:
    """Licence, languages, size, and the files of each configuration of the release with this `manifest`."""
    configs = [
        {"config_name": f"{table}-{code}", "data_files": [{"split": "train", "path": f"{table}/{code}/*.parquet"}]}
        for table in schema.TEXTS
        for code in manifest["languages"]
    ]
    configs += [
        {"config_name": f"rejected-{code}", "data_files": [{"split": "train", "path": f"rejected/{code}/*/*.parquet"}]}
        for code in manifest["languages"][1:]
    ]
    pairs = {"config_name": "pairs", "data_files": [{"split": "train", "path": "pairs/*.parquet"}], "default": True}
    return {
        **_licence(manifest["licence"]),
        "language": [LANGUAGES.find(code).tag for code in manifest["languages"]],
        "multilinguality": "translation",
        "task_categories": ["text-retrieval", "question-answering"],
        "size_categories": [_size(manifest["rows"]["pairs"])],
        "tags": ["parallel", "machine-translated", "cross-lingual"],
        "configs": [pairs, *configs],
    }


def _licence(expression: str) -> dict[str, str]:
    """The licence as the hub writes it: its own name for one that it knows."""
    known = expression.lower() in _HUB_LICENCES
    return {"license": expression.lower()} if known else {"license": "other", "license_name": expression}


def _size(pairs: int) -> str:
    return next((name for power, name in _SIZES.items() if pairs < 10**power), "100M<n<1B")
