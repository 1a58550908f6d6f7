"""A reward model against TRL 1.16's RewardTrainer: same model, same pairs, same order, one run.

    python benchmarks/students_reward.py [--json] [--repeat 3]

TRL lives in `.peers/trl`, which this or students_sft.py builds. It pads, and reads the prompt of a
pair twice; ours does neither. Medians of ratios, pair by pair; memory is the peak of a process of
its own over what the loaded base takes; the first step of each run is not timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process import environment, fresh  # noqa: E402
from benchmarks.students_sft import PEER, llama  # noqa: E402

BARS: dict[str, tuple[str, float]] = {
    "speed_to_trl": (">=", 1.5),
    "memory_to_trl": ("<=", 0.9),
    "loss_to_trl": ("<=", 1e-5),
}
BATCH, STEPS = 4, 6
Run = dict[str, Any]


def pairs(count: int) -> Iterator[Run]:
    """Pairs of about 110 tokens of prompt and 110 of each answer, 400 at most."""
    import numpy as np

    rng = np.random.default_rng(0)

    def tokens(amount: int) -> list[int]:
        return (rng.zipf(1.2, amount) % 16000 + 300).tolist()

    for _ in range(count):
        prompt = tokens(int(np.clip(rng.normal(110, 20), 40, 200)))
        sides = [
            prompt + tokens(int(np.clip(np.exp(rng.normal(np.log(95), 0.5)), 16, 400))) + [1]
            for _ in range(2)
        ]
        yield {"prompt": len(prompt), "chosen": sides[0], "rejected": sides[1]}


def classifier(policy: Path, folder: Path) -> None:
    """A reward model that has learned nothing yet."""
    from students import models
    from students.heads import with_head

    llama(policy)
    model, tokenizer = models.load(policy, "float32")
    models.save(with_head(model, tokenizer, 0), tokenizer, folder)


def measured(work: Path, repeat: int) -> Run:
    python = environment("trl", *PEER)
    classifier(work / "policy", work / "model")
    rows = list(pairs(BATCH * STEPS))
    (work / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    task = {
        "model": str(work / "model"), "rows": str(work / "rows.jsonl"), "batch": BATCH,
        "steps": STEPS, "centering": 0.01,
    }  # fmt: skip
    theirs, ours = [], []
    for _ in range(repeat):
        theirs.append(fresh("reward_trl", task, python))
        ours.append(fresh("reward_own", task))
    seen = [ids for step in theirs[0]["steps"] for ids in step["documents"]]
    if sorted(seen) != sorted(row[side] for row in rows for side in ("chosen", "rejected")):
        sys.exit("TRL trained on other documents than it was given")
    for run in (*theirs, *ours):
        run["rate"] = BATCH * (STEPS - 1) / (run["ends"][-1] - run["ends"][0])
    both = list(zip(ours, theirs, strict=True))
    losses = [step["loss"] for step in theirs[0]["steps"]]
    real = sum(map(len, seen))
    figures = {
        "trl_pairs_per_s": statistics.median(run["rate"] for run in theirs),
        "own_pairs_per_s": statistics.median(run["rate"] for run in ours),
        "trl_peak_mb": statistics.median(run["peak_mb"] for run in theirs),
        "own_peak_mb": statistics.median(run["peak_mb"] for run in ours),
        "trl_slots_used": real / sum(step["slots"] for step in theirs[0]["steps"]),
        "speed_to_trl": statistics.median(o["rate"] / t["rate"] for o, t in both),
        "memory_to_trl": statistics.median(o["peak_mb"] / t["peak_mb"] for o, t in both),
    }
    off = [abs(a - b) for a, b in zip(ours[0]["losses"], losses, strict=True)]
    return {name: round(value, 3) for name, value in figures.items()} | {
        "loss_to_trl": off[0], "loss_to_trl_over_all_steps": max(off),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="A reward model against TRL 1.16.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), arguments.repeat)
    bars = {
        f"{name} {sign} {limit}": figures[name] >= limit if sign == ">=" else figures[name] <= limit
        for name, (sign, limit) in BARS.items()
    }
    for name, value in figures.items():
        print(f"{name:28} {value:.4g}")
    for bar, held in bars.items():
        print(f"{'holds' if held else 'MISSED'}  {bar}")
    if arguments.json:
        summary = {"benchmark": "students_reward", "figures": figures, "bars": bars}
        print(json.dumps(summary | {"holds": all(bars.values())}))
    sys.exit(not all(bars.values()))


if __name__ == "__main__":
    main()
