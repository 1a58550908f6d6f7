"""Formulas with answers worked out by hand, and that each objective learns."""

import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from students import engine, models
from students.adapters import adapt
from students.batches.pack import Document, pack
from students.config import CPT, DPO, GRPO, SFT, Lora, Scratch
from students.objectives.dpo import Dpo
from students.objectives.grpo import Grpo
from students.objectives.sft import Sft
from students.reference import Reference, with_reference
from students.sources import FileSource
from students.stages import from_rollouts, from_rows
from tests.students.encoded import encoded
from verifiers.pool import VerdictPool
from verifiers.records import Problem

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=64)


def document(learned, **extras):
    """A prompt token and `learned` tokens to learn."""
    full = {name: [0.0, *values] for name, values in extras.items()}
    return Document(range(learned + 1), [False] + [True] * learned, full)


def test_dpo_by_hand():
    pair = (document(2, ref_logp=[-1.0, -0.5]), document(1, ref_logp=[-1.5]))
    batch = pack([pair])
    assert batch.units == [2]
    logp = torch.tensor([-0.5, -0.5, -2.0], requires_grad=True)
    loss, metrics = Dpo(beta=0.1)(logp, batch, Dpo(0.1).count(batch))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.1 * (0.5 + 0.5))))
    assert metrics["accuracy"].item() == 1
    assert metrics["margin"].item() == pytest.approx(0.1)
    loss.backward()
    slope = 0.1 / (1 + math.exp(0.1))
    assert logp.grad.tolist() == pytest.approx([-slope, -slope, slope])
    smooth, _ = Dpo(0.1, label_smoothing=0.25)(logp, batch, 1.0)
    expected = 0.75 * math.log(1 + math.exp(-0.1)) + 0.25 * math.log(1 + math.exp(0.1))
    assert smooth.item() == pytest.approx(expected)
    anchored, metrics = Dpo(0.1, rpo_alpha=2.0)(logp, batch, 1.0)
    assert anchored.item() == pytest.approx(loss.item() + 2.0 * (0.5 + 0.5) / 2)
    assert metrics["chosen_loss"].item() == pytest.approx(0.5)


def test_pairs_are_never_split():
    pairs = [(document(n, ref_logp=[0.0] * n), document(2, ref_logp=[0.0] * 2)) for n in (3, 9, 4)]
    parts = pack(pairs).split(10)
    assert [p.lengths for p in parts] == [[4, 3], [10, 3], [5, 3]]


def test_grpo_by_hand():
    one = document(2, old_logp=[-1.0, -1.0], advantage=[1.0, 1.0])
    two = document(2, old_logp=[-1.0, -1.0], advantage=[-2.0, -2.0])
    batch = pack([(one,), (two,)])
    ratios = [1.5, 1.1, 0.5, 1.5]
    logp = torch.tensor([-1 + math.log(r) for r in ratios], requires_grad=True)
    objective = Grpo(clip_low=0.2, clip_high=0.28)
    loss, metrics = objective(logp, batch, objective.count(batch))
    surrogate = [1.28, 1.1, -2 * 0.8, -2 * 1.5]
    assert loss.item() == pytest.approx(-sum(surrogate) / 4)
    assert metrics["clipped"].item() == pytest.approx(2 / 4)
    loss.backward()
    assert logp.grad.tolist() == pytest.approx([0.0, -1.1 / 4, 0.0, 3.0 / 4])


def test_grpo_clips_only_what_would_go_too_far():
    """A step back towards the samples is never clipped, whatever the advantage's sign."""
    one = document(3, old_logp=[-1.0] * 3, advantage=[1.0] * 3)
    two = document(3, old_logp=[-1.0] * 3, advantage=[-1.0] * 3)
    batch = pack([(one,), (two,)])
    ratios = [0.5, 1.27, 1.29, 2.0, 0.81, 0.79]
    logp = torch.tensor([-1 + math.log(r) for r in ratios], requires_grad=True)
    loss, metrics = Grpo(clip_low=0.2, clip_high=0.28)(logp, batch, 1.0)
    assert loss.item() == pytest.approx(-(0.5 + 1.27 + 1.28 - 2.0 - 0.81 - 0.8))
    assert metrics["clipped"].item() == 2
    loss.backward()
    assert logp.grad.tolist() == pytest.approx([-0.5, -1.27, 0, 2.0, 0.81, 0])


def test_micro_batches_add_up_to_the_step_whatever_their_sizes():
    pairs = [
        (
            document(n, ref_logp=[-1.0] * n, old_logp=[-1.2] * n, advantage=[n - 2.0] * n),
            document(2, ref_logp=[-0.8] * 2, old_logp=[-0.9] * 2, advantage=[0.5] * 2),
        )
        for n in (1, 5, 2, 3)
    ]
    batch = pack(pairs)
    logp = torch.linspace(-2, -0.1, batch.targets)
    for objective in (Sft(), Dpo(0.3), Grpo(0.2, 0.28, kl=0.2)):
        normaliser = objective.count(batch)
        assert normaliser == (4 if isinstance(objective, Dpo) else batch.targets)
        whole, figures = objective(logp, batch, normaliser)
        parts = batch.split(9)
        assert [p.lengths for p in parts] == [[2, 3], [6, 3], [3, 3], [4, 3]]
        pieces = [
            objective(piece, micro, normaliser)
            for piece, micro in zip(logp.split([p.targets for p in parts]), parts, strict=True)
        ]
        assert sum(loss for loss, _ in pieces).item() == pytest.approx(whole.item())
        for name, value in figures.items():
            total = sum(metrics[name] for _, metrics in pieces).item()
            assert total == pytest.approx(value.item(), abs=1e-6), name


def test_grpo_kl_is_the_unbiased_estimator():
    batch = pack([(document(1, old_logp=[-1.0], advantage=[0.0], ref_logp=[-1.5]),)])
    logp = torch.tensor([-1.0], requires_grad=True)
    loss, metrics = Grpo(0.2, 0.28, kl=0.5)(logp, batch, 1.0)
    k3 = math.exp(-0.5) + 0.5 - 1
    assert metrics["kl"].item() == pytest.approx(k3)
    assert loss.item() == pytest.approx(0.5 * k3)


def digits(answer):
    return [{"prompt": f"{d}?", "completion": answer(d)} for d in range(10)]


def trained(model, tokenizer, tmp_path, rows, steps, rate=5e-3):
    docs = encoded(tokenizer, rows)
    source = FileSource([(d,) for d in docs], 2000, seed=0)
    config = SFT(learning_rate=rate, max_steps=steps)
    folder = engine.train(model, tokenizer, Sft(), source, config, tmp_path / "sft", steps)
    return models.load(folder)


@pytest.fixture(scope="module")
def guesser(tmp_path_factory):
    """A student that answers any of the ten questions with a digit at random."""
    model, tokenizer = models.build(SHAPE, seed=0)
    rows = [{"prompt": f"{d}?", "completion": str(a)} for d in range(10) for a in range(10)]
    trained(model, tokenizer, tmp_path_factory.mktemp("guesser"), rows, 60)
    return tmp_path_factory.getbasetemp() / "guesser0" / "sft"


def test_cpt_learns_every_token_of_plain_texts(tmp_path):
    texts = ["the cat sat on the mat", "2 + 3 = 5", "né: ünïcode"]
    model, tokenizer = models.build(SHAPE, seed=0)
    stage = CPT(learning_rate=5e-3, max_steps=120, tokens_per_step=1000, schedule="constant")
    rows = [{"text": text} for text in texts]
    plan = from_rows(stage, rows, model, tokenizer, 0, "scratch", tmp_path / "cache")
    learned = sum(len(tokenizer(text)["input_ids"]) for text in texts)
    lines = []
    folder = engine.train(
        model, tokenizer, plan.objective, plan.source, stage, tmp_path / "cpt", plan.steps,
        lines.append,
    )  # fmt: skip
    assert plan.objective.count(pack(plan.source.units)) == learned
    assert lines[0]["loss"] > 4
    assert lines[-1]["loss"] < 0.2
    plain = AutoModelForCausalLM.from_pretrained(folder)
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        written = plain.generate(
            ids[:, :2], attention_mask=torch.ones_like(ids[:, :2]), max_new_tokens=40,
            do_sample=False,
        )  # fmt: skip
        assert tokenizer.decode(written[0], skip_special_tokens=True) == text


def test_dpo_learns_which_answer_is_preferred(guesser, tmp_path):
    rows = [
        {"prompt": f"{d}?", "chosen": str(d), "rejected": str((d + k) % 10)}
        for d in range(10)
        for k in (1, 3, 7)
    ]
    model, tokenizer = models.load(guesser)
    stage = DPO(learning_rate=2e-3, beta=0.5, epochs=150, tokens_per_step=500)
    plan = from_rows(stage, rows, model, tokenizer, 0, "guesser", tmp_path / "cache")
    lines = []
    engine.train(
        model,
        tokenizer,
        plan.objective,
        plan.source,
        stage,
        tmp_path / "dpo",
        plan.steps,
        lines.append,
    )
    assert lines[0]["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert lines[-1]["accuracy"] > 0.9
    assert lines[-1]["loss"] < 0.3


def test_reference_log_probs_are_computed_once(guesser, tmp_path, monkeypatch):
    model, tokenizer = models.load(guesser)
    docs = encoded(tokenizer, digits(str))
    pairs = list(zip(docs[::2], docs[1::2], strict=True))
    first = with_reference(pairs, model, "guesser", tmp_path)
    monkeypatch.setattr(Reference, "values", None)
    again = with_reference(pairs, model, "guesser", tmp_path)
    assert list(first) == list(again)
    with pytest.raises(TypeError):
        with_reference(pairs, model, "another", tmp_path)


@pytest.mark.parametrize("adapted", [False, True])
def test_the_reference_stays_what_the_policy_was(guesser, adapted):
    model, tokenizer = models.load(guesser)
    docs = encoded(tokenizer, digits(str))
    batch = pack((d,) for d in docs)
    plain = Reference(model)(batch).extras["ref_logp"]
    if adapted:
        model = adapt(model, Lora(rank=2), seed=0)
    fresh = Reference(model)
    _move(model)
    moved = Reference(model)
    assert (moved(batch).extras["ref_logp"] - plain).abs().max() > 0.01
    expected = moved(batch).extras["ref_logp"]
    _move(model)
    assert torch.equal(fresh(batch).extras["ref_logp"], plain)
    assert torch.equal(moved(batch).extras["ref_logp"], expected)


def _move(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)


PROBLEMS = [Problem(prompt=f"{d}?", answer=str(d), verifier="exact") for d in range(10)]


def grpo(guesser, folder, rounds, report=lambda line: None, **options):
    model, tokenizer = models.load(guesser)
    stage = GRPO(
        learning_rate=1e-3, rounds=rounds, prompts=10, minibatches=2, max_tokens=4,
        checkpoint_every=3, **{"group_size": 16} | options,
    )  # fmt: skip
    pool = VerdictPool(workers=1)
    plan = from_rollouts(stage, PROBLEMS, model, tokenizer, pool, 0, None)
    try:
        return engine.train(
            model, tokenizer, plan.objective, plan.source, stage, folder, plan.steps, report
        )
    finally:
        plan.source.close()


def test_a_round_of_grpo_starts_on_policy_and_says_how_it_goes(guesser, tmp_path):
    lines = []
    grpo(guesser, tmp_path / "grpo", 2, lines.append, kl=0.001)
    assert {"reward", "length", "entropy", "kl", "clipped", "zero_variance"} <= lines[0].keys()
    assert lines[0]["moved"] < 1e-6
    assert lines[0]["kl"] < 1e-6
    assert lines[-1]["moved"] > 0


@pytest.mark.slow
def test_grpo_raises_the_reward_from_chance(guesser, tmp_path):
    lines = []
    grpo(
        guesser, tmp_path / "grpo", 250, lines.append,
        group_size=32, passes=2, scale_advantages=False,
    )  # fmt: skip
    assert lines[0]["pass_rate"] < 0.25
    assert max(line["pass_rate"] for line in lines) >= 0.8


@pytest.mark.slow
def test_an_interrupted_grpo_ends_as_an_undisturbed_one(guesser, tmp_path):
    class Stop(Exception):
        pass

    whole = grpo(guesser, tmp_path / "a", 5)
    for stop in (2, 5, 8):

        def report(line, stop=stop):
            if line["step"] == stop:
                raise Stop

        with pytest.raises(Stop):
            grpo(guesser, tmp_path / "b", 5, report)
    again = grpo(guesser, tmp_path / "b", 5)
    one, two = (f / "model.safetensors" for f in (whole, again))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_a_corrupt_newest_checkpoint_of_grpo_is_passed_over(guesser, tmp_path):
    class Stop(Exception):
        pass

    def report(line):
        if line["step"] == 8:
            raise Stop

    whole = grpo(guesser, tmp_path / "a", 5, passes=2)
    with pytest.raises(Stop):
        grpo(guesser, tmp_path / "b", 5, report, passes=2)
    newest = engine.partial_of(tmp_path / "b") / "checkpoints" / "step-00000006.pt"
    newest.write_bytes(newest.read_bytes()[:-2000])
    with pytest.warns(UserWarning, match="step-00000006.pt cannot be read"):
        again = grpo(guesser, tmp_path / "b", 5, passes=2)
    one, two = (f / "model.safetensors" for f in (whole, again))
    assert one.read_bytes() == two.read_bytes()
