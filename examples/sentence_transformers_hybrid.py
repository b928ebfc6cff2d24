"""Fine-tune a small model on hybrid batches with sentence-transformers; stop, and go on with the same batches.

    python examples/sentence_transformers_hybrid.py --release ./store --output ./model --steps 200
    python examples/sentence_transformers_hybrid.py --release ./store --output ./model --steps 400 --resume

The model is made from nothing: word pieces of the release's own texts, their mean, a dense layer. To fine-tune another, put for
example `SentenceTransformer("intfloat/multilingual-e5-small")` in its place. Needs `pip install 'parallel-qa[train]'`.
"""

from __future__ import annotations

import argparse

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Dense, StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers.trainer_utils import get_last_checkpoint

from parallel_qa.pipeline.batches import Loader, open_release
from parallel_qa.pipeline.batches.adapters.trainer import trainer_data


def small_model(loader: Loader) -> SentenceTransformer:
    """An untrained model whose word pieces are those of the first batches."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    batches = (loader.batch(0, step) for step in range(50))
    tokenizer.train_from_iterator((batch.queries + batch.passages for batch in batches), trainers.BpeTrainer(vocab_size=8000))
    torch.manual_seed(1)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=128), Dense(128, 64)])


def main() -> None:
    """Train until so many steps are done, and save the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", required=True, help="a release's folder, or a store")
    parser.add_argument("--output", required=True, help="folder of the checkpoints and of the model")
    parser.add_argument("--steps", type=int, default=200, help="steps in all, those before --resume included")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    options = parser.parse_args()
    checkpoint = get_last_checkpoint(options.output) if options.resume else None
    if options.resume and not checkpoint:
        parser.error(f"--resume: there is no checkpoint in {options.output}")

    loader = open_release(options.release).loader(batch_size=options.batch_size, alpha=0.5, seed=1)
    dataset, arguments = trainer_data(loader)
    model = SentenceTransformer(checkpoint) if checkpoint else small_model(loader)
    training = SentenceTransformerTrainingArguments(
        options.output,
        max_steps=options.steps,
        learning_rate=0.01,
        lr_scheduler_type="constant",  # others depend on how many steps there will be
        save_steps=100,
        logging_steps=1,
        report_to="none",
        **arguments,
    )
    trainer = SentenceTransformerTrainer(model, training, train_dataset=dataset, loss=MultipleNegativesRankingLoss(model))
    trainer.train(resume_from_checkpoint=checkpoint)
    model.save_pretrained(options.output)


if __name__ == "__main__":
    main()
