"""What each kind of training stage is made of: its objective, its source, its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from students.batches.encode import as_chat, encode_chats, encode_texts
from students.config import CPT, DPO, GRPO, Training
from students.objectives import Objective
from students.objectives.dpo import Dpo
from students.objectives.grpo import Grpo
from students.objectives.sft import Sft
from students.reference import Reference, with_reference
from students.rollouts.decoder import LocalSampler
from students.rollouts.source import RolloutSource
from students.sources import FileSource, Source
from verifiers.pool import VerdictPool
from verifiers.records import Problem

Rows = Sequence[dict[str, Any]]


@dataclass
class Plan:
    """What the engine needs to train a stage."""

    objective: Objective
    source: Source
    steps: int


def from_rows(
    stage: Training, rows: Rows, model: Any, tokenizer: Any, seed: int, name: str, cache: Path
) -> Plan:
    """CPT, SFT and DPO: objective and batches from the rows of a training set.

    `name` names the model by content, `cache` is a folder for reference log-probs.
    Raises DataError where rows cannot be trained on.
    """
    objective: Objective = Sft()
    if isinstance(stage, CPT):
        documents = encode_texts(tokenizer, [row["text"] for row in rows], stage.max_length)
        units = [(document,) for document in documents]
    elif isinstance(stage, DPO):
        objective = Dpo(stage.beta, stage.label_smoothing, stage.rpo_alpha)
        sides = [
            as_chat({"prompt": row["prompt"], "completion": row[side]})
            for row in rows
            for side in ("chosen", "rejected")
        ]
        cut = [bool(row.get(f"{side}_cut")) for row in rows for side in ("chosen", "rejected")]
        documents = encode_chats(tokenizer, sides, stage.max_length, cut)
        pairs = list(zip(documents[0::2], documents[1::2], strict=True))
        units = with_reference(pairs, model, name, cache)  # type: ignore[assignment]
    else:
        chats = [as_chat(row) for row in rows]
        cut = [bool(row.get("cut")) for row in rows]
        documents = encode_chats(tokenizer, chats, stage.max_length, cut)
        units = [(document,) for document in documents]
    source = FileSource(units, stage.tokens_per_step, seed)
    if stage.epochs is None and stage.max_steps is not None:
        return Plan(objective, source, stage.max_steps)
    return Plan(objective, source, _limited(stage, source.steps(stage.epochs or 1)))


def from_rollouts(
    stage: GRPO,
    problems: Sequence[Problem],
    model: Any,
    tokenizer: Any,
    pool: VerdictPool,
    seed: int,
    system: str | None,
) -> Plan:
    """GRPO: the policy's own answers to `problems`, judged by `pool`."""
    sampler = LocalSampler(
        model, tokenizer, "policy", stage.prompts * stage.group_size, tokens=True
    )
    reference = Reference(model) if stage.kl else None
    source = RolloutSource(sampler, pool, problems, stage, seed, system, reference)
    steps = stage.rounds * stage.passes * stage.minibatches
    return Plan(Grpo(stage.clip_low, stage.clip_high, stage.kl), source, _limited(stage, steps))


def _limited(stage: Training, steps: int) -> int:
    return steps if stage.max_steps is None else min(steps, stage.max_steps)
