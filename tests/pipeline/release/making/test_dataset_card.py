from __future__ import annotations

import copy
import itertools
import json
import re
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from parallel_qa.pipeline import schema
from parallel_qa.pipeline.licences import combine
from parallel_qa.pipeline.release.layout.columns import TABLES, columns, scores
from parallel_qa.pipeline.release.making.dataset_card import dataset_card
from tests.conftest import Run
from tests.pipeline.release.making.test_markdown import PARSER, TEXTS, flat


def card(run: Run, manifest: dict[str, Any]) -> str:
    return dataset_card(run.settings, run.store, run.release.path, manifest)


def body(text: str) -> str:
    """Without the YAML that the hub reads."""
    start, front, rest = re.split(r"^---\n", text, maxsplit=2, flags=re.MULTILINE)
    assert start == "" and isinstance(yaml.safe_load(front), dict)
    return rest


def kinds(text: str) -> Counter[str]:
    return Counter(token.type for token in flat(PARSER.parse(body(text))) if token.type not in ("text", "text_special", "code_inline"))


def with_texts(manifest: dict[str, Any], text: str) -> dict[str, Any]:
    """`manifest` with `text` wherever a card, a model or a profile has its say."""
    changed = copy.deepcopy(manifest)
    source = changed["sources"].pop("questions")
    changed["sources"][f"s{text}"] = source | {"title": f"t{text}", "homepage": f"h{text}", "citation": f"c{text}"}
    changed["model"]["name"] = f"m{text}"
    changed["licence"] = f"l{text}"
    named = [f"n{text}"]
    asked = dict.fromkeys(("attribution", "non_commercial", "share_alike", "own_terms", "conflicts"), named)
    changed["licences"] |= {"parts": {f"p{text}": f"q{text}"}, **asked}
    changed["evaluation"]["sets"][0] |= {"name": f"e{text}", "version": f"v{text}"}
    return changed


@given(text=TEXTS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_others_wrote_adds_no_heading_link_markup_or_block(sample_run: Run, text: str) -> None:
    manifest = sample_run.release.manifest
    assert kinds(card(sample_run, with_texts(manifest, text))) == kinds(card(sample_run, with_texts(manifest, "x")))


def test_a_hostile_card_is_shown_and_does_nothing(sample_run: Run) -> None:
    manifest = copy.deepcopy(sample_run.release.manifest)
    manifest["sources"]["questions"] |= {
        "title": "Set\n# Owned <script>alert(1)</script> [x](javascript:alert(1))",
        "homepage": "javascript:alert(1)",
        "citation": "@misc{a}\n```\n# Owned\n````\n<b>",
    }
    text = card(sample_run, manifest)
    tokens = flat(PARSER.parse(body(text)))
    assert not [token for token in tokens if token.type in ("html_block", "html_inline", "link_open", "image")]
    headings = [after.content for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    assert headings == [
        "test: parallel questions and passages in 4 languages",
        *["Tables", "Columns", "What was kept", "One pair", "Licence", "Limits", "Make it again", "Cite"],
    ]
    assert "@misc{a}\n```\n# Owned\n````\n<b>\n" in [token.content for token in tokens if token.type == "fence"]
    assert "javascript:alert(1)" in text


def test_a_homepage_is_a_link(sample_run: Run) -> None:
    manifest = copy.deepcopy(sample_run.release.manifest)
    manifest["sources"]["questions"]["homepage"] = "https://example.com/a_b"
    links = [token.attrs["href"] for token in flat(PARSER.parse(body(card(sample_run, manifest)))) if token.type == "link_open"]
    assert links == ["https://example.com/a_b"]


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of all tables."""
    found: list[list[str]] = []
    for cell, token in itertools.pairwise(PARSER.parse(body(text))):
        if cell.type == "tr_open":
            found.append([])
        elif cell.type in ("th_open", "td_open"):
            found[-1].append(token.content)
    return found


def test_every_column_of_every_table_is_named_and_explained(sample_run: Run) -> None:
    assert set(TABLES) == {"queries", "passages", "rejected", "pairs"}
    cells = rows(card(sample_run, sample_run.release.manifest))
    for table, target in TABLES.items():
        head = next(i for i, row in enumerate(cells) if row[0].split("/")[0].strip("`") == table and row[1] == "")
        named = [row[0].strip("`") for row in cells[head + 1 : head + 1 + len(target)]]
        own = [name for name in target.names if name not in schema.SCORES.names]
        assert named[: len(own)] == own
        if table != "pairs":
            assert named[len(own)] == "…"
    head = next(i for i, row in enumerate(cells) if row[0] == "score")
    explained = dict(cells[head + 1 : head + 1 + len(schema.SCORES)])
    assert [name.strip("`") for name in explained] == schema.SCORES.names
    assert all(len(words) > 20 for words in explained.values())


def test_no_column_lacks_a_description() -> None:
    for table, target in TABLES.items():
        assert [(column.name, column.type) for column in columns(table)] == [(field.name, field.type) for field in target]
        assert all(column.description for column in columns(table))
    assert [column.name for column in scores()] == schema.SCORES.names


@pytest.mark.parametrize(
    ("decided", "words"), [(None, "**Not to be passed on as it is**"), ("CC-BY-NC-4.0", "Its publisher decided so in view of")]
)
def test_conflicts_are_named_and_so_is_the_decision(sample_run: Run, decided: str | None, words: str) -> None:
    found = combine({"source natural-questions": "CC-BY-SA-3.0", "model nllb": "CC-BY-NC-4.0"}, decided)
    manifest = sample_run.release.manifest | {"licence": found.expression, "licences": json.loads(json.dumps(found.facts()))}
    text = card(sample_run, manifest)
    assert words in text
    assert "- source natural-questions (CC-BY-SA-3.0) asks that what is made of it may be used commercially, which model nllb" in text
    assert "Not for commercial use, because of model nllb." in text
    assert ("as its publisher decided" in text) == (decided is not None)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == ("cc-by-nc-4.0" if decided else "other")
