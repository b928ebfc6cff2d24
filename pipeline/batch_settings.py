"""How batches are drawn: one pydantic model."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Mode = Literal["monolingual", "cross-lingual", "hybrid"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Alpha(_Part):
    """The probability that a batch is monolingual, and how it changes over the steps of a training run."""

    start: float = Field(0.5, ge=0, le=1)
    end: float | None = Field(None, ge=0, le=1)
    """Where it arrives after `steps`; it stays at `start` if not given."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    steps: int = Field(1, ge=1)
    """Steps, counted over all epochs, from `start` to `end`."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, given: Any) -> Any:
        return {"start": given} if isinstance(given, int | float) else given

    @property
    def constant(self) -> bool:
        """Whether it is the same at every step."""
        return self.end is None or self.schedule == "constant"

    def at(self, step: int) -> float:
        """The probability at a step; cosine as in Loshchilov and Hutter 2017, without restarts."""
        if self.end is None or self.constant:
            return self.start
        done = min(step / self.steps, 1.0)
        share = done if self.schedule == "linear" else (1 - math.cos(math.pi * done)) / 2
        return self.start + (self.end - self.start) * share


class AlphaOf(Alpha):
    """Another probability where the language drawn is one of these."""

    languages: list[str] = Field(min_length=1)


class BatchSettings(_Part):
    """What a batch is made of (arXiv 2408.10536). Languages are NLLB codes or tags."""

    batch_size: int = Field(100, ge=1)
    seed: int = Field(0, ge=0, lt=2**64)
    mode: Mode = "hybrid"
    """`hybrid`: monolingual with probability alpha, else cross-lingual. The other two are alpha 1 and 0."""
    alpha: Alpha = Alpha()
    """A number will do where it does not change. A source that has one language only is drawn monolingually, whatever alpha is."""
    alpha_groups: list[AlphaOf] = Field(default_factory=list)
    """A language is drawn before the kind of batch, so that a group of languages may have an alpha of its own."""

    languages: list[str] | None = None
    """All of the release if not given; zero-shot languages are those that are not named. A source is drawn in those that it has."""
    language_weights: dict[str, float] = Field(default_factory=dict)
    """Factors of the probability of a language; 1 for those not named."""
    language_temperature: float | None = Field(None, gt=0)
    """Draws a language by what survived in it, to the power of 1 / temperature: 1 is in proportion. Uniformly if not given."""
    allowed_pairs: list[tuple[str, str]] | None = None
    """Languages of query and passage that cross-lingual examples may have; all if not given."""
    denied_pairs: list[tuple[str, str]] = Field(default_factory=list)
    pairs_of: Literal["example", "batch"] = "example"
    """Whether each cross-lingual example draws its languages, or the whole batch has one pair of them."""

    source_weights: dict[str, float] = Field(default_factory=dict)
    """Factors of the probability of a source; 1 for those not named, and 0 leaves it out."""
    source_temperature: float = Field(1.0, gt=0)
    """Draws a source by its size to the power of 1 / temperature: 1 is in proportion, more is more even."""
    source_cap: int | None = Field(None, ge=1)
    """The size that a larger source counts as."""

    negatives: int = Field(0, ge=0)
    """Hard negatives of each example, where it has so many."""
    negative_language: Literal["query", "passage", "any"] = "passage"
    query_prefix: str = "Query: "
    passage_prefix: str = "Passage: "
