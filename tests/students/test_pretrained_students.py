"""A real model as what students are made of: a reward model's trunk, 4 bits, new tokens."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from students import engine, models
from students.adapters import adapt
from students.batches.pack import pack
from students.batches.scorer import Scorer
from students.config import SFT, Lora, RewardModel, StudentConfig
from students.heads import with_head
from students.objectives.sft import Sft
from students.reward_model import accuracy, load, rewards
from students.sources import FileSource
from students.stages import from_rows
from students.vocabulary import ids_of
from tests.students.encoded import encoded

SURE = [
    {"prompt": f"What is {a} + {b}?", "chosen": f"{a} + {b} = {a + b}.",
     "rejected": f"I am not sure, it may be {a + b} or {a + b + 2}.", "problem_id": f"{a}+{b}"}
    for a in range(1, 21) for b in range(1, 16)
]  # fmt: skip
TOKENS = ["<think>", "</think>"]

pytestmark = pytest.mark.slow


def test_it_is_the_trunk_of_a_reward_model(smollm2, tmp_path):
    policy, tokenizer = models.load(str(smollm2))
    assert tokenizer.pad_token == tokenizer.eos_token
    trained = adapt(with_head(policy, tokenizer, 0), Lora(rank=8), 0)
    stage = RewardModel(
        learning_rate=1e-3, max_steps=8, tokens_per_step=800, max_length=128, heldout=0.2
    )
    plan = from_rows(stage, SURE, trained, tokenizer, 0, "", tmp_path)
    engine.train(
        trained, tokenizer, plan.objective, plan.source, stage, tmp_path / "rm", plan.steps
    )
    found = accuracy(tmp_path / "rm", plan.held)
    assert found["n"] == 60
    assert found["accuracy"] >= 0.95
    assert json.loads((tmp_path / "rm" / "training.json").read_text())["share"] < 0.03
    ours = rewards(load(tmp_path / "rm")[0], plan.held[:4])
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm")
    documents = [list(d.ids) for pair in plan.held[:4] for d in pair]
    padder = AutoTokenizer.from_pretrained(tmp_path / "rm")
    assert all(ids[-1] == padder.eos_token_id != padder.pad_token_id for ids in documents)
    with torch.no_grad():
        theirs = plain(**padder.pad({"input_ids": documents}, return_tensors="pt")).logits
    torch.testing.assert_close(theirs.squeeze(1), torch.tensor(ours), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dora", [False, True])
def test_it_learns_in_four_bits_and_gets_new_tokens(smollm2, tmp_path, dora):
    pytest.importorskip("bitsandbytes")
    lora = Lora(rank=8, quantize="nf4", dora=dora, targets=["q_proj", "v_proj", "down_proj"])
    config = StudentConfig(model=str(smollm2), lora=lora, tokens=TOKENS)
    models.rehearse(config)
    student, tokenizer = models.start(config, 0)
    held = sum(p.numel() * p.element_size() for p in student.get_decoder().layers.parameters())
    assert held < 0.7 * 106e6  # bytes of 106 million weights; 16 bits would take two each
    student = adapt(student, lora, 0, rows=ids_of(tokenizer, TOKENS))
    rows = [{"prompt": f"{a} + 2?", "completion": f"<think>{a} and 2</think>{a + 2}"}
            for a in range(12)]  # fmt: skip
    units = [(d,) for d in encoded(tokenizer, rows)]
    stage = SFT(learning_rate=2e-3, tokens_per_step=600)
    lines = []
    engine.train(
        student, tokenizer, Sft(), FileSource(units, 600, 0), stage, tmp_path / "sft", 6,
        lines.append,
    )  # fmt: skip
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    base, words = models.start(StudentConfig(model=str(smollm2), tokens=TOKENS), 0)
    exact = PeftModel.from_pretrained(base, str(tmp_path / "sft" / "adapter"))
    merged, again = models.load(tmp_path / "sft")
    assert again.get_vocab() == words.get_vocab()
    with torch.no_grad():
        found = [Scorer(m.eval())(pack(units)) for m in (merged, exact)]
    torch.testing.assert_close(*found, rtol=0, atol=1e-4)
