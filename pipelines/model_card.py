"""The card of an exported student: what it is, how it was trained, what it scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.card import Made, front_matter, unverified, writers
from pipelines.public import recipe_text, without_paths
from pipelines.recipe import Recipe, makes_data, stage_id
from pipelines.run_folder import read_json
from pipelines.table import markdown_table

USE = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
chat = {chat}
inputs = tokenizer.apply_chat_template(
    chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
)
answer = model.generate(**inputs, max_new_tokens={tokens})[0, inputs["input_ids"].shape[1] :]
print(tokenizer.decode(answer, skip_special_tokens=True))
```"""

REWARD_USE = """\
A higher score is better; only differences between answers to one prompt mean anything. The score is
read at the end token, so what a chat template puts behind it is cut off.

```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder)
chat = {chat}
text = tokenizer.apply_chat_template(chat, tokenize=False)
text = text[: text.rindex(tokenizer.eos_token) + len(tokenizer.eos_token)]
inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
print(model(**inputs).logits.item())
```"""


def model_card(run: Made, stage: str, adapter: bool) -> str:
    """README.md of the student of `stage`; `adapter`: the folder holds one in adapter/."""
    recipe = run.recipe
    policy = next(s.policy for s in recipe.stages if stage_id(s) == stage)
    sections = [
        f"# {recipe.name}: {stage}",
        recipe.description or "A student of a distillation run.",
        *(f"> **Warning:** {text}" for text in recipe.warnings),
        _what(recipe, stage, policy),
        *(f"> {text}" for text in unverified(run)),
        _adapter(recipe) if adapter else "",
        "## Training",
        _training(run, stage),
        *_scores(run),
        "## Use",
        _use(recipe, policy),
        f"## Recipe\n\nSeed {recipe.seed}. All keys, as resolved:",
        f"```yaml\n{recipe_text(recipe)}```",
    ]
    body = "\n\n".join(filter(None, sections))
    return without_paths(f"{front_matter(_front(recipe, adapter, policy))}{body}\n", recipe)


def _front(recipe: Recipe, adapter: bool, policy: bool) -> dict[str, Any]:
    task = "text-generation" if policy else "text-classification"
    front: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": task}
    if base := _base(recipe):
        front["base_model"] = base
    kinds = dict.fromkeys(stage.kind for stage in recipe.stages)
    return front | {"tags": ["distillation", *kinds, *(["lora"] if adapter else [])]}


def _base(recipe: Recipe) -> str | None:
    """What the student started from: a hub id or a folder's name; None for random weights."""
    model = recipe.student and recipe.student.model
    if not model:
        return None
    return Path(model).name if Path(model).is_absolute() else model


def _what(recipe: Recipe, stage: str, policy: bool) -> str:
    name = "` and `".join(writers(recipe))
    what = "A causal language model after" if policy else "A reward model:"
    parts = [
        f"{what} stage `{stage}`, trained "
        + ("by distillation" if makes_data(recipe) else "on rows that the user gave")
        + (f" from `{name}`." if name else ".")
    ]
    base = _base(recipe)
    start = f"from `{base}`" if base else "from random weights"
    kept = "judged against ground truth" if recipe.curate.verify else "kept whatever their verdict"
    judged = f"; the training chains were {kept}" * makes_data(recipe)
    parts.append(f"It started {start}{judged}.")
    return " ".join(parts)


def _adapter(recipe: Recipe) -> str:
    rank = recipe.student.lora.rank if recipe.student and recipe.student.lora else "?"
    tokens = recipe.student.tokens if recipe.student else []
    added = f" It holds the embeddings of {', '.join(f'`{t}`' for t in tokens)}." if tokens else ""
    return (
        f"The weights here are merged; the LoRA adapter of rank {rank} that made them is in "
        f"`adapter/`.{added}"
    )


def _training(run: Made, last: str) -> str:
    """The stages up to `last` as a table."""
    head = ("stage", "kind", "rows", "steps", "tokens", "seconds", "loss at the end", "weights")
    rows = [head, ("---", "---", *("---:",) * (len(head) - 2))]
    for stage in run.recipe.stages:
        name = stage_id(stage)
        if not stage.policy and name != last:
            continue
        entry = run.manifest["stages"].get(f"train:{name}")
        if entry is not None:
            counts = entry["counts"]
            trained = _number(counts.get("weights"))
            if counts.get("trained") != counts.get("weights"):
                trained += f", {_number(counts.get('trained'))} of them trained"
            amounts = [counts.get(key) for key in ("rows", "steps", "tokens")]
            figures = map(_number, (*amounts, entry["seconds"], counts.get("loss")))
            rows.append((name, stage.kind, *figures, trained))
        if name == last:
            break
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _scores(run: Made) -> list[str]:
    """Tables with intervals, and how they came about; nothing where nothing was measured."""
    file = run.path / "evaluation.json"
    rows = read_json(file) if file.is_file() else []
    config = run.recipe.evaluate
    if not rows or config is None:
        return []
    samples = rows[0].get("samples")
    drawn = (
        f"{samples} answers to each problem, sampled at temperature {config.temperature:g}"
        if samples
        else "one answer to each problem"
    )
    greedy = ", and one greedy answer" if samples and config.greedy else ""
    how = (
        f"{drawn}{greedy}, of at most {config.max_tokens:,} tokens, judged by the recipe's "
        "verifiers. Rates are in percent, with 95 % intervals. An answer that cannot be judged, "
        'such as one cut off, counts as not correct. "Against before" is the paired difference to '
        'the stage above, "to teacher" the one to the teacher. Training refuses to '
        "start where a held-out problem is in its data."
    )
    return ["## Evaluation", markdown_table(rows), how[0].upper() + how[1:]]


def _use(recipe: Recipe, policy: bool) -> str:
    chat: list[dict[str, str]] = [{"role": "user", "content": "..."}]
    if recipe.chains.system:
        chat.insert(0, {"role": "system", "content": recipe.chains.system})
    if not policy:
        chat.append({"role": "assistant", "content": "..."})
        return REWARD_USE.format(chat=json.dumps(chat, ensure_ascii=False))
    tokens = recipe.evaluate.max_tokens if recipe.evaluate else 256
    return USE.format(chat=json.dumps(chat, ensure_ascii=False), tokens=tokens)
