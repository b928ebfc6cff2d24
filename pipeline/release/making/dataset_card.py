"""The dataset card of a release: a README.md that Hugging Face tools read too."""

from __future__ import annotations

from typing import Any

import jinja2
import pyarrow as pa
import yaml

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.languages import ENGLISH, LANGUAGES
from parallel_qa.pipeline.release.layout.columns import TABLES, columns, scores
from parallel_qa.pipeline.release.layout.front_matter import front_matter
from parallel_qa.pipeline.release.layout.manifest import languages_of, models_of
from parallel_qa.pipeline.release.layout.survival import rejected_by_reason
from parallel_qa.pipeline.release.making.markdown import Markdown, address, code, code_block, escaped
from parallel_qa.pipeline.settings import Settings
from parallel_qa.pipeline.store import Store

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("parallel_qa.pipeline.release.making", "templates"),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701  Markdown, not a page: what is printed is escaped by `finalize`
    finalize=escaped,
)
_TEMPLATES.filters |= {"markdown": Markdown, "code": code, "code_block": code_block, "address": address}


def dataset_card(settings: Settings, store: Store, folder: str, manifest: dict[str, Any]) -> str:
    """The card for the release in `folder`, whose tables are written and whose manifest is `manifest`."""
    return _TEMPLATES.get_template("README.md.jinja").render(
        front_matter=yaml.safe_dump(front_matter(manifest), sort_keys=False, allow_unicode=True),
        manifest=manifest,
        name=settings.name,
        languages=[LANGUAGES.find(code) for code in manifest["languages"]],
        columns={_folder(table): [column for column in columns(table) if column not in scores()] for table in TABLES},
        scores=scores(),
        counts=_kept_by_language(manifest),
        models=models_of(manifest),
        own_models=[(LANGUAGES.find(code).name, both) for code, both in manifest.get("models", {}).items()],
        partial=_languages_of_partial_sources(manifest),
        reasons=rejected_by_reason(manifest),
        example=_example_pair(store, folder, manifest),
        english=ENGLISH,
        evaluation_rows=sum(sum(fell.values()) for fell in manifest["evaluation"]["rows_set_aside"].values()),
    )


def _folder(table: str) -> str:
    return table if table == "pairs" else f"{table}/LANG"


def _kept_by_language(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a source and language that it is translated into: name, and read and kept of each table."""
    return [
        {"source": source, "language": LANGUAGES.find(code), **facts["languages"][code]}
        for source, facts in manifest["sources"].items()
        for code in languages_of(manifest, source)[1:]
    ]


def _languages_of_partial_sources(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Sources that are not translated into all languages of the release: the names of those that they are in."""
    return {
        source: [LANGUAGES.find(code).name for code in languages_of(manifest, source)]
        for source, facts in manifest["sources"].items()
        if facts.get("not_translated")
    }


def _example_pair(store: Store, folder: str, manifest: dict[str, Any]) -> list[dict[str, str]]:
    """Of the first block with a pair that lies in it, the first one that survived in most languages, in every language that has it."""
    starts = dict.fromkeys(schema.TEXTS, 0)
    for block in range(manifest["blocks"]):
        rows = {table: _shard(store, folder, f"{table}/{ENGLISH.code}", block).num_rows for table in schema.TEXTS}
        pairs = _shard(store, folder, "pairs", block).slice(0, 1000).to_pylist()
        inside = [pair for pair in pairs if 0 <= pair["passage_row"] - starts["passages"] < rows["passages"]]
        if inside:
            break
        starts = {table: starts[table] + rows[table] for table in schema.TEXTS}
    else:
        return []
    best = max(inside, key=lambda pair: int(pair["query_langs"] & pair["passage_langs"]).bit_count())
    examples = []
    for language in manifest["languages"]:
        query, passage = (
            _shard(store, folder, f"{table}/{language}", block)["text"][best[column] - starts[table]].as_py()
            for table, column in (("queries", "query_row"), ("passages", "passage_row"))
        )
        if query is not None and passage is not None:
            examples.append({"language": LANGUAGES.find(language).name, "query": query, "passage": passage})
    return examples


def _shard(store: Store, folder: str, table: str, number: int) -> pa.Table:
    return store.read_parquet(f"{folder}/{table}/{number:05d}.parquet")
