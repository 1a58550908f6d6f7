"""Log-probs from hidden states: the value and the gradient, however the logits are cut."""

import math

import pytest
import torch
from torch import nn

from students import models
from students.batches import head
from students.batches.scorer import Scorer
from students.config import Scratch, StudentConfig
from students.errors import ModelError

ROWS, WIDTH, VOCABULARY = 23, 5, 11


@pytest.fixture(params=[VOCABULARY * 4, VOCABULARY * 100], ids=["chunks", "whole"])
def chunk(request, monkeypatch):
    monkeypatch.setitem(head.LOGITS_PER_CHUNK, "cpu", request.param)


def case(bias=False, dtype=torch.float64):
    torch.manual_seed(0)
    linear = nn.Linear(WIDTH, VOCABULARY, bias=bias, dtype=dtype)
    hidden = torch.randn(ROWS, WIDTH, dtype=dtype, requires_grad=True)
    return linear, hidden, torch.randint(VOCABULARY, (ROWS,))


def by_autograd(linear, hidden, targets, factors):
    logp = linear(hidden).log_softmax(-1).gather(1, targets[:, None]).squeeze(1)
    inputs = [hidden, *linear.parameters()]
    return logp.detach(), torch.autograd.grad((logp * factors).sum(), inputs)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("uniform", [False, True])
def test_values_and_gradients_are_those_of_the_whole_logits(chunk, bias, uniform):
    linear, hidden, targets = case(bias)
    factors = torch.full((ROWS,), -0.3) if uniform else torch.linspace(-1, 2, ROWS)
    expected, gradients = by_autograd(linear, hidden, targets, factors.double())
    logp = head.logprobs(linear, hidden, targets, uniform)
    torch.testing.assert_close(logp, expected, rtol=1e-12, atol=1e-12)
    (logp * factors).sum().backward()
    found = [hidden.grad, *(p.grad for p in linear.parameters())]
    for ours, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


def test_a_broken_promise_of_equal_factors_is_refused():
    linear, hidden, targets = case()
    logp = head.logprobs(linear, hidden, targets, uniform=True)
    with pytest.raises(ValueError, match="same factor"):
        (logp * torch.linspace(0, 1, ROWS)).sum().backward()


def test_a_frozen_head_passes_the_gradient_on(chunk):
    linear, hidden, targets = case()
    linear.requires_grad_(False)
    factors = torch.linspace(-1, 2, ROWS).double()
    logp = linear(hidden).log_softmax(-1).gather(1, targets[:, None]).squeeze(1)
    (expected,) = torch.autograd.grad((logp * factors).sum(), hidden)
    (head.logprobs(linear, hidden, targets) * factors).sum().backward()
    torch.testing.assert_close(hidden.grad, expected)
    assert linear.weight.grad is None


def test_by_hand():
    linear = nn.Linear(1, 2, bias=False)
    linear.weight.data = torch.tensor([[0.0], [1.0]])
    hidden = torch.tensor([[math.log(3.0)]], requires_grad=True)
    logp = head.logprobs(linear, hidden, torch.tensor([1]))
    assert logp.item() == pytest.approx(math.log(3 / 4))
    logp.backward()
    assert hidden.grad.item() == pytest.approx(1 / 4)
    assert linear.weight.grad.flatten().tolist() == pytest.approx(
        [-math.log(3) / 4, math.log(3) / 4]
    )


def test_logits_far_apart_stay_finite():
    linear = nn.Linear(1, 3, bias=False)
    linear.weight.data = torch.tensor([[500.0], [0.0], [-500.0]])
    hidden = torch.ones(3, 1, requires_grad=True)
    logp = head.logprobs(linear, hidden, torch.tensor([0, 1, 2]))
    assert logp.tolist() == [0.0, -500.0, -1000.0]
    logp.sum().backward()
    assert hidden.grad.isfinite().all()


def test_sixteen_bits_give_scores_in_thirty_two():
    linear, hidden, targets = case(dtype=torch.bfloat16)
    logp = head.logprobs(linear, hidden, targets)
    assert logp.dtype == torch.float32
    logp.sum().backward()
    assert hidden.grad.dtype == torch.bfloat16
    exact = linear.float()(hidden.float()).log_softmax(-1).gather(1, targets[:, None]).squeeze(1)
    assert (logp - exact).abs().max() < 0.02


def test_any_other_module_may_be_the_head(chunk):
    linear, hidden, targets = case()

    class Wrapped(nn.Module):
        out_features = VOCABULARY
        weight = linear.weight

        def forward(self, hidden):
            return linear(hidden) * 2

    factors = torch.linspace(-1, 2, ROWS).double()
    logp = head.logprobs(Wrapped(), hidden, targets)
    expected = (linear(hidden) * 2).log_softmax(-1).gather(1, targets[:, None]).squeeze(1)
    torch.testing.assert_close(logp, expected)
    torch.testing.assert_close(
        torch.autograd.grad((logp * factors).sum(), hidden),
        torch.autograd.grad((expected * factors).sum(), hidden),
    )


def test_nothing_learned_is_no_log_prob():
    linear, hidden, targets = case()
    logp = head.logprobs(linear, hidden[:0], targets[:0], uniform=True)
    assert logp.shape == (0,)
    logp.sum().backward()
    assert not hidden.grad.any()


def test_models_that_change_their_logits_are_refused():
    model, _ = models.build(Scratch(hidden_size=32, layers=1, heads=1, intermediate_size=32), 0)
    model.config.final_logit_softcapping = 30.0
    with pytest.raises(ModelError, match="final_logit_softcapping"):
        Scorer(model)


def test_models_that_would_mix_packed_documents_are_refused():
    shape = Scratch(hidden_size=32, layers=1, heads=1, intermediate_size=32)
    model, _ = models.build(shape, 0)
    model.set_attn_implementation("sdpa")
    with pytest.raises(ModelError, match="loaded with attn_implementation='distill'"):
        Scorer(model)
    model.config.layer_types = ["conv"]
    with pytest.raises(ModelError, match="layers of conv, which would mix documents"):
        Scorer(model)
    with pytest.raises(ModelError, match="bloom models do not take their attention"):
        models.rehearse(StudentConfig(scratch=shape.model_copy(update={"architecture": "bloom"})))
