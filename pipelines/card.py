"""The dataset card of a run: data/README.md, with the configurations that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import yaml

from pipelines.public import recipe_text, short, without_paths
from pipelines.recipe import EMBEDDED, Recipe, makes_data, own_rows, problem_sets, stage_id
from pipelines.run_folder import RunFolder, parquet_errors

ABOUT = {
    "problems": "every problem that was asked, with its ground truth",
    "heldout": "problems that were split off before anything was asked; for evaluation only",
    "chains": "every completion, right or wrong, with its verdict",
    "cpt": "plain texts for continued pretraining",
    "sft": "verified chains for supervised fine-tuning",
    "dpo": "pairs of a correct over a wrong completion",
    "rl": "prompts with ground truth for reinforcement learning",
    "rejects": "what curation dropped, with the filter and its reason",
    "evaluation": "every answer of every evaluated stage",
}
HELD_OUT = (
    "> `heldout` and `evaluation` are for evaluation only: whoever trains on them can no longer "
    "measure with them."
)


class Made(Protocol):
    """What a card is written from: a run folder, its recipe and its manifest."""

    path: Path
    recipe: Recipe
    manifest: dict[str, Any]


def write_card(folder: RunFolder) -> None:
    """Write data/README.md."""
    if (folder.path / "data").is_dir():
        folder.write_text("data/README.md", dataset_card(folder))


def about(recipe: Recipe) -> dict[str, str]:
    """What the rows of each configuration are."""
    sets = problem_sets(recipe)
    found = ABOUT | {on.config: f"the problem set `{on.name}`; for evaluation only" for on in sets}
    if not recipe.curate.verify:
        found["sft"] = "chains for supervised fine-tuning, right or wrong"
    return found


def configurations(folder: Made) -> dict[str, int]:
    """The configurations of a run that hold rows, and how many."""
    counts = {name: _rows(folder, name) for name in about(folder.recipe)}
    return {name: rows for name, rows in counts.items() if rows}


def dataset_card(folder: Made) -> str:
    """The card; its front matter lets `load_dataset` open each configuration."""
    configs = configurations(folder)
    front = {
        "configs": [{"config_name": c, "data_files": f"{c}/*.parquet"} for c in configs],
        "tags": ["synthetic", "distillation"],
    }
    stages = folder.manifest["stages"]
    lines = [f"# {folder.recipe.name}", "", folder.recipe.description or _what(folder), ""]
    for text in folder.recipe.warnings:
        lines += [f"> **Warning:** {text}", ""]
    lines += ["| configuration | rows are | rows |", "|---|---|---:|"]
    for config in configs:
        lines.append(f"| `{config}` | {about(folder.recipe)[config]} | {configs[config]:,} |")
    if "heldout" in configs:
        lines += ["", HELD_OUT]
    for text in unverified(folder):
        lines += ["", f"> {text}"]
    chains = stages.get("chains", {}).get("counts")
    if chains:
        lines += ["", "## Yield", "", f"{chains['completions']:,} completions: "
                  f"{chains['correct']:,} correct, {chains['wrong']:,} wrong, "
                  f"{chains['undecided']:,} undecided."]  # fmt: skip
    rejects = stages.get("curate", {}).get("counts", {}).get("rejects")
    if rejects:
        lines += ["", "| dropped because | rows |", "|---|---:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in sorted(rejects.items())]
    lines += ["", "## Recipe", "", f"```yaml\n{recipe_text(folder.recipe)}```", ""]
    return without_paths(front_matter(front) + "\n".join(lines), folder.recipe)


def unverified(run: Made) -> list[str]:
    """What must be known of the rows that nobody verified, or that were kept though wrong."""
    texts = []
    curated = run.manifest["stages"].get("curate", {}).get("counts", {})
    if not run.recipe.curate.verify and "sft" in curated.get("sets", {}):
        wrong = f"{curated['unconfirmed']:,}" if "unconfirmed" in curated else "some"
        texts.append(
            f"Verdicts were not heeded (`curate.verify: false`): {wrong} of the "
            f"{curated['sets']['sft']:,} rows of `sft` are chains that ground truth does not "
            "confirm."
        )
    for stage in run.recipe.stages:
        own = own_rows(stage)
        counts = run.manifest["stages"].get(f"train:{stage_id(stage)}", {}).get("counts", {})
        if own:
            rows = f"{counts['rows']:,} rows" if "rows" in counts else "rows"
            left = counts.get("heldout_dropped", 0)
            also = f" {left:,} that hold a problem which is measured on were left out." * bool(left)
            texts.append(
                f"Stage `{stage_id(stage)}` learned from {rows} of `{Path(own).name}`, which the "
                f"user gave: they were not verified here, and `trace` knows nothing of them.{also}"
            )
    return texts


def front_matter(values: dict[str, Any]) -> str:
    """The metadata at the head of a card."""
    return f"---\n{yaml.safe_dump(values, sort_keys=False)}---\n\n"


def _what(folder: Made) -> str:
    if not makes_data(folder.recipe):
        return "Problems that a student is measured on; it learned from rows of the user's own."
    names = " and ".join(writers(folder.recipe)) or "nobody"
    return f"Chains written by {names}, judged against ground truth."


def writers(recipe: Recipe) -> list[str]:
    """The names of all who write chains."""
    names = [
        EMBEDDED.name if one.model == str(EMBEDDED) else short(one.model or one.path or one.backend)
        for one in recipe.teachers
    ]
    return list(dict.fromkeys(names))


def _rows(folder: Made, config: str) -> int:
    import pyarrow.parquet as pq

    path = folder.path / "data" / config
    with parquet_errors(path):
        return sum(pq.read_metadata(file).num_rows for file in path.glob("*.parquet"))
