"""One prompt with several completions, computed once: the same log-probs, gradients and losses."""

import pytest
import torch

from students import models
from students.batches.attention import Segments
from students.batches.kernels import Blocks
from students.batches.pack import Document, pack, share, together
from students.batches.scorer import Scorer
from students.config import Scratch
from students.objectives import of_documents
from students.objectives.dpo import Dpo

SHAPE = Scratch(
    architecture="llama", hidden_size=128, layers=2, heads=4, kv_heads=2, intermediate_size=128
)
GROUPS = [(11, (3, 1, 7)), (2, (5,)), (30, (2, 2, 2, 9))]


def tokens(count, seed):
    return torch.randint(5, 250, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def groups(sizes=GROUPS, **extras):
    """The same documents with shared prompts, and each with its own."""
    shared, alone = [], []
    for n, (prompt, answers) in enumerate(sizes):
        before = tokens(prompt, n)
        unit = [Document(before, [False] * prompt)]
        for k, size in enumerate(answers):
            ids = tokens(size, 100 * n + k + 50)
            more = {name: [value] * size for name, value in extras.items()}
            whole = {name: [0.0] * prompt + values for name, values in more.items()}
            unit.append(Document(ids, [True] * size, more, follows=True))
            alone.append(Document(before + ids, [False] * prompt + [True] * size, whole))
        shared.append(tuple(unit))
    return shared, alone


@pytest.fixture(scope="module")
def model():
    return models.build(SHAPE, seed=1)[0].double()


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_log_probs_and_gradients_equal_those_of_documents_alone(model):
    shared, alone = groups()
    one = Scorer(model)(pack(shared))
    other = Scorer(model)(pack((d,) for d in alone))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    factors = torch.linspace(-1, 2, len(one))
    ours = gradients(model, (one * factors).sum())
    theirs = gradients(model, (other * factors).sum())
    # the model's norms are in 32 bits, whatever the weights are in
    assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-6


def test_fewer_tokens_go_through_the_model():
    shared, alone = groups()
    assert len(pack(shared).ids) == sum(p + sum(a) for p, a in GROUPS)
    assert len(pack((d,) for d in alone).ids) == sum(p * len(a) + sum(a) for p, a in GROUPS)


def test_micro_batches_keep_groups_whole(model):
    shared, _ = groups()
    batch = pack(shared)
    parts = batch.split(30)
    assert [p.lengths for p in parts] == [[11, 3, 1, 7, 2, 5], [30, 2, 2, 2, 9]]
    assert [p.follows for p in parts] == [[-1, 0, 0, 0, -1, 4], [-1, 0, 0, 0, 0]]
    with torch.no_grad():
        whole = Scorer(model)(batch)
        pieces = torch.cat([Scorer(model)(part) for part in parts])
    torch.testing.assert_close(whole, pieces, rtol=1e-12, atol=1e-12)


def test_positions_go_on_from_the_prompt():
    (unit,), _ = groups([(3, (2, 1))])
    batch = pack([unit])
    assert batch.positions().tolist() == [0, 1, 2, 3, 4, 3]
    where, source = batch.sources()
    assert where.tolist() == [3, 4, 5]
    assert source.tolist() == [2, 3, 2]


def test_sums_are_those_of_answers():
    unit = (
        Document([1, 2], [False, False]),
        Document([3, 4], [True, True], follows=True),
        Document([5, 6, 7], [True, False, True], follows=True),
    )
    alone = (Document([8, 9], [False, True]),)
    batch = pack([unit, alone])
    assert batch.answers == [1, 2, 3]
    sums = of_documents(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), batch)
    assert sums.tolist() == [3.0, 12.0, 16.0]
    where, source = batch.sources()
    assert where.tolist() == [2, 3, 4, 6, 8]
    assert source.tolist() == [1, 2, 1, 5, 7]


def test_dpo_is_the_same_with_shared_prompts(model):
    shared, alone = groups([(9, (4, 6)), (3, (2, 2)), (20, (1, 5))], ref_logp=-5.0)
    pairs = list(zip(alone[0::2], alone[1::2], strict=True))
    objective = Dpo(0.3, rpo_alpha=0.5)
    found = []
    for batch in (pack(shared), pack(pairs)):
        assert objective.count(batch) == 3
        loss, metrics = objective(Scorer(model)(batch), batch, 3.0)
        found.append((gradients(model, loss), metrics))
    (ours, metrics), (theirs, expected) = found
    assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-5
    for name, value in metrics.items():
        torch.testing.assert_close(value, expected[name])


def test_what_documents_begin_with_is_found():
    shared, alone = groups(ref_logp=-5.0)
    sizes = [len(answers) for _, answers in GROUPS]
    for unit, size in zip(shared, sizes, strict=True):
        whole, alone = tuple(alone[:size]), alone[size:]
        assert share(whole) == (unit if size > 1 else whole)
    apart = (Document([1, 2], [False, True]), Document([3, 2], [False, True]))
    assert share(apart) == apart
    learned = (Document([1, 2, 3], [False, True, True]), Document([1, 2, 4], [False, True, True]))
    assert [d.ids for d in share(learned)] == [[1], [2, 3], [2, 4]]


def test_answers_to_one_prompt_come_together_up_to_a_size():
    _, alone = groups([(10, (4, 1, 3)), (5, (2, 6))])
    units = together([alone[i] for i in (4, 0, 1, 2, 3)], [1, 0, 0, 0, 1], 1000)
    assert [[len(d.ids) for d in unit] for unit in units] == [[5, 2, 6], [10, 1, 3, 4]]
    parts = together(alone, [0, 0, 0, 1, 1], 24)
    assert [[len(d.ids) for d in unit] for unit in parts] == [[5, 2, 6], [10, 1, 3], [14]]
    assert sum(sum(d.mask) for unit in parts for d in unit) == 16


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("shared", [False, True])
def test_flex_attention_sees_what_segments_see(shared):
    units, alone = groups()
    batch = pack(units) if shared else pack((d,) for d in alone)
    torch.manual_seed(0)
    shape = 1, 4, len(batch.ids), 16
    query, key, value = torch.randn(shape), torch.randn(shape)[:, :2], torch.randn(shape)[:, :2]
    contexts = (
        kind(batch.lengths, device="cpu", follows=batch.follows) for kind in (Segments, Blocks)
    )
    one, other = (context.attend(0, query, key, value, 0.3) for context in contexts)
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
