"""Recipes on vLLM, with a small server that takes vLLM's command line."""

import json
import os
from pathlib import Path

import pytest

from pipelines import recipe as recipes
from pipelines import run as running
from pipelines.errors import UsageError
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


def started(folder):
    """The command lines of the starts so far, whose processes have all ended."""
    told = [json.loads(file.read_text()) for file in sorted(folder.glob("start-*"))]
    alive = [pid for start in told for pid in start["pids"] if os.path.exists(f"/proc/{pid}")]
    assert alive == []
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
