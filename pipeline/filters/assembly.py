"""Texts put together again from their translated sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from parallel_qa.pipeline.languages import LANGUAGES
from parallel_qa.pipeline.store import Store
from parallel_qa.pipeline.titles import judged_text
from parallel_qa.pipeline.translation.memory import NOT_CHECKED
from parallel_qa.pipeline.translation.packs import shard_name
from parallel_qa.pipeline.translation.sentences import join
from parallel_qa.pipeline.translation.translate import file_name
from parallel_qa.pipeline.work import Unit


@dataclass
class AssembledTexts:
    """The texts of one shard in one language, row by row."""

    titles: list[str] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    """None where the source does not have the text in that language."""
    backs: list[str | None] = field(default_factory=list)
    """Title and text of the back-translation; None where it was not made, or of nothing."""
    faults: list[int] = field(default_factory=list)
    log_probabilities: list[float | None] = field(default_factory=list)

    def judged(self) -> list[str | None]:
        """Title and text as one, as they are measured."""
        return [None if text is None else judged_text(title, text) for title, text in zip(self.titles, self.texts, strict=True)]


def assemble_texts(store: Store, unit: Unit) -> AssembledTexts:
    """The texts of a unit with the file `segments`, from the translations of its sentences, which are its inputs.

    A source that has its own texts in the language has them in the file `imported`.
    """
    packs = list(unit.inputs.values())
    back = _Sentences(store, unit, packs)
    forward = _Sentences(store, unit, [pack.inputs["translated"] for pack in packs if "translated" in pack.inputs])
    imported = store.read_file(unit.files["imported"]) if "imported" in unit.files else None
    space = LANGUAGES.find(unit.language).sentence_space
    plain = " " if imported is None else space  # the gaps are those of the texts that were split
    result = AssembledTexts()
    for row, parts in enumerate(store.read_file(unit.files["segments"]).to_pylist()):
        title, gaps = parts["title"], parts["gaps"]
        sentences = (*title, *parts["text"])
        if imported is not None:
            text = imported["text"][row].as_py()
            result.titles.append(imported["title"][row].as_py() if "title" in imported.column_names else "")
            result.faults.append(0)
            result.log_probabilities.append(None)
        else:
            text = join(forward.of_rows(parts["text"]), gaps, space)
            result.titles.append("\n".join(forward.of_rows(title)))
            result.faults.append(sum(forward.faults[row] is not None for row in sentences))
            result.log_probabilities.append(min((score for row in sentences if (score := forward.scores[row]) is not None), default=None))
        checked = text is not None and not any(back.faults[row] == NOT_CHECKED.fault for row in sentences)
        result.texts.append(text)
        result.backs.append(judged_text(*back.of_rows(title), join(back.of_rows(parts["text"]), gaps, plain=plain)) if checked else None)
    return result


class _Sentences:
    """The translated sentences of one shard, by row over all of its files."""

    def __init__(self, store: Store, shard: Unit, packs: Iterable[Unit]) -> None:
        tables = []
        for pack in packs:
            record = pack.result(store)
            tables += [store.read_table(record, file_name(name)) for name in pack.files if name.startswith(f"{shard_name(shard)}/")]
        self.texts: list[str] = [text for table in tables for text in table["text"].to_pylist()]
        self.faults: list[str | None] = [fault for table in tables for fault in table["fault"].to_pylist()]
        self.scores: list[float | None] = [score for table in tables for score in table["score"].to_pylist()]

    def of_rows(self, rows: Sequence[int]) -> list[str]:
        return [self.texts[row] for row in rows]
