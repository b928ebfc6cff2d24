"""The trainer of sentence-transformers sees the loader's own batches, and goes on at the very next one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parallel_qa.pipeline.batches import OpenRelease
from parallel_qa.pipeline.errors import UserError
from parallel_qa.pipeline.settings import HOUSE

pytest.importorskip("sentence_transformers")


def run(*command: object) -> None:
    """In a process of its own, which reaches no hub."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(HOUSE)}
    ended = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr[-3000:]


def test_columns_are_those_of_the_batch(made_release: OpenRelease) -> None:
    from parallel_qa.pipeline.batches.adapters.trainer import trainer_data

    loader = made_release.loader(batch_size=50, negatives=2)
    dataset, arguments = trainer_data(loader)
    assert len(dataset) == 1200 and dataset.column_names == ["number"]
    dataset.set_epoch(1)
    batch = loader.batch(1, 3)
    rows = dataset.__getitems__(list(range(150, 200)))
    assert [list(row) for row in rows] == [["anchor", "positive", "negative_1", "negative_2"]] * 50
    assert [(row["anchor"], row["positive"]) for row in rows] == list(zip(batch.queries, batch.passages, strict=True))
    for row, own in zip(rows, batch.negatives, strict=True):
        assert [row["negative_1"], row["negative_2"]][: len(own)] == own
    assert dataset[157] == rows[7]
    assert arguments["per_device_train_batch_size"] == 50 and arguments["accelerator_config"] == {"split_batches": True}


def test_processes_share_the_loaders_batches(made_release: OpenRelease) -> None:
    from accelerate.data_loader import BatchSamplerShard

    from parallel_qa.pipeline.batches.adapters.trainer import batch_sampler, trainer_data

    loader = made_release.loader(batch_size=50, seed=3)
    dataset, _ = trainer_data(loader)
    sampler = batch_sampler(dataset, 50, drop_last=False, valid_label_columns=None, generator=None, seed=0)
    sampler.set_epoch(2)
    shards = [BatchSamplerShard(sampler, 2, process, split_batches=True, even_batches=False) for process in range(2)]
    assert [len(shard) for shard in shards] == [len(loader)] * 2
    parts = list(zip(*shards, strict=True))
    assert len(parts) == len(loader) == 24
    for step, numbers in enumerate(parts):
        batch = loader.batch(2, step)
        for process, part in enumerate(numbers):
            assert [row["anchor"] for row in dataset.__getitems__(part)] == batch.part(process, 2).queries


def test_another_batch_size_is_refused_before_the_first_batch(made_release: OpenRelease) -> None:
    from parallel_qa.pipeline.batches.adapters.trainer import batch_sampler, trainer_data

    dataset, _ = trainer_data(made_release.loader(batch_size=50))
    with pytest.raises(UserError, match="per_device_train_batch_size: the trainer's batches have 8 examples, the loader's 50"):
        batch_sampler(dataset, 8)


TRAINING = """
import sys
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from parallel_qa.pipeline.batches import open_release
from parallel_qa.pipeline.batches.adapters.trainer import trainer_data

release, folder = sys.argv[1:]
loader = open_release(release).loader(batch_size=50, seed=2)
tokenizer = Tokenizer(models.WordLevel({"?": 0} | {str(number): number + 1 for number in range(1200)}, unk_token="?"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()

class Recording(SentenceTransformerDataCollator):
    def __call__(self, features):
        inputs = super().__call__(features)
        inputs["texts"] = [(example["anchor"], example["positive"]) for example in features]
        return inputs

class Trainer(SentenceTransformerTrainer):
    def training_step(self, model, inputs, *rest):
        self.seen.append(inputs.pop("texts"))
        return super().training_step(model, inputs, *rest)

def train(output, checkpoint=None):
    torch.manual_seed(0)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    train_dataset, arguments = trainer_data(loader)
    training = SentenceTransformerTrainingArguments(
        output, max_steps=60, save_steps=30, logging_steps=1, report_to="none", lr_scheduler_type="constant", use_cpu=True,
        dataloader_num_workers=1, dataloader_persistent_workers=True, **arguments,
    )
    loss = MultipleNegativesRankingLoss(model, gather_across_devices=True)
    trainer = Trainer(model, training, train_dataset=train_dataset, loss=loss, data_collator=Recording(model.preprocess))
    trainer.seen = []
    trainer.train(resume_from_checkpoint=checkpoint)
    share = [loader.batch(*divmod(step, 24)).part(training.process_index, training.world_size) for step in range(60)]
    own = [list(zip(batch.queries, batch.passages)) for batch in share]
    assert trainer.seen == own[30 if checkpoint else 0 :], len(trainer.seen)
    assert training.world_size == 2
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

losses = train(f"{folder}/straight")
assert len(losses) == 60
assert train(f"{folder}/resumed", f"{folder}/straight/checkpoint-30") == losses
"""


def test_training_sees_them_with_workers_and_processes(make_release: Callable[..., Path], tmp_path: Path) -> None:
    """Stopped in the second epoch, too, where several wrappers are between the trainer and the sampler."""
    script = tmp_path / "training.py"
    script.write_text(TRAINING, encoding="utf-8")
    release = make_release(sources={"small": 300, "large": 900})
    run("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, release, tmp_path)


def losses_of(folder: Path) -> dict[int, float]:
    """By step, as the trainer wrote them into its last checkpoint."""
    last = max(folder.glob("checkpoint-*/trainer_state.json"), key=lambda path: int(path.parent.name.partition("-")[2]))
    return {entry["step"]: entry["loss"] for entry in json.loads(last.read_text())["log_history"] if "loss" in entry}


def test_the_example_stops_and_goes_on_with_the_same_losses(make_release: Callable[..., Path], tmp_path: Path) -> None:
    release = make_release(sources={"small": 300, "large": 900})
    example = [HOUSE / "examples/sentence_transformers_hybrid.py", "--release", release, "--output"]
    run(*example, tmp_path / "straight", "--steps", 120)
    run(*example, tmp_path / "stopped", "--steps", 50)
    assert len(losses_of(tmp_path / "stopped")) == 50
    run(*example, tmp_path / "stopped", "--steps", 120, "--resume")
    straight, resumed = losses_of(tmp_path / "straight"), losses_of(tmp_path / "stopped")
    assert list(straight) == list(range(1, 121)) and resumed == straight
    assert sum(straight[step] for step in range(111, 121)) < 0.9 * sum(straight[step] for step in range(1, 11))
    assert (tmp_path / "stopped/model.safetensors").read_bytes() == (tmp_path / "straight/model.safetensors").read_bytes()


def test_what_is_documented(made_release: OpenRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HOUSE / "docs/batches.md").read_text(encoding="utf-8")
    code = re.search(r"^\*\*sentence-transformers\*\*.*?^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert code
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {"loader": made_release.loader(batch_size=50)}
    exec(code[1], found)
    assert len(found["train_dataset"]) == 1200
    assert found["training"].train_batch_size == 50
