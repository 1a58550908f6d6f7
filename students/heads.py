"""The scalar head that makes a reward model of a policy."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

from students.batches.attention import NAME as ATTENTION
from students.errors import ModelError

LOADED = ("is_loaded_in_4bit", "hf_quantizer", "quantization_method")


def with_head(policy: Any, tokenizer: PreTrainedTokenizerBase, seed: int) -> Any:
    """A sequence classifier of transformers with one label, on the decoder of `policy`.

    The decoder is taken over, not copied; the head is new, the same for the same `seed`. The
    tokenizer gets another token for padding where it pads with its end token: transformers scores
    the last token of a text that is not padding, and that is the end token.

    Raises ModelError where the architecture has no such classifier or the tokenizer no such token.
    """
    tokenizer.pad_token = _padding(tokenizer)
    config = copy.deepcopy(policy.config)
    config.num_labels = 1
    config.pad_token_id = tokenizer.pad_token_id
    try:
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(
                config, attn_implementation=ATTENTION, dtype=policy.dtype
            )
    except ValueError as error:
        raise ModelError(f"a {config.model_type} model cannot be a reward model") from error
    if not hasattr(model, "score"):
        raise ModelError(f"a {config.model_type} model cannot be a reward model: it has no score")
    setattr(model, model.base_model_prefix, policy.base_model)
    head = nn.Linear(model.score.in_features, 1, False, policy.device, policy.dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head.weight.data.copy_(torch.randn(head.weight.shape) * config.initializer_range)
    model.score = head
    for name in LOADED:
        if hasattr(policy, name):
            setattr(model, name, getattr(policy, name))
    return model


def _padding(tokenizer: PreTrainedTokenizerBase) -> str:
    """A token that never ends a text."""
    named = [tokenizer.pad_token, tokenizer.unk_token, tokenizer.bos_token]
    for token in [*named, *tokenizer.all_special_tokens, *tokenizer.get_added_vocab()]:
        if token is not None and token != tokenizer.eos_token:
            return token
    raise ModelError(
        "the tokenizer has no special token beside its end token, and a reward model pads with "
        "one; add it: student: {tokens: ['<pad>']}"
    )
