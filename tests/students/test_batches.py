"""Packing, attention, masks: what the model sees and what it learns."""

import pytest
import torch

from students import models
from students.batches import head
from students.batches.attention import Segments
from students.batches.encode import Encoder, document
from students.batches.pack import Document, pack
from students.batches.scorer import Scorer
from students.config import DPO, SFT, Scratch
from students.errors import DataError, ModelError
from students.stages import from_rows
from tests.students.encoded import encoded

SHAPES = {
    "qwen2": Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128),
    "llama": Scratch(
        architecture="llama", hidden_size=128, layers=2, heads=4, kv_heads=2, intermediate_size=128
    ),
}


@pytest.fixture(scope="module", params=SHAPES)
def student(request):
    return models.build(SHAPES[request.param], seed=1)


def documents(tokenizer, *texts):
    rows = [{"prompt": text, "completion": text[::-1]} for text in texts]
    return encoded(tokenizer, rows)


def reference(model, document):
    """Log-probs of the learned tokens of one document by transformers' own attention."""
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    logits = model(input_ids=torch.tensor([document.ids])).logits[0].log_softmax(-1)
    model.set_attn_implementation(implementation)
    return torch.stack([logits[i - 1, t] for i, t in enumerate(document.ids) if document.mask[i]])


def test_packed_equals_unpacked_in_log_probs_and_gradient(student):
    model, tokenizer = student
    texts = ["1+1=?", "a much longer question, with words", "x", "12-3=?" * 9]
    docs = documents(tokenizer, *texts)
    model.zero_grad()
    packed = Scorer(model)(pack((d,) for d in docs))
    packed.sum().backward()
    ours = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    alone = torch.cat([reference(model, d) for d in docs])
    alone.sum().backward()
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    for name, parameter in model.named_parameters():
        scale = parameter.grad.abs().max().item()
        torch.testing.assert_close(ours[name], parameter.grad, rtol=0, atol=2e-5 * max(scale, 1))


def test_one_document_never_touches_another(student):
    model, tokenizer = student
    same, first, second = documents(tokenizer, "what stays the same", "3+4=?", "9-8=?")
    with torch.no_grad():
        a = Scorer(model)(pack([(first,), (same,)]))
        b = Scorer(model)(pack([(second,), (same,)]))
    n = sum(same.mask)
    assert torch.equal(a[-n:], b[-n:])
    assert not torch.equal(a[:-n], b[:-n])


def test_a_sliding_window_is_none_for_documents_that_fit_into_it():
    model, tokenizer = models.build(
        SHAPES["llama"].model_copy(update={"architecture": "mistral"}), 1
    )
    docs = documents(tokenizer, "1+1=?", "12-3=?" * 2)
    model.config.sliding_window = max(len(d.ids) for d in docs)
    for layer in model.model.layers:
        layer.self_attn.config = model.config
    packed = Scorer(model)(pack((d,) for d in docs))
    alone = torch.cat([reference(model, d) for d in docs])
    torch.testing.assert_close(packed, alone, rtol=1e-5, atol=1e-5)
    model.config.sliding_window -= 1
    with pytest.raises(ModelError, match="lower max_length"):
        Scorer(model)(pack((d,) for d in docs))


def test_values_may_be_narrower_than_keys():
    query, key, value = (torch.randn(1, h, 7, d) for h, d in ((4, 8), (2, 8), (2, 6)))
    both = Segments([3, 4]).attend(0, query, key, value, 0.5)
    for part in (slice(0, 3), slice(3, 7)):
        alone = torch.nn.functional.scaled_dot_product_attention(
            query[:, :, part], key[:, :, part], value[:, :, part],
            is_causal=True, scale=0.5, enable_gqa=True,
        )  # fmt: skip
        torch.testing.assert_close(both[:, part], alone.transpose(1, 2))


def test_micro_batches_are_whole_documents_and_lose_nothing():
    docs = [Document(list(range(n)), [False] + [True] * (n - 1)) for n in (5, 9, 3, 30, 2)]
    batch = pack((d,) for d in docs)
    parts = batch.split(12)
    assert [p.lengths for p in parts] == [[5], [9, 3], [30], [2]]
    assert torch.equal(torch.cat([p.ids for p in parts]), batch.ids)
    assert sum(p.targets for p in parts) == batch.targets


def test_chunked_log_probs_equal_whole_ones(student, monkeypatch):
    model, tokenizer = student
    batch = pack((d,) for d in documents(tokenizer, "1+1=?", "a longer question", "x"))
    whole = Scorer(model)(batch)
    monkeypatch.setitem(head.LOGITS_PER_CHUNK, "cpu", 7 * len(tokenizer))
    torch.testing.assert_close(Scorer(model)(batch), whole)


def test_only_the_answer_and_its_end_are_learned():
    tokenizer = models.byte_tokenizer()
    (found,) = encoded(tokenizer, [{"prompt": "1+1=?", "completion": "it is 2"}])
    learned = [i for i, m in zip(found.ids, found.mask, strict=True) if m]
    assert tokenizer.decode(learned) == "it is 2<|end|>"
    assert tokenizer.decode(found.ids) == "<|user|>1+1=?<|end|><|assistant|>it is 2<|end|>"


def test_every_assistant_turn_of_a_chat_is_learned():
    tokenizer = models.byte_tokenizer()
    chat = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "dd"},
    ]
    (found,) = encoded(tokenizer, [{"messages": chat}])
    learned = [i for i, m in zip(found.ids, found.mask, strict=True) if m]
    assert tokenizer.decode(learned) == "b<|end|>dd<|end|>"


def test_a_template_that_rewrites_history_is_refused():
    tokenizer = models.byte_tokenizer()
    tokenizer.chat_template = (
        "{{ messages|length }}:{% for m in messages %}{{ m['content'] }}<|end|>{% endfor %}"
    )
    (found,) = Encoder(tokenizer).encode("chat", [{"prompt": "a", "completion": "b"}])
    assert isinstance(found, DataError)
    assert "prefix" in str(found)


def test_a_chat_that_nobody_answers_has_nothing_to_learn():
    chat = {"messages": [{"role": "user", "content": "a"}]}
    (found,) = Encoder(models.byte_tokenizer()).encode("chat", [chat])
    assert str(found) == "have no token to learn"


def test_plain_texts_are_learned_but_for_their_first_token():
    tokenizer = models.byte_tokenizer()
    ((marked,),) = Encoder(tokenizer).encode("text", [{"text": "abc"}])
    found = document(marked)
    assert tokenizer.decode(found.ids) == "abc<|end|>"
    assert list(found.mask) == [False, True, True, True]


def test_a_completion_that_was_cut_off_is_learned_without_an_end(student):
    tokenizer = student[1]
    row = {"prompt": "1+1=?", "completion": "so it"}
    whole, short = encoded(tokenizer, [{**row, "cut": cut} for cut in (False, True)])
    assert whole.ids == [*short.ids, tokenizer.eos_token_id]
    assert whole.mask == [*short.mask, True]


@pytest.mark.parametrize("stage", [SFT(), DPO()])
def test_stages_read_which_rows_were_cut_off(student, stage, tmp_path):
    model, tokenizer = student
    row = {"prompt": "1", "completion": "2", "chosen": "2", "rejected": "3"}
    marks = {"cut": True, "chosen_cut": False, "rejected_cut": True}

    def ends(*rows):
        plan = from_rows(stage, rows, model, tokenizer, 0, "model", tmp_path)
        documents = [document for unit in plan.source.units for document in unit]
        return [document.ids[-1] == tokenizer.eos_token_id for document in documents]

    assert all(ends(row))
    assert ends(row | marks) == ([False] if isinstance(stage, SFT) else [True, False])
