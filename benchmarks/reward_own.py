"""One reward-model run of ours, for students_reward.py: in a process of its own, prints JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from benchmarks.sft_own import measured
from students import reward_model
from students.batches.pack import Document, Unit, pack, share
from students.config import RewardModel
from students.objectives.reward_model import Reward


def pair(row: dict[str, Any]) -> Unit:
    """The two documents of a row, with what they begin with taken out, as our sources do."""
    sides = (row["chosen"], row["rejected"])
    return share(
        tuple(Document(ids, [place >= row["prompt"] for place in range(len(ids))]) for ids in sides)
    )


def main(task: dict[str, Any]) -> dict[str, Any]:
    model, tokenizer = reward_model.load(Path(task["model"]), "float32")
    sum(float(p.detach().sum()) for p in model.parameters())  # reads what is only mapped
    rows = [json.loads(line) for line in Path(task["rows"]).read_text().splitlines()]
    parts = [rows[at : at + task["batch"]] for at in range(0, len(rows), task["batch"])]
    steps = [sorted(map(pair, part), key=_tokens) for part in parts[: task["steps"]]]
    given = [pack(units) for units in steps]
    config = RewardModel(learning_rate=1e-4, schedule="constant", warmup=0, checkpoint_every=10_000)
    return measured(model, tokenizer, Reward(centering=task["centering"]), given, config)


def _tokens(unit: Unit) -> int:
    return sum(len(document.ids) for document in unit)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    print(json.dumps(main(json.loads(sys.argv[1]))))
