"""The local decoder writes what the model would, row by row."""

import asyncio

import pytest
import torch

from students import models
from students.batches.encode import encode_prompts
from students.config import Scratch
from students.rollouts.decoder import LocalSampler
from verifiers.sampler import Request


@pytest.fixture(scope="module")
def student():
    shape = Scratch(hidden_size=128, layers=2, heads=4, kv_heads=2, intermediate_size=128)
    model, tokenizer = models.build(shape, seed=3)
    for parameter in model.parameters():
        parameter.data *= 4
    return model, tokenizer


def requests(texts, samples=3, **sampling):
    sampling = {"temperature": 1.0, "max_tokens": 24} | sampling
    return [
        Request(
            problem_id=text, messages=[{"role": "user", "content": text}],
            sampling=sampling, seed=5, index=index,
        )
        for text in texts
        for index in range(samples)
    ]  # fmt: skip


TEXTS = ["1+1=?", "a much longer question than the first one", "x"]


def test_log_probs_are_those_of_a_plain_forward_pass(student):
    model, tokenizer = student
    asked = requests(TEXTS)
    written = LocalSampler(model, tokenizer, "m", tokens=True).draw(asked)
    model.set_attn_implementation("eager")
    for request, completion in zip(asked, written, strict=True):
        prompt = encode_prompts(tokenizer, [request.messages])[0]
        ids = torch.tensor([prompt + completion.token_ids])
        logp = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = logp.gather(1, ids[0, len(prompt) :, None]).squeeze(1)
        torch.testing.assert_close(
            torch.tensor(completion.logprobs), expected.detach(), rtol=1e-4, atol=1e-4
        )
    model.set_attn_implementation("distill")


def test_greedy_is_transformers_greedy(student):
    model, tokenizer = student
    asked = requests(TEXTS, samples=1, temperature=0.0)
    written = LocalSampler(model, tokenizer, "m", tokens=True).draw(asked)
    model.set_attn_implementation("eager")
    for request, completion in zip(asked, written, strict=True):
        prompt = torch.tensor(encode_prompts(tokenizer, [request.messages]))
        expected = model.generate(prompt, max_new_tokens=24, do_sample=False)
        assert completion.token_ids == expected[0, prompt.shape[1] :].tolist()
    model.set_attn_implementation("distill")


def test_samples_follow_the_distribution(student):
    model, tokenizer = student
    sampler = LocalSampler(model, tokenizer, "m", tokens=True)
    written = sampler.draw(requests(["1+1=?"], samples=4000, max_tokens=1))
    counts = torch.bincount(torch.tensor([c.token_ids[0] for c in written]), minlength=261)
    model.set_attn_implementation("eager")
    prompt = torch.tensor(encode_prompts(tokenizer, [[{"role": "user", "content": "1+1=?"}]]))
    probs = model(input_ids=prompt).logits[0, -1].softmax(-1)
    model.set_attn_implementation("distill")
    error = (probs * (1 - probs) / 4000).sqrt()
    assert ((counts / 4000 - probs).abs() < 5 * error + 1e-3).all()


def test_a_row_does_not_depend_on_when_it_is_asked(student):
    model, tokenizer = student
    sampler = LocalSampler(model, tokenizer, "m", batch=4)
    asked = requests(TEXTS, samples=4)

    async def collect(wanted):
        return {c.request_key: c.text async for c in sampler.sample(wanted)}

    assert asyncio.run(collect(asked)) == asyncio.run(collect(reversed(asked)))


def test_rows_end_at_the_end_token_or_at_their_own_limit(student):
    model, tokenizer = student
    sampler = LocalSampler(model, tokenizer, "m", tokens=True)
    asked = requests(TEXTS, samples=40, max_tokens=30)
    short = [r.model_copy(update={"sampling": {"max_tokens": 2}}) for r in asked[:5]]
    for request, completion in zip([*short, *asked], sampler.draw([*short, *asked]), strict=True):
        limit = request.sampling["max_tokens"]
        assert completion.usage.completion_tokens == len(completion.token_ids) <= limit
        ended = completion.token_ids[-1] == tokenizer.eos_token_id
        assert completion.finish_reason == ("stop" if ended else "length")
        assert tokenizer.eos_token_id not in completion.token_ids[:-1]


def test_top_k_and_top_p_narrow_the_choice(student):
    model, tokenizer = student
    sampler = LocalSampler(model, tokenizer, "m", tokens=True)
    greedy = sampler.draw(requests(["1+1=?"], samples=1, temperature=0.0))[0]
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}):
        for completion in sampler.draw(requests(["1+1=?"], samples=5, **narrow)):
            assert completion.token_ids == greedy.token_ids
