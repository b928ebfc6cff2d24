"""English words and names: the lists and patterns that several rooms look for."""

from __future__ import annotations

_TELLTALE = (
    "about after and are because been before being between could did does during each every from how if into its many much often only "
    "other should since the their them there these they this those through until were what when where whether which while who whose "
    "why with would"
)
_OTHERS = (
    "a all also an as at be but by can do for had has have he her him his in is it more most not of on or over she some such than that "
    "then to under up was whom will you your"
)

TELLTALE_WORDS = frozenset(_TELLTALE.split())
"""Function words that are frequent in English and in no other language of Latin script, so that they tell it: not "was", "for" or "has"."""

FUNCTION_WORDS = (TELLTALE_WORDS - {"between", "every", "often", "whether"}) | frozenset(_OTHERS.split())
"""Words by which a run of words copied from an English text is English, and no row of names.

Those that other languages have too do no harm here, as every word of the run stands in the English text. Scores that are stored rest
on this list: any change of it, and be it the four that are left out, is a new version of the stage `filter`.
"""

NAME_OR_NUMBER = r"(?<![.!?:]\s)(?<!^)(?<!\w)(?=\w*[A-Z0-9])\w+"
"""Pattern of a word with a capital of ASCII or a digit that does not begin a sentence."""


def joined(character: str) -> str:
    """The pattern of a word of characters that match the pattern `character`, with apostrophes and hyphens inside it."""
    return rf"{character}+(?:['’-]{character}+)*"
