"""The recipes on a real pretrained model, a few steps of each, where its package can be fetched."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines import recipe as recipes
from pipelines import run as running

TINY = [
    "questions.0.n=30", "questions.1.n=4", "questions.2.n=4", "chains.samples=1",
    "stages.sft.max_steps=2", "stages.sft.tokens_per_step=300",
    "stages.grpo.rounds=1", "stages.grpo.prompts=2", "stages.grpo.group_size=4",
    "stages.grpo.minibatches=1", "stages.grpo.max_tokens=12",
    "evaluate.heldout.n=4", "evaluate.samples=1", "evaluate.max_tokens=12",
]  # fmt: skip

pytestmark = pytest.mark.slow


def answers(model, tokenizer, prompts):
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    batch = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, padding_side="left",
        return_tensors="pt", return_dict=True,
    )  # fmt: skip
    with torch.no_grad():
        logits = model(**batch).logits[:, -1]
        written = model.generate(**batch, max_new_tokens=12, do_sample=False)
    return logits, tokenizer.batch_decode(
        written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True
    )


def test_a_real_model_goes_through_sft_and_grpo_and_is_exported_exactly(smollm2, tmp_path):
    rows = running.run(recipes.load("pretrained", TINY), tmp_path)
    assert [row["stage"] for row in rows] == ["base", "sft", "grpo", "teacher"]
    folder = tmp_path / "students" / "grpo"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    original = AutoTokenizer.from_pretrained(smollm2)
    assert tokenizer.chat_template == original.chat_template
    assert tokenizer.get_vocab() == original.get_vocab()
    merged = AutoModelForCausalLM.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(smollm2)
    adapted = PeftModel.from_pretrained(base, str(folder / "adapter")).eval()
    prompts = ["3 + 4 - 2=?", "2 * 3 * 4=?", "Tell me about the sea."]
    logits, said = answers(merged, tokenizer, prompts)
    same, spoken = answers(adapted, tokenizer, prompts)
    torch.testing.assert_close(logits, same, rtol=1e-4, atol=1e-4)
    assert said == spoken
    with adapted.disable_adapter():
        assert not torch.equal(answers(adapted, tokenizer, prompts)[0], same)
    counts = json.loads((tmp_path / "manifest.json").read_text())["stages"]["train:sft"]["counts"]
    assert counts["share"] < 0.05
    assert counts["merge_error"] < 1e-3


SHORT = [
    "questions.0.n=8", "questions.1.n=4", "chains.samples=1", "teacher.sampling.max_tokens=8",
    "stages.dpo.max_steps=1", "stages.dpo.tokens_per_step=400",
    "evaluate.on.0.n=3", "evaluate.on.1.n=3", "evaluate.on.2.n=2", "evaluate.on.2.max_tokens=8",
    "evaluate.max_tokens=8",
]  # fmt: skip


@pytest.mark.usefixtures("smollm2")
def test_written_refusals_are_preferred_to_what_a_real_model_says(tmp_path):
    rows = running.run(recipes.load("refusal", SHORT), tmp_path)
    seen = {(row["on"], row["stage"]) for row in rows}
    assert seen == {(on, at) for on in ("harmful", "benign", "sums") for at in ("base", "dpo")}
    counts = json.loads((tmp_path / "manifest.json").read_text())["stages"]
    requests = (recipes.SHIPPED / "refusal" / "requests.jsonl").read_text().splitlines()
    written = sum(len(json.loads(line)["written"]) for line in requests[:8])
    assert counts["chains"]["counts"]["completions"] == 8 + written + 4
    assert counts["curate"]["counts"]["sets"]["dpo"] >= 8
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert line["margin"] == pytest.approx(0, abs=1e-3)
    assert line["loss"] - line["chosen_loss"] == pytest.approx(0.6931, abs=1e-3)
