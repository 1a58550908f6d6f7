"""kill -9 aimed at the delicate moments of every stage: the same students, bit for bit."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys

import pytest

from tests.pipelines.recipe_text import LIFE
from tests.pipelines.test_kill import COMMAND, tables

pytestmark = pytest.mark.slow
TIMING = ("tokens_per_second", "seconds_left")
SAVE, PLACE = "students.checkpoints:torch.save", "students.checkpoints:place"
STEP, RENAME = "students.engine:_Run.step", "students.engine:place"
KILLS = [
    ("questions", "generators.questions.evolve:solve", 20, "before"),
    ("chains", "verifiers.tasks:Task.settle", 300, "after"),
    ("curate", "pyarrow.parquet:write_table", 2, "half"),
    # a checkpoint half written; written and not in its place
    ("train:cpt", SAVE, 1, "half"),
    ("train:cpt", PLACE, 2, "before"),
    # a student saved and not in its place; noted and not tidied; half saved; not noted
    ("train:cpt", RENAME, 1, "before"),
    ("train:cpt", "pipelines.run_folder:RunFolder.finish", 1, "after"),
    # tokens marked as written, and in their place
    ("train:sft", "students.batches.tokens:Writer.mark", 1, "after"),
    ("train:sft", "students.batches.tokenise:place", 1, "after"),
    ("train:sft", STEP, 70, "after"),
    ("train:sft", "transformers:PreTrainedTokenizerBase.save_pretrained", 1, "before"),
    ("train:sft", RENAME, 1, "after"),
    # reference log-probs computed, written, in their place
    ("train:dpo", "students.batches.scorer:Scorer.forward", 1, "after"),
    ("train:dpo", "students.reference:place", 1, "before"),
    ("train:dpo", "students.reference:place", 1, "after"),
    ("train:dpo", STEP, 3, "after"),
    # answers drawn, judged; a step of a round before, at and after the checkpoint in its middle
    ("train:grpo", "students.rollouts.decoder:Cache.step", 10, "before"),
    ("train:grpo", "verifiers.tasks:Task.settle", 20, "after"),
    ("train:grpo", STEP, 2, "after"),
    ("train:grpo", PLACE, 1, "after"),
    ("train:grpo", STEP, 1, "after"),
    # the second round: drawn with the updated policy, a half written checkpoint, an update
    ("train:grpo", "students.rollouts.decoder:Cache.step", 8, "after"),
    ("train:grpo", SAVE, 1, "half"),
    ("train:grpo", "torch.optim:AdamW.step", 5, "after"),
    ("train:grpo", RENAME, 1, "after"),
    ("evaluate:grpo", "pipelines.run_folder:RunFolder.finish", 1, "before"),
]


def run(recipe, folder, *options):
    return subprocess.run(
        [*COMMAND, str(recipe), "--run-dir", str(folder), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def killed(recipe, folder, stage, call, nth, when):
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.killer", stage, call, str(nth), when,
         "run", str(recipe), "--run-dir", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, (stage, call, nth, when, done.stderr)


def students(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((folder / "students").rglob("*"))
        if file.is_file() and ".cache" not in file.parts
    }


def metrics(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines]


def assert_same(one, two):
    assert students(one) == students(two)
    assert metrics(one) == metrics(two)
    assert tables(one) == tables(two)
    assert (one / "evaluation.json").read_text() == (two / "evaluation.json").read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    recipe = folder / "life.yaml"
    recipe.write_text(LIFE)
    done = run(recipe, folder / "whole")
    assert done.returncode == 0, done.stderr
    return recipe, folder / "whole"


def test_kills_at_the_delicate_moments_of_every_stage(undisturbed, tmp_path):
    recipe, whole = undisturbed
    for kill in KILLS:
        killed(recipe, tmp_path / "run", *kill)
    done = run(recipe, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "run", whole)


def test_a_checkpoint_that_cannot_be_read_or_is_of_another_recipe_is_not_gone_on_from(
    undisturbed, tmp_path
):
    recipe, whole = undisturbed
    again = tmp_path / "run"
    shutil.copytree(whole, again)
    shutil.rmtree(again / "students" / "grpo")
    killed(recipe, again, "train:grpo", STEP, 7, "after")
    checkpoints = again / "students" / ".grpo.partial" / "checkpoints"
    newest = checkpoints / "step-00000006.pt"
    assert sorted(checkpoints.glob("step-*.pt"))[-1] == newest
    newest.write_bytes(newest.read_bytes()[:1000])
    shutil.copytree(again, tmp_path / "edited")

    done = run(recipe, again)
    assert done.returncode == 0, done.stderr
    assert "step-00000006.pt cannot be read" in done.stderr
    assert_same(again, whole)

    options = ("--set", "stages.grpo.clip_high=0.1", "--set", "stages.grpo.kl=0.5")
    edited = run(recipe, tmp_path / "edited", *options)
    assert edited.returncode == 0, edited.stderr
    assert "cannot be read" not in edited.stderr
    shutil.copytree(whole, tmp_path / "fresh")
    fresh = run(recipe, tmp_path / "fresh", *options)
    assert fresh.returncode == 0, fresh.stderr
    assert_same(tmp_path / "edited", tmp_path / "fresh")
    assert students(tmp_path / "edited") != students(whole)
