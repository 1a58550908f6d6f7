"""Reward models: the loss by hand, what is learned, and that transformers scores the same."""

import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from students import engine, models
from students.adapters import adapt
from students.batches.encode import Encoder
from students.batches.encode import document as read
from students.batches.pack import Document, pack, share
from students.batches.scorer import Rewarder, Scorer, scorer
from students.config import Lora, RewardModel, Scratch
from students.errors import DataError, ModelError
from students.heads import with_head
from students.objectives.reward_model import Reward
from students.reward_model import accuracy, load, rewards
from students.stages import from_rows

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=64)
ROWS = [
    {"prompt": f"{a}+{b}=?", "chosen": f"{a + b}", "rejected": f"{a + b + k} or so",
     "problem_id": f"{a}+{b}"}
    for a in range(8) for b in range(8) for k in (1, 2)
]  # fmt: skip


def pairs(rows, tokenizer):
    found = Encoder(tokenizer).encode("pair", rows)
    return [tuple(read(marked) for marked in both) for both in found]


def document(tokens):
    return Document(range(tokens), [False] + [True] * (tokens - 1))


def test_the_loss_by_hand():
    batch = pack([(document(3), document(2)), (document(2), document(4))])
    given = torch.tensor([1.0, 0.5, -1.0, 2.0], requires_grad=True)
    objective = Reward(margin=0.5, centering=0.01)
    assert objective.count(batch) == 2
    loss, metrics = objective(given, batch, 2.0)

    def nats(ahead):
        return math.log(1 + math.exp(-ahead))

    expected = (nats(0.5 - 0.5) + nats(-3.0 - 0.5)) / 2 + 0.01 * (1.5**2 + 1.0**2) / 2
    assert loss.item() == pytest.approx(expected)
    assert metrics["accuracy"].item() == 0.5
    assert metrics["margin"].item() == pytest.approx((0.5 - 3.0) / 2)
    loss.backward()
    slopes = [-0.5, -1 / (1 + math.exp(-3.5))]
    centred = [0.02 * 1.5, 0.02 * 1.0]
    wanted = [slopes[0] + centred[0], -slopes[0] + centred[0],
              slopes[1] + centred[1], -slopes[1] + centred[1]]  # fmt: skip
    assert given.grad.tolist() == pytest.approx([w / 2 for w in wanted])


def test_micro_batches_add_up():
    batch = pack([(document(n), document(3)) for n in (2, 5, 4)])
    given = torch.linspace(-1, 2, 6)
    objective = Reward(0.3, 0.1)
    whole, figures = objective(given, batch, 3.0)
    parts = batch.split(8)
    assert len(parts) > 1
    pieces = given.split([len(part.answers) for part in parts])
    found = [objective(piece, part, 3.0) for piece, part in zip(pieces, parts, strict=True)]
    assert sum(loss for loss, _ in found).item() == pytest.approx(whole.item())
    for name, value in figures.items():
        assert sum(m[name] for _, m in found).item() == pytest.approx(value.item(), abs=1e-6)


def test_the_head_stands_on_the_policys_own_decoder():
    policy, tokenizer = models.build(SHAPE, seed=0)
    batch = pack(pairs(ROWS[:3], tokenizer))
    hidden = Scorer(policy).hidden(batch)
    one = with_head(policy, tokenizer, seed=1)
    assert torch.equal(one.score.weight, with_head(policy, tokenizer, seed=1).score.weight)
    assert isinstance(scorer(one), Rewarder)
    last = torch.tensor(batch.lengths).cumsum(0) - 1
    found = one.score(hidden[last]).squeeze(1)
    assert torch.equal(scorer(one)(batch), found)
    shared = pack(share(unit) for unit in pairs(ROWS[:3], tokenizer))
    assert len(shared.ids) < len(batch.ids)
    torch.testing.assert_close(scorer(one)(shared), found, rtol=1e-5, atol=1e-6)


def planned(model, tokenizer, folder, rows=ROWS, **options):
    stage = RewardModel(tokens_per_step=1200, max_length=128, centering=0.01, **options)
    return stage, from_rows(stage, rows, model, tokenizer, 0, "", folder)


@pytest.mark.parametrize("lora", [None, Lora(rank=8)])
def test_it_ranks_pairs_it_has_not_seen_and_transformers_scores_the_same(tmp_path, lora):
    policy, tokenizer = models.build(SHAPE, seed=0)
    model = with_head(policy, tokenizer, 0)
    if lora is not None:
        model = adapt(model, lora, 0)
    stage, plan = planned(model, tokenizer, tmp_path, learning_rate=3e-3, max_steps=60, heldout=0.2)
    lines, folder = [], tmp_path / "rm"
    engine.train(
        model, tokenizer, plan.objective, plan.source, stage, folder, plan.steps, lines.append
    )
    assert lines[0]["loss"] == pytest.approx(math.log(2), abs=0.1)
    found = accuracy(folder, plan.held)
    assert found["n"] == len(plan.held) == 26
    assert found["accuracy"] >= 0.95
    assert found["low"] <= found["accuracy"] <= found["high"]
    model, tokenizer = load(folder)
    ours = rewards(model, plan.held[:])
    plain = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    documents = [list(d.ids) for unit in plan.held for d in unit]
    for side in ("right", "left"):
        padder = AutoTokenizer.from_pretrained(folder, padding_side=side)
        with torch.no_grad():
            theirs = plain(**padder.pad({"input_ids": documents}, return_tensors="pt")).logits
        torch.testing.assert_close(theirs.squeeze(1), torch.tensor(ours), rtol=1e-4, atol=1e-4)


def test_only_whole_problems_are_kept_apart(tmp_path):
    policy, tokenizer = models.build(SHAPE, seed=0)
    _, plan = planned(policy, tokenizer, tmp_path, heldout=0.25)
    assert len(plan.held) == 32
    assert set(plan.held.groups).isdisjoint(plan.source.units.groups)
    assert len(plan.source.units) + len(plan.held) == len(ROWS)
    assert planned(policy, tokenizer, tmp_path, heldout=0)[1].held is None
    with pytest.raises(DataError, match="pairs of 1 problems are too few"):
        planned(policy, tokenizer, tmp_path, ROWS[:2], heldout=0.9)


def test_padding_is_never_the_end_token():
    policy, tokenizer = models.build(SHAPE, seed=0)
    tokenizer.pad_token = tokenizer.eos_token
    model = with_head(policy, tokenizer, 0)
    assert tokenizer.pad_token != tokenizer.eos_token
    assert model.config.pad_token_id == tokenizer.pad_token_id
    bare = models.byte_tokenizer()
    bare.add_special_tokens({"extra_special_tokens": []}, replace_extra_special_tokens=True)
    bare.pad_token = bare.eos_token
    assert with_head(policy, bare, 0).config.pad_token_id != bare.eos_token_id


def test_an_architecture_without_a_classifier_is_refused():
    policy, tokenizer = models.build(Scratch(architecture="granite", hidden_size=64, heads=2), 0)
    with pytest.raises(ModelError, match="a granite model cannot be a reward model"):
        with_head(policy, tokenizer, 0)


def test_the_policy_is_as_before_when_a_reward_model_was_made_of_its_folder(tmp_path):
    policy, tokenizer = models.build(SHAPE, seed=0)
    models.save(policy, tokenizer, tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    for name, value in policy.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
