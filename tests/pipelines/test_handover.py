"""Each stage starts from exactly what the one before ended with, and the folder holds it."""

import io
import json
import shutil
import subprocess
import sys
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

from pipelines import export as exporting
from pipelines import recipe as recipes
from pipelines import run as running
from pipelines.cli import main
from students import engine, models
from students.batches.pack import pack
from students.batches.scorer import Scorer
from students.heads import with_head
from students.precision import computing
from students.reward_model import load, rewards
from students.rollouts.decoder import LocalSampler
from tests.pipelines.recipe_text import LIFE
from tests.students.encoded import encoded
from verifiers.sampler import Request

REWARD = (
    "  - reward_model: {max_steps: 6, tokens_per_step: 1000, checkpoint_every: 2, heldout: 0.3}"
)
SHORT = LIFE.replace("max_steps: 160", "max_steps: 80").replace("  - dpo", f"{REWARD}\n  - dpo")
ROWS = [{"prompt": f"{a} + {a - 1}=?", "completion": f"{2 * a - 1}"} for a in range(1, 10)]


def chats(tokenizer):
    return pack((d,) for d in encoded(tokenizer, ROWS))


def logits(model, tokenizer):
    """All logits on a few chats."""
    batch = chats(tokenizer)
    training = model.training
    with torch.no_grad(), computing(model):
        head = getattr(model, "score", None) or model.get_output_embeddings()
        result = head(Scorer(model.eval()).hidden(batch)).float()
    model.train(training)
    return result


def followed(recipe, run):
    """Run `recipe`; each stage's logits as it begins and ends, its source, its KL reference."""
    seen = {}
    train, save = engine.train, models.save

    def watched(model, tokenizer, objective, source, config, out, *rest, **options):
        seen[out.name] = SimpleNamespace(first=logits(model, tokenizer), source=source)
        return train(model, tokenizer, objective, source, config, out, *rest, **options)

    def saved(model, tokenizer, out):
        stage = seen[out.parent.name.removeprefix(".").removesuffix(".partial")]
        stage.last = logits(model, tokenizer)
        for reference in getattr(stage.source, "changes", ()):
            stage.batch = reference(chats(tokenizer))
        return save(model, tokenizer, out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "train", watched)
        patch.setattr(models, "save", saved)
        running.run(recipe, run, running.PARTS[:3])
    return seen


def written(folder, text, **changes):
    recipe = folder / "life.yaml"
    recipe.write_text(text)
    return recipes.load(str(recipe), [f"{key}={value}" for key, value in changes.items()])


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    seen = followed(written(folder, SHORT), folder / "run")
    return folder / "run", seen


def adapted(full, folder, stored=None, **changes):
    base = full[0] / "students" / "sft"
    if stored:
        model, tokenizer = models.load(base, stored)
        base = folder / "base"
        models.save(model, tokenizer, base)
    shutil.copytree(full[0], folder / "run", ignore=shutil.ignore_patterns("students"))
    head, tail = SHORT.split("student:\n")
    stages = tail[tail.index("  - sft") :].replace("max_steps: 80", "max_steps: 10")
    student = f"student: {{model: {base}, lora: {{rank: 4}}}}\nstages:\n"
    recipe = written(folder, f"{head}{student}{stages}", **changes)
    return base, folder / "run", followed(recipe, folder / "run")


@pytest.fixture(scope="module")
def lora(full, tmp_path_factory):
    return adapted(full, tmp_path_factory.mktemp("lora"))


def test_full_weights_are_handed_on_bit_for_bit(full):
    run, seen = full
    stages = ["cpt", "sft", "dpo", "grpo"]
    assert list(seen) == ["cpt", "sft", "reward_model", "dpo", "grpo"]
    for before, after in pairwise(stages):
        assert torch.equal(seen[after].first, seen[before].last), (before, after)
        assert not torch.equal(seen[after].last, seen[after].first), after
    for stage in stages:
        assert torch.equal(logits(*models.load(run / "students" / stage)), seen[stage].last)


def test_a_lora_policy_is_handed_on_as_one_adapter(lora):
    base, run, seen = lora
    stages = ["sft", "dpo", "grpo"]
    assert list(seen) == ["sft", "reward_model", "dpo", "grpo"]
    assert torch.equal(seen["sft"].first, logits(*models.load(base)))
    for before, after in pairwise(stages):
        assert torch.equal(seen[after].first, seen[before].last), (before, after)
        assert not torch.equal(seen[after].last, seen[after].first), after
    for stage in stages:
        folder = run / "students" / stage
        merged = logits(*models.load(folder))
        assert (merged - logits(*models.load(base))).abs().max() > 0.01, stage
        torch.testing.assert_close(merged, seen[stage].last, rtol=1e-5, atol=1e-5)
        assert _counts(run, stage)["merge_error"] < 1e-4


def test_a_saved_adapter_says_what_it_stands_on_and_gives_the_merged_model(lora):
    base, run, _ = lora
    for stage in ("sft", "dpo", "grpo"):
        folder = run / "students" / stage
        named = json.loads((folder / "adapter" / "adapter_config.json").read_text())
        assert named["base_model_name_or_path"] == str(base)
        for text in [*folder.glob("*.json"), *folder.glob("*.jinja")]:
            assert str(run) not in text.read_text(), text
        plain, tokenizer = models.load(named["base_model_name_or_path"])
        with_adapter = PeftModel.from_pretrained(plain, str(folder / "adapter"))
        merged, _ = models.load(folder)
        torch.testing.assert_close(
            logits(merged, tokenizer), logits(with_adapter, tokenizer), rtol=1e-4, atol=1e-4
        )


@pytest.mark.slow
def test_an_adapter_on_16_bit_weights_is_handed_on_whole_though_merging_rounds_it(full, tmp_path):
    _, run, seen = adapted(full, tmp_path, "bfloat16", **{"student.dtype": "bfloat16"})
    for before, after in (("sft", "dpo"), ("dpo", "grpo")):
        assert torch.equal(seen[after].first, seen[before].last)
    merged, tokenizer = models.load(run / "students" / "grpo", "bfloat16")
    assert merged.dtype == torch.bfloat16
    off = (logits(merged, tokenizer) - seen["grpo"].last).abs().max().item()
    moved = (seen["grpo"].last - seen["sft"].first).abs().max().item()
    assert 0 < off < moved / 4
    counts = [_counts(run, stage) for stage in ("sft", "dpo", "grpo")]
    assert all(0.01 < count["merge_error"] < 1 for count in counts), counts


@pytest.mark.slow
def test_an_adapter_trained_on_fewer_bits_is_merged_into_the_weights_as_stored(full, tmp_path):
    base, run, seen = adapted(full, tmp_path, **{"student.dtype": "bfloat16"})
    assert torch.equal(seen["grpo"].first, seen["dpo"].last)
    folder = run / "students" / "grpo"
    merged, tokenizer = models.load(folder)
    assert next(iter(merged.state_dict().values())).dtype == torch.float32
    exact = PeftModel.from_pretrained(models.load(base)[0], str(folder / "adapter"))
    torch.testing.assert_close(
        logits(merged, tokenizer), logits(exact, tokenizer), rtol=1e-5, atol=1e-5
    )
    assert _counts(run, "grpo")["merge_error"] < 1e-4


def _counts(run, stage):
    return json.loads((run / "manifest.json").read_text())["stages"][f"train:{stage}"]["counts"]


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_the_reference_is_the_policy_at_the_start_of_its_stage(full, lora, kind):
    run, seen = full if kind == "full" else lora[1:]
    for stage, before in (("dpo", "sft"), ("grpo", "dpo")):
        model, _ = models.load(run / "students" / before)
        batch = seen[stage].batch if stage == "grpo" else pack(seen[stage].source.units)
        with torch.no_grad():
            expected = Scorer(model.eval())(batch)
        torch.testing.assert_close(
            batch.extras["ref_logp"][batch.mask], expected, rtol=1e-5, atol=2e-5
        )


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_reward_model_stands_on_the_last_policy_and_is_no_policy(full, lora, kind):
    run, seen = full if kind == "full" else lora[1:]
    assert torch.equal(seen["dpo"].first, seen["sft"].last)
    folder = run / "students" / "reward_model"
    plain = AutoModelForSequenceClassification.from_pretrained(folder)
    model, tokenizer = load(folder)
    with torch.no_grad():
        for d in encoded(tokenizer, ROWS[:3]):
            found = plain(input_ids=torch.tensor([d.ids])).logits.item()
            assert found == pytest.approx(rewards(model, [(d,)])[0], abs=1e-5)
    if kind == "lora":
        decoder = with_head(models.load(lora[0])[0], tokenizer, 0)
        adapted = PeftModel.from_pretrained(decoder, str(folder / "adapter"))
        torch.testing.assert_close(
            logits(adapted, tokenizer), seen["reward_model"].last, rtol=1e-4, atol=1e-5
        )
    counts = _counts(run, "reward_model")
    pairs = counts["pairs"]
    assert 0 < pairs["n"] < counts["rows"] == _counts(run, "dpo")["rows"]
    assert 0 <= pairs["low"] <= pairs["accuracy"] <= pairs["high"] <= 1


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_tokenizer_and_chat_template_are_handed_on_unchanged(full, lora, kind):
    run = full[0] if kind == "full" else lora[1]
    folders = [f for f in sorted((run / "students").glob("[a-z]*")) if f.name != "reward_model"]
    assert len(folders) == (4 if kind == "full" else 3)
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    assert len({tuple((f / n).read_bytes() for n in names) for f in folders}) == 1
    chat = [[{"role": "user", "content": "né?"}]]
    start = models.byte_tokenizer().apply_chat_template(chat, tokenize=False)
    saved = models.load_tokenizer(str(folders[-1]))
    assert saved.apply_chat_template(chat, tokenize=False) == start


PLAIN = """\
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
sys.path[:] = [p for p in sys.path if p not in ("", {root!r})]
model = AutoModelForCausalLM.from_pretrained({folder!r}).eval()
tokenizer = AutoTokenizer.from_pretrained({folder!r})
for text in {texts!r}:
    ids = tokenizer.apply_chat_template(
        [{{"role": "user", "content": text}}], add_generation_prompt=True, return_tensors="pt",
        return_dict=True,
    )
    out = model.generate(**ids, max_new_tokens=24, do_sample=False)
    print(repr(tokenizer.decode(out[0, ids["input_ids"].shape[1]:], skip_special_tokens=True)))
assert not {{"students", "pipelines", "verifiers"}} & set(sys.modules)
"""


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_saved_student_answers_the_same_without_our_package(full, lora, kind, tmp_path):
    folder = (full[0] if kind == "full" else lora[1]) / "students" / "grpo"
    texts = [row["prompt"] for row in ROWS]
    script = PLAIN.format(folder=str(folder), texts=texts, root=str(Path.cwd()))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sampler = LocalSampler(*models.load(folder), "m")
    asked = [
        Request(problem_id=t, messages=[{"role": "user", "content": t}], index=0,
                sampling={"temperature": 0.0, "max_tokens": 24})
        for t in texts
    ]  # fmt: skip
    ours = [completion.text for completion in sampler.draw(asked)]
    assert done.stdout.splitlines() == [repr(text) for text in ours]
    assert len(set(ours)) > 1


def test_adapters_are_merged_between_stages_where_the_recipe_asks_for_it(full, tmp_path):
    """A new adapter each, on the student before it, and with tokens of its own."""
    _, run, seen = adapted(
        full, tmp_path, **{
            "student.lora.begin": "merged", "student.tokens": "[<think>]",
            "stages.grpo.rounds": 1, "stages.grpo.passes": 1,
        }
    )  # fmt: skip
    for before, after in (("sft", "dpo"), ("dpo", "grpo")):
        torch.testing.assert_close(seen[after].first, seen[before].last, rtol=1e-5, atol=1e-5)
        named = json.loads((run / "students" / after / "adapter/adapter_config.json").read_text())
        assert named["base_model_name_or_path"] == str(run / "students" / before)
        folders = [run / "students" / stage for stage in (before, after)]
        plain, tokenizer = models.load(folders[0])
        assert "<think>" in tokenizer.get_vocab()
        exact = PeftModel.from_pretrained(plain, str(folders[1] / "adapter"))
        torch.testing.assert_close(
            logits(models.load(folders[1])[0], tokenizer), logits(exact, tokenizer),
            rtol=1e-4, atol=1e-4,
        )  # fmt: skip
    exporting.export(run, str(tmp_path / "out"), "reward_model")
    scored = tmp_path / "out" / "student"
    card = (scored / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "A reward model: stage `reward_model`, trained by distillation" in card
    assert "| dpo | dpo |" not in card
    code = card.split("```python\n")[1].split("```")[0]
    said = io.StringIO()
    with redirect_stdout(said):
        exec(code, {"folder": scored})
    model, tokenizer = load(run / "students" / "reward_model")
    (mine,) = encoded(tokenizer, [{"prompt": "...", "completion": "..."}])
    assert float(said.getvalue()) == pytest.approx(rewards(model, [(mine,)])[0], abs=1e-5)
    exporting.export(run, str(tmp_path / "policy"))
    card = (tmp_path / "policy" / "student" / "README.md").read_text()
    assert "# life: grpo" in card
    assert "| reward_model |" not in card


def edited(full, folder, *changes):
    """The manifest entry and the evaluation of grpo, after a changed recipe was run to its end."""
    recipe, run = folder / "life.yaml", folder / "run"
    recipe.write_text(SHORT)
    shutil.copytree(full[0], run)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
        main(["run", str(recipe), "--run-dir", str(run), *(f"--set={c}" for c in changes)])
    assert stop.value.code == 0, err.getvalue()
    counts = _counts(run, "grpo")
    rows = {row["stage"]: row for row in json.loads((run / "evaluation.json").read_text())}
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    steps = sum(line["stage"] == "grpo" for line in lines)
    return run, counts, rows["grpo"], steps, out.getvalue(), err.getvalue()


def test_rl_without_anything_to_learn_is_skipped_with_the_reason(full, tmp_path):
    run, counts, row, steps, out, err = edited(full, tmp_path, "stages.sft.max_steps=5")
    assert counts["groups"] == counts["unsolved"] == 24
    assert counts["solved"] == counts["steps"] == steps == 0
    assert "loss" not in counts
    table = json.loads((run / "evaluation.json").read_text())
    (ranked,) = [row for row in table if row["on"] == "pairs"]
    assert ranked["stage"] == "reward_model"
    for text in (out, (run / "report.html").read_text()):
        assert f"of {ranked['n']} held-out pairs right" in text
    why = "pass@8 is not above pass@1: of 24 groups drawn, 0 are solved by every answer, 24 by none"
    assert counts["skipped"].startswith(why)
    assert row["skipped"] == counts["skipped"]
    assert row["verdict"] == "flat"
    assert (row["vs"]["stage"], row["vs"]["diff"]) == ("dpo", 0)
    for text in (out, err, (run / "report.html").read_text()):
        assert f"grpo skipped: {why}" in text
    before, after = (run / "students" / s / "model.safetensors" for s in ("dpo", "grpo"))
    assert before.read_bytes() == after.read_bytes()


@pytest.mark.slow
def test_rl_that_runs_out_of_groups_says_after_how_many_rounds(full, tmp_path):
    run, counts, row, steps, out, err = edited(
        full, tmp_path, "stages.grpo.prompts=4", "stages.grpo.refill=1", "stages.grpo.rounds=50"
    )
    rounds = steps // 4
    assert 0 < rounds < 50
    assert counts["steps"] == steps == 4 * rounds
    assert counts["ended"].startswith(f"after {rounds} rounds, pass@8 is not above pass@1: of 4 ")
    assert "skipped" not in counts
    assert row["ended"] == counts["ended"]
    for text in (out, err, (run / "report.html").read_text()):
        assert f"grpo ended: after {rounds} rounds" in text
