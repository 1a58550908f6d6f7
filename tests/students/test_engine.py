"""Training: it learns, it resumes exactly, and micro-batches do not matter."""

import math
import os
import signal
import subprocess
import sys
import textwrap

import pytest
import torch

from students import checkpoints, engine, models
from students.adapters import adapt
from students.batches.pack import pack
from students.batches.scorer import Scorer
from students.config import SFT, Lora, Scratch
from students.objectives.sft import Sft
from students.sources import FileSource
from tests.students.encoded import encoded

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=128)


def rows(n):
    return [{"prompt": f"{a}+{a + 3}=?", "completion": f"A: {2 * a + 3}"} for a in range(n)]


def train(folder, name="sft", steps=30, config=None, lora=None, report=lambda line: None):
    model, tokenizer = models.build(SHAPE, seed=0)
    if lora is not None:
        model = adapt(model, lora, seed=0)
    config = config or SFT(learning_rate=3e-3, tokens_per_step=400, checkpoint_every=7)
    docs = encoded(tokenizer, rows(32))
    source = FileSource([(d,) for d in docs], config.tokens_per_step, seed=0)
    return engine.train(model, tokenizer, Sft(), source, config, folder / name, steps, report)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_sft_loss_is_mean_nats_over_the_whole_step():
    logp = torch.tensor([-1.0, -2.0, -3.0], requires_grad=True)
    batch = pack([])
    loss, metrics = Sft()(logp, batch, 4.0)
    assert loss.item() == metrics["loss"].item() == pytest.approx(6 / 4)
    loss.backward()
    assert logp.grad.tolist() == [-0.25] * 3


def test_it_overfits_a_few_rows(tmp_path):
    losses = []
    config = SFT(learning_rate=5e-3, tokens_per_step=800, schedule="constant", max_length=128)
    train(tmp_path, steps=250, config=config, report=lambda line: losses.append(line["loss"]))
    assert losses[0] > 4
    assert sum(losses[-5:]) / 5 < 0.05


def test_any_split_into_micro_batches_gives_the_same_gradient():
    model, tokenizer = models.build(SHAPE, seed=0)
    model.double()
    docs = encoded(tokenizer, rows(20))
    batch = pack((d,) for d in docs)
    gradients = []
    for size in (10_000, 100, 20):
        model.zero_grad()
        for micro in batch.split(size):
            loss, _ = Sft()(Scorer(model)(micro), micro, float(batch.targets))
            loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    for other in gradients[1:]:
        assert ((other - gradients[0]).norm() / gradients[0].norm()).item() < 1e-6


def test_the_source_gives_every_row_once_an_epoch_and_resumes_anywhere():
    tokenizer = models.byte_tokenizer()
    docs = encoded(tokenizer, rows(32))
    source = FileSource([(d,) for d in docs], 200, seed=1)
    for epoch in (0, 1):
        seen = sorted(i for part in source.plan(epoch) for i in part)
        assert seen == list(range(32))
    assert [list(p) for p in source.plan(0)] != [list(p) for p in source.plan(1)]
    steps = source.steps(2)
    batches = iter(source)
    whole = []
    states = []
    for _ in range(steps):
        states.append(source.state_dict())
        whole.append(next(batches).ids)
    for at in range(steps):
        again = FileSource([(d,) for d in docs], 200, seed=1)
        again.load_state_dict(states[at])
        assert torch.equal(next(iter(again)).ids, whole[at])


def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path):
    class Stop(Exception):
        pass

    undisturbed = train(tmp_path / "a")

    for stop in (3, 7, 15, 29):

        def report(line, stop=stop):
            if line["step"] == stop:
                raise Stop

        with pytest.raises(Stop):
            train(tmp_path / "b", report=report)
    seen = []
    resumed = train(tmp_path / "b", report=lambda line: seen.append(line["step"]))
    assert seen[0] == 29
    assert weights(undisturbed) == weights(resumed)
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["sft"]


def test_sigkill_in_training_costs_nothing(tmp_path):
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {os.getcwd()!r})
        from pathlib import Path
        from tests.students.test_engine import train
        def report(line):
            if line["step"] == int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
        train(Path({str(tmp_path / "b")!r}), report=report)
    """)
    undisturbed = train(tmp_path / "a")
    for step in (8, 22, 0):
        done = subprocess.run([sys.executable, "-c", script, str(step)], check=False)
        assert done.returncode == (-signal.SIGKILL if step else 0)
    assert weights(undisturbed) == weights(tmp_path / "b" / "sft")


def test_a_corrupt_newest_checkpoint_is_passed_over_with_a_warning(tmp_path):
    for step in (1, 2, 3):
        checkpoints.write(tmp_path, step, {"step": step}, keep=2)
    assert [p.name for p in checkpoints.found(tmp_path)] == ["step-00000002.pt", "step-00000003.pt"]
    (tmp_path / "step-00000003.pt").write_bytes(b"torn")
    with pytest.warns(UserWarning, match="cannot be read"):
        state = checkpoints.latest(tmp_path)
    assert state == {"step": 2}


def test_lora_trains_a_share_and_merged_weights_equal_the_adapter(tmp_path):
    from peft import PeftModel

    lora = Lora(rank=4)
    folder = train(tmp_path, lora=lora, steps=20)
    base, tokenizer = models.build(SHAPE, seed=0)
    docs = encoded(tokenizer, rows(4))
    with torch.no_grad():
        before = Scorer(base)(pack((d,) for d in docs))
        merged = Scorer(models.load(folder)[0])(pack((d,) for d in docs))
        adapted = PeftModel.from_pretrained(base, str(folder / "adapter"))
        with_adapter = Scorer(adapted)(pack((d,) for d in docs))
    torch.testing.assert_close(merged, with_adapter, rtol=1e-4, atol=1e-4)
    assert (merged - before).abs().max() > 0.01


def test_learning_rate_warms_up_and_falls_to_its_final_share():
    config = SFT(learning_rate=1.0, warmup=0.1, final_learning_rate=0.1)
    rates = [engine.learning_rate(step, 100, config) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] == pytest.approx(0.1)
    assert rates[54] == pytest.approx(0.1 + 0.9 * 0.5, abs=1e-6)
    assert all(math.isfinite(r) for r in rates)


def test_a_saved_student_is_a_plain_hugging_face_folder(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = train(tmp_path, steps=3)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "né?"}], tokenize=False, add_generation_prompt=True
    )
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert len(tokenizer) == model.config.vocab_size
