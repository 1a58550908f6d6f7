"""Activations that are recomputed or offloaded: the same training in less memory."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from students import engine, models
from students.batches.pack import Document, pack
from students.batches.scorer import Scorer
from students.config import SFT, Lora, Scratch
from students.objectives.sft import Sft
from students.sources import FileSource

SHAPE = Scratch(hidden_size=64, layers=3, heads=2, intermediate_size=128, context=128)
DOCUMENTS = [
    Document([5 + (i * n) % 200 for i in range(n)], [False] + [True] * (n - 1)) for n in (40, 9, 33)
]


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("activations", ["recompute", "offload"])
def test_gradients_are_the_same_and_less_is_held(adapted, activations):
    gradients, held = {}, {}
    batch = pack((d,) for d in DOCUMENTS)
    for how in ("keep", activations):
        model, _ = models.build(SHAPE, seed=0)
        if adapted:
            model = models.adapt(model, Lora(rank=2), seed=0)
        engine._hold(model, how)
        model.train()
        kept = []
        with saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            loss, _ = Sft()(Scorer(model)(batch), batch, float(batch.targets))
        loss.backward()
        held[how] = sum(kept)
        gradients[how] = [p.grad for p in model.parameters() if p.requires_grad]
    assert held[activations] < held["keep"] / 3
    for one, other in zip(gradients["keep"], gradients[activations], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_training_ends_with_the_same_weights(tmp_path):
    folders = []
    for how in ("keep", "offload"):
        model, tokenizer = models.build(SHAPE, seed=0)
        config = SFT(tokens_per_step=60, activations=how)
        source = FileSource([(d,) for d in DOCUMENTS], 60, seed=0)
        folders.append(
            engine.train(model, tokenizer, Sft(), source, config, tmp_path / how, 3)
            / "model.safetensors"
        )
    assert folders[0].read_bytes() == folders[1].read_bytes()
