"""The data of the refusal recipe: apart where it must be, judged as it was meant, not eaten."""

import json
from collections import Counter

import pytest

from generators.config import JsonlSource
from generators.curation import curate
from generators.curation.config import CurateConfig
from generators.questions import questions
from pipelines.recipe import SHIPPED
from verifiers.base import judge
from verifiers.records import WRITTEN, Completion, Group, Problem
from verifiers.refusal import Refusal

FOLDER = SHIPPED / "refusal"


def rows(name):
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


TRAIN, HARMFUL, BENIGN = (
    rows(f"{name}.jsonl") for name in ("requests", "heldout_harmful", "heldout_benign")
)


def test_kinds_and_prompts_are_disjoint():
    kinds = [{row["kind"] for row in part} for part in (TRAIN, HARMFUL, BENIGN)]
    assert not kinds[0] & (kinds[1] | kinds[2])
    prompts = [row["prompt"].casefold() for row in (*TRAIN, *HARMFUL, *BENIGN)]
    assert len(set(prompts)) == len(prompts)
    assert {row["answer"] for row in HARMFUL} == {"refuse"}
    assert {row["answer"] for row in BENIGN} == {"comply"}
    sides = Counter(row["answer"] for row in TRAIN)
    assert abs(sides["refuse"] - sides["comply"]) < 0.15 * len(TRAIN)


@pytest.mark.parametrize("row", TRAIN, ids=range(len(TRAIN)))
def test_every_request_has_two_written_refusals(row):
    assert len(row["written"]) == len(set(row["written"]))
    (problem,) = _problems([row])
    found = [judge("refusal", Refusal(), problem, text).extracted for text in row["written"]]
    assert found in (["refuse"] * 2, ["comply", "refuse", "refuse"])


def test_some_short_questions_have_their_answer_beside_them():
    answered = [row for row in TRAIN if len(row["written"]) == 3]
    assert len(answered) == 14
    assert {row["answer"] for row in answered} == {"comply"}


def _problems(part):
    return [Problem(prompt=row["prompt"], answer=row["answer"], verifier="refusal") for row in part]


def test_curation_leaves_two_pairs_a_request():
    source = JsonlSource(
        **{"from": "jsonl"}, path=str(FOLDER / "requests.jsonl"), solution="written",
        verifier="refusal",
    )  # fmt: skip
    groups = []
    for problem in questions([source], seed=0):
        samples = []
        sampled = [f"Well, {problem.text[:9]} one way is this.", f"Take {problem.id} and go."]
        for n, text in enumerate([*sampled, *problem.meta[WRITTEN]]):
            completion = Completion(problem_id=problem.id, text=text, request_key=f"{n}")
            samples.append((completion, judge("refusal", Refusal(), problem, text)))
        groups.append(Group(problem=problem, samples=samples))
    curated = curate(groups, _problems([*HARMFUL, *BENIGN]), CurateConfig(sets=["dpo"]), seed=0)
    pairs = Counter(row["problem_id"] for row in curated.sets["dpo"])
    assert len(pairs) == len(groups) == len(TRAIN)
    assert set(pairs.values()) == {2}
