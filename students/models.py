"""Models and tokenizers: load, build from nothing, save as plain folders."""

from __future__ import annotations

import os
from importlib.util import find_spec
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
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from students.adapters import adapt, merge_error
from students.batches import spread
from students.batches.attention import NAME as ATTENTION
from students.batches.scorer import scorer
from students.config import Scratch, StudentConfig
from students.errors import ModelError
from students.heads import with_head
from students.vocabulary import extend, grow, missing
from students.zero import check as check_strategy

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


def load(
    name: str | Path, dtype: str = "auto", kind: Any = AutoModelForCausalLM,
    quantize: str | None = None,
) -> tuple[Any, PreTrainedTokenizerBase]:  # fmt: skip
    """Model (of the auto class `kind`) and tokenizer of a folder or hub id; raises ModelError.

    `quantize` holds the matrices of its layers in 4 bits of that form, nf4 or fp4.
    """
    if dtype == "auto":
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    held = getattr(torch, dtype.removeprefix("torch."))
    packed = {"quantization_config": quantization(quantize, held)} if quantize else {}
    check(str(name))
    try:
        model = kind.from_pretrained(str(name), attn_implementation=ATTENTION, dtype=held, **packed)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"no model at {str(name)!r}: {_first_line(error)}") from error
    return model, load_tokenizer(str(name))


def check(name: str) -> Any:
    """The configuration of a model, without its weights; ModelError where there is none."""
    if not Path(name).is_dir() and (Path(name).is_absolute() or name.startswith(".")):
        raise ModelError(f"no model at {name!r}: no such folder")
    if (Path(name) / "adapter_config.json").is_file():
        raise ModelError(f"{name!r} holds an adapter, not a model: merge it into its model first")
    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"no model at {name!r}: {_first_line(error)}") from error
    if getattr(config, "quantization_config", None):
        raise ModelError(
            f"the weights of {name!r} are quantised: give the model they were made from, and "
            "lora.quantize where they are to be held in 4 bits"
        )
    return config


def rehearse(student: StudentConfig, reward: bool = False) -> None:
    """Raise ModelError where the student cannot be built or trained, without any weights.

    `reward`: it is to be made into a reward model too.
    """
    if student.scratch is not None:
        tokenizer = load_tokenizer(student.scratch.tokenizer)
        config = _config(student.scratch, tokenizer)
    else:
        config = check(str(student.model))
        tokenizer = load_tokenizer(str(student.model))
    spread.check(config, student.context_parallel)
    check_strategy(student.strategy)
    if student.lora is not None and student.lora.quantize:
        quantization(student.lora.quantize, torch.float32)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION)
        if student.tokens:
            extend(model, tokenizer, student.tokens)
        if reward:
            model = with_head(model, tokenizer, 0)
        if student.lora is not None:
            model = adapt(model, student.lora, 0)
        scorer(model)
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the student cannot be built: {_first_line(error)}") from error


def start(config: StudentConfig, seed: int) -> tuple[Any, PreTrainedTokenizerBase]:
    """The student before any training, with QLoRA its weights in 4 bits."""
    if config.scratch is not None:
        model, tokenizer = build(config.scratch, seed)
    else:
        bits = config.lora.quantize if config.lora else None
        model, tokenizer = load(str(config.model), config.dtype, quantize=bits)
    extend(model, tokenizer, config.tokens)
    return model, tokenizer


def quantization(form: str, dtype: torch.dtype) -> Any:
    """How transformers is to load weights in 4 bits (arXiv 2305.14314); raises ModelError."""
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "lora.quantize needs bitsandbytes: pip install 'distill-factory[train,qlora]'"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=form, bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
    )  # fmt: skip


def save(model: Any, tokenizer: PreTrainedTokenizerBase, out: Path) -> dict[str, Any]:
    """Write a plain Hugging Face folder; with LoRA the merged weights, the adapter in adapter/.

    The adapter is merged into the weights as they are stored, where training held them in fewer
    bits. Returns the number of weights, the share of them that was trained, and with LoRA the
    `merge_error`.
    """
    found = describe(model)
    if hasattr(model, "merge_and_unload"):
        adapter = out / "adapter"
        model.save_pretrained(str(adapter), save_embedding_layers=False)
        model = _on_stored(model, tokenizer, adapter)
        found["merge_error"] = round(merge_error(model), 6)
        model = model.merge_and_unload()
    model.save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))
    return found


def _on_stored(model: Any, tokenizer: PreTrainedTokenizerBase, adapter: Path) -> Any:
    """An adapted model, on the weights that it stands on as they are stored."""
    name, bits = model.get_base_model().name_or_path, is_quantized(model)
    if not name:
        return model
    stored = check(name).dtype or torch.float32
    if stored == model.dtype and not bits:
        return model
    from peft import PeftModel

    base, own = load(name, str(stored))
    grow(base, missing(tokenizer, own))
    if hasattr(model, "score"):
        base = with_head(base, tokenizer, 0)
    return PeftModel.from_pretrained(base, str(adapter))


def is_quantized(model: Any) -> bool:
    """Whether the layers of a model are held in 4 bits."""
    return any(hasattr(p, "quant_state") for p in model.parameters())


def describe(model: Any) -> dict[str, Any]:
    """Weights in all, and the share that is trained."""
    counts = [
        (p.quant_state.shape.numel() if hasattr(p, "quant_state") else p.numel(), p.requires_grad)
        for p in model.parameters()
    ]
    total = sum(count for count, _ in counts)
    trained = sum(count for count, learns in counts if learns)
    return {"weights": total, "trained": trained, "share": round(trained / total, 4)}


def device() -> torch.device:
    """The device that a single process computes on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
if not torch.cuda.is_available():
    # else DeepSpeed, which transformers imports where it is there, says on stdout that it guessed
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
logging.disable_progress_bar()
