"""The one training loop, for every objective."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from students import checkpoints, models
from students.batches.pack import Packed
from students.batches.scorer import scorer as scorer_of
from students.config import Training
from students.errors import DataError
from students.memory import release
from students.objectives import Objective
from students.sources import Source
from verifiers.files import place

Report = Callable[[dict[str, Any]], None]


def train(
    model: Any,
    tokenizer: Any,
    objective: Objective,
    source: Source,
    config: Training,
    out: Path,
    steps: int,
    report: Report = lambda line: None,
    keep: bool = False,
) -> Path:
    """Train `model` for `steps` optimizer steps and save it as the folder `out`.

    Fewer steps where the source is exhausted before.

    Checkpoints lie beside it, in `partial_of(out)`, and training goes on from the newest one; the
    result is the same, bit for bit on a CPU, as if it had never stopped. `report` gets one line of
    metrics a step, again for the steps that are done again. `keep` leaves the checkpoints to a
    caller who has yet to note the result.

    Raises DataError where the loss is not finite.
    """
    partial = partial_of(out)
    accelerator = Accelerator()
    scorer = scorer_of(model, uniform=getattr(objective, "uniform", False))
    _hold(model, config.activations)
    optimizer = _optimizer(scorer, config)
    scorer, optimizer = accelerator.prepare(scorer, optimizer)
    trained = {n: p for n, p in scorer.named_parameters() if p.requires_grad}
    done = _resume(partial, trained, optimizer, source)
    scorer.train()
    batches = iter(source)
    start, tokens = time.monotonic(), 0
    for step in range(done + 1, steps + 1):
        batch = next(batches, None)
        if batch is None:
            break
        rate = learning_rate(step, steps, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        metrics = _step(accelerator, scorer, optimizer, objective, batch, config)
        tokens += len(batch.ids)
        if not math.isfinite(metrics["loss"]):
            raise DataError(f"the loss is {metrics['loss']} at step {step}")
        metrics |= batch.metrics | {
            "step": step,
            "steps": steps,
            "learning_rate": rate,
            "tokens": len(batch.ids),
        }
        seconds = time.monotonic() - start
        metrics["tokens_per_second"] = round(tokens / seconds, 1)
        metrics["seconds_left"] = round(seconds * (steps - step) / (step - done), 1)
        report(metrics)
        if step % config.checkpoint_every == 0 and step < steps and accelerator.is_main_process:
            state = _state(step, trained, optimizer, source)
            checkpoints.write(partial / "checkpoints", step, state, config.keep_checkpoints)
    _finish(accelerator.unwrap_model(scorer).model, tokenizer, partial, out)
    if not keep:
        shutil.rmtree(partial)
    return out


def partial_of(out: Path) -> Path:
    """The folder of what is unfinished of the student that will stand at `out`."""
    return out.with_name(f".{out.name}.partial")


def resumable(out: Path) -> bool:
    """True where the training towards `out` has a checkpoint to go on from."""
    return bool(checkpoints.found(partial_of(out) / "checkpoints"))


def learning_rate(step: int, steps: int, config: Training) -> float:
    """The rate of step 1..`steps`: linear warm-up, then the schedule down to its final share."""
    warm = max(1, round(config.warmup * steps))
    if step <= warm:
        return config.learning_rate * step / warm
    if config.schedule == "constant":
        return config.learning_rate
    x = (step - warm) / max(1, steps - warm)
    fall = 0.5 * (1 + math.cos(math.pi * x)) if config.schedule == "cosine" else 1 - x
    low = config.final_learning_rate
    return config.learning_rate * (low + (1 - low) * fall)


def _hold(model: Any, activations: str) -> None:
    """What becomes of the layers' activations until the backward pass."""
    if activations == "keep":
        model.gradient_checkpointing_disable()
    else:
        offload = activations == "offload" and torch.accelerator.is_available()
        model.gradient_checkpointing_enable(offload=offload)


def _optimizer(module: nn.Module, config: Training) -> torch.optim.Optimizer:
    named = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in named if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def _step(
    accelerator: Accelerator,
    scorer: nn.Module,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    batch: Packed,
    config: Training,
) -> dict[str, Any]:
    """One optimizer step over all micro-batches of `batch`; its metrics."""
    normaliser = objective.count(batch)
    totals: dict[str, torch.Tensor] = {}
    for micro in batch.split(config.tokens_per_micro_batch):
        micro = micro.to(accelerator.device)
        loss, metrics = objective(scorer(micro), micro, normaliser)
        accelerator.backward(loss)
        for name, value in metrics.items():
            totals[name] = totals[name] + value if name in totals else value
    norm = accelerator.clip_grad_norm_(scorer.parameters(), config.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    result: dict[str, Any] = {name: value.item() for name, value in totals.items()}
    result["grad_norm"] = float(norm) if norm is not None else math.nan
    return result


def _state(
    step: int, trained: dict[str, nn.Parameter], optimizer: Any, source: Source
) -> dict[str, Any]:
    return {
        "step": step,
        "weights": {name: p.detach().cpu() for name, p in trained.items()},
        "optimizer": optimizer.state_dict(),
        "source": source.state_dict(),
        "random": checkpoints.random_state(),
    }


def _resume(partial: Path, trained: dict[str, nn.Parameter], optimizer: Any, source: Source) -> int:
    """Put everything back as the newest checkpoint holds it; the step it was taken at, or 0."""
    state = checkpoints.latest(partial / "checkpoints")
    if state is None:
        return 0
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    source.load_state_dict(state["source"])
    checkpoints.set_random_state(state["random"])
    return int(state["step"])


def _finish(model: Any, tokenizer: Any, partial: Path, out: Path) -> None:
    """Save the model beside `out` and move it there in one step."""
    release()
    final = partial / "model"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir(parents=True)
    summary = models.save(model, tokenizer, final)
    (final / "training.json").write_text(json.dumps(summary) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    place(final, out)
