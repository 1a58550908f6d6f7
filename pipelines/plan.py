"""What a run would do, before it does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import run as running
from pipelines.graph import fingerprints, nodes
from pipelines.recipe import Recipe
from pipelines.run_folder import read_manifest

BYTES_PER_CHAIN = 1500


def plan(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Stages with whether they are done, requests, most tokens and disk. Writes nothing."""
    with running.users_mistakes():
        running.check(recipe, running.PARTS if recipe.stages else ("generate", "curate"))
        stages = nodes(recipe)
        prints = fingerprints(recipe, stages)
    finished = (read_manifest(folder) or {"stages": {}})["stages"]
    done = {name: entry["fingerprint"] for name, entry in finished.items()}
    problems = sum(source.n or 0 for source in recipe.questions)
    open_ended = any(source.n is None for source in recipe.questions)
    held = recipe.evaluate.heldout.n if recipe.evaluate and recipe.evaluate.holds_out else 0
    requests = max(0, problems - held) * recipe.chains.samples.max
    sampling = recipe.chains.sampling or (recipe.teacher.sampling if recipe.teacher else None)
    return {
        "name": recipe.name,
        "run": str(folder),
        "stages": [
            {"stage": node.name, "done": done.get(node.name) == prints[node.name]}
            for node in stages
        ],
        "problems": problems,
        "problems_are": "known when the files are read" if open_ended else "as asked for",
        "heldout": held,
        "requests": requests,
        "most_tokens": requests * sampling.max_tokens if sampling else 0,
        "disk_bytes": requests * BYTES_PER_CHAIN,
    }


def text(result: dict[str, Any]) -> str:
    """The plan for a terminal."""
    lines = [f"{result['name']} in {result['run']}"]
    for stage in result["stages"]:
        lines.append(f"  {'done' if stage['done'] else 'to do':6} {stage['stage']}")
    if result["problems_are"] == "as asked for":
        lines.append(
            f"at most {result['problems']:,} problems, {result['heldout']:,} of them held out; "
            f"{result['requests']:,} requests of the teacher, at most "
            f"{result['most_tokens']:,} tokens; about {result['disk_bytes'] / 1e6:,.0f} MB of disk"
        )
    else:
        lines.append("problems and requests: known when the question files are read")
    return "\n".join(lines)
