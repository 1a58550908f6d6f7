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
from accelerate.utils import set_seed
from torch import Tensor

from students import checkpoints, models, ranks
from students.batches.deal import deal
from students.batches.pack import Packed
from students.batches.scorer import Scorer
from students.batches.scorer import scorer as scorer_of
from students.config import Strategy, Training
from students.errors import DataError
from students.memory import release
from students.objectives import Objective
from students.precision import hold_whole
from students.sharding import Split
from students.sources import Source
from students.strategies import Whole
from students.validation import Validation
from students.zero import Zero, Zero2
from verifiers.files import place

STRATEGIES: dict[Strategy, type[Whole]] = {
    "ddp": Whole, "fsdp2": Split, "zero1": Zero, "zero2": Zero2
}  # fmt: skip
Report = Callable[[dict[str, Any]], bool | None]
"""Gets the metrics of each step, the same in every process, in the order of the steps; a true
answer in one of them ends the training there. Between two steps it may do what it likes: write,
draw answers from the model, measure them."""


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
    seed: int = 0,
    validation: Validation | None = None,
    strategy: Strategy = "ddp",
    context_parallel: int = 1,
) -> Path:
    """Train `model` for `steps` optimizer steps and save it as the folder `out`.

    Fewer steps where the source is exhausted before, or `validation` finds no better weights; with
    it, the best weights are saved, not the last.

    Checkpoints lie beside it, in `partial_of(out)`, and training goes on from the newest one; the
    result is the same, bit for bit on a CPU, as if it had never stopped. `report` gets one line of
    metrics a step, again for the steps that are done again. `keep` leaves the checkpoints to a
    caller who has yet to note the result.

    Started by torchrun or accelerate, the processes train together by `strategy`; each calls this
    with the same arguments, and only the main one writes. Teams of `context_parallel` processes
    share the tokens of each micro-batch.

    Raises DataError where the loss is not finite, ModelError where accelerate was configured for
    another way to train, a strategy's package is missing, or processes or heads cannot be shared
    by teams.
    """
    ranks.join()
    partial = partial_of(out)
    set_seed(seed + ranks.own())
    hold_whole(model)
    _hold(model, config.activations)
    scorer = scorer_of(model, uniform=getattr(objective, "uniform", False))
    scorer.spread(ranks.team(context_parallel))
    run = _Run(scorer, objective, config, strategy)
    last = _loop(run, source, steps, partial / "checkpoints", report, validation)
    run.finish(validation)
    if ranks.main():
        summary = validation.summary(last) if validation else {}
        _save(model, tokenizer, summary, partial, out)
        if not keep:
            shutil.rmtree(partial)
    ranks.gather(None)  # nobody goes on before the student is there
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


def _loop(
    run: _Run,
    source: Source,
    steps: int,
    folder: Path,
    report: Report,
    validation: Validation | None,
) -> int:
    """All steps from the newest checkpoint in `folder` on; the number of the last one."""
    done = step = run.restore(folder, source, validation)
    run.scorer.train()
    batches = iter(source)
    start, tokens = time.monotonic(), 0
    stop = validation is not None and validation.hopeless
    while step < steps and not stop:
        batch = next(batches, None)
        if batch is None:
            break
        step += 1
        rate = learning_rate(step, steps, run.config)
        metrics = run.step(batch, rate)
        tokens += len(batch.ids)
        for name in ("loss", "grad_norm"):
            if not math.isfinite(metrics[name]):
                raise DataError(f"{name} is {metrics[name]} at step {step}")
        metrics |= batch.metrics | {
            "step": step,
            "steps": steps,
            "learning_rate": rate,
            "tokens": len(batch.ids),
        }
        if validation is not None and validation.due(step, steps):
            metrics["validation_loss"] = run.loss(validation.batch)
            validation.note(step, metrics["validation_loss"], run.held.weights)
            stop = validation.hopeless
        seconds = time.monotonic() - start
        metrics["tokens_per_second"] = round(tokens / seconds, 1)
        metrics["seconds_left"] = round(seconds * (steps - step) / (step - done), 1)
        stop = run.agreed(bool(report(metrics))) or stop
        if step % run.config.checkpoint_every == 0 and step < steps:
            run.checkpoint(folder, step, source, validation)
    return step


def _hold(model: Any, activations: str) -> None:
    """What becomes of the layers' activations until the backward pass."""
    if activations == "keep":
        model.gradient_checkpointing_disable()
    else:
        offload = activations == "offload" and torch.accelerator.is_available()
        model.gradient_checkpointing_enable(offload=offload)


class _Run:
    """A model on its way: held for the devices it is trained on, with its optimizer."""

    def __init__(self, scorer: Scorer, objective: Objective, config: Training, strategy: Strategy):
        self.objective, self.config = objective, config
        self.scorer = scorer
        self.together = scorer.team.size() if scorer.team else 1
        alone = ranks.count() == 1
        self.held = STRATEGIES["ddp" if alone else strategy](scorer, config)
        self.device = self.held.accelerator.device

    def restore(self, folder: Path, source: Source, validation: Validation | None) -> int:
        """Put everything back as the newest checkpoint holds it; the step it is of, or 0."""
        state = checkpoints.latest(folder)
        if state is None:
            return 0
        checkpoints.restore(state, self.held)
        source.load_state_dict(state["source"])
        if validation is not None and state["validation"] is not None:
            validation.load_state_dict(state["validation"])
        return int(state["step"])

    def checkpoint(
        self, folder: Path, step: int, source: Source, validation: Validation | None
    ) -> None:
        """Write down all that `restore` puts back."""
        state = checkpoints.capture(self.held)
        state |= {"step": step, "source": source.state_dict()}
        state["validation"] = validation.state_dict() if validation else None
        if ranks.main():
            checkpoints.write(folder, step, state, self.config.keep_checkpoints)

    def step(self, batch: Packed, rate: float) -> dict[str, Any]:
        """One optimizer step over all micro-batches of `batch`, those of all processes; metrics."""
        for group in self.held.optimizer.param_groups:
            group["lr"] = rate
        normaliser = self.objective.count(batch)
        totals: dict[str, Tensor] = {}
        micros = self._dealt(batch)
        for number, (micro, share) in enumerate(micros, start=1):
            with self.held.passing(last=number == len(micros)):
                loss, metrics = self.objective(self.held.module(micro), micro, normaliser)
                # gradients are averaged over processes, and the sum is wanted
                self.held.backward(loss * (share * ranks.count()))
            _add(totals, metrics, share / self.together)
        norm = self.held.step()
        return _numbers(totals) | {"grad_norm": norm}

    @torch.no_grad()
    def loss(self, batch: Packed) -> float:
        """The loss on a batch that is not trained on."""
        normaliser = self.objective.count(batch)
        totals: dict[str, Tensor] = {}
        self.scorer.eval()
        for micro, share in self._dealt(batch):
            metrics = self.objective(self.scorer(micro), micro, normaliser)[1]
            _add(totals, metrics, share / self.together)
        self.scorer.train()
        self.held.settle()
        return _numbers(totals)["loss"]

    def agreed(self, stop: bool) -> bool:
        """True in all processes where it is in one of them."""
        if ranks.count() == 1:
            return stop
        return ranks.summed(torch.tensor(float(stop), device=self.device)).item() > 0

    def finish(self, validation: Validation | None) -> None:
        """Leave the whole model in the main process, with its best weights where they are known."""
        self.held.gather()
        if ranks.main() and validation is not None:
            whole = dict(self.scorer.named_parameters())
            for name, value in validation.weights.items():
                whole[name].data.copy_(value)

    def _dealt(self, batch: Packed) -> list[tuple[Packed, float]]:
        """This team's micro-batches on its device, and 1, or 0 for those that count nothing."""
        teams, own = ranks.count() // self.together, ranks.own() // self.together
        micros = deal(batch, teams, own, self.config.tokens_per_micro_batch)
        return [(m.packed.to(self.device), float(not m.blank)) for m in micros]


def _add(totals: dict[str, Tensor], metrics: dict[str, Tensor], share: float) -> None:
    for name, value in metrics.items():
        totals[name] = totals[name] + value * share if name in totals else value * share


def _numbers(totals: dict[str, Tensor]) -> dict[str, float]:
    """Metrics of the step, summed over all processes, in one go."""
    values = ranks.summed(torch.stack([value.double() for value in totals.values()]))
    return dict(zip(totals, values.tolist(), strict=True))


def _save(model: Any, tokenizer: Any, found: dict[str, Any], partial: Path, out: Path) -> None:
    """Save the model beside `out` and move it there in one step."""
    release()
    final = partial / "model"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir(parents=True)
    summary = models.save(model, tokenizer, final) | found
    (final / "training.json").write_text(json.dumps(summary) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    place(final, out)
