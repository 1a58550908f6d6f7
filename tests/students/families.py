"""Small tokenizers with the special tokens and chat templates of model families."""

from functools import cache
from pathlib import Path

import yaml
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    trainers,
)
from tokenizers import models as kinds
from transformers import AutoTokenizer, PreTrainedTokenizerFast

FAMILIES = yaml.safe_load((Path(__file__).parents[1] / "data" / "chat_templates.yaml").read_text())
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXT = [
    "The sum of 12 and 30 is 42.\n\nSo the answer is 42, I think.",
    " the  and\n\n\nof <think>\n",
] * 9
SMOLLM2 = Path(__file__).parents[2] / "models" / "SmolLM2-135M-Instruct"
NAMES = [*FAMILIES, *(["smollm2"] if (SMOLLM2 / "tokenizer.json").exists() else [])]


@cache
def tokenizer(name):
    """The tokenizer of a family: SmolLM2's own, else a small one made for it."""
    if name == "smollm2":
        return AutoTokenizer.from_pretrained(SMOLLM2)
    family = FAMILIES[name]
    words = _bytes() if family["words"] == "bytes" else _blanks(family["words"] == "legacy")
    marks = [AddedToken(mark, special=True, rstrip=name == "phi3") for mark in family["marks"]]
    words.add_special_tokens(marks)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=family.get("bos"), eos_token=family["eos"]
    )
    fast.chat_template = family["template"]
    return fast


def end_of(name):
    """The token that ends an assistant's turn."""
    return FAMILIES[name]["end"] if name in FAMILIES else "<|im_end|>"


def _bytes():
    """BPE of bytes behind a pattern of words, as Qwen, Llama 3, Phi 4 and DeepSeek have it."""
    made = Tokenizer(kinds.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False),
    )
    return made


def _blanks(legacy):
    """BPE of characters where a blank is ▁, one stands before each text, and bytes are a last resort."""
    made = Tokenizer(kinds.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    if legacy:
        parts = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        made.normalizer = normalizers.Sequence(parts)
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<unk>", *(f"<0x{n:02X}>" for n in range(256))]
    made.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False),
    )
    return made
