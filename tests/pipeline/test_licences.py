from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.licences import TERMS, check_may_be_passed_on, combine, normalised, table
from parallel_qa.pipeline.sources.card import find_card, shipped_cards

NLLB = "CC-BY-NC-4.0"


def conflicts(*licences: str) -> list[str]:
    return combine({f"source {letter}": licence for letter, licence in zip("abcdefgh", licences, strict=False)}).conflicts


def test_the_licence_of_a_release_is_that_of_all_parts_joined() -> None:
    found = combine({"source a": "CC-BY-SA-4.0", "source b": "Apache-2.0", "model m": "CC-BY-NC-4.0"})
    assert found.expression == "Apache-2.0 AND CC-BY-NC-4.0 AND CC-BY-SA-4.0"
    assert (found.non_commercial, found.share_alike, found.own_terms) == (["model m"], ["source a"], [])
    assert found.attribution == ["model m", "source a", "source b"]
    assert not found.decided


@pytest.mark.parametrize(
    ("parts", "expression"),
    [
        (["MIT OR Apache-2.0", "CC-BY-4.0"], "(MIT OR Apache-2.0) AND CC-BY-4.0"),
        (["CC-BY-4.0", "MIT OR Apache-2.0"], "(MIT OR Apache-2.0) AND CC-BY-4.0"),
        (["mit or apache-2.0", "cc-by-4.0"], "(MIT OR Apache-2.0) AND CC-BY-4.0"),
        (["MIT OR Apache-2.0", "Apache-2.0 OR MIT"], "Apache-2.0 OR MIT"),
        (["MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        (["MIT AND ISC", "isc", "((MIT))"], "ISC AND MIT"),
        (["(MIT OR ISC) AND (Apache-2.0 OR MIT)"], "(Apache-2.0 OR MIT) AND (MIT OR ISC)"),
        (["GPL-3.0+", "gpl-2.0"], "GPL-2.0-only AND GPL-3.0-or-later"),
        (["gpl-2.0-only with classpath-exception-2.0"], "GPL-2.0-only WITH Classpath-exception-2.0"),
        (["licenseref-ms-marco"], "LicenseRef-MS-MARCO"),
        (["LicenseRef-GPL-2.0", "LicenseRef-Mine"], "LicenseRef-GPL-2.0 AND LicenseRef-Mine"),
        ([], ""),
    ],
)
def test_each_part_keeps_its_meaning_and_is_written_as_spdx_writes_it(parts: list[str], expression: str) -> None:
    assert combine({f"source {number}": licence for number, licence in enumerate(parts)}).expression == expression


SOME = sorted(name for name in table() if not name.startswith("LicenseRef-"))
EXPRESSIONS = st.recursive(
    st.sampled_from(SOME),
    lambda inner: st.builds(
        lambda parts, word: "(" + f" {word} ".join(parts) + ")", st.lists(inner, min_size=2, max_size=3), st.sampled_from(["AND", "OR"])
    ),
    max_leaves=6,
)


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4), st.randoms())
def test_the_order_of_parts_and_the_case_of_letters_change_nothing(licences: list[str], random: object) -> None:
    parts = {f"source {number}": licence for number, licence in enumerate(licences)}
    found = combine(parts)
    names = list(parts)
    random.shuffle(names)  # type: ignore[attr-defined]
    other = combine({name: parts[name].lower() for name in names})
    assert (other.expression, other.conflicts) == (found.expression, found.conflicts)
    assert sorted(other.non_commercial) == sorted(found.non_commercial)
    # As a truth table: the joined expression allows exactly what all of the parts allow.
    known = get_spdx_licensing()
    whole = known.parse(found.expression)
    assert known.is_equivalent(whole, known.parse(" AND ".join(f"({licence})" for licence in licences)))


@given(st.text(st.sampled_from("MIT ORANDWITH()-2.0+:/,\n\tß\x00CC-BY"), max_size=60))
def test_any_text_is_a_licence_or_a_clear_error(text: str) -> None:
    try:
        combine({"source a": text})
    except UserError as error:
        assert str(error).startswith(f"source a: its licence, {text}, ")
        assert "set release.licence" in str(error)


@pytest.mark.parametrize(
    "text", ["(" * 400 + "MIT" + ")" * 400, "MIT AND (ISC OR " * 60 + "MIT" + ")" * 60, " AND ".join(["(MIT OR ISC)"] * 60)]
)
def test_what_is_nested_or_long_beyond_sense_ends_soon(text: str) -> None:
    try:
        assert not combine({"source a": text}).conflicts
    except UserError as error:
        assert "source a" in str(error)


@pytest.mark.parametrize(
    "licence",
    [
        *["CC-BY-NC-SA-4.0", "MIT AND CC-BY-NC-SA-4.0", "LicenseRef-MS-MARCO", "LicenseRef-NewsQA", "LicenseRef-Yahoo-Webscope"],
        *["LicenseRef-Microsoft-Research-Data", "CC-BY-NC-4.0 OR CC-BY-NC-SA-4.0", "CC-BY-NC-4.0 OR CC-BY-ND-4.0"],
    ],
)
def test_a_part_without_a_way_to_commerce_is_not_commercial(licence: str) -> None:
    assert combine({"source a": licence}).non_commercial == ["source a"]


@pytest.mark.parametrize("licence", ["MIT", "CC-BY-NC-4.0 OR MIT", "CC-BY-SA-4.0 OR (CC-BY-NC-4.0 AND MIT)"])
def test_who_may_choose_another_licence_is_not_bound_by_one_for_research(licence: str) -> None:
    assert combine({"source a": licence}).non_commercial == []


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (
            ["CC-BY-SA-3.0", NLLB],
            ["source a (CC-BY-SA-3.0) asks that what is made of it may be used commercially, which source b (CC-BY-NC-4.0) forbids"],
        ),
        (
            ["CC-BY-SA-4.0", "GPL-2.0-only"],
            ["source a (CC-BY-SA-4.0) and source b (GPL-2.0-only) each ask that what is made of them has their own licence"],
        ),
        (["CC-BY-ND-4.0"], ["source a (CC-BY-ND-4.0) does not allow translations to be passed on"]),
        (["LicenseRef-NewsQA", "MIT"], ["source a (LicenseRef-NewsQA) may not be passed on"]),
        (
            ["CC-BY-SA-3.0", "CC-BY-SA-3.0", "LicenseRef-MS-MARCO"],
            [
                "source a, source b (CC-BY-SA-3.0) asks that what is made of it may be used commercially, "
                "which source c (LicenseRef-MS-MARCO) forbids"
            ],
        ),
    ],
)
def test_a_conflict_names_the_parts_and_their_licences(licences: list[str], expected: list[str]) -> None:
    assert conflicts(*licences) == expected


@pytest.mark.parametrize(
    ("one", "other", "conflicting"),
    [
        ("CC-BY-SA-4.0", "CC-BY-NC-4.0", True),
        ("CC-BY-SA-4.0", "LicenseRef-Microsoft-Research-Data", True),
        ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", True),
        ("CC-BY-SA-4.0", "CC-BY-4.0", False),
        ("CC-BY-SA-4.0", "Apache-2.0", False),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", False),
        ("CC-BY-SA-2.0", "CC-BY-SA-3.0", False),
        ("CC-BY-SA-1.0", "CC-BY-SA-3.0", True),
        ("CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", False),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-4.0", False),
        ("CC-BY-NC-4.0", "LicenseRef-MS-MARCO", False),
        ("CC-BY-SA-4.0", "GPL-3.0-only", False),
        ("CC-BY-SA-4.0", "GPL-3.0-or-later", False),
        ("CC-BY-SA-4.0", "GPL-2.0-or-later", False),
        ("CC-BY-SA-4.0", "GPL-2.0-only", True),
        ("CC-BY-SA-4.0", "AGPL-3.0-only", True),
        ("CC-BY-SA-3.0", "GPL-3.0-or-later", True),
        ("GPL-2.0-only", "GPL-3.0-only", True),
        ("GPL-2.0-only", "Apache-2.0", True),
        ("GPL-2.0-only", "Apache-2.0 OR MIT", False),
        ("GPL-2.0-or-later", "Apache-2.0", False),
        ("GPL-3.0-only", "Apache-2.0", False),
        ("LGPL-2.1-only", "Apache-2.0", False),
        ("MPL-2.0", "Apache-2.0", False),
        ("GPL-2.0-only", "BSD-3-Clause", False),
        ("GPL-2.0-or-later", "BSD-4-Clause", True),
        ("GPL-3.0-only", "AFL-3.0", True),
        ("CC-BY-SA-4.0", "BSD-4-Clause", False),
        ("GPL-2.0-or-later", "GPL-3.0-only", False),
        ("GPL-3.0-only", "AGPL-3.0-only", False),
        ("LGPL-2.1-only", "GPL-3.0-only", False),
        ("ODbL-1.0", "CC-BY-SA-4.0", True),
        ("CDLA-Sharing-1.0", "ODbL-1.0", True),
        ("CC-BY-SA-4.0 OR MIT", "CC-BY-NC-4.0", False),
        ("CC-BY-SA-4.0 OR GPL-3.0-only", "CC-BY-NC-4.0", True),
        ("CC-BY-SA-3.0 OR CC-BY-NC-4.0", "CC-BY-NC-4.0 OR GPL-3.0-only", False),
        ("CC-BY-ND-4.0 OR CC-BY-4.0", "CC-BY-SA-4.0", False),
        ("CC-BY-SA-4.0 AND CC-BY-NC-4.0", "MIT", True),
        ("GPL-3.0-only WITH Classpath-exception-2.0", "GPL-3.0-only", False),
    ],
)
def test_which_licences_go_together(one: str, other: str, conflicting: bool) -> None:
    assert bool(conflicts(one, other)) is bool(conflicts(other, one)) is conflicting


@given(st.lists(EXPRESSIONS, min_size=1, max_size=3))
def test_there_is_a_conflict_only_if_every_choice_has_one(licences: list[str]) -> None:
    """Against all choices written out: the library's own form of ORs of ANDs."""
    known = get_spdx_licensing()

    def choices(licence: str) -> list[str]:
        plain = known.parse(licence)
        spread = known.dnf(plain.simplify()) if not hasattr(plain, "key") else plain
        return [part.render() for part in spread.args] if isinstance(spread, known.OR) else [spread.render()]

    every = [conflicts(*choice) for choice in itertools.product(*map(choices, licences))]
    assert bool(conflicts(*licences)) is all(map(bool, every))


def test_natural_questions_translated_by_nllb_is_a_conflict() -> None:
    card = find_card("natural-questions", Path())
    assert conflicts(card.licence, NLLB)


@pytest.mark.parametrize(
    ("licence", "why"),
    [
        ("NOASSERTION", "its licence, NOASSERTION, says nothing that is known: 'NOASSERTION' is no SPDX identifier"),
        ("MIT AND perhaps", "its licence, MIT AND perhaps, says nothing that is known: 'perhaps' is no SPDX identifier"),
        ("CC BY 4.0", "its licence, CC BY 4.0, says nothing that is known: 'CC BY 4.0' is no SPDX identifier"),
        ("MIT WITH ISC", "says nothing that is known: it is no SPDX expression"),
        ("(MIT", "says nothing that is known: it is no SPDX expression"),
        ("", "says nothing that is known: it is no SPDX expression"),
        ("Zlib", r"its licence, Zlib, is not in the table of licences \(pipeline/licences.tsv\): state what it asks in the card"),
    ],
)
def test_an_unknown_one_stops_the_release_unless_the_user_decides(licence: str, why: str) -> None:
    with pytest.raises(UserError, match=f"source a: .*{why}.*set release.licence"):
        combine({"source a": licence.replace("\\", "")})
    found = combine({"source a": licence, "source b": "CC-BY-SA-4.0"}, "cc-by-sa-4.0")
    assert (found.expression, found.decided, found.share_alike) == ("CC-BY-SA-4.0", True, ["source b"])
    assert len(found.conflicts) == 1 and found.conflicts[0].startswith(f"source a: its licence, {licence}, ")


def test_a_decision_is_recorded_beside_the_conflicts_that_it_settles() -> None:
    found = combine({"source a": "CC-BY-SA-3.0", "model m": NLLB}, "LicenseRef-Our-Lawyers-Said")
    assert (found.expression, found.decided, len(found.conflicts)) == ("LicenseRef-Our-Lawyers-Said", True, 1)
    with pytest.raises(UserError, match=r"release\.licence: as agreed says nothing that is known.*give an SPDX expression"):
        combine({"source a": "MIT"}, "as agreed")


def test_terms_of_their_own_are_named_and_stop_publication_until_a_card_states_them() -> None:
    parts = {"source a": "LicenseRef-Mine", "source b": "CC-BY-SA-4.0"}
    unknown = combine(parts)
    assert unknown.own_terms == ["source a"]
    assert unknown.conflicts == ["source a (LicenseRef-Mine): nobody has stated what these terms ask, in licence_terms of the card"]
    assert combine(parts, stated={"source a": []}).conflicts == []
    stated = combine(parts, stated={"source a": ["non_commercial"]})
    assert (stated.non_commercial, len(stated.conflicts)) == (["source a"], 1)
    assert stated.facts()["stated"] == {"source a": ["non_commercial"]}
    assert combine({"source a": "Zlib"}, stated={"source a": ["attribution"]}).attribution == ["source a"]


def test_what_a_manifest_holds_says_the_same_again() -> None:
    parts = {"source a": "LicenseRef-Mine OR cc-by-sa-3.0", "model m": NLLB}
    found = combine(parts, stated={"source a": ["share_alike"]})
    facts = found.facts()
    again = combine(facts["parts"], None, facts["stated"])
    assert (again.expression, again.facts()) == (found.expression, facts)


def test_every_shipped_training_card_has_a_licence_that_is_known() -> None:
    cards = [find_card(name, Path()) for name in shipped_cards() if not name.startswith("generic-")]
    parts = {card.name: card.licence for card in cards if card.role != "evaluation"}
    found = combine(parts)
    assert len(parts) > 10 and set(found.parts) == set(parts)
    assert {"newsqa", "yahoo-qa", "wikiqa", "mmarco"} <= set(found.non_commercial)
    assert not [conflict for conflict in found.conflicts if "nobody has stated" in conflict]


def test_each_row_of_the_table_has_its_source_and_speaks_of_known_licences() -> None:
    lines = (Path(__file__).parents[2] / "pipeline/licences.tsv").read_text(encoding="utf-8").splitlines()
    names, *rows = [line.split("\t") for line in lines]
    assert names == ["licence", *TERMS, "also_under", "not_under", "source", "clause"]
    known = get_spdx_licensing().known_symbols
    for row in rows:
        licence, *asks, also_under, not_under, source, clause = row
        assert len(row) == len(names) and set(asks) <= {"yes", ""}
        assert licence in known or licence.startswith("LicenseRef-")
        assert source.startswith("https://") and clause
        assert set(also_under.split()) | set(not_under.split()) <= set(table())
        assert not also_under or "share_alike" in (table()[licence].asks or ())
    assert len({row[0] for row in rows}) == len(rows) == len(table())


def test_one_expression_by_itself_is_written_as_spdx_writes_it() -> None:
    assert normalised("mit or isc", "here") == "MIT OR ISC"


def test_a_release_with_a_conflict_is_passed_on_only_if_its_publisher_decided() -> None:
    parts = {"source a": "CC-BY-SA-3.0", "source b": "LicenseRef-NewsQA", "model m": NLLB}
    check_may_be_passed_on(combine({"source a": "MIT"}).facts(), "here")
    check_may_be_passed_on(combine(parts, "CC-BY-NC-4.0").facts(), "here")
    with pytest.raises(
        UserError, match=r"^here: its licences do not allow .*may not be passed on \(and 2 more, in its card\).*release\.licence"
    ):
        check_may_be_passed_on(combine(parts).facts(), "here")


@pytest.mark.parametrize("decided", [None, "MIT"])
def test_of_a_licence_without_end_the_beginning_is_told(decided: str | None) -> None:
    try:
        (told,) = combine({"source a": "MIT OR " * 1_000_000 + "MIT"}, decided).conflicts
    except UserError as error:
        told = str(error)
    assert told.startswith("source a: its licence, MIT OR MIT") and "is longer than 1000 characters" in told
    assert len(told) < 500
