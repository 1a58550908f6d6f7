"""What each kind of training stage is made of: its objective, its source, its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from students.batches.pack import Unit, pack, share
from students.batches.tokenise import Report, Rows, tokenised
from students.batches.units import Units, units
from students.config import DPO, GRPO, FromRows, RewardModel, Training
from students.objectives import Objective
from students.objectives.dpo import Dpo
from students.objectives.grpo import Grpo
from students.objectives.reward_model import Reward
from students.objectives.sft import Sft
from students.reference import Reference, with_reference
from students.reward_model import kept_apart
from students.rollouts.correction import Corrected
from students.rollouts.decoder import LocalSampler
from students.rollouts.source import Change, Drawing, RolloutSource
from students.sources import FileSource, Source
from students.validation import Validation, chosen
from verifiers.pool import VerdictPool
from verifiers.records import Problem
from verifiers.sampler import Sampler


@dataclass
class Plan:
    """What the engine needs to train a stage."""

    objective: Objective
    source: Source
    steps: int
    counts: dict[str, int] = field(default_factory=dict)
    """Rows, and how many of them were dropped, cut or split."""
    held: Units | None = None
    """What a reward model is measured on."""
    validation: Validation | None = None


def from_rows(
    stage: FromRows,
    rows: Rows,
    model: Any,
    tokenizer: Any,
    seed: int,
    name: str,
    cache: Path,
    report: Report = lambda text: None,
) -> Plan:
    """CPT, SFT, DPO and reward model: objective and batches from the rows of a training set.

    `name` names the model by content, `cache` is a folder for tokens and reference log-probs,
    `report` is told how far tokenisation is.
    Raises DataError where rows cannot be trained on.
    """
    strict = stage.bad_rows == "refuse"
    tokens = tokenised(stage.shape, rows, tokenizer, cache / "tokens", strict, report)
    together = 2 if stage.shape == "pair" else 1
    found, counts = units(tokens, together, stage.max_length, stage.too_long)
    bad = sum(count for count, _ in tokens.bad.values())
    apart = len(tokens.index) // together - tokens.rows + bad
    also = {"bad_dropped": bad, "turns_apart": apart}
    counts = {"rows": tokens.rows, **{k: n for k, n in also.items() if n}, **counts}
    objective: Objective = Sft()
    held = None
    if isinstance(stage, RewardModel):
        objective = Reward(stage.margin, stage.centering)
        found, held = kept_apart(found, stage.heldout, seed)
    if isinstance(stage, DPO):
        objective = Dpo(stage.beta, stage.label_smoothing, stage.rpo_alpha)

    def learned(part: Units) -> Sequence[Unit]:
        if not isinstance(stage, DPO):
            return part
        return with_reference(part, model, name, cache / "reference")

    validation = None
    if stage.validation is not None:
        out = chosen(found.groups, stage.validation.rows, seed)
        validation = Validation(pack(map(share, learned(found.part(out)))), stage.validation)
        found = found.part(~out)
        counts["validation"] = int(out.sum())
    source = FileSource(learned(found), stage.tokens_per_step, seed)
    steps = stage.max_steps
    if steps is None or stage.epochs is not None:
        steps = _limited(stage, source.steps(stage.epochs or 1))
    return Plan(objective, source, steps, counts, held, validation)


def from_rollouts(
    stage: GRPO,
    problems: Sequence[Problem],
    model: Any,
    tokenizer: Any,
    pool: VerdictPool,
    seed: int,
    system: str | None,
    served: tuple[Sampler, Drawing] | None = None,
) -> Plan:
    """GRPO: the policy's own answers to `problems`, judged by `pool`.

    The policy is decoded here, or where somebody serves it: by a sampler that is it in `Drawing`.
    """
    changes: list[Change] = [Reference(model)] if stage.kl else []
    if served:
        sampler, drawing = served
        changes.append(Corrected(model))
    else:
        batch = stage.prompts * stage.group_size
        sampler = LocalSampler(model, tokenizer, "policy", batch, tokens=True)
        drawing = sampler.drawing
    source = RolloutSource(
        sampler, drawing, tokenizer, pool, problems, stage, seed, system, changes
    )
    steps = stage.rounds * stage.passes * stage.minibatches
    objective = Grpo(stage.clip_low, stage.clip_high, stage.kl)
    return Plan(objective, source, _limited(stage, steps), {"rows": len(problems)})


def _limited(stage: Training, steps: int) -> int:
    return steps if stage.max_steps is None else min(steps, stage.max_steps)
