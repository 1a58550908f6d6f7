"""Chains without ground truth: the answers to each problem are judged together."""

import json
import re

from tests.pipelines.test_judges import served
from tests.pipelines.test_run import distill, rows

RECIPE = """\
name: agreed
teacher: {{backend: openai, model: writer, base_url: "{url}"}}
questions: [{{from: jsonl, path: questions.jsonl, verifier: vote, gold: consensus}}]
chains: {{samples: 5}}
verifiers: {{vote: {{use: consensus, of: math}}}}
"""


def writer(body):
    """Right four times in five, by the seed."""
    a, b = re.match(r"(\d+)\+(\d+)", body["messages"][-1]["content"]).groups()
    return {"content": f"It is {int(a) + int(b) + (body['seed'] % 5 == 0)}."}


def test_chains_are_judged_by_what_most_of_them_say(tmp_path):
    lines = [json.dumps({"prompt": f"{n}+{n + 3}=?"}) for n in range(12)]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    run = tmp_path / "run"
    with served(message=writer) as server:
        (tmp_path / "agreed.yaml").write_text(RECIPE.format(url=server.base_url))
        distill("generate", tmp_path / "agreed.yaml", "--run-dir", run, check=0)
        distill("curate", tmp_path / "agreed.yaml", "--run-dir", run, check=0)
    problems, chains = rows(run, "problems"), rows(run, "chains")
    assert {(p["gold"], p["answer"]) for p in problems} == {("consensus", "null")}
    said = {}
    for chain in chains:
        said.setdefault(chain["problem_id"], []).append((chain["status"], chain["extracted"]))
    assert {len(group) for group in said.values()} == {5}
    right = [{a for status, a in g if status == "correct"} for g in said.values()]
    assert sum(len(answers) == 1 for answers in right) >= 9
    assert all(len(answers) <= 1 for answers in right)
    assert rows(run, "sft")
    changed = distill("verify", run, "--output", tmp_path / "v.jsonl", check=0)
    assert "0 of 60 verdicts changed" in changed.stdout
