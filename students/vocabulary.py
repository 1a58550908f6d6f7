"""Tokens that a student's vocabulary gets before it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AddedToken, PreTrainedTokenizerBase


def extend(model: Any, tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> None:
    """Add those of `tokens` that are no tokens yet; see `grow`.

    They are not special: what the model writes with them is read like any other text.
    """
    before = set(tokenizer.get_vocab().values())
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in tokens])
    grow(model, sorted(set(tokenizer.get_vocab().values()) - before))


@torch.no_grad()
def grow(model: Any, ids: Sequence[int]) -> None:
    """Give the token `ids`, the last of the vocabulary, the mean embedding of all before them.

    Spare rows of the tables are used first; tables that are one stay one.
    """
    if not ids:
        return
    if ids[-1] >= model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(ids[-1] + 1, mean_resizing=False)
    for table in (model.get_input_embeddings(), model.get_output_embeddings()):
        for values in (table.weight, getattr(table, "bias", None)) if table is not None else ():
            if values is not None:
                values[list(ids)] = values[: ids[0]].float().mean(0).to(values.dtype)


def ids_of(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]) -> list[int]:
    """The ids of `tokens`, ascending."""
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary[token] for token in tokens)


def missing(tokenizer: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase) -> list[int]:
    """The ids of the tokens of `tokenizer` that `other` has not, ascending."""
    return sorted(set(tokenizer.get_vocab().values()) - set(other.get_vocab().values()))
