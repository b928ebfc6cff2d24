from __future__ import annotations

import pytest

from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.release.making.licences import combine
from parallel_qa.pipeline.sources.card import find_card, shipped_cards


def test_a_part_that_is_not_for_commerce_makes_the_whole_so() -> None:
    found = combine({"source a": "CC-BY-SA-4.0", "source b": "Apache-2.0", "model m": "CC-BY-NC-4.0"})
    assert found.expression == "Apache-2.0 AND CC-BY-NC-4.0 AND CC-BY-SA-4.0"
    assert (found.non_commercial, found.share_alike, found.own_terms) == (["model m"], ["source a"], [])
    assert not found.decided


@pytest.mark.parametrize("licence", ["CC-BY-NC-SA-4.0", "MIT AND CC-BY-NC-SA-4.0", "LicenseRef-MS-MARCO"])
def test_it_is_seen_inside_an_expression(licence: str) -> None:
    assert combine({"source a": licence}).non_commercial == ["source a"]


@pytest.mark.parametrize(
    ("licence", "why"),
    [
        ("NOASSERTION", "its licence, NOASSERTION, says nothing that is known"),
        ("MIT AND perhaps", "its licence, MIT AND perhaps, says nothing"),
        ("CC-BY-ND-4.0", "does not allow translations to be passed on"),
    ],
)
def test_an_unknown_or_forbidding_one_stops_the_release_unless_the_user_decides(licence: str, why: str) -> None:
    with pytest.raises(UserError, match=f"source a: .*{why}.*set release.licence"):
        combine({"source a": licence})
    found = combine({"source a": licence, "source b": "CC-BY-SA-4.0"}, "CC-BY-SA-4.0")
    assert (found.expression, found.decided, found.share_alike) == ("CC-BY-SA-4.0", True, ["source b"])


def test_terms_of_their_own_are_named() -> None:
    assert combine({"source a": "LicenseRef-NewsQA"}).own_terms == ["source a"]


def test_every_shipped_training_card_has_a_licence_that_is_known() -> None:
    from pathlib import Path

    cards = [find_card(name, Path()) for name in shipped_cards() if not name.startswith("generic-")]
    parts = {card.name: card.licence for card in cards if card.role != "evaluation"}
    assert len(parts) > 10 and set(combine(parts).parts) == set(parts)
