"""Linear layers through oneDNN: torch's numbers, and still plain linear layers to everyone."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from students.batches import products


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_values_and_gradients_are_those_of_torch(bias, frozen, monkeypatch):
    monkeypatch.setattr(products, "WORTH", 0)
    torch.manual_seed(0)
    layer = nn.Linear(37, 21, bias=bias)
    layer.weight.requires_grad_(not frozen)
    products.use_onednn(layer)
    rows = torch.randn(3, 29, 37, requires_grad=True)
    wanted = [rows, *(p for p in layer.parameters() if p.requires_grad)]
    outs = [layer(rows), F.linear(rows, layer.weight, layer.bias)]
    torch.testing.assert_close(*outs)
    slope = torch.randn_like(outs[0])
    ours, theirs = (torch.autograd.grad(out, wanted, slope) for out in outs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_products_of_views_are_right():
    torch.manual_seed(0)
    a, b = torch.randn(31, 17), torch.randn(31, 23)
    torch.testing.assert_close(products.product(a.t(), b), a.t() @ b)
    torch.testing.assert_close(products.product(b.t(), a), b.t() @ a)
    torch.testing.assert_close(products.product(a[3:9], a[:5].t()), a[3:9] @ a[:5].t())
    assert products.product(a[:0], a.t()).shape == (0, 31)


def test_other_numbers_are_left_to_torch():
    layer = nn.Linear(4, 4)
    products.use_onednn(layer)
    for dtype in (torch.float64, torch.bfloat16):
        layer.to(dtype)
        assert layer(torch.ones(2, 4, dtype=dtype)).dtype == dtype
    layer.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.ones(2, 4)).dtype == torch.bfloat16


def test_a_layer_stays_a_linear_layer():
    model = nn.Sequential(nn.Linear(4, 4), nn.Bilinear(2, 2, 2))
    products.use_onednn(model)
    assert isinstance(model[0], nn.Linear)
    assert type(model[1]) is nn.Bilinear
    twin = copy.deepcopy(model[0])
    assert twin.weight is not model[0].weight
    twin.weight.data.zero_()
    assert model[0](torch.ones(4)).abs().sum() > 0
