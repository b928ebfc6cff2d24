"""What may be done with a release, from what may be done with its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from parallel_qa.pipeline.errors import UserError

_KNOWN = re.compile(
    r"Apache-2\.0|MIT|MIT-0|ISC|Unlicense|0BSD|BSD-\d-Clause|AFL-3\.0|Artistic-2\.0|MPL-2\.0|EUPL-1\.2|(A|L)?GPL-[123]\.\d(-only|-or-later)?"
    r"|CC0-1\.0|CC-BY(-NC)?(-SA|-ND)?-[1-4]\.\d|ODC-By-1\.0|ODbL-1\.0|PDDL-1\.0|CDLA-(Permissive|Sharing)-\d\.\d|LicenseRef-[\w.-]+"
)
_SHARE_ALIKE = re.compile(r"-SA-|^(A|L)?GPL-|^ODbL-|^CDLA-Sharing-|^EUPL-|^MPL-")
_NON_COMMERCIAL = re.compile(r"-NC-|-NC$|^LicenseRef-MS-MARCO$")
_OWN_TERMS = re.compile(r"^LicenseRef-")
_TRANSLATIONS_FORBIDDEN = re.compile(r"-ND-")
_WORDS = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


@dataclass(frozen=True)
class Combined:
    """What follows from all parts of a release together."""

    expression: str
    """An SPDX expression: each part's own licence, joined by AND; or what the user decided."""
    parts: Mapping[str, str]
    non_commercial: list[str]
    """Parts that may not be used commercially: nor may the release."""
    share_alike: list[str]
    """Parts whose licence what is made of them has to keep."""
    own_terms: list[str]
    """Parts with terms of their own, which a user has to read."""
    decided: bool
    """Whether the user said what holds, as the licence of a part is unknown or forbids translations."""


def combine(parts: Mapping[str, str], decided: str | None = None) -> Combined:
    """What follows from `parts`: the licence (SPDX) of each, by name.

    `decided` is the licence that the user gives the release. Raises UserError, unless that is given, where the licence of a part
    is unknown, or forbids translations to be passed on.
    """
    unknown = [name for name, licence in parts.items() if not all(_KNOWN.fullmatch(single) for single in _licences(licence))]
    forbidden = [name for name, licence in parts.items() if _has_licence(licence, _TRANSLATIONS_FORBIDDEN)]
    for name, why in [(name, f"its licence, {parts[name]}, says nothing that is known") for name in unknown] + [
        (name, f"its licence, {parts[name]}, does not allow translations to be passed on") for name in forbidden
    ]:
        if decided is None:
            raise UserError(f"{name}: {why}: leave it out, correct its card, or set release.licence to what you decide on")
    return Combined(
        decided or " AND ".join(sorted(set(parts.values()))),
        dict(parts),
        [name for name, licence in parts.items() if _has_licence(licence, _NON_COMMERCIAL)],
        [name for name, licence in parts.items() if _has_licence(licence, _SHARE_ALIKE)],
        [name for name, licence in parts.items() if _has_licence(licence, _OWN_TERMS)],
        decided is not None,
    )


def _licences(expression: str) -> list[str]:
    """The single licences of an SPDX expression."""
    return [single.strip() for single in _WORDS.split(expression) if single.strip()]


def _has_licence(expression: str, kind: re.Pattern[str]) -> bool:
    """Whether an SPDX expression names a licence of this kind."""
    return any(kind.search(single) for single in _licences(expression))
