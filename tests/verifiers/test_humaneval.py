"""HumanEval: its own solutions are right, and one small change each makes them wrong."""

import json
import os
from pathlib import Path

import pytest

from tests.data import make_humaneval_mutations as maker
from verifiers import base
from verifiers.records import Problem

MUTATIONS = Path(__file__).parents[1] / "data" / "humaneval_mutations.jsonl"
FENCED = "```python\n{}\n```"


@pytest.fixture(scope="module")
def problems():
    path = Path(os.environ.get("DISTILL_DATA", "missing")) / "HumanEval.jsonl.gz"
    if not path.exists():
        pytest.skip(f"HumanEval.jsonl.gz is not at {path.parent}: set DISTILL_DATA")
    return {row["task_id"]: row for row in maker.problems()}


def verdicts(texts):
    """Verdicts on (HumanEval row, text)."""
    code = base.load("code")
    for row, text in texts:
        answer = {"kind": "script", "entry_point": row["entry_point"], "test": row["test"]}
        problem = Problem(prompt=row["prompt"], answer=answer, verifier="code")
        yield row["task_id"], base.judge("code", code, problem, text)


def not_all(status, texts):
    return [
        (name, found.status, found.reason, found.detail[:200])
        for name, found in verdicts(texts)
        if found.status != status
    ]


def test_canonical_solutions_are_correct(problems):
    rows = problems.values()
    whole = [(row, FENCED.format(row["prompt"] + row["canonical_solution"])) for row in rows]
    assert not_all("correct", whole) == []


def test_canonical_solutions_as_continuations_are_correct(problems):
    rows = [*problems.values()][::4]
    assert not_all("correct", [(row, row["canonical_solution"]) for row in rows]) == []


def test_mutated_solutions_are_wrong(problems):
    changed = []
    for line in MUTATIONS.read_text().splitlines():
        mutation = json.loads(line)
        row = problems[mutation["task_id"]]
        name, source = maker.mutants(row)[mutation["number"]]
        assert name == mutation["operator"]
        changed.append((row, FENCED.format(source)))
    assert len(changed) == len(problems)
    assert not_all("wrong", changed) == []


@pytest.mark.slow
def test_plain_processes_agree_on_the_mutations(problems):
    for line in MUTATIONS.read_text().splitlines():
        mutation = json.loads(line)
        row = problems[mutation["task_id"]]
        source = maker.mutants(row)[mutation["number"]][1]
        assert maker.outcome(row, source) == "differ", row["task_id"]
