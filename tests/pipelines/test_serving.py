"""Recipes on vLLM, with a small server that takes vLLM's command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import recipe as recipes
from pipelines import run as running
from pipelines.errors import UsageError
from pipelines.graph import fingerprints, nodes
from tests.servers import vllm_standin

STANDIN = Path(vllm_standin.__path__[0])
RECIPE = """
name: served
teacher:
  backend: vllm
  model: embedded
  sampling: {{max_tokens: 16}}
  vllm: {{env: {{PYTHONPATH: {standin}, STANDIN: '{plan}'}}}}
questions:
  - {{from: reasoning_gym, dataset: chain_sum, n: 12, prompt: "{{metadata[expression]}}=?"}}
chains: {{samples: 2}}
"""
STUDENT = """
curate: {{verify: false}}
student: {{scratch: {{hidden_size: 32, layers: 1, heads: 1, intermediate_size: 32}}}}
stages: [{{cpt: {{data: questions, max_steps: 1, tokens_per_step: 200}}}}]
evaluate: {{heldout: {{n: 4}}, samples: 0, max_tokens: 8, backend: vllm, teacher: false}}
"""


@pytest.fixture
def recipe(tmp_path):
    def load(*overrides, student="", **plan):
        plan = json.dumps({"folder": str(tmp_path), **plan})
        path = tmp_path / "served.yaml"
        path.write_text((RECIPE + student).format(standin=STANDIN, plan=plan))
        return recipes.load(str(path), overrides)

    return load


def pids(folder):
    """Of all processes of the starts so far."""
    told = [json.loads(file.read_text()) for file in folder.glob("start-*")]
    return [pid for start in told for pid in start["pids"]]


def started(folder):
    """The command lines of the starts so far, whose processes have all ended."""
    told = [json.loads(file.read_text()) for file in sorted(folder.glob("start-*"))]
    assert [pid for pid in pids(folder) if os.path.exists(f"/proc/{pid}")] == []
    return [start["argv"][start["argv"].index("--model") + 1] for start in told]


def test_a_run_whose_answers_are_stored_starts_nothing(recipe, tmp_path):
    run = tmp_path / "run"
    running.run(recipe(ends=[5], latency=0.02), run, ["generate"])
    assert len(started(tmp_path)) == 2
    answers = (tmp_path / "answered").read_text().splitlines()
    assert len(answers) == 24
    again = recipe("chains.sampling.max_tokens=16", "teacher.vllm.max_model_len=64")
    with pytest.raises(UsageError, match="has no option 'max_modl_len'"):
        running.run(recipe("teacher.vllm.max_modl_len=64"), run, ["generate"])
    running.run(recipe("teacher.vllm.gpu_memory_utilization=0.5"), run, ["generate"])
    assert len(started(tmp_path)) == 2
    running.run(again, run, ["generate"])
    assert len(started(tmp_path)) == 3


def test_students_are_served_one_at_a_time_and_never_while_one_trains(
    recipe, tmp_path, monkeypatch
):
    from pipelines.stages import train

    seen = []
    work = train.run

    def watched(job, **options):
        seen.append(started(tmp_path))
        return work(job, **options)

    monkeypatch.setattr("pipelines.graph.train.run", watched)
    run = tmp_path / "run"
    table = running.run(recipe(student=STUDENT), run)
    assert [row["stage"] for row in table] == ["base", "cpt"]
    models = [Path(model).name for model in started(tmp_path)]
    assert models == ["embedded", ".base", "cpt"]
    assert [len(starts) for starts in seen] == [2]


def test_a_missing_vllm_is_refused_before_anything_is_asked(recipe, tmp_path):
    bad = recipe("teacher.vllm.python=/nowhere/python")
    with pytest.raises(UsageError, match="is no Python that runs"):
        running.run(bad, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"no model at '[.]/absent': no such folder"):
        running.run(recipe("teacher.model=./absent"), tmp_path / "run")
    empty = recipe("teacher.vllm.env={}")
    with pytest.raises(UsageError, match="there is no vLLM in the environment of"):
        running.run(empty, tmp_path / "run")


DRAWN = """
name: drawn
teacher:
  backend: recorded
  path: {folder}/chains.jsonl
  vllm: {{env: {{PYTHONPATH: {standin}, STANDIN: '{plan}'}}}}
questions: [{{from: jsonl, path: {folder}/questions.jsonl, verifier: exact}}]
curate: {{sets: [rl]}}
student: {{scratch: {{hidden_size: 32, layers: 1, heads: 1, intermediate_size: 32}}}}
stages:
  - grpo: {{backend: vllm, rounds: 3, prompts: 2, group_size: 8, minibatches: 1, max_tokens: 4,
           refill: 4, checkpoint_every: 1}}
"""


@pytest.fixture
def drawn(tmp_path):
    """The file of a recipe whose student is trained on the answers of the small server."""
    rows = [{"prompt": f"Say {digit}.", "answer": str(digit)} for digit in range(6)]
    chains = [row | {"completion": text} for row in rows for text in (row["answer"], "no")]
    for name, lines in (("questions", rows), ("chains", chains)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    path, plan = tmp_path / "drawn.yaml", json.dumps({"folder": str(tmp_path)})
    path.write_text(DRAWN.format(standin=STANDIN, plan=plan, folder=tmp_path))
    return path


@pytest.mark.slow
def test_a_run_that_draws_from_a_server_is_killed_and_goes_on(drawn, tmp_path):
    run = tmp_path / "run"
    killed = subprocess.run(
        [
            sys.executable, "-m", "tests.pipelines.killer", "train:grpo",
            "generators.teachers.vllm_server:VllmServer.load", "2", "before",
            "run", str(drawn), "--run-dir", str(run),
        ],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    deadline = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in pids(tmp_path)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (tmp_path / "told").exists()
    running.run(recipes.load(str(drawn)), run)
    assert [Path(model).name for model in started(tmp_path)] == ["policy", "policy"]
    read = [x for x in (tmp_path / "told").read_text().splitlines() if x.startswith("reload")]
    assert len(read) == 1
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all(line["mismatch"] > 0.1 for line in lines)
    assert not list((run / "students").glob(".grpo*"))


def test_how_the_server_is_started_trains_nothing_again(drawn):
    def prints(*overrides):
        recipe = recipes.load(str(drawn), [f"stages.grpo.{text}" for text in overrides])
        return fingerprints(recipe, nodes(recipe))["train:grpo"]

    assert prints() == prints("vllm.gpu_memory_utilization=0.4", "vllm.python=/x")
    assert len({prints(), prints("vllm.quantization=fp8"), prints("backend=local")}) == 3
    assert prints("backend=local") == prints("backend=local", "vllm.quantization=fp8")


def test_what_no_server_can_draw_is_refused(drawn, tmp_path):
    def refused(*overrides):
        with pytest.raises(UsageError) as caught:
            running.run(recipes.load(str(drawn), overrides), tmp_path / "run")
        return str(caught.value)

    assert "with `backend: vllm` needs student.devices to be 1" in refused("student.devices=2")
    four = ("student.scratch=null", "student.model=embedded", "student.lora.quantize=nf4")
    assert "needs a student whose weights are not quantised" in refused(*four)
    assert "has no option 'max_modl_len'" in refused("stages.grpo.vllm.max_modl_len=9")
    assert not (tmp_path / "run").exists()
