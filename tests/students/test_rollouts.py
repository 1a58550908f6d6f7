"""Rollouts: what is drawn, what counts, and how much work the decoder does for it."""

import asyncio
import copy
import math

import pytest
import torch

from students import engine, models
from students.adapters import adapt
from students.batches.encode import encode_prompts
from students.batches.pack import pack
from students.batches.scorer import Scorer
from students.config import GRPO, SFT, Lora, Scratch
from students.errors import DataError
from students.objectives.sft import Sft
from students.precision import compute_in
from students.rollouts import weights
from students.rollouts.correction import Corrected
from students.rollouts.decoder import LocalSampler
from students.rollouts.source import RolloutSource
from students.sources import FileSource
from tests.students.encoded import encoded
from verifiers.pool import VerdictPool
from verifiers.records import Completion, Problem, Verdict
from verifiers.sampler import Request

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=64)
PROBLEMS = [Problem(prompt=f"{d}?", answer=str(d), verifier="exact") for d in range(4)]
CHATS = [{"prompt": f"{d}?", "completion": str(d)} for d in range(4)]


@pytest.fixture(scope="module")
def rambler(tmp_path_factory):
    """A student that answers with one of four digits, half of the time five times over."""
    model, tokenizer = models.build(SHAPE, seed=0)
    rows = [
        {"prompt": f"{d}?", "completion": str(a) * times}
        for d in range(4)
        for a in range(4)
        for times in (1, 5)
    ]
    docs = encoded(tokenizer, rows)
    source = FileSource([(d,) for d in docs], 2000, seed=0)
    folder = tmp_path_factory.mktemp("rambler") / "sft"
    engine.train(model, tokenizer, Sft(), source, SFT(learning_rate=5e-3), folder, 80)
    return models.load(folder)


@pytest.fixture
def rollouts(rambler):
    """Makes a source of rollouts, and closes it."""
    made = []

    def make(problems=PROBLEMS, policy=rambler, changed=lambda one: one, changes=(), **options):
        config = GRPO(**{"prompts": 4, "group_size": 16, "max_tokens": 8} | options)
        sampler = LocalSampler(*policy, "policy", batch=1000, tokens=True)
        made.append(
            RolloutSource(
                changed(sampler), sampler.drawing, policy[1], VerdictPool(workers=1), problems,
                config, seed=0, changes=changes,
            )
        )  # fmt: skip
        return made[-1]

    yield make
    for source in made:
        source.close()


def documents(batch):
    """(ids, learned ids, advantage of each) of the answers of a batch, prompts included."""
    ends = torch.tensor(batch.lengths).cumsum(0).tolist()
    parts = [slice(end - n, end) for n, end in zip(batch.lengths, ends, strict=True)]
    found = []
    for d in batch.answers:
        part, before = parts[d], batch.follows[d] if batch.follows else -1
        prompt = batch.ids[parts[before]].tolist() if before >= 0 else []
        mask = batch.mask[part]
        advantage = batch.extras["advantage"][part][mask].unique()
        assert len(advantage) == 1
        ids = prompt + batch.ids[part].tolist()
        found.append((ids, batch.ids[part][mask].tolist(), advantage.item()))
    return found


def test_the_trainer_finds_the_log_probs_that_the_sampler_drew_with(rambler, rollouts):
    batch = next(iter(rollouts(minibatches=1)))
    with torch.no_grad():
        again = Scorer(rambler[0])(batch)
    torch.testing.assert_close(again, batch.extras["old_logp"][batch.mask], rtol=0, atol=1e-5)
    assert again.std() > 0.1


def test_a_round_gives_each_answer_once_a_pass(rollouts):
    source = rollouts(passes=2, minibatches=3)
    batches = iter(source)
    first = [next(batches) for _ in range(6)]
    assert source.round == 1
    passes = [[d for b in first[i : i + 3] for d in documents(b)] for i in (0, 3)]
    assert sorted(map(repr, passes[0])) == sorted(map(repr, passes[1]))
    assert len(passes[0]) == 64
    assert sum(a for *_, a in passes[0]) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("truncated", ["wrong", "mask"])
def test_a_truncated_answer_counts_as_wrong_or_not_at_all(rambler, rollouts, truncated):
    end = rambler[1].eos_token_id
    batch = next(iter(rollouts(truncated=truncated, max_tokens=3, minibatches=1)))
    cut = [advantage for _, learned, advantage in documents(batch) if learned[-1] != end]
    whole = [advantage for _, learned, advantage in documents(batch) if learned[-1] == end]
    assert max(whole) > 0 > min(whole)
    if truncated == "mask":
        assert not cut
        assert len(whole) < 60
    else:
        assert len(cut) + len(whole) == 64
        assert max(cut) < 0


@pytest.mark.parametrize("truncated", ["wrong", "mask"])
def test_where_nothing_ends_in_time_the_source_is_exhausted_and_says_so(rollouts, truncated):
    source = rollouts(truncated=truncated, max_tokens=1, refill=2)
    assert next(iter(source), None) is None
    assert (source.ended.rounds, source.ended.groups, source.ended.solved) == (0, 8, 0)
    unsolved, unjudged = source.ended.unsolved, source.ended.unjudged
    assert unsolved + unjudged == 8
    assert (unjudged > 4) == ("no answer that counts" in str(source.ended)) == (truncated == "mask")
    assert f"of 8 groups drawn, 0 are solved by every answer, {unsolved} by none" in str(
        source.ended
    )


def test_groups_without_variance_are_replaced_by_further_ones(rambler, rollouts):
    never = [Problem(prompt=f"{d}?", answer="x", verifier="exact") for d in (2, 3)]
    batch = next(iter(rollouts(PROBLEMS[:2] + never, refill=8, minibatches=1)))
    found = documents(batch)
    assert len(found) == 4 * 16
    said = {rambler[1].decode(ids) for ids, *_ in found}
    assert all("0?" in text or "1?" in text for text in said)
    assert batch.metrics["zero_variance"] >= 1 / 3
    assert batch.metrics["pass_rate"] < sum(a > 0 for *_, a in found) / len(found)


def test_an_all_wrong_group_teaches_where_its_answers_earn_different_credit(rollouts):
    def varied(*scores, **options):
        pairs = [
            (Completion(problem_id="p", index=n, text="", request_key=str(n)),
             Verdict(status="wrong", score=score))
            for n, score in enumerate(scores)
        ]  # fmt: skip
        return rollouts(**options)._group(PROBLEMS[0], pairs).varied

    assert varied(0.25, 0.75, partial=0.5)
    assert not varied(0.5, 0.5, partial=0.5)
    assert not varied(0.25, 0.75)


def test_answers_are_trained_on_as_they_were_drawn(rollouts):
    """An untrained student writes bytes that are no text, which no tokenizer gives back."""
    policy = models.build(SHAPE, seed=0)
    source = rollouts(PROBLEMS[:2], policy, minibatches=1)
    groups, _ = source._draw(source._next(2))
    samples = [sample for group in groups for sample in group.samples]
    (batch,) = source._batches(groups, {})
    assert sorted(learned for _, learned, _ in documents(batch)) == sorted(
        sample.token_ids for sample in samples
    )
    again = policy[1]([s.text for s in samples], add_special_tokens=False)["input_ids"]
    assert sum(ids != s.token_ids for ids, s in zip(again, samples, strict=True)) > 16


def test_a_round_that_nobody_can_judge_stops_the_training(rollouts):
    nobody = [Problem(prompt=f"{d}?", answer="?:(", verifier="math") for d in range(4)]
    with pytest.raises(DataError, match="100% of the rollouts could not be judged"):
        next(iter(rollouts(nobody)))


def test_a_problem_that_is_drawn_again_in_a_round_is_answered_anew(rollouts):
    batch = next(iter(rollouts(PROBLEMS[:1], prompts=3, minibatches=1)))
    found = documents(batch)
    assert len(found) == 48
    answers = [tuple(learned) for _, learned, _ in found]
    source = rollouts(PROBLEMS[:1], prompts=1, minibatches=1)
    alone = sorted(tuple(learned) for _, learned, _ in documents(next(iter(source))))
    assert sorted(answers) != sorted(alone * 3)


def test_prompts_are_read_once_a_group_and_finished_rows_leave(rambler):
    model, tokenizer = rambler
    texts = ["1?", "2?", "3?"]
    asked = [
        Request(problem_id=t, messages=[{"role": "user", "content": t}], index=i, seed=1,
                sampling={"temperature": 1.0, "max_tokens": 8})
        for t in texts
        for i in range(40)
    ]  # fmt: skip
    work = []
    hook = model.get_decoder().register_forward_pre_hook(
        lambda module, args, kwargs: work.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )

    async def collect():
        return [
            c async for c in LocalSampler(model, tokenizer, "m", 120, tokens=True).sample(asked)
        ]

    try:
        written = asyncio.run(collect())
    finally:
        hook.remove()
    prompts = encode_prompts(tokenizer, [asked[i].messages for i in (0, 40, 80)])
    assert work[0] == (1, sum(map(len, prompts)))
    rows = [rows for rows, width in work[1:] if width == 1]
    lengths = [len(c.token_ids) for c in written]
    going = [sum(n > step + 1 for n in lengths) for step in range(max(lengths) - 1)]
    assert len(rows) == len(work) - 1 == len(going)
    assert rows[0] == 120
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < 90
    for kept, needed in zip(rows, going, strict=True):
        assert needed <= kept <= max(needed / 0.8, needed + 1)


class Elsewhere:
    """The local decoder as a server is: it answers in any order, and computes a little otherwise."""

    batch = 1

    def __init__(self, local, off=0.0):
        self.local, self.off, self.identity = local, off, local.identity

    async def sample(self, requests):
        found = [completion async for completion in self.local.sample(requests)]
        for completion in reversed(found):
            scores = [score + self.off for score in completion.logprobs]
            yield completion.model_copy(update={"logprobs": scores})


def test_whoever_draws_may_finish_in_any_order(rollouts):
    one, two = (
        next(iter(rollouts(changed=way, minibatches=1))) for way in (lambda local: local, Elsewhere)
    )
    assert torch.equal(one.ids, two.ids)
    assert torch.equal(one.extras["advantage"], two.extras["advantage"])


@pytest.mark.parametrize(
    ("off", "weight"), [(0.25, math.exp(-0.25)), (-0.5, math.exp(0.5)), (-3, 2)]
)
def test_what_a_server_drew_is_weighed_by_how_far_it_is_off(rambler, rollouts, off, weight):
    plain = next(iter(rollouts(minibatches=1)))
    changes = [Corrected(rambler[0])]
    source = rollouts(changed=lambda local: Elsewhere(local, off), changes=changes, minibatches=1)
    batch = next(iter(source))
    assert torch.equal(batch.ids, plain.ids)
    own, drawn = batch.extras["old_logp"], plain.extras["old_logp"]
    torch.testing.assert_close(own, drawn, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        batch.extras["advantage"], weight * plain.extras["advantage"], rtol=1e-4, atol=0
    )
    assert batch.metrics["mismatch"] == pytest.approx(abs(off), abs=1e-4)
    assert batch.metrics["mismatch_kl"] == pytest.approx(math.exp(-off) - 1 + off, abs=1e-4)
    assert batch.metrics["reward"] == plain.metrics["reward"]


def test_a_sampler_without_token_ids_is_refused(rambler, rollouts):
    def textual(local):
        return LocalSampler(local.model, local.tokenizer, "m", local.batch)

    with pytest.raises(DataError, match="rollouts need token ids and the log-probs"):
        next(iter(rollouts(changed=textual)))


@pytest.mark.parametrize(
    ("lora", "dtype"), [(None, "float32"), (None, "bfloat16"), (Lora(rank=4, dora=True), "float32")]
)
def test_a_server_reads_the_student_as_it_stands(rambler, tmp_path, lora, dtype):
    model, tokenizer = copy.deepcopy(rambler[0]), rambler[1]
    if lora:
        model = adapt(model, lora, 0)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data += 0.1
    compute_in(model, dtype)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for folder in (tmp_path / "policy", tmp_path / "policy"):
        weights.write(model, tokenizer, folder)
    assert [folder.name for folder in tmp_path.iterdir()] == ["policy"]
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    read = models.load(tmp_path / "policy", dtype)[0]
    assert read.dtype == getattr(torch, dtype)
    assert not read.config.tie_word_embeddings
    assert torch.equal(read.lm_head.weight, read.get_input_embeddings().weight)
    batch = pack((document,) for document in encoded(tokenizer, CHATS))
    with torch.no_grad():
        one, two = (Scorer(each.eval())(batch).float() for each in (model, read))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5 if dtype == "float32" else 0.05)
    if lora:
        plain = Scorer(rambler[0])(batch)
        assert (plain - two).abs().max() > 0.1
