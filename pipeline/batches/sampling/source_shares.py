"""How often batches are of each source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parallel_qa.pipeline.batch_settings import BatchSettings
from parallel_qa.pipeline.batches.links import Integers
from parallel_qa.pipeline.batches.sampling.weighted_choice import Floats, normalised
from parallel_qa.pipeline.errors import UserError


def source_shares(settings: BatchSettings, sources: Sequence[str], sizes: Integers, present: Integers) -> Floats:
    """The probability of each source, by its size in the whole release; 0 where no pair of it is `present`.

    Raises UserError where a weight names no source or is negative, or nothing is left.
    """
    for name in settings.source_weights:
        if name not in sources:
            raise UserError(f"source_weights: {name!r} is no source of this release, which has {', '.join(sources)}")
    weights = np.array([settings.source_weights.get(name, 1.0) for name in sources])
    if (weights < 0).any():
        raise UserError("source_weights: a weight is negative")
    capped = np.minimum(sizes, settings.source_cap or np.inf)
    powered = np.where(present > 0, capped ** (1 / settings.source_temperature), 0.0)
    return normalised(weights * powered, "this release has no pairs that could be drawn")
