"""What may be done with a release, from what may be done with its parts.

Licences are SPDX expressions (spdx.github.io/spdx-spec, annex on licence expressions). What each licence asks stands in `licences.tsv`,
with the address of its text and the clause that says so; terms that allow research alone count as `non_commercial`. The reading is the
cautious one: a release is taken for an adaptation of all its sources and of what its model's licence covers.
"""

from __future__ import annotations

import csv
import functools
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from license_expression import ExpressionError, LicenseSymbol, Licensing, get_spdx_licensing

from parallel_qa.pipeline.errors import UserError

Term = Literal["attribution", "share_alike", "non_commercial", "no_derivatives", "no_redistribution"]
TERMS: tuple[Term, ...] = get_args(Term)

_OWN = re.compile(r"((?:DocumentRef-[a-z0-9.-]+:)?)LicenseRef-([a-z0-9.-]+)", re.IGNORECASE)
_LONGEST = 1000  # characters of an expression, which bounds its nesting
_SHOWN = 200  # characters of an expression in what is said of it
_MOST_CHOICES = 1000


@dataclass(frozen=True)
class Licence:
    """A single licence and what it asks."""

    name: str
    """SPDX identifier, with its exception if there is one, or `LicenseRef-…`."""
    asks: frozenset[Term] | None
    """None where nobody has said what it asks."""
    also_under: frozenset[str] = frozenset()
    """If it is share-alike: the other licences that what is made of it may have."""
    not_under: frozenset[str] = frozenset()
    """Share-alike licences that what is made of it cannot have, as they allow no condition that it has."""


@dataclass(frozen=True)
class Combined:
    """What follows from all parts of a release together."""

    expression: str
    """An SPDX expression: each part's own licence, joined by AND; or what the user decided."""
    parts: Mapping[str, str]
    """The licence of each part, as its card or model names it."""
    stated: Mapping[str, list[Term]]
    """What the own terms of a part ask, as its card states it."""
    attribution: list[str]
    """Parts whose authors have to be named."""
    non_commercial: list[str]
    """Parts that may not be used commercially: nor may the release."""
    share_alike: list[str]
    """Parts whose licence what is made of them has to keep."""
    own_terms: list[str]
    """Parts with terms of their own, which a user has to read."""
    conflicts: list[str]
    """Why the release may not be passed on, a sentence each; none of them stops a release that nobody else gets."""
    decided: bool
    """Whether the user said under which licence the release is passed on."""

    def facts(self) -> dict[str, Any]:
        """All of it but the expression, as the manifest of a release holds it under `licences`."""
        return {
            "parts": dict(self.parts),
            "stated": {name: list(terms) for name, terms in self.stated.items()},
            "attribution": self.attribution,
            "non_commercial": self.non_commercial,
            "share_alike": self.share_alike,
            "own_terms": self.own_terms,
            "conflicts": self.conflicts,
            "decided_by_user": self.decided,
        }


def combine(parts: Mapping[str, str], decided: str | None = None, stated: Mapping[str, Sequence[Term]] | None = None) -> Combined:
    """What follows from `parts`: the licence (an SPDX expression) of each, by name.

    `decided` is the licence that the user gives the release; `stated` is what the licences of a part ask that the table does not have, by
    the part's name. Raises UserError where `decided` is no SPDX expression and, unless it is given, where the licence of a part is none.
    """
    parts, stated = dict(sorted(parts.items())), dict(sorted((stated or {}).items()))
    choices: dict[str, list[frozenset[Licence]]] = {}
    expressions, conflicts = [], []
    for name, licence in parts.items():
        try:
            parsed = _parsed(licence)
            choices[name] = _choices(parsed, stated.get(name))
        except ValueError as error:
            what = f"{name}: its licence, {_beginning(licence)}, {error}"
            if decided is None:
                raise UserError(f"{what}: leave it out, correct its card, or set release.licence to what you decide on") from None
            conflicts.append(what)
        else:
            expressions.append(parsed)
    return Combined(
        expression=_joined(expressions) if decided is None else normalised(decided, "release.licence"),
        parts=parts,
        stated={name: list(terms) for name, terms in stated.items() if name in parts},
        attribution=_asking("attribution", choices),
        non_commercial=_asking("non_commercial", choices),
        share_alike=_asking("share_alike", choices),
        own_terms=[name for name, ways in choices.items() if any(_OWN.match(licence.name) for way in ways for licence in way)],
        conflicts=conflicts + _fewest_conflicts(choices),
        decided=decided is not None,
    )


def check_may_be_passed_on(facts: Mapping[str, Any], where: str) -> None:
    """Raises UserError where the parts of a release at `where` do not allow it to be passed on and its publisher has not decided.

    `facts` are what its manifest holds under `licences`.
    """
    conflicts = facts.get("conflicts", [])
    if conflicts and not facts["decided_by_user"]:
        more = f" (and {len(conflicts) - 1} more, in its card)" if len(conflicts) > 1 else ""
        raise UserError(
            f"{where}: its licences do not allow it to be passed on: {conflicts[0]}{more}: leave that out, or, if you know better, "
            f"set release.licence in the profile to the licence that you decide on, and publish again"
        )


def normalised(expression: str, where: str) -> str:
    """The SPDX expression with identifiers and operators as SPDX writes them. Raises UserError that names `where`."""
    try:
        return _text(_parsed(expression))
    except ValueError as error:
        raise UserError(
            f"{where}: {_beginning(expression)} {error}: give an SPDX expression, such as CC-BY-SA-4.0, or LicenseRef-NAME"
        ) from None


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@functools.cache
def table() -> dict[str, Licence]:
    """The licences whose terms are known, by identifier."""
    with Path(__file__).with_name("licences.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        row["licence"]: Licence(
            row["licence"],
            frozenset(term for term in TERMS if row[term] == "yes"),
            frozenset(row["also_under"].split()),
            frozenset(row["not_under"].split()),
        )
        for row in rows
    }


@functools.cache
def _licensing() -> Licensing:
    """The parser: it knows SPDX's identifiers in any case, its former ones, and those of the table."""
    known = [symbol for symbol in get_spdx_licensing().known_symbols.values() if not _OWN.match(symbol.key)]
    spdx = [
        LicenseSymbol(symbol.key, [alias for alias in symbol.aliases if not _OWN.match(alias)], is_exception=symbol.is_exception)
        for symbol in known
    ]
    return Licensing([*spdx, *(LicenseSymbol(name) for name in table() if _OWN.match(name))])


def _parsed(text: str) -> Any:
    """The tree of an SPDX expression. Raises ValueError that says what is wrong with it."""
    if len(text) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    try:
        tree = _licensing().parse(text, strict=True)
    except (ExpressionError, IndexError):
        tree = None
    if tree is None:
        raise ValueError("says nothing that is known: it is no SPDX expression")
    unknown = [name for name in _licensing().unknown_license_keys(tree) if not _OWN.fullmatch(name)]
    if unknown:
        raise ValueError(f"says nothing that is known: {unknown[0]!r} is no SPDX identifier and no LicenseRef-NAME")
    return tree


def _text(tree: Any) -> str:
    """An expression as SPDX writes it."""
    return str(tree.render())


def _joined(trees: Iterable[Any]) -> str:
    """All of them together: one after the other in alphabetical order, what occurs twice once, alternatives in parentheses."""
    terms: dict[str, str] = {}
    for tree in trees:
        for term in _terms(tree):
            text = f"({_text(term)})" if isinstance(term, _licensing().OR) else _text(term)
            key = _sorted_text(term)
            terms[key] = min(text, terms.get(key, text))
    joined = " AND ".join(sorted(terms.values()))
    return joined[1:-1] if len(terms) == 1 and joined.startswith("(") else joined


def _terms(tree: Any) -> Iterator[Any]:
    """What all has to hold: the parts of an expression that AND joins."""
    if isinstance(tree, _licensing().AND):
        for part in tree.args:
            yield from _terms(part)
    else:
        yield tree


def _sorted_text(tree: Any) -> str:
    """The same for expressions that differ in the order of alternatives alone."""
    if isinstance(tree, _licensing().AND | _licensing().OR):
        return f"({tree.operator.join(sorted(map(_sorted_text, tree.args)))})"
    return _text(tree).casefold()


def _choices(tree: Any, stated: Sequence[Term] | None) -> list[frozenset[Licence]]:
    """The ways to fulfil an expression: of each, the licences that hold together. Ways that allow no release are left out if others do.

    Raises ValueError where a licence is not in the table and `stated` does not say what it asks, or where there are too many ways.
    """
    ways = _ways(tree, stated)
    return [way for way in ways if not _conflicts({licence: [""] for licence in way})] or ways


def _ways(tree: Any, stated: Sequence[Term] | None) -> list[frozenset[Licence]]:
    if isinstance(tree, _licensing().OR):
        ways = [way for part in tree.args for way in _ways(part, stated)]
    elif isinstance(tree, _licensing().AND):
        parts = [_ways(part, stated) for part in tree.args]
        if math.prod(map(len, parts)) > _MOST_CHOICES:
            raise ValueError("leaves more to choose than can be looked through")
        ways = [frozenset().union(*each) for each in itertools.product(*parts)]
    else:
        ways = [frozenset([_licence(tree, stated)])]
    return list(dict.fromkeys(ways))


def _licence(symbol: Any, stated: Sequence[Term] | None) -> Licence:
    """A single licence; an exception grants more than the licence does, which is not relied on."""
    name = getattr(symbol, "license_symbol", symbol).key
    known = table().get(name)
    if known:
        return replace(known, name=_text(symbol))
    if stated is None and not _OWN.match(name):
        raise ValueError("is not in the table of licences (pipeline/licences.tsv): state what it asks in the card, as `licence_terms`")
    return Licence(_text(symbol), None if stated is None else frozenset(stated))


def _asking(term: Term, choices: Mapping[str, list[frozenset[Licence]]]) -> list[str]:
    """The parts that ask it, whichever way their licensee chooses."""
    return [name for name, ways in choices.items() if all(any(term in (licence.asks or ()) for licence in way) for way in ways)]


def _fewest_conflicts(choices: Mapping[str, list[frozenset[Licence]]]) -> list[str]:
    """The conflicts that remain where of every part the best way is chosen; at most so many ways are looked at."""
    restricting = {name: _most_open({frozenset(filter(_restricts, way)) for way in ways}) for name, ways in choices.items()}
    found = []
    for selection in itertools.islice(itertools.product(*restricting.values()), _MOST_CHOICES):
        parts: dict[Licence, list[str]] = {}
        for name, way in zip(restricting, selection, strict=True):
            for licence in way:
                parts.setdefault(licence, []).append(name)
        found.append(_conflicts(parts))
        if not found[-1]:
            return []
    return min(found, key=lambda conflicts: (len(conflicts), conflicts))


def _restricts(licence: Licence) -> bool:
    """Whether a licence can stand in the way of another, or of a release."""
    return licence.asks is None or bool(licence.asks - {"attribution"} or licence.not_under)


def _most_open(ways: set[frozenset[Licence]]) -> list[frozenset[Licence]]:
    """The ways that no other is a part of, in a fixed order."""
    return sorted(
        (way for way in ways if not any(other < way for other in ways)),
        key=lambda way: (len(way), sorted(licence.name for licence in way)),
    )


def _conflicts(parts: Mapping[Licence, list[str]]) -> list[str]:
    """What stands in the way of passing on a release of `parts`, named by their licences; a sentence each, in a fixed order."""
    licences = sorted(parts, key=lambda licence: licence.name)
    who = {licence: f"{', '.join(sorted(parts[licence]))} ({licence.name})" for licence in licences}
    found = []
    for licence in licences:
        if licence.asks is None:
            found.append(f"{who[licence]}: nobody has stated what these terms ask, in licence_terms of the card")
        elif "no_redistribution" in licence.asks:
            found.append(f"{who[licence]} may not be passed on")
        elif "no_derivatives" in licence.asks:
            found.append(f"{who[licence]} does not allow translations to be passed on")
    for first, second in itertools.permutations(licences, 2):
        if not _shares_alike(first):
            continue
        if _shares_alike(second):
            if first.name < second.name and not _common(first, second):
                found.append(f"{who[first]} and {who[second]} each ask that what is made of them has their own licence")
        elif "non_commercial" in (second.asks or ()) and "non_commercial" not in (first.asks or ()):
            found.append(f"{who[first]} asks that what is made of it may be used commercially, which {who[second]} forbids")
        elif _accepted(first) <= second.not_under:
            found.append(f"{who[first]} asks that what is made of it has that licence, which the conditions of {who[second]} do not allow")
    return found


def _shares_alike(licence: Licence) -> bool:
    return "share_alike" in (licence.asks or ())


def _common(first: Licence, second: Licence) -> bool:
    """Whether what is made of both may have one licence that each of them accepts."""
    return bool(_accepted(first) & _accepted(second))


def _accepted(licence: Licence) -> frozenset[str]:
    return licence.also_under | {licence.name.split(" WITH ")[0]}
