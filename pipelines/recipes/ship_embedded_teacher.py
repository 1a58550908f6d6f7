"""Put a finished run of `embedded-teacher` into the package, as bf16 with a model card.

python -m pipelines.recipes.ship_embedded_teacher runs/embedded-teacher
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from pipelines.recipe import EMBEDDED

CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [arithmetic, synthetic, distill]
---

# The embedded teacher

A Qwen2-type language model of {weights:,} weights that answers chains of sums and products with
worked steps, and writes problems harder than a given one. It learned both from {rows:,} rows of a
solver script, in one run of the recipe `embedded-teacher` that ships beside it ({steps:,} steps,
{tokens:,} tokens, {minutes:.0f} minutes of training on a CPU).

| held-out problems of its own training distribution | |
|---|---:|
| problems | {n:,} |
| sampled at temperature 1, right | {sampled:.1%} |
| greedy, right | {greedy:.1%} |

It is right almost always on sums of a few one-digit terms and often wrong on long sums of two-digit
terms and on products of five factors: a teacher that needs a verifier, which is what it is for. It
knows nothing else. Prompts look like `4 - 1 - 7 + 7=?`, `4 * 8 * 3=?` and
`Write a harder problem: 4 - 1 - 7 + 7=?`, through its chat template.
"""


def ship(run: Path, target: Path = EMBEDDED) -> Path:
    """Write the model of `run` to `target`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    stages = json.loads((run / "manifest.json").read_text())["stages"]
    trained, scores = stages["train:sft"], _scores(run)
    student = run / "students" / "sft"
    shutil.rmtree(target, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.bfloat16)
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(student).save_pretrained(target)
    card = CARD.format(
        weights=trained["counts"]["weights"],
        rows=trained["counts"]["rows"],
        steps=trained["counts"]["steps"],
        tokens=trained["counts"]["tokens"],
        minutes=trained["seconds"] / 60,
        n=scores["n"],
        sampled=scores["pass@1"],
        greedy=scores["greedy"],
    )
    (target / "README.md").write_text(card)
    for file in target.iterdir():
        file.chmod(0o644)
    return target


def _scores(run: Path) -> dict[str, Any]:
    """Figures on the held-out problems that have one right answer: not the written questions."""
    import pyarrow.parquet as pq

    from students.evaluate import summary

    held = pq.read_table(run / "data" / "heldout", columns=["id", "verifier"]).to_pylist()
    solved = {row["id"] for row in held if row["verifier"] == "math"}
    rows = pq.read_table(run / "data" / "evaluation").to_pylist()
    return summary([r for r in rows if r["stage"] == "sft" and r["problem_id"] in solved])


def main() -> None:
    """Ship the run that is named."""
    parser = argparse.ArgumentParser(description="Put a run of embedded-teacher into the package.")
    parser.add_argument("run", type=Path)
    print(ship(parser.parse_args().run))


if __name__ == "__main__":
    main()
