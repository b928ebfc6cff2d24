"""Which languages a batch has: what the settings ask for, and what of it a source has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Integers, Mask
from parallel_qa.pipeline.batches.sampling.weighted_choice import Floats, WeightedChoice, normalised
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.languages import LANGUAGES

MONOLINGUAL, CROSS_LINGUAL = "monolingual", "cross-lingual"


class LanguageRules:
    """What the settings say about languages, whatever the source. A language is its number in the release, a *bit*."""

    def __init__(self, settings: BatchSettings, languages: Sequence[str], kept: Integers) -> None:
        """`languages` are those of the release, in its order; `kept` by language the pairs of which both sides survived in it.

        Raises UserError where a setting names a language that is not there, or none is left.
        """
        self.codes = list(languages)
        self._settings = settings
        self.bits = chosen_languages(settings.languages, self.codes)
        """The languages that batches may have, in the order in which they were named."""
        self._weights = self._language_weights()
        self._alphas = dict.fromkeys(self.bits, settings.alpha) | {
            self._bit(name, "alpha_groups"): group for group in settings.alpha_groups for name in group.languages
        }
        self.pair_weights = self._pair_weights()
        """Of shape (languages, languages): the weight of a language of the query and one of the passage in cross-lingual examples."""
        self.shares = self._shares(kept)
        """By place in `bits`: the probability of a language."""

    def alpha(self, bit: int, step: int) -> float:
        """The probability that a batch is monolingual where this language is drawn, at a step counted over all epochs."""
        mode = self._settings.mode
        return 1.0 if mode == MONOLINGUAL else 0.0 if mode == CROSS_LINGUAL else self._alphas[bit].at(step)

    def kinds(self, bits: Sequence[int]) -> set[str]:
        """The kinds of batches that may come where one of these languages is drawn."""
        if self._settings.mode != "hybrid":
            return {self._settings.mode}
        alphas = [self._alphas[bit] for bit in bits]
        values = [value for alpha in alphas for value in (alpha.start, alpha.start if alpha.end is None or alpha.constant else alpha.end)]
        return {kind for kind, may_come in ((MONOLINGUAL, max(values) > 0), (CROSS_LINGUAL, min(values) < 1)) if may_come}

    def _bit(self, name: str, setting: str) -> int:
        return _bit(name, setting, self.codes)

    def _language_weights(self) -> Floats:
        """By language of the release; 0 for those that are not asked for."""
        given = {self._bit(name, "language_weights"): value for name, value in self._settings.language_weights.items()}
        if any(value < 0 for value in given.values()):
            raise UserError("language_weights: a weight is negative")
        weights = np.zeros(len(self.codes))
        weights[self.bits] = [given.get(bit, 1.0) for bit in self.bits]
        return weights

    def _pair_weights(self) -> Floats:
        count = len(self.codes)
        table: Floats = np.outer(self._weights, self._weights) * ~np.eye(count, dtype=bool)
        if self._settings.allowed_pairs is not None:
            allowed = np.zeros((count, count))
            for query, passage in self._settings.allowed_pairs:
                allowed[self._bit(query, "allowed_pairs"), self._bit(passage, "allowed_pairs")] = 1
            table = table * allowed
        for query, passage in self._settings.denied_pairs:
            table[self._bit(query, "denied_pairs"), self._bit(passage, "denied_pairs")] = 0
        return table

    def _shares(self, kept: Integers) -> Floats:
        shares, temperature = self._weights[self.bits], self._settings.language_temperature
        if temperature is not None:
            shares = shares * kept[self.bits].astype(np.float64) ** (1 / temperature)
        return normalised(shares, "language_weights: no language is left")


class SourceLanguages:
    """Languages of the batches of one source: those of the rules that it has."""

    def __init__(self, rules: LanguageRules, available: Mask) -> None:
        """`available` says of each language of the release whether the source has it."""
        self._rules = rules
        self.bits = [bit for bit in rules.bits if available[bit]]
        """As those of the rules."""
        weights = rules.shares * available[rules.bits]
        self._languages = WeightedChoice(weights)
        self.shares = np.zeros(len(available))
        """By language of the release: the probability of each; all 0 where the source has none of them."""
        self.shares[rules.bits] = weights / (weights.sum() or 1.0)
        self.pair_weights = rules.pair_weights * np.outer(available, available)
        """As that of the rules."""
        self._language_pairs = WeightedChoice(self.pair_weights.ravel())
        self.mixes = bool(self.pair_weights.any())
        """Whether it has two languages that are allowed together. If not, all its batches are monolingual, whatever alpha says."""

    @property
    def kinds(self) -> set[str]:
        """The kinds of its batches that may come."""
        drawn = np.flatnonzero(self.shares).tolist()
        return self._rules.kinds(drawn) if self.mixes and drawn else {MONOLINGUAL}

    @property
    def monolingual_bits(self) -> list[int]:
        """The languages that a monolingual batch may have."""
        drawn = np.flatnonzero(self.shares).tolist()
        return [bit for bit in drawn if not self.mixes or MONOLINGUAL in self._rules.kinds([bit])]

    def alpha(self, bit: int, step: int) -> float:
        """The probability that a batch of this source is monolingual, as `LanguageRules.alpha` says if the source allows it."""
        return self._rules.alpha(bit, step) if self.mixes else 1.0

    def draw_language(self, rng: np.random.Generator) -> int:
        return self._rules.bits[self._languages.draw_number(rng)]

    def draw_language_pair(self, rng: np.random.Generator) -> tuple[int, int]:
        """Languages of query and passage for a whole cross-lingual batch."""
        return divmod(self._language_pairs.draw_number(rng), len(self.shares))

    def draw_language_pairs(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Languages of query and passage for cross-lingual examples."""
        drawn = self._language_pairs.draw_array(shape, rng)
        return drawn // len(self.shares), drawn % len(self.shares)


def chosen_languages(names: Sequence[str] | None, languages: Sequence[str]) -> list[int]:
    """The numbers of the languages that are named, among those of a release; all if none are.

    Raises UserError where one is not in the release, or twice in `names`.
    """
    if names is None:
        return list(range(len(languages)))
    bits = [_bit(name, "languages", languages) for name in names]
    for name, bit in zip(names, bits, strict=True):
        if bits.count(bit) > 1:
            raise UserError(f"languages: {name} is given twice")
    if not bits:
        raise UserError("languages: name at least one")
    return bits


def _bit(name: str, setting: str, languages: Sequence[str]) -> int:
    code = LANGUAGES.find(name).code
    if code not in languages:
        raise UserError(f"{setting}: {code} is not in this release, which has {', '.join(languages)}")
    return languages.index(code)
