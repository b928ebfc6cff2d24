"""The loader's batches for the trainer of sentence-transformers (extra `train`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from parallel_qa.pipeline.batches.adapters.data_loading import ExampleBatches, ExampleDataset
from parallel_qa.pipeline.batches.loader import Loader
from parallel_qa.pipeline.errors import UserError

_COLUMNS = {"query": "anchor", "passage": "positive"}


class TrainerDataset(Dataset):  # type: ignore[misc]
    """The examples of an epoch as `anchor`, `positive`, `negative_1`, …; stored are their numbers only."""

    def __init__(self, examples: ExampleDataset) -> None:
        numbers = pa.table({"number": np.arange(len(examples))})
        loader = examples.loader
        state = loader.state_dict()
        super().__init__(InMemoryTable(numbers), fingerprint=f"{state['release'][-16:]}-{state['settings'][:16]}")
        self.examples = examples
        names = _COLUMNS | {f"negative_{number + 1}": f"negative_{number + 1}" for number in range(loader.settings.negatives)}

        def columns(rows: dict[str, list[int]]) -> dict[str, list[str]]:
            drawn = examples.__getitems__(rows["number"])
            return {name: [example[key] for example in drawn] for key, name in names.items()}

        # `set_transform` itself would hash the release for a fingerprint.
        Dataset.set_format.__wrapped__(self, "custom", transform=columns)

    def set_epoch(self, epoch: int) -> None:
        """The trainer's epoch. Accelerate reaches the data set even where it has wrapped the sampler twice."""
        self.examples.set_epoch(epoch)


def batch_sampler(dataset: TrainerDataset, batch_size: int, **_: Any) -> ExampleBatches:
    """What the trainer calls for a sampler. Raises UserError where its batches have another size than the loader's."""
    size = dataset.examples.batch_size
    if batch_size != size:
        raise UserError(
            f"per_device_train_batch_size: the trainer's batches have {batch_size} examples, the loader's {size}; make them the same"
        )
    return ExampleBatches(dataset.examples)


def trainer_data(loader: Loader) -> tuple[TrainerDataset, dict[str, Any]]:
    """The trainer's `train_dataset`, and what its arguments must have: `SentenceTransformerTrainingArguments(..., **arguments)`.

    Every epoch of the trainer is one of the loader. Several processes share each batch, so that it does not depend on their number;
    `batch_size` must be a multiple of it. Raises UserError where hard negatives are asked for and cannot be given to every example.
    """
    arguments = {
        "per_device_train_batch_size": loader.settings.batch_size,
        "batch_sampler": batch_sampler,
        "accelerator_config": {"split_batches": True},
    }
    return TrainerDataset(ExampleDataset(loader)), arguments
