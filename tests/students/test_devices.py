"""Training in several processes: the same gradients, exact resume, one recipe line to start it."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from transformers import AutoModelForCausalLM

from students import engine, models, zero
from students.batches.deal import deal
from students.batches.pack import Document, pack
from students.batches.scorer import Scorer
from students.config import StudentConfig
from students.errors import ModelError
from tests.students import processes
from tests.students.processes import SHAPE

DEEPSPEED = pytest.mark.skipif(find_spec("deepspeed") is None, reason="needs the extra deepspeed")


def started(*arguments, check=True):
    """The launcher that anybody uses, with two processes of tests/students/processes.py."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1",
         "--nproc-per-node", "2", "-m", "tests.students.processes", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == check, done.stderr
    return done


def flat(tensors):
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def apart(one, two):
    """Relative distance."""
    return ((flat(one) - flat(two)).norm() / flat(one).norm()).item()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    model, tokenizer = models.build(SHAPE, seed=0)
    return model.double(), processes.batches(model, tokenizer, tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_every_unit_is_dealt_once_and_all_processes_have_as_many_micro_batches(cases, ranks):
    for _, config, batch in cases[1]:
        dealt = [deal(batch, ranks, rank, config.tokens_per_micro_batch) for rank in range(ranks)]
        assert len({len(micros) for micros in dealt}) == 1
        found = []
        loads = []
        for micros in dealt:
            real = [micro.packed for micro in micros if not micro.blank]
            loads.append(sum(len(part.ids) for part in real))
            for part in real:
                found += [document.tolist() for document in part.ids.split(part.lengths)]
        assert sorted(found) == sorted(d.tolist() for d in batch.ids.split(batch.lengths))
        assert max(loads) - min(loads) <= max(batch.sizes())


def test_units_that_would_not_fill_micro_batches_in_order_go_by_size():
    batch = pack((Document(range(n), [False] * n),) for n in (3, 9, 9, 2, 7, 10))
    assert [part.lengths for part in batch.split(10)] == [[3], [9], [9], [2, 7], [10]]
    found = {n: [m.packed.lengths for m in deal(batch, 1, 0, n)] for n in (3, 11, 12)}
    assert found[3] == [[n] for n in batch.lengths]
    assert found[11] == [[10], [9, 2], [9], [3, 7]]  # in order there would be five
    assert found[12] == [[3, 9], [9, 2], [7], [10]]


def test_the_shares_of_all_processes_add_up_to_the_gradient_of_the_whole_step(cases):
    model, batches = cases
    for objective, _, batch in batches:
        found = []
        for ranks, size in ((1, 10_000), (2, 150), (3, 40)):
            model.zero_grad()
            for rank in range(ranks):
                for micro in deal(batch, ranks, rank, size):
                    loss, _ = objective(
                        Scorer(model)(micro.packed), micro.packed, objective.count(batch)
                    )
                    (loss * (not micro.blank)).backward()
            found.append({n: p.grad.clone() for n, p in model.named_parameters()})
        assert apart(found[0], found[1]) < 1e-10
        assert apart(found[0], found[2]) < 1e-10


def assert_same(tmp_path, ways, precision, metrics, most):
    """Two processes, by each of `ways`, come to what one comes to."""
    one = processes.gradients([("ddp", 1)], tmp_path, precision)
    started("gradients", tmp_path, precision)
    two = torch.load(tmp_path / "found.pt", weights_only=True)
    assert len(two) == len(ways) * len(one)
    for case, found in two.items():
        alone = one[f"ddp 1 {case.split()[2]}"]
        assert apart(alone["gradients"], found["gradients"]) < most, case
        assert apart(alone["weights"], found["weights"]) < most, case
        assert found["metrics"] == pytest.approx(alone["metrics"], rel=metrics), case


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one_also_where_they_share_its_tokens(tmp_path):
    assert_same(tmp_path, processes.WAYS, "long", 1e-6, 1e-10)  # some metrics are float32


@pytest.mark.slow
def test_a_split_model_computes_in_16_bits_as_a_whole_one_does(tmp_path):
    assert_same(tmp_path, processes.SHORT, "short", 2e-2, 1e-2)


@DEEPSPEED
@pytest.mark.slow
def test_split_moments_come_to_what_whole_ones_do_in_32_bits(tmp_path):
    assert_same(tmp_path, processes.SINGLE, "single", 1e-5, 1e-6)  # DeepSpeed has none of 64


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "together"),
    [("ddp", 1), ("fsdp2", 2), pytest.param("zero2", 1, marks=DEEPSPEED)],
)
def test_two_processes_that_are_killed_end_as_undisturbed_ones(tmp_path, strategy, together):
    started("train", tmp_path / "a" / "sft", strategy, together, 0)
    for step in (2, 4, 9, 13):
        started("train", tmp_path / "b" / "sft", strategy, together, step, check=False)
    started("train", tmp_path / "b" / "sft", strategy, together, 0)
    one, two = ((tmp_path / run / "sft" / "model.safetensors").read_bytes() for run in "ab")
    assert one == two
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["sft"]
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "b" / "sft").num_parameters()


def test_a_configuration_of_accelerate_that_is_not_served_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")  # as `accelerate launch` does
    with pytest.raises(ModelError, match="train by DEEPSPEED; start the processes plainly"):
        processes.train(tmp_path / "sft", "ddp")


def test_without_deepspeed_its_strategies_are_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(zero, "find_spec", lambda name: None)
    student = StudentConfig(scratch=SHAPE, devices=2, strategy="zero2")
    with pytest.raises(ModelError, match=r"zero2 needs DeepSpeed: pip install 'distill-factory"):
        models.rehearse(student)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["fsdp2", pytest.param("zero1", marks=DEEPSPEED)])
def test_training_goes_on_in_another_number_of_processes(tmp_path, strategy):
    started("train", tmp_path / "sft", strategy, 1, 9, check=False)
    assert engine.resumable(tmp_path / "sft")
    folder = processes.train(tmp_path / "sft", "ddp")
    assert (folder / "adapter" / "adapter_model.safetensors").exists()
