"""The dataset card of a run: data/README.md, with the configurations that are there."""

from __future__ import annotations

import yaml

from pipelines.recipe import problem_sets
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


def write_card(folder: RunFolder) -> None:
    """Write data/README.md; its front matter lets `load_dataset` open each configuration."""
    data = folder.path / "data"
    if not data.is_dir():
        return
    about = dict(ABOUT)
    for on in problem_sets(folder.recipe):
        about[on.config] = f"the problem set `{on.name}`; for evaluation only"
    configs = [name for name in about if any((data / name).glob("*.parquet"))]
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
        lines.append(f"| `{config}` | {about[config]} | {_rows(folder, config):,} |")
    chains = stages.get("chains", {}).get("counts")
    if chains:
        lines += ["", "## Yield", "", f"{chains['completions']:,} completions: "
                  f"{chains['correct']:,} correct, {chains['wrong']:,} wrong, "
                  f"{chains['undecided']:,} undecided."]  # fmt: skip
    rejects = stages.get("curate", {}).get("counts", {}).get("rejects")
    if rejects:
        lines += ["", "| dropped because | rows |", "|---|---:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in sorted(rejects.items())]
    lines += ["", "## Recipe", "", "```yaml", (folder.path / "recipe.yaml").read_text(), "```", ""]
    front_matter = yaml.safe_dump(front, sort_keys=False)
    folder.write_text("data/README.md", f"---\n{front_matter}---\n\n" + "\n".join(lines))


def _what(folder: RunFolder) -> str:
    teacher = folder.recipe.teacher
    name = (teacher.model or teacher.path or teacher.backend) if teacher else "nobody"
    return f"Chains written by {name}, judged against ground truth."


def _rows(folder: RunFolder, config: str) -> int:
    import pyarrow.parquet as pq

    path = folder.path / "data" / config
    with parquet_errors(path):
        return sum(pq.read_metadata(file).num_rows for file in path.glob("*.parquet"))
