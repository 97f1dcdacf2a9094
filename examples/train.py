"""Fine-tune a Llama model on a release, in full, with transformers and TRL.

    python train.py RELEASE_FOLDER OUTPUT_FOLDER --model 01-ai/Yi-6B      fine-tune a model that exists
    python train.py RELEASE_FOLDER OUTPUT_FOLDER --tiny                   train a very small one from nothing

`--tiny` makes a tokenizer of the release itself and a model with random weights: it needs no download and no GPU, and
shows that everything fits together, for the loss falls.
"""

import argparse
import json
from pathlib import Path

from datasets import Dataset, load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    set_seed,
)
from trl import SFTConfig, SFTTrainer

FALLEN = 0.9
"""With --tiny the loss falls at least this far, as a part of the first."""
ASKED, ANSWERED, END, FILL = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def conversations(folder: Path, config: str, limit: int | None) -> Dataset:
    """Return the records of a release as prompt and completion, each a list of messages."""
    records = load_dataset(str(folder), config, split="train")
    if limit:
        records = records.shuffle(seed=42).select(range(min(limit, len(records))))
    return records.map(conversation, remove_columns=records.column_names)


def conversation(record: dict) -> dict:
    """Return what was asked and what was answered."""
    asked = f"{record['instruction']}\n{record['input']}" if record["input"] else record["instruction"]
    return {
        "prompt": [{"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": record["output"]}],
    }


def own_tokenizer(records: Dataset) -> PreTrainedTokenizerFast:
    """Train a byte-level tokenizer on the texts of the release."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [ASKED, ANSWERED, END, FILL]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4096, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    texts = (message["content"] for record in records for message in [*record["prompt"], *record["completion"]])
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=FILL)
    wrapped.chat_template = TEMPLATE
    return wrapped


def tiny_model(vocabulary: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return a model of the same architecture with about two million random weights."""
    shape = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=128,
        intermediate_size=344,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        eos_token_id=vocabulary.eos_token_id,
        pad_token_id=vocabulary.pad_token_id,
    )
    return LlamaForCausalLM(shape)


def settings(out: Path, *, tiny: bool, steps: int) -> SFTConfig:
    """Return how it is trained: the loss counts the answers only."""
    shared = {"output_dir": str(out), "completion_only_loss": True, "report_to": [], "save_strategy": "no", "seed": 42}
    if tiny:
        return SFTConfig(
            **shared,
            max_steps=steps,
            per_device_train_batch_size=8,
            learning_rate=2e-3,
            max_length=256,
            logging_steps=max(1, steps // 10),
            use_cpu=True,
            gradient_checkpointing=False,
            bf16=False,
        )
    return SFTConfig(
        **shared,
        num_train_epochs=3,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=32,
        gradient_checkpointing=True,
        learning_rate=1e-5,
        lr_scheduler_type="cosine",
        warmup_ratio=0.03,
        max_length=4096,
        bf16=True,
        logging_steps=10,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", default="all", help="a source of the release, or all")
    parser.add_argument("--limit", type=int, help="records at most")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--model", help="a Llama model to begin with")
    chosen.add_argument("--tiny", action="store_true")
    parser.add_argument("--steps", type=int, default=40, help="with --tiny")
    said = parser.parse_args()
    set_seed(42)
    records = conversations(said.release, said.config, said.limit)
    model: PreTrainedModel
    if said.tiny:
        vocabulary = own_tokenizer(records)
        model = tiny_model(vocabulary)
    else:
        vocabulary = AutoTokenizer.from_pretrained(said.model)
        vocabulary.chat_template = vocabulary.chat_template or TEMPLATE
        model = AutoModelForCausalLM.from_pretrained(said.model, dtype="auto")
    trainer = SFTTrainer(
        model=model,
        args=settings(said.out, tiny=said.tiny, steps=said.steps),
        train_dataset=records,
        processing_class=vocabulary,
    )
    trainer.train()
    trainer.save_model()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(json.dumps({"records": len(records), "first_loss": losses[0], "last_loss": losses[-1]}))
    if said.tiny and not losses[-1] < FALLEN * losses[0]:
        raise SystemExit(f"the loss did not fall: {losses}")


if __name__ == "__main__":
    main()
