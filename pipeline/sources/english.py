"""Is a text English? Told by its function words where it has enough of them, else by language detectors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from parallel_qa.pipeline.english_words import TELLTALE_WORDS
from parallel_qa.pipeline.identification import language_scores
from parallel_qa.pipeline.languages import ENGLISH
from parallel_qa.pipeline.sources.words import Words

_FUNCTION_NUMBERS = np.array(sorted(xxhash.xxh3_64_intdigest(word.encode()) for word in TELLTALE_WORDS), np.uint64)
_SHARE = 0.08
_LEAST = 2
_LONGEST_WORDS = 10
"""Characters a word: a text with more is in a script without spaces, whatever English it quotes."""
_JUDGED_WORDS = 4
"""A shorter text may be a name, which is in no language."""


def foreign(texts: pa.Array, split: Words) -> list[bool]:
    """For each text whether it is not English. `split` is the words of the texts in comparable form."""
    counts = split.counts()
    known = np.concatenate([[0], np.cumsum(np.isin(split.values, _FUNCTION_NUMBERS))])
    function_words = known[split.ends] - known[split.starts]
    lengths = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False)
    clear = (function_words >= np.maximum(_LEAST, _SHARE * counts)) & (lengths <= _LONGEST_WORDS * counts)
    unclear = np.flatnonzero((counts >= _JUDGED_WORDS) & ~clear)
    result = [False] * len(texts)
    scores = language_scores(texts.take(pa.array(unclear)).to_pylist(), ENGLISH, slow=False)
    for place, score in zip(unclear.tolist(), scores, strict=True):
        result[place] = score == 0
    return result
