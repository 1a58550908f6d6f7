"""Weight sync: the student as it stands, in a folder that a server reads."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase


def served_in(model: Any) -> torch.dtype:
    """What a student computes in, and is to be served in."""
    return getattr(model, "computes_in", model.dtype)


@torch.no_grad()
def write(model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `model` as a plain Hugging Face folder in the precision in which it computes.

    Adapters are merged into a copy, so the model stays as it is. The folder is made anew beside and
    moved, because a server may still read the files of the last one.
    """
    adapted = hasattr(model, "merge_and_unload")
    plain = copy.deepcopy(model).merge_and_unload() if adapted else model
    tied, beside = plain.all_tied_weights_keys, folder.with_name(f"{folder.name}.new")
    state = {
        name: value.to(served_in(model))
        for name, value in plain.state_dict().items()
        if name not in tied
    }
    apart = tied if model.device.type == "cpu" else {}
    state |= {name: state[source].clone() for name, source in apart.items()}
    shutil.rmtree(beside, ignore_errors=True)
    plain.save_pretrained(str(beside), state_dict=state)
    tokenizer.save_pretrained(str(beside))
    if apart:
        _untie(beside / "config.json")
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def _untie(config: Path) -> None:
    """Let a head be read from its own weights.

    On a CPU vLLM 0.32 computes with a packed copy of the head, which it does not make anew where
    the weights that it reads again are the embeddings'.
    """
    words = json.loads(config.read_text()) | {"tie_word_embeddings": False}
    config.write_text(json.dumps(words))
