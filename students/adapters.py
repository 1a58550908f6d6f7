"""Low-rank adapters: attached, handed on, and what merging them loses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from students.config import Lora
from students.errors import ModelError

NAME = "default"


def adapt(
    model: Any, lora: Lora, seed: int, adapter: Path | None = None, rows: Sequence[int] = ()
) -> Any:
    """`model` with an adapter, everything else frozen: a fresh one, or that of a folder.

    LoRA (arXiv 2106.09685), with `dora` also the magnitudes of columns (arXiv 2402.09353), with
    `rslora` scaled by alpha / sqrt(rank) (arXiv 2312.03732). A reward model's head and the
    embeddings of the token ids `rows` are trained and saved with it. The adapter is in float32,
    whatever the model is in.

    Raises ModelError where the folder's adapter is of another form.
    """
    from peft import LoraConfig, get_peft_model

    scored = hasattr(model, "score")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha or 2 * lora.rank,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        use_dora=lora.dora,
        use_rslora=lora.rslora,
        task_type="SEQ_CLS" if scored else "CAUSAL_LM",
        trainable_token_indices={name: list(rows) for name in _tables(model)} if rows else None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = get_peft_model(model, config)
    if adapter is not None:
        _put(model, adapter, scored)
    return model


def _put(model: Any, adapter: Path, scored: bool) -> None:
    """Give `model` the adapter of a folder; a reward model may take over a policy's."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    own = get_peft_model_state_dict(model, save_embedding_layers=False)
    try:
        found = load_file(adapter / "adapter_model.safetensors")
        same = scored or found.keys() == own.keys()
        if not same or any(found[name].shape != own[name].shape for name in found if name in own):
            raise ModelError(f"the adapter in {adapter} is of another form than the recipe's")
        kept = {name: value for name, value in found.items() if name in own}
        set_peft_model_state_dict(model, own | kept)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"no adapter in {adapter}") from error


def _tables(model: Any) -> list[str]:
    """Names of the embedding tables, where input and output share one only that."""
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    if tables[1] is None or tables[1].weight is tables[0].weight:
        del tables[1]
    return [name for name, module in model.named_modules() if any(module is t for t in tables)]


@torch.no_grad()
def merge_error(model: Any) -> float:
    """|merged - exact| / |change|: the part of the adapter's change that rounding takes.

    About 0 with weights of 32 bits; 1 where 16 bits hold nothing of it.
    """
    lost = change = 0.0
    for layer in model.modules():
        if hasattr(layer, "get_delta_weight"):
            weight = layer.get_base_layer().weight
            exact = _exact(layer)
            lost += (exact.to(weight.dtype).double() - exact.double()).square().sum().item()
            change += (exact - weight.float()).square().sum().item()
    return math.sqrt(lost / change) if change else 0.0


def _exact(layer: Any) -> Tensor:
    """The weight of a layer with its adapter, in float32."""
    weight = layer.get_base_layer().weight.float()
    if NAME in layer.lora_variant:
        return layer.lora_variant[NAME].merge_safe(layer, NAME, weight)
    return weight + layer.get_delta_weight(NAME).float()
