"""Adapters of every kind: they learn, and merged weights equal the adapter."""

import json
import math
import shutil

import pytest
import torch
from peft import PeftModel

from students import engine, models
from students.adapters import adapt, merge_error
from students.batches.pack import pack
from students.batches.scorer import Scorer
from students.config import SFT, Lora, Scratch, StudentConfig
from students.errors import ModelError
from students.objectives.sft import Sft
from students.sources import FileSource
from students.vocabulary import extend, ids_of
from tests.students.encoded import encoded

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=64)
ROWS = [{"prompt": f"{a}?", "completion": f"<think>{a}</think>{a + 1}"} for a in range(12)]
KINDS = {
    "lora": Lora(rank=4),
    "dropout": Lora(rank=4, dropout=0.1),
    "names": Lora(rank=4, alpha=4, targets=["q_proj", "down_proj"]),
    "pattern": Lora(rank=4, targets=r".*layers\.1\.mlp\..*_proj"),
    "dora": Lora(rank=4, dora=True),
    "rslora": Lora(rank=16, rslora=True),
    "both": Lora(rank=4, dora=True, rslora=True),
}


def documents(tokenizer):
    return [(d,) for d in encoded(tokenizer, ROWS)]


def train(model, tokenizer, folder, steps=6):
    config = SFT(learning_rate=5e-3, tokens_per_step=400, max_length=64)
    source = FileSource(documents(tokenizer), config.tokens_per_step, seed=0)
    lines = []
    engine.train(model, tokenizer, Sft(), source, config, folder, steps, lines.append)
    return lines


def scores(model, tokenizer):
    with torch.no_grad():
        return Scorer(model.eval())(pack(documents(tokenizer)))


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=["32", "16"])
def base(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    model, tokenizer = models.build(SHAPE, seed=0)
    models.save(model.to(request.param), tokenizer, folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_merged_weights_equal_the_adapter_of_every_kind(tmp_path, kind):
    model, tokenizer = models.build(SHAPE, seed=0)
    before = scores(model, tokenizer)
    model = adapt(model, KINDS[kind], seed=0)
    torch.testing.assert_close(scores(model, tokenizer), before)
    lines = train(model, tokenizer, tmp_path / "sft")
    assert lines[-1]["loss"] < lines[0]["loss"]
    merged = scores(models.load(tmp_path / "sft")[0], tokenizer)
    plain, _ = models.build(SHAPE, seed=0)
    adapted = PeftModel.from_pretrained(plain, str(tmp_path / "sft" / "adapter"))
    torch.testing.assert_close(merged, scores(adapted, tokenizer), rtol=0, atol=1e-4)
    assert (merged - before).abs().max() > 0.01
    assert 0 < json.loads((tmp_path / "sft" / "training.json").read_text())["share"] < 0.5


def test_targets_scale_and_form_are_what_the_recipe_says():
    def layers(lora):
        model = adapt(models.build(SHAPE, seed=0)[0], lora, 0)
        return {n: m for n, m in model.named_modules() if hasattr(m, "lora_A") and m.lora_A}

    assert len(layers(KINDS["lora"])) == 2 * 7
    assert {n.rsplit(".", 1)[1] for n in layers(KINDS["names"])} == {"q_proj", "down_proj"}
    assert all(".layers.1.mlp." in n for n in layers(KINDS["pattern"]))
    scales = {k: next(iter(layers(KINDS[k]).values())).scaling["default"] for k in KINDS}
    assert scales["lora"] == 2
    assert scales["names"] == 1
    assert scales["rslora"] == pytest.approx(32 / math.sqrt(16))
    assert all("default" in m.lora_magnitude_vector for m in layers(KINDS["dora"]).values())


def test_an_adapter_goes_on_from_its_folder_exactly(tmp_path):
    model, tokenizer = models.build(SHAPE, seed=0)
    lora = KINDS["both"]
    model = adapt(model, lora, seed=0)
    train(model, tokenizer, tmp_path / "one", steps=3)
    plain, _ = models.build(SHAPE, seed=0)
    after = scores(PeftModel.from_pretrained(plain, str(tmp_path / "one" / "adapter")), tokenizer)
    again = adapt(models.build(SHAPE, seed=0)[0], lora, 5, tmp_path / "one" / "adapter")
    assert torch.equal(scores(again, tokenizer), after)
    for other in (Lora(rank=8), Lora(rank=4, targets=["q_proj"])):
        with pytest.raises(ModelError, match="adapter in"):
            adapt(models.build(SHAPE, seed=0)[0], other, 0, tmp_path / "one" / "adapter")


def test_the_error_of_merging_is_what_rounding_takes_of_the_change():
    model, _ = models.build(SHAPE, seed=0)
    exact = adapt(model, Lora(rank=2, alpha=2, targets=["o_proj"]), seed=0)
    assert merge_error(exact) == 0
    layers = [m for m in exact.modules() if hasattr(m, "get_delta_weight")]
    for layer in layers:
        layer.get_base_layer().weight.data = torch.ones(64, 64, dtype=torch.bfloat16)
        layer.lora_A["default"].weight.data.fill_(1.0)
        layer.lora_B["default"].weight.data.fill_(0.5 * 2**-10)  # a change of 2**-10, an eighth ulp
    assert merge_error(exact) == pytest.approx(1)
    layers[0].lora_B["default"].weight.data.fill_(0.5 * 2**-7)  # one ulp is kept whole
    change = 2**-7, 2**-10
    expected = math.sqrt(change[1] ** 2 / (change[0] ** 2 + change[1] ** 2))
    assert merge_error(exact) == pytest.approx(expected)


@pytest.mark.parametrize("form", ["nf4", "fp4"])
def test_qlora_is_merged_into_the_weights_as_stored(base, tmp_path, form):
    pytest.importorskip("bitsandbytes")
    lora = Lora(rank=4, quantize=form)
    model, tokenizer = models.start(StudentConfig(model=str(base), lora=lora), 0)
    assert models.is_quantized(model)
    model = adapt(model, lora, 0)
    held = models.describe(model)
    assert held["weights"] == models.describe(adapt(models.load(base)[0], lora, 0))["weights"]
    lines = train(model, tokenizer, tmp_path / "sft")
    assert lines[-1]["loss"] < lines[0]["loss"]
    merged, _ = models.load(tmp_path / "sft", "float32")
    assert not models.is_quantized(merged)
    stored, _ = models.load(base, "float32")
    saved = models.check(str(tmp_path / "sft"))
    assert saved.dtype == models.check(str(base)).dtype
    assert getattr(saved, "quantization_config", None) is None
    exact = PeftModel.from_pretrained(stored, str(tmp_path / "sft" / "adapter"))
    off = (scores(merged, tokenizer) - scores(exact, tokenizer)).abs().max().item()
    assert off < (1e-4 if saved.dtype == torch.float32 else 0.2)
    for name, value in models.load(base, "float32")[0].state_dict().items():
        if "proj" not in name:
            assert torch.equal(merged.state_dict()[name], value), name


def test_quantised_weights_and_adapters_are_no_students(base, tmp_path):
    model = adapt(models.load(base)[0], Lora(rank=2), 0)
    model.save_pretrained(tmp_path / "adapter")
    with pytest.raises(ModelError, match="holds an adapter, not a model"):
        models.load(tmp_path / "adapter")
    shutil.copytree(base, tmp_path / "packed")
    file = tmp_path / "packed" / "config.json"
    packed = json.loads(file.read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    file.write_text(json.dumps(packed))
    with pytest.raises(ModelError, match="are quantised: give the model they were made from"):
        models.check(str(tmp_path / "packed"))


def test_without_bitsandbytes_qlora_is_refused_in_one_sentence(base, monkeypatch):
    monkeypatch.setattr(models, "find_spec", lambda name: None)
    student = StudentConfig(model=str(base), lora=Lora(quantize="nf4"))
    with pytest.raises(ModelError, match=r"needs bitsandbytes: pip install 'distill-factory"):
        models.rehearse(student)


TOKENS = ["<think>", "</think>"]


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "apart"])
@pytest.mark.parametrize("lora", [None, Lora(rank=4)], ids=["full", "lora"])
def test_added_tokens_start_as_the_mean_and_are_trained_and_saved(tmp_path, tied, lora):
    shape = SHAPE
    model, tokenizer = models.build(shape, seed=0)
    if not tied:
        model.config.tie_word_embeddings = False
        head = torch.nn.Linear(64, len(tokenizer), bias=False)
        model.set_output_embeddings(head)
    models.save(model, tokenizer, tmp_path / "base")
    old = model.get_input_embeddings().weight.detach().clone()
    config = StudentConfig(model=str(tmp_path / "base"), tokens=TOKENS, lora=lora)
    models.rehearse(config, reward=True)
    student, words = models.start(config, 0)
    ids = ids_of(words, TOKENS)
    assert ids == [len(old), len(old) + 1]
    assert words.tokenize("<think>a</think>") == ["<think>", "a", "</think>"]
    assert words.decode(words("<think>a")["input_ids"], skip_special_tokens=True) == "<think>a"
    rows = student.get_input_embeddings().weight
    heads = student.get_output_embeddings().weight
    assert (rows is heads) == tied
    torch.testing.assert_close(rows[ids], old.mean(0).expand(2, -1))
    torch.testing.assert_close(heads[ids], heads[: len(old)].mean(0).expand(2, -1))
    assert torch.equal(rows[: len(old)], old)
    if lora is not None:
        student = adapt(student, lora, 0, rows=ids)
    train(student, words, tmp_path / "sft")
    final = scores(student, words)
    loaded, again = models.load(tmp_path / "sft")
    assert again.get_vocab() == words.get_vocab()
    assert loaded.config.vocab_size == len(words)
    torch.testing.assert_close(scores(loaded, again), final, rtol=0, atol=1e-4)
    new = loaded.get_input_embeddings().weight
    assert (new is loaded.get_output_embeddings().weight) == tied
    assert (new[ids] - old.mean(0)).abs().max() > 1e-3
    assert torch.equal(new[: len(old)], old) == (lora is not None)
    if lora is not None:
        fresh, _ = models.start(config, 0)
        handed = adapt(fresh, lora, 1, tmp_path / "sft" / "adapter", ids)
        torch.testing.assert_close(scores(handed, words), final, rtol=0, atol=1e-4)


def test_spare_rows_are_used_before_a_table_grows():
    model, tokenizer = models.build(SHAPE, seed=0)
    model.resize_token_embeddings(len(tokenizer) + 5)
    size = len(tokenizer)
    extend(model, tokenizer, TOKENS)
    rows = model.get_input_embeddings().weight
    assert len(rows) == size + 5
    torch.testing.assert_close(rows[size : size + 2], rows[:size].mean(0).expand(2, -1))
