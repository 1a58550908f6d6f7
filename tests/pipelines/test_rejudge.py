"""`distill verify RUN`: stored chains meet today's verifiers, and what changed is shown."""

import json

import pytest

from tests.pipelines.test_run import distill, rows

QUESTIONS = [
    {"prompt": "2 + 2?", "answer": "4", "solution": ["It is 4.", "It is 5.", "No idea."]},
    {"prompt": "1 / 2?", "answer": "1/2", "solution": ["0.5", "It is 0.4."]},
]
RECIPE = """\
name: again
teacher: {backend: recorded, path: chains.jsonl}
questions: [{from: jsonl, path: questions.jsonl, prompt: prompt, answer: answer, verifier: math}]
chains: {samples: 2}
stages: []
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    chains = [
        {"prompt": question["prompt"], "completion": text}
        for question in QUESTIONS
        for text in question["solution"][:2]
    ]
    (folder / "chains.jsonl").write_text("\n".join(map(json.dumps, chains)))
    (folder / "r.yaml").write_text(RECIPE)
    distill("generate", folder / "r.yaml", "--run-dir", folder / "run", check=0)
    return folder / "run"


def test_nothing_changes_where_the_verifiers_are_the_same(run, tmp_path):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file())
    said = distill("verify", run, "--output", tmp_path / "out.jsonl", "--workers", "1", check=0)
    assert said.stdout.endswith("\n0 of 4 verdicts changed\n")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [chain["id"] for chain in rows(run, "chains")]
    assert all(line["status"] == line["before"]["status"] for line in lines)
    assert all(line["why"] and line["version"] == line["before"]["version"] for line in lines)
    after = sorted((p.name, p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file())
    assert after == before


def test_a_change_is_counted_and_named(run):

    recipe = run / "recipe.yaml"
    kept = recipe.read_text()
    try:
        recipe.write_text(kept.replace("verifiers: {}", "verifiers: {math: {use: exact}}"))
        said = distill("verify", run, "--workers", "1", "--json", "--explain", check=0).stdout
    finally:
        recipe.write_text(kept)
    shown, _, table = said.rpartition("\n[")
    assert shown.count("wrong: different  (score 0, math") == 4
    found = {(row["before"], row["after"]): row for row in json.loads(f"[{table}")}
    assert found["correct", "wrong"]["chains"] == 2
    assert found["wrong", "wrong"]["chains"] == 2
    right = {chain["id"] for chain in rows(run, "chains") if chain["status"] == "correct"}
    assert set(found["correct", "wrong"]["first"]) == right
    text = distill("verify", run, "--workers", "1", check=0).stdout
    assert text.splitlines()[0].split() == [
        "verifier",
        "version",
        "before",
        "today",
        "chains",
        "such",
        "as",
    ]


def test_what_is_no_run_or_has_no_chains_is_refused(tmp_path):
    assert "is not a run folder" in distill("verify", tmp_path, check=2).stderr
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert "has no chains yet" in distill("verify", tmp_path, check=2).stderr


def test_trace_explains_the_verdicts(run):
    chain = next(c for c in rows(run, "chains") if c["text"] == "It is 0.4.")
    said = distill("trace", run, chain["id"], check=0).stdout
    assert "where         It is >>>0.4<<<." in said
    assert "differs from the ground truth 1/2, compared as exact fractions" in said


def test_groups_are_judged_as_groups_again(tmp_path):
    question = {"prompt": "2 + 2?", "answer": "5"}
    chains = [{"prompt": "2 + 2?", "completion": f"It is {said}."} for said in (4, 5, 4)]
    (tmp_path / "questions.jsonl").write_text(json.dumps(question))
    (tmp_path / "chains.jsonl").write_text("\n".join(map(json.dumps, chains)))
    recipe = RECIPE.replace("verifier: math", "verifier: consensus").replace("2}", "3}")
    (tmp_path / "r.yaml").write_text(recipe)
    distill("generate", tmp_path / "r.yaml", "--run-dir", tmp_path / "run", check=0)
    said = distill("verify", tmp_path / "run", "--workers", "1", "--json", check=0).stdout
    found = {(row["before"], row["after"]): row["chains"] for row in json.loads(said)}
    assert found == {("correct", "correct"): 2, ("wrong", "wrong"): 1}
