"""Validation, early stop, reports that end a training, trackers, and what trained weights are held in."""

import json

import numpy as np
import pytest
import torch

from students import engine, models, trackers
from students.adapters import adapt
from students.batches.pack import pack
from students.batches.scorer import Scorer
from students.config import SFT, Lora, Scratch, ValidationConfig
from students.errors import DataError, TrackerError
from students.objectives.sft import Sft
from students.sources import FileSource
from students.stages import from_rows
from students.validation import Validation, chosen
from tests.students.processes import documents

SHAPE = Scratch(hidden_size=64, layers=2, heads=2, intermediate_size=128, context=128)


class Stop(Exception):
    pass


def train(folder, validation=None, report=lambda line: None, steps=150, model=None, **options):
    fresh, tokenizer = models.build(SHAPE, seed=0)
    model = fresh if model is None else model
    config = SFT(
        **{
            "learning_rate": 3e-2,
            "tokens_per_step": 400,
            "checkpoint_every": 5,
            "schedule": "constant",
        }
        | options
    )
    docs = documents(tokenizer, 40)
    held = Validation(pack((d,) for d in docs[32:]), validation) if validation else None
    source = FileSource([(d,) for d in docs[:8]], config.tokens_per_step, seed=0)
    return engine.train(
        model, tokenizer, Sft(), source, config, folder / "sft", steps, report, validation=held
    )


def loss_of(folder):
    model, tokenizer = models.load(folder)
    batch = pack((d,) for d in documents(tokenizer, 40)[32:])
    with torch.no_grad():
        return -Scorer(model)(batch).mean().item()


def summary(folder):
    return json.loads((folder / "training.json").read_text())


def test_the_weights_with_the_lowest_validation_loss_are_kept_and_training_stops(tmp_path):
    lines = []
    folder = train(tmp_path, ValidationConfig(every=2, patience=3), lines.append)
    measured = {x["step"]: x["validation_loss"] for x in lines if "validation_loss" in x}
    best = min(measured, key=measured.get)
    assert list(measured) == list(range(2, best + 7, 2))
    assert lines[-1]["step"] == best + 6 < 150
    assert loss_of(folder) == pytest.approx(measured[best], rel=1e-5)
    found = summary(folder)
    assert (found["best_step"], found["validation_loss"]) == (best, round(measured[best], 6))
    assert found["stopped"].startswith(f"after step {best + 6}: no better validation loss in 3")


def test_an_interrupted_training_with_validation_ends_as_an_undisturbed_one(tmp_path):
    undisturbed = train(tmp_path / "a", ValidationConfig(every=2, patience=3))
    stops = summary(undisturbed)["best_step"] + 6

    for stop in (6, stops - 3, stops):

        def report(line, stop=stop):
            if line["step"] == stop:
                raise Stop

        with pytest.raises(Stop):
            train(tmp_path / "b", ValidationConfig(every=2, patience=3), report)
    resumed = train(tmp_path / "b", ValidationConfig(every=2, patience=3))
    for name in ("model.safetensors", "training.json"):
        assert (undisturbed / name).read_bytes() == (resumed / name).read_bytes()


def test_measuring_changes_nothing_of_the_training(tmp_path):
    losses = {}
    for name, validation in (("with", ValidationConfig(every=3)), ("without", None)):
        lines = []
        train(tmp_path / name, validation, lines.append, steps=12, learning_rate=1e-3)
        losses[name] = [line["loss"] for line in lines]
    assert losses["with"] == losses["without"]


def test_whole_problems_are_kept_out():
    groups = np.repeat(np.arange(30), 4)
    held = chosen(groups, 20, seed=1)
    assert held.sum() == 20
    assert not set(groups[held]) & set(groups[~held])
    assert (held != chosen(groups, 20, seed=2)).any()
    with pytest.raises(DataError, match="keeps 120 rows out of training, and there are only 120"):
        chosen(groups, 120, seed=1)


def test_a_stage_measures_on_rows_that_it_does_not_train_on(tmp_path):
    model, tokenizer = models.build(SHAPE, seed=0)
    rows = [
        {"prompt": f"{a}?", "completion": f"{a}{b}", "problem_id": str(a)}
        for a in range(10)
        for b in range(3)
    ]
    stage = SFT(validation={"rows": 7}, max_steps=3)
    plan = from_rows(stage, rows, model, tokenizer, 0, "m", tmp_path)
    assert plan.counts["validation"] == 9
    held = {
        tuple(d.tolist()) for d in plan.validation.batch.ids.split(plan.validation.batch.lengths)
    }
    trained = {tuple(unit[0].ids) for unit in plan.source.units}
    assert len(held) == 9
    assert len(trained) == 21
    assert not held & trained


def test_a_report_that_returns_true_ends_the_training_there(tmp_path):
    seen = []

    def report(line):
        seen.append(line["step"])
        return line["step"] == 4

    folder = train(tmp_path, report=report)
    assert seen == [1, 2, 3, 4]
    assert (folder / "model.safetensors").exists()


def test_dropout_before_the_first_checkpoint_is_drawn_again_the_same(tmp_path):
    found = []
    for name in ("a", "b"):
        torch.rand(len(name) + len(found))
        adapted = adapt(models.build(SHAPE, seed=0)[0], Lora(rank=4, dropout=0.3), seed=0)
        found.append(train(tmp_path / name, steps=3, model=adapted))
    one, two = ((folder / "model.safetensors").read_bytes() for folder in found)
    assert one == two


def test_a_student_of_16_bits_computes_in_them_and_its_trained_weights_have_32(tmp_path):
    model, _ = models.build(SHAPE, seed=0)
    model.to(torch.bfloat16)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    seen = []
    model.model.layers[0].mlp.down_proj.register_forward_hook(
        lambda module, args, out: seen.append(out.dtype)
    )
    folder = train(tmp_path, steps=2, learning_rate=1e-6, schedule="constant", model=model)
    assert set(seen) == {torch.bfloat16}
    after = models.load(folder, "float32")[0].state_dict()
    name = "model.layers.0.mlp.down_proj.weight"
    moved = (after[name] - before[name].float()).abs()
    # a step of 1e-6 is far below what bfloat16 tells apart at these sizes
    assert after[name].dtype == torch.float32
    assert 1e-7 < moved.median() < 4e-6
    rounded = after[name].to(torch.bfloat16)
    assert (rounded == before[name]).float().mean() > 0.9


def test_adapters_on_a_model_of_16_bits_are_trained_as_they_are(tmp_path):
    model = adapt(models.build(SHAPE, seed=0)[0].to(torch.bfloat16), Lora(rank=4), seed=0)
    train(tmp_path, steps=2, model=model)
    assert not hasattr(model, "computes_in")
    assert model.get_base_model().model.layers[0].mlp.down_proj.weight.dtype == torch.bfloat16


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(TrackerError, match="'wandb' is not installed: pip install wandb"):
        trackers.check(["wandb"])


def test_tensorboard_gets_every_step_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"learning_rate": 0.1, "schedule": "cosine"}
    for first in (1, 3):
        with trackers.Trackers(["tensorboard"], "run", "sft", tmp_path, settings) as track:
            for step in range(first, 6):
                track({"stage": "sft", "step": step, "loss": 1.0 / step})
    events = EventAccumulator(str(tmp_path / "sft"))
    events.Reload()
    loss = events.Scalars("loss")
    assert [event.step for event in loss] == [1, 2, 3, 4, 5]
    assert [event.value for event in loss] == pytest.approx([1 / n for n in range(1, 6)])
