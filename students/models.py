"""Models and tokenizers: load, build from nothing, adapt with LoRA, save as plain folders."""

from __future__ import annotations

import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from students.batches.attention import NAME as ATTENTION
from students.config import Lora, Scratch, StudentConfig
from students.errors import ModelError

END, PAD = "<|end|>", "<|endoftext|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of the 256 bytes and a few marks: any text, nothing to train."""
    marks = [PAD, END, *ROLES]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*marks, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, extra_special_tokens=list(ROLES)
    )
    fast.chat_template = TEMPLATE
    return fast


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer `bytes`, or that of a folder or hub id; raises ModelError."""
    if name == "bytes":
        return byte_tokenizer()
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"no tokenizer at {name!r}: {_first_line(error)}") from error


def build(shape: Scratch, seed: int) -> tuple[Any, PreTrainedTokenizerBase]:
    """A model of random weights and its tokenizer; the same weights for the same seed."""
    tokenizer = load_tokenizer(shape.tokenizer)
    config = _config(shape, tokenizer)
    tokenizer = _as_loaded(tokenizer, config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(
            config, attn_implementation=ATTENTION, dtype=torch.float32
        )
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model, tokenizer


def _config(shape: Scratch, tokenizer: PreTrainedTokenizerBase) -> Any:
    try:
        return AutoConfig.for_model(
            shape.architecture,
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads or shape.heads,
            intermediate_size=shape.intermediate_size,
            max_position_embeddings=shape.context,
            tie_word_embeddings=True,
            initializer_range=0.02,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    except ValueError as error:
        raise ModelError(f"unknown architecture {shape.architecture!r}") from error


def _as_loaded(tokenizer: PreTrainedTokenizerBase, config: Any) -> PreTrainedTokenizerBase:
    """`tokenizer` as anyone will load it with the model: some architectures bring a normaliser."""
    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return load_tokenizer(folder)


def load(name: str | Path, dtype: str = "auto") -> tuple[Any, PreTrainedTokenizerBase]:
    """Model and tokenizer of a local folder or hub id; raises ModelError."""
    if dtype == "auto":
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(name), attn_implementation=ATTENTION, dtype=dtype.removeprefix("torch.")
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"no model at {str(name)!r}: {_first_line(error)}") from error
    return model, load_tokenizer(str(name))


def check(name: str) -> Any:
    """The configuration of a model, without its weights; ModelError where there is none."""
    if not Path(name).is_dir() and (Path(name).is_absolute() or name.startswith(".")):
        raise ModelError(f"no model at {name!r}: no such folder")
    try:
        return AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"no model at {name!r}: {_first_line(error)}") from error


def rehearse(student: StudentConfig) -> None:
    """Raise ModelError where the student cannot be built or adapted, without any weights."""
    if student.scratch is not None:
        config = _config(student.scratch, load_tokenizer(student.scratch.tokenizer))
    else:
        config = check(str(student.model))
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION)
        if student.lora is not None:
            adapt(model, student.lora, 0)
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the student cannot be built: {_first_line(error)}") from error


def start(config: StudentConfig, seed: int) -> tuple[Any, PreTrainedTokenizerBase]:
    """The student before any training."""
    if config.scratch is not None:
        return build(config.scratch, seed)
    assert config.model is not None
    return load(config.model, config.dtype)


def adapt(model: Any, lora: Lora, seed: int, adapter: Path | None = None) -> Any:
    """`model` with a LoRA adapter, everything else frozen: a fresh one, or that of a folder.

    The adapter is in float32, whatever the model is in.
    """
    from peft import LoraConfig, PeftModel, get_peft_model

    if adapter is not None:
        return PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha or 2 * lora.rank,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def save(model: Any, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Write a plain Hugging Face folder; with LoRA the merged weights, the adapter in adapter/.

    The adapter is merged into the weights as they are stored, where training held them in fewer
    bits.
    """
    if hasattr(model, "merge_and_unload"):
        adapter = out / "adapter"
        model.save_pretrained(str(adapter))
        stored = stored_dtype(model)
        if stored not in (None, model.dtype):
            from peft import PeftModel

            base, _ = load(model.get_base_model().name_or_path, str(stored))
            model = PeftModel.from_pretrained(base, str(adapter))
        model = model.merge_and_unload()
    model.save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))


def describe(model: Any) -> dict[str, Any]:
    """Weights in all, the share that is trained, and with LoRA what merging loses."""
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    found = {"weights": total, "trained": trained, "share": round(trained / total, 4)}
    if hasattr(model, "merge_and_unload"):
        found["merge_error"] = round(merge_error(model), 6)
    return found


def stored_dtype(model: Any) -> torch.dtype | None:
    """The dtype of the weights that an adapted model was loaded from; None where it was built."""
    name = model.get_base_model().name_or_path
    return AutoConfig.from_pretrained(name).dtype or torch.float32 if name else None


@torch.no_grad()
def merge_error(model: Any) -> float:
    """|merged - exact| / |change|: the part of the adapter's change that merged weights round away.

    About 0 with weights of 32 bits; 1 where 16 bits hold nothing of it.
    """
    lost = change = 0.0
    stored = stored_dtype(model)
    for layer in model.modules():
        if hasattr(layer, "get_delta_weight"):
            weight = layer.get_base_layer().weight
            delta = layer.get_delta_weight("default").float()
            merged = (weight.float() + delta).to(stored or weight.dtype)
            lost += (merged.double() - weight.double() - delta.double()).square().sum().item()
            change += delta.square().sum().item()
    return math.sqrt(lost / change) if change else 0.0


def device() -> torch.device:
    """The device that a single process computes on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
logging.disable_progress_bar()
