"""Mistakes in a recipe, as a person can mend them: file, line, key, and what was meant."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

ELSEWHERE = {
    "num_train_epochs": "epochs",
    "lr": "learning_rate",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
    "lr_scheduler_type": "schedule",
    "per_device_train_batch_size": "tokens_per_step",
    "train_batch_size": "tokens_per_step",
    "gradient_accumulation_steps": "tokens_per_micro_batch",
    "max_seq_length": "max_length",
    "max_new_tokens": "max_tokens",
    "max_completion_length": "max_tokens",
    "num_generations": "group_size",
    "num_iterations": "passes",
    "beta": "kl",
    "epsilon": "clip_low",
    "epsilon_high": "clip_high",
    "scale_rewards": "scale_advantages",
    "mask_truncated_completions": "truncated",
    "save_steps": "checkpoint_every",
    "save_total_limit": "keep_checkpoints",
    "lora_r": "rank",
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "target_modules": "targets",
    "use_dora": "dora",
    "use_rslora": "rslora",
    "load_in_4bit": "quantize",
    "additional_special_tokens": "tokens",
    "center_rewards_coefficient": "centering",
    "model_name_or_path": "model",
    "report_to": "trackers",
    "log_with": "trackers",
    "num_processes": "devices",
    "nproc_per_node": "devices",
    "eval_steps": "validation",
    "load_best_model_at_end": "validation",
    "early_stopping_patience": "patience",
}


def explain(error: ValidationError, path: Path, tree: yaml.Node, recipe: type[BaseModel]) -> str:
    """The first mistake in one sentence, with file, line and key, and a likely cure."""
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = errors[0]
    loc = first["loc"]
    if loc and loc[0] == "stages" and first["type"] == "union_tag_invalid":
        key, message = _dotted(loc), _not_available("stage kind", first["ctx"])
    elif first["type"] == "union_tag_invalid":
        key, message = _dotted(loc), _not_available("source", first["ctx"])
    elif first["type"] == "union_tag_not_found":
        missing = "kind" if loc[0] == "stages" else "from"
        key, message = _dotted(loc), f"{missing!r} is missing"
    elif first["type"] == "literal_error":
        expected = first["ctx"]["expected"]
        key, message = _dotted(loc), f"{first['input']!r} is not available; available: {expected}"
    elif first["type"] == "extra_forbidden":
        key, message = _dotted(loc), f"unknown key; {_suggest(recipe, loc)}"
    else:
        key, message = _dotted(loc), first["msg"].removeprefix("Value error, ")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{path}{line_of(tree, loc)}: {key + ': ' if key else ''}{message}{more}"


def _not_available(what: str, context: dict[str, Any]) -> str:
    return f"{what} {context['tag']!r} is not available; available: {context['expected_tags']}"


def _dotted(loc: Sequence[str | int]) -> str:
    tag = {"questions": 2, "evaluate": 3}.get(str(loc[0]) if loc else "")
    shown = [part for n, part in enumerate(loc) if n != tag or loc[1:2] == ("heldout",)]
    return ".".join(str(part) for part in shown)


def _suggest(recipe: type[BaseModel], loc: Sequence[str | int]) -> str:
    known = _keys(recipe, loc[:-1])
    wrong = str(loc[-1])
    if ELSEWHERE.get(wrong) in known:
        return f"distill calls it {ELSEWHERE[wrong]!r}"
    near = difflib.get_close_matches(wrong, known, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"


def _keys(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Keys that may stand at `loc` in a recipe."""
    here = [model]
    for part in loc:
        fields = [f for m in here for n, f in m.model_fields.items() if part in (n, f.alias)]
        if fields:
            here = [m for field in fields for m in _models(field.annotation)]
        else:
            tagged = [m for m in here if any(part in _literals(f) for f in m.model_fields.values())]
            here = tagged or here
    return sorted({field.alias or name for m in here for name, field in m.model_fields.items()})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in typing.get_args(annotation) for m in _models(part)]


def _literals(field: Any) -> tuple[Any, ...]:
    return typing.get_args(field.annotation) if field.annotation is not None else ()


def line_of(tree: yaml.Node, loc: Sequence[str | int]) -> str:
    """`:line` of the deepest part of `loc` that stands in the file."""
    node, line = tree, tree.start_mark.line
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node, line = value, key.start_mark.line
                    break
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line
    return f":{line + 1}"
