"""A recipe with several teachers, through the command line."""

import json

import pytest

from tests.pipelines.test_judges import served
from tests.pipelines.test_run import distill, rows

RECIPE = """\
name: several
teacher: {{backend: openai, base_url: "{url}", model: served, sampling: {{temperature: 0.3}}}}
questions:
  - {{from: reasoning_gym, dataset: chain_sum, n: 12, prompt: "{{metadata[expression]}}=?"}}
chains:
  samples: 5
  teachers:
    - {{backend: local, model: embedded, batch: 8, sampling: {{max_tokens: 32}}}}
"""


def test_a_server_and_a_local_model_answer_in_turn(tmp_path):
    recipe, run = tmp_path / "r.yaml", tmp_path / "run"
    with served() as server:
        recipe.write_text(RECIPE.format(url=server.base_url))
        priced = ("--set", "prices={served: {input: 1, output: 100}}", "--json")
        plan = json.loads(distill("plan", recipe, *priced, check=0).stdout)
        assert plan["most_tokens"] == 12 * (3 * 1024 + 2 * 32)
        assert plan["most_usd"] == pytest.approx(12 * 3 * 1024 * 100 / 1e6)
        assert "not known" in distill("plan", recipe, check=0).stdout
        said = distill("generate", recipe, "--run-dir", run, "--limit", "3", check=0).stdout
        assert "3 of 12 questions, 15 chains" in said
        assert "no price is known for 'served'" in said
        distill("generate", recipe, "--run-dir", run, check=0)
        assert server.requests == 12 * 3
    chains = rows(run, "chains")
    assert len(chains) == 60
    for chain in chains:
        local = chain["index"] % 2 == 1
        assert json.loads(chain["teacher"])["identity"].startswith("embedded") == local
        sampling = json.loads(chain["sampling"])
        assert sampling == ({"temperature": 1.0, "max_tokens": 32} if local else
                            {"temperature": 0.3, "max_tokens": 1024})  # fmt: skip
    again = distill("generate", run / "recipe.yaml", "--run-dir", run, check=0)
    assert again.stderr.count("already done") == 2
    assert "written by served and embedded," in (run / "data" / "README.md").read_text()


def test_a_mistake_in_a_further_teacher_is_named(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE.format(url="http://localhost:9/v1").replace("batch: 8", "bach: 8"))
    done = distill("generate", recipe, "--run-dir", tmp_path / "run", check=2)
    assert "r.yaml:8: chains.teachers.0.bach: unknown key; did you mean 'batch'?" in done.stderr
    recipe.write_text(RECIPE.format(url="http://localhost:9/v1").replace("embedded", "/no/model"))
    done = distill("generate", recipe, "--run-dir", tmp_path / "run", check=2)
    assert "no model at '/no/model'" in done.stderr
    assert not (tmp_path / "run").exists()
