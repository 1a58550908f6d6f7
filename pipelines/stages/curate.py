"""Curation: from judged chains to training sets."""

from __future__ import annotations

from typing import Any

from generators.curation import curate
from pipelines.errors import PipelineError
from pipelines.recipe import training_sets
from pipelines.stages import Counts, Job
from verifiers.records import canonical_json

VERSION = 1
SETS = ("cpt", "sft", "dpo", "rl")


def run(job: Job) -> Counts:
    """Write data/sft and its siblings, and data/rejects; refuses where a set comes out empty."""
    recipe = job.recipe
    config = recipe.curate.model_copy(update={"sets": training_sets(recipe)})
    curated = curate(
        job.folder.groups(), job.kept_out(), config, recipe.seed, recipe.chains.system
    )  # fmt: skip
    for name in SETS:
        if name in curated.sets:
            job.folder.write_table(name, [_flat(row) for row in curated.sets[name]])
        else:
            job.folder.drop_table(name)
    job.folder.write_table("rejects", [_flat(row) for row in curated.rejects])
    empty = [name for name, rows in curated.sets.items() if not rows]
    if empty:
        took = "; ".join(curated.explain())
        raise PipelineError(f"nothing is left for {', '.join(empty)} after curation: {took}")
    reasons: dict[str, int] = {}
    for row in curated.rejects:
        reason = f"{row['filter']}: {row['reason']}" if row["reason"] else row["filter"]
        reasons[reason] = reasons.get(reason, 0) + 1
    counts: Counts = {
        "funnel": [list(step) for step in curated.funnel],
        "sets": {name: len(rows) for name, rows in curated.sets.items()},
        "rejects": reasons,
    }
    if not config.verify and "sft" in curated.sets:
        counts["unconfirmed"] = _unconfirmed(job, curated.sets["sft"])
    return counts


def _unconfirmed(job: Job, rows: list[dict[str, Any]]) -> int:
    """How many training rows are chains that ground truth does not confirm."""
    names = {row["completion_id"] for row in rows}
    chains = job.folder.read_table("chains")
    return sum(row["id"] in names and row["status"] != "correct" for row in chains)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {k: canonical_json(v) if isinstance(v, list | dict) else v for k, v in row.items()}
