"""What the store holds is enough; what cannot come to an end ends early; another model is refused."""

import json
import shutil

import pytest

from tests.pipelines.test_judges import served
from tests.pipelines.test_run import distill, rows
from tests.servers.teacher import always

RECIPE = """\
name: kept
teacher: {{backend: openai, base_url: "{url}", model: m}}
questions: [{{from: jsonl, path: q.jsonl, verifier: exact}}]
chains: {{samples: 2{chains}}}
evaluate: {{heldout: {{n: 5}}}}
"""


@pytest.fixture
def write(tmp_path):
    def recipe(url, count=40, chains=""):
        lines = [json.dumps({"prompt": f"question {n}", "answer": str(n)}) for n in range(count)]
        (tmp_path / "q.jsonl").write_text("\n".join(lines))
        (tmp_path / "r.yaml").write_text(RECIPE.format(url=url, chains=chains))
        return tmp_path / "r.yaml"

    return recipe


def half_right(body):
    number = int(body["messages"][-1]["content"].split()[1])
    return {"content": str(number + (body["seed"] % 2))}


def counts(run):
    return json.loads((run / "manifest.json").read_text())["stages"]["chains"]["counts"]


def test_the_dataset_is_built_again_from_the_store_and_judged_again_without_a_server(
    write, tmp_path
):
    run = tmp_path / "run"
    with served(message=half_right) as server:
        recipe = write(server.base_url)
        distill("generate", recipe, "--run-dir", run, check=0)
        assert server.requests == 70
    before = {name: rows(run, name) for name in ("problems", "heldout", "chains")}
    shutil.rmtree(run / "data")
    (run / "manifest.json").unlink()
    distill("generate", recipe, "--run-dir", run, check=0)
    assert counts(run)["asked"] == 0
    order = ("problem_id", "index", "id")
    for name, was in before.items():
        found = rows(run, name)
        if name == "chains":
            found, was = (sorted(r, key=lambda x: [x[k] for k in order]) for r in (found, was))
        assert found == was
    said = distill("verify", run, "--workers", "1", check=0)
    assert "0 of 70 verdicts changed" in said.stdout


def test_another_model_behind_the_url_is_refused_and_nothing_of_it_is_kept(write, tmp_path):
    run = tmp_path / "run"
    with served(message=half_right, fingerprint="fp_1") as server:
        distill("generate", write(server.base_url), "--run-dir", run, check=0)
    with served(message=half_right, fingerprint="fp_2") as server:
        recipe = write(server.base_url, count=60)
        said = distill("generate", recipe, "--run-dir", run, check=1).stderr
        assert "has changed: its fingerprint is 'fp_2', and 'fp_1' wrote what there is" in said
        assert "give teacher.revision a new name" in said
        asked = server.requests
        assert asked < 40, "it stops at once"
        distill("generate", recipe, "--run-dir", run, "--set", "teacher.revision=2", check=0)
        assert server.requests == asked + 110, "the new model is asked for everything"


@pytest.mark.parametrize(("fault", "told"), [("ok", "0 of 30"), ("context", "100% of")])
def test_a_number_accepted_that_is_out_of_reach_ends_early_and_says_why(
    write, tmp_path, fault, told
):
    run = tmp_path / "run"
    with served(message=lambda body: {"content": "never"}, plan=always(fault)) as server:
        recipe = write(server.base_url, count=405, chains=", accepted: 30")
        said = distill("generate", recipe, "--run-dir", run, check=0).stderr
        assert server.requests < 700, "of 800"
    assert told in said
    assert "would bring" in said
    assert counts(run)["accepted"] == 0
    assert "at the very most" in counts(run)["ended"]
