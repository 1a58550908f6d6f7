"""A recipe's `devices`: processes that the run starts, with its logs, its refusals and its end."""

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import psutil
import pytest

from pipelines import launch, trainer
from pipelines import recipe as recipes
from pipelines.errors import PipelineError, UsageError
from students import models
from students.errors import ModelError
from tests.pipelines.recipe_text import LIFE
from tests.pipelines.test_kill import COMMAND
from tests.pipelines.test_kill_stages import assert_same, metrics, run

TWO = LIFE.replace("student:\n", "student:\n  devices: 2\n").replace("rounds: 3", "rounds: 2")


def test_stages_that_draw_answers_need_whole_students(tmp_path):
    (tmp_path / "r.yaml").write_text(TWO.replace("devices: 2", "devices: 2\n  strategy: fsdp2"))
    with pytest.raises(UsageError, match="stage 'grpo' draws answers"):
        recipes.load(str(tmp_path / "r.yaml"))


def test_what_teams_of_devices_cannot_share_is_refused_before_anything_is_spent(tmp_path):
    (tmp_path / "r.yaml").write_text(TWO.replace("devices: 2", "devices: 2\n  context_parallel: 3"))
    with pytest.raises(UsageError, match="devices must be a multiple of context_parallel"):
        recipes.load(str(tmp_path / "r.yaml"))
    (tmp_path / "two.yaml").write_text(TWO)
    student = recipes.load(str(tmp_path / "two.yaml")).student
    team = {"devices": 3, "context_parallel": 3}
    with pytest.raises(ModelError, match="3 devices cannot share 2 attention heads"):
        models.rehearse(student.model_copy(update=team))
    with pytest.raises(UsageError, match="no multiple of"):
        launch.processes(student.model_copy(update=team | {"devices": "auto"}))


def test_what_is_said_elsewhere_is_pointed_to(tmp_path):
    for wrong, right in (("report_to: [wandb]", "trackers"), ("num_processes: 2", "devices")):
        (tmp_path / "r.yaml").write_text(TWO.replace("devices: 2", wrong))
        with pytest.raises(UsageError, match=f"distill calls it '{right}'"):
            recipes.load(str(tmp_path / "r.yaml"))


def test_of_a_process_that_died_its_own_last_words_are_shown():
    theirs = [f"line {n}" for n in range(30)]
    report = [
        "E1126 1 2 torch/distributed/elastic/api.py:2] failed (exitcode: -6) local_rank: 0 (pid: 3)",
        "Traceback (most recent call last):",
        "ChildFailedError: ...",
    ]
    shown = launch.last_words("\n".join([*theirs, *report])).splitlines()
    assert shown == [*theirs[-launch.SHOWN + 1 :], report[0]]
    assert launch.last_words("\n".join(theirs)).splitlines() == theirs[-launch.SHOWN :]


def below(process):
    """Everything that a run has started, and which of it are the two processes that train."""
    found, trainers = psutil.Process(process.pid).children(recursive=True), []
    for child in found:
        with suppress(psutil.Error):  # some end while they are looked at
            line = child.cmdline()
            if "pipelines.trainer" in line and "--nproc-per-node" not in line:
                trainers.append(child)
    return found, trainers


def test_training_goes_on_when_the_line_of_a_step_is_written(tmp_path):
    told = []
    pipe = tmp_path / launch.ANSWERS
    with launch._answering(pipe) as answer:
        report = trainer._reporter(lambda **event: told.append(event), pipe)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(report, {"step": 1})
            assert not wait([waiting], timeout=0.3).done
            os.write(answer, b".")
            waiting.result(timeout=5)
    with pytest.raises(PipelineError, match="has ended"):
        report({"step": 2})
    assert told == [{"metrics": {"step": 1}}, {"metrics": {"step": 2}}]


def kill_at(recipe, folder, stage, step, whom):
    """Run until `stage` has done `step`, then SIGKILL the run or one of the processes it started."""
    process = subprocess.Popen(
        [*COMMAND, str(recipe), "--run-dir", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    file = folder / "metrics.jsonl"
    started, trainers = [], []
    while len(trainers) < 2:
        assert process.poll() is None, process.communicate()[1]
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        if any(e["stage"] == stage and e["step"] >= step for e in entries):
            started, trainers = below(process)
        time.sleep(0.01)
    (process if whom == "run" else trainers[1]).send_signal(signal.SIGKILL)
    _, said = process.communicate()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    return process.returncode, said


@pytest.mark.slow
def test_kill_9_of_a_run_on_two_devices_costs_nothing(tmp_path):
    recipe = tmp_path / "life.yaml"
    recipe.write_text(TWO)
    whole = run(recipe, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    steps = [line["step"] for line in metrics(tmp_path / "whole") if line["stage"] == "grpo"]
    assert steps == list(range(1, 9))
    again = tmp_path / "run"
    for stage, step, whom in (("cpt", 5, "run"), ("sft", 60, "run"), ("grpo", 4, "run")):
        assert kill_at(recipe, again, stage, step, whom)[0] == -signal.SIGKILL
    status, said = kill_at(recipe, again, "grpo", 5, "trainer")
    assert status == 1
    assert "training on 2 devices ended with status" in said
    done = run(recipe, again)
    assert done.returncode == 0, done.stderr
    assert_same(again, tmp_path / "whole")


@pytest.mark.slow
def test_a_refusal_of_the_processes_is_that_of_the_run(tmp_path):
    recipe = tmp_path / "life.yaml"
    recipe.write_text(TWO.replace("cpt: {", "cpt: {validation: {rows: 5000}, "))
    done = run(recipe, tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "distill: validation keeps 5000 rows out of training, and there are only"
    )
