"""What a run would do, before it does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from generators.prices import MILLION, price
from pipelines import run as running
from pipelines.graph import fingerprints, measured_stages, nodes
from pipelines.problem_sets import HELDOUT
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
    asked = max(0, problems - held)
    tokens, usd = _most(recipe, asked)
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
        "requests": asked * recipe.chains.samples.max,
        "requests_beside": _beside(recipe),
        "most_tokens": tokens,
        "most_usd": usd,
        "disk_bytes": asked * recipe.chains.samples.max * BYTES_PER_CHAIN,
    }


def _beside(recipe: Recipe) -> dict[str, int]:
    """Requests of the teacher that are none for chains: questions that it writes, and answers that
    it is measured by, sets of unknown size left out."""
    written = [source.n for source in recipe.questions if source.source == "evolve"]
    measured = 0
    if recipe.evaluate is not None and "teacher" in measured_stages(recipe):
        sizes = {HELDOUT: recipe.evaluate.heldout.n}
        sizes |= {on.name: on.n or 0 for on in recipe.evaluate.sets}
        for on in recipe.evaluate.names:
            settings = recipe.evaluate.settings(on)
            measured += sizes[on] * (settings.samples + settings.greedy)
    return {"written": sum(written), "measured": measured}


def _most(recipe: Recipe, questions: int) -> tuple[int, float | None]:
    """Tokens that all completions have at most, and what they cost in US dollars, prompts not
    counted; None where a teacher has no price."""
    tokens, usd = 0, 0.0
    unknown = False
    for place, teacher in enumerate(recipe.teachers):
        samples = len(range(place, recipe.chains.samples.max, len(recipe.teachers)))
        longest = (recipe.chains.sampling or teacher.sampling).max_tokens
        tokens += questions * samples * longest
        known = price(teacher, recipe.prices)
        unknown = unknown or known is None
        usd += questions * samples * longest * known.output / MILLION if known else 0.0
    return tokens, None if unknown else round(usd, 6)


def text(result: dict[str, Any]) -> str:
    """The plan for a terminal."""
    lines = [f"{result['name']} in {result['run']}"]
    for stage in result["stages"]:
        lines.append(f"  {'done' if stage['done'] else 'to do':6} {stage['stage']}")
    if result["problems_are"] == "as asked for":
        lines.append(
            f"at most {result['problems']:,} problems, {result['heldout']:,} of them held out; "
            f"{result['requests']:,} requests of the teacher for chains, at most "
            f"{result['most_tokens']:,} tokens; about {result['disk_bytes'] / 1e6:,.0f} MB of disk"
        )
        beside = result["requests_beside"]
        if any(beside.values()):
            lines.append(
                f"beside these, {beside['written']:,} requests for questions of its own and "
                f"{beside['measured']:,} to measure it"
            )
        usd = result["most_usd"]
        told = "their price is not known" if usd is None else f"at most {usd:,.2f} US dollars"
        lines.append(
            f"chains: {told}, prompts and judges not counted; --limit 5 projects it from five "
            "questions"
        )
    else:
        lines.append("problems and requests: known when the question files are read")
    return "\n".join(lines)
