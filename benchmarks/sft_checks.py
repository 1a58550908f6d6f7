"""Exactness, overhead and long documents of our engine, for students_sft.py: prints JSON."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.process import forget_peak, memory
from benchmarks.sft_own import Given, batches
from students import engine, models, ranks
from students.batches.pack import Document, Packed, pack
from students.batches.scorer import Scorer, logprobs
from students.config import SFT, Scratch
from students.objectives.sft import Sft


def gradient(model: Any, micro_batches: list[Packed], score: Callable[[Packed], Tensor]) -> Tensor:
    """The gradient of a step's loss over its micro-batches, all weights in one row."""
    total = float(sum(micro.targets for micro in micro_batches))
    model.zero_grad()
    for micro in micro_batches:
        Sft()(score(micro), micro, total)[0].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def exactness(task: dict[str, Any]) -> dict[str, float]:
    """Packed against documents alone under transformers' attention; splits; other documents."""
    model, _ = models.load(task["model"], "float32")
    model.train()
    batch = batches(task["batches"])[0]
    packed = gradient(model, [batch], Scorer(model))
    model.set_attn_implementation("eager")

    def plain(micro: Packed) -> Tensor:
        logits = model(input_ids=micro.ids[None]).logits[0].log_softmax(-1)
        where = micro.mask.nonzero().squeeze(1)
        return logits[where - 1, micro.ids[where]]

    alone = gradient(model, batch.split(1), plain)
    model.set_attn_implementation("distill")
    model.double()
    whole = gradient(model, [batch], Scorer(model))
    split = max(
        distance(gradient(model, batch.split(size), Scorer(model)), whole) for size in (700, 1)
    )
    model.float()
    with torch.no_grad():
        before = Scorer(model)(batch)
        first = batch.lengths[0]
        batch.ids[:first] = batch.ids[:first].flip(0)
        after = Scorer(model)(batch)
    own = int(batch.mask[:first].sum())
    return {
        "gradient_packed_to_unpacked": distance(packed, alone),
        "gradient_by_split_fp64": split,
        "logp_of_other_documents_changed": int((before[own:] != after[own:]).sum()),
        "logp_of_the_document_itself_changed": int((before[:own] != after[:own]).sum()),
    }


def overhead(task: dict[str, Any]) -> dict[str, float]:
    """Milliseconds that a micro-batch takes in the engine beyond forward, backward and step.

    On one thread: the model is so small that a second one would only be waited for.
    """
    torch.set_num_threads(1)
    steps, micros, length = 60, 4, 24
    shape = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=64)
    documents = [
        Document(list(range(4, 4 + length)), [False] + [True] * (length - 1)) for _ in range(micros)
    ]
    batch = pack((document,) for document in documents)
    config = SFT(tokens_per_micro_batch=length, checkpoint_every=10_000)
    model, tokenizer = models.build(shape, 0)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        engine.train(
            model, tokenizer, Sft(), Given([batch] * steps), config, Path(folder) / "out", steps,
            lambda line: ends.append(time.perf_counter()),
        )  # fmt: skip
    model, _ = models.build(shape, 0)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    parts = [
        (m, m.context(torch.float32), m.positions()[None], *m.sources()) for m in batch.split(1)
    ]
    raw: list[float] = []
    for _ in range(steps):
        for micro, context, positions, where, source in parts:
            hidden = model.model(
                input_ids=micro.ids[None], position_ids=positions, context=context, use_cache=False
            ).last_hidden_state[0]
            logp = logprobs(model.lm_head, hidden[source], micro.ids[where])
            (-logp.sum() / batch.targets).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        raw.append(time.perf_counter())
    ours, bare = (_median_gap(times) for times in (ends, raw))
    return {"overhead_ms": 1000 * (ours - bare) / micros, "bare_ms": 1000 * bare / micros}


def _median_gap(times: list[float]) -> float:
    gaps = sorted(b - a for a, b in itertools.pairwise(times[10:]))
    return gaps[len(gaps) // 2]


def long(task: dict[str, Any]) -> dict[str, float]:
    """Peak memory and seconds of a training step on one document of `length` tokens.

    Where several processes were started, they share its tokens, and the peak is the largest.
    """
    layers = task.get("layers", 2)
    shape = Scratch(hidden_size=64, layers=layers, heads=2, intermediate_size=192, context=1 << 16)
    model, tokenizer = models.build(shape, 0)
    ids = torch.randint(5, 250, (task["length"],), generator=torch.Generator().manual_seed(0))
    document = Document(ids.tolist(), [False] + [True] * (task["length"] - 1))
    config = SFT(checkpoint_every=10_000, **task.get("options", {}))
    peaks: list[float] = []
    base = forget_peak()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as own:
        folder = ranks.from_main(lambda: own)
        engine.train(
            model, tokenizer, Sft(), Given([pack([(document,)])]), config, Path(folder) / "out", 1,
            lambda line: peaks.append(memory("VmHWM")), context_parallel=ranks.count(),
        )  # fmt: skip
    return {"peak_mb": max(ranks.gather(peaks[0] - base)), "seconds": time.perf_counter() - start}


CHECKS = {"exactness": exactness, "overhead": overhead, "long": long}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    ranks.join()
    torch.set_num_threads(max(1, 2 // ranks.count()))
    asked = json.loads(sys.argv[1])
    found = CHECKS[asked["check"]](asked)
    if ranks.main():
        print(json.dumps(found))
    ranks.leave()
