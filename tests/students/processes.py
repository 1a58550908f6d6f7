"""What the tests of test_devices.py run in several processes.

    gradients OUT PRECISION
    train OUT STRATEGY TOGETHER STEP

TOGETHER processes share the tokens of each batch. `train` ends by SIGKILL of one of its processes
after STEP, where that is not 0.
"""

import copy
import os
import signal
import sys
from pathlib import Path

import torch

from students import engine, models, ranks
from students.adapters import adapt
from students.batches.pack import pack, share
from students.batches.scorer import scorer as scorer_of
from students.config import DPO, SFT, Lora, Scratch
from students.objectives.dpo import Dpo
from students.objectives.sft import Sft
from students.precision import compute_in
from students.reference import with_reference
from students.sources import FileSource
from tests.students.encoded import encoded

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, kv_heads=1, intermediate_size=128, context=128)
STEPS = 14
WAYS = [("ddp", 1), ("fsdp2", 1), ("ddp", 2), ("fsdp2", 2)]
SHORT = [("fsdp2", 1), ("fsdp2", 2)]
SINGLE = [("zero1", 1), ("zero2", 1), ("zero2", 2)]


def rows(n):
    return [
        {"prompt": f"{a}+{a + 3}=?", "completion": "A:" + " 1" * (a % 13) + f" {2 * a + 3}"}
        for a in range(n)
    ]


def documents(tokenizer, n):
    return encoded(tokenizer, rows(n))


def batches(model, tokenizer, cache):
    """Many documents, fewer than processes, an odd few, and pairs."""
    docs = documents(tokenizer, 24)
    pairs = list(zip(docs[0::2], docs[1::2], strict=True))
    pairs = with_reference(pairs, model, "m", cache)
    return [
        *((Sft(), SFT(tokens_per_micro_batch=150), pack((d,) for d in docs[:n])) for n in (23, 1, 3)),
        (Dpo(0.1, rpo_alpha=0.5), DPO(tokens_per_micro_batch=200), pack(map(share, pairs))),
    ]  # fmt: skip


def gradients(ways, out, precision):
    """The gradients, metrics and new weights of one step of each batch, by each of `ways`.

    Those are strategies and how many processes share the tokens. The `precision` is long, single
    or short: 64, 32 or 16 bits. Gradients are clipped ones, a tenth of which AdamW holds.
    """
    found = {}
    model, tokenizer = models.build(SHAPE, seed=0)
    if precision == "short":
        compute_in(model, "bfloat16")
    elif precision == "long":
        model.double()
    cases = batches(model, tokenizer, out)
    for strategy, together in ways:
        for number, (objective, config, batch) in enumerate(cases):
            scorer = scorer_of(copy.deepcopy(model), getattr(objective, "uniform", False))
            scorer.spread(ranks.team(together))
            run = engine._Run(scorer, objective, config, strategy)
            metrics = run.step(batch, 1e-3)
            moments = run.held.moments().items()
            kept = {name: values["exp_avg"].clone() for name, values in moments}
            loss = run.loss(batch)
            run.finish(None)
            weights = {n: p.detach() for n, p in run.scorer.named_parameters()}
            found[f"{strategy} {together} {number}"] = {
                "gradients": kept, "weights": weights, "metrics": metrics | {"after": loss}
            }  # fmt: skip
    return found


def train(out, strategy, together=1, last=0):
    """LoRA with dropout, which draws from every process's own random numbers."""
    model, tokenizer = models.build(SHAPE, seed=0)
    model = adapt(model, Lora(rank=4, dropout=0.1), seed=0)
    config = SFT(
        learning_rate=3e-3, tokens_per_step=400, checkpoint_every=4, tokens_per_micro_batch=100
    )
    source = FileSource([(d,) for d in documents(tokenizer, 32)], config.tokens_per_step, seed=0)

    def report(line):
        if line["step"] == last and ranks.own() == ranks.count() - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    return engine.train(
        model, tokenizer, Sft(), source, config, out, STEPS, report, strategy=strategy,
        context_parallel=together,
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    ranks.join()
    folder = Path(sys.argv[2])
    if sys.argv[1] == "gradients":
        ways = {"long": WAYS, "single": SINGLE, "short": SHORT}
        found = gradients(ways[sys.argv[3]], folder, sys.argv[3])
        if ranks.main():
            torch.save(found, folder / "found.pt")
    else:
        train(folder, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    ranks.leave()
