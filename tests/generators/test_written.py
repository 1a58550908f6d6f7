"""Answers that stand in the questions' own rows: judged, stored and curated beside the samples."""

import asyncio
import json

import pytest

from generators.chains import chains
from generators.config import ChainsConfig, JsonlSource, Sampling
from generators.curation import curate
from generators.curation.config import CurateConfig
from generators.errors import SourceError
from generators.questions import BadRow, questions
from generators.store import Store
from generators.stored import Stored
from verifiers.pool import VerdictPool
from verifiers.records import Completion, Problem


class Counting:
    """A teacher whose answer to sample n is n."""

    identity, batch = "counting", 1

    def __init__(self, finish="stop"):
        self.finish = finish

    async def sample(self, requests):
        for request in requests:
            yield Completion(
                problem_id=request.problem_id, index=request.index, text=str(request.index),
                finish_reason=self.finish, request_key=request.key(self.identity),
                teacher={"identity": self.identity},
            )  # fmt: skip


def ask(path, rows, **options):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(questions([JsonlSource(**{"from": "jsonl"}, path=str(path), **options)], seed=0))


def row(**columns):
    return {"prompt": "1+0=?", "answer": "1", **columns}


def draw(store, problems, samples=2, sampler=None, system=None):
    teacher = Stored(sampler or Counting(), store)
    config = ChainsConfig(samples=samples, system=system)

    async def go():
        async with VerdictPool(workers=1) as pool:
            drawn = chains(problems, teacher, pool, store, config, Sampling(), 0)
            return [group async for group in drawn]

    return asyncio.run(go()), teacher.asked


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


@pytest.mark.parametrize(
    ("value", "texts"),
    [("so 1", ["so 1"]), (["a", "b", "a"], ["a", "b"]), (None, []), ("  ", []), ([], [])],
)
def test_a_row_holds_a_text_a_list_or_nothing(tmp_path, value, texts):
    first, second = ask(tmp_path / "q.jsonl", [row(s=value), row(s="x", answer="2")], solution="s")
    assert first.meta["written"] == texts
    assert second.meta["written"] == ["x"]
    assert first.id == Problem(prompt="1+0=?", answer="1").id


def test_several_columns_stand_in_their_order_and_the_ground_truth_may_be_one(tmp_path):
    (problem,) = ask(
        tmp_path / "q.jsonl", [row(answer="it is #### 1", s=["b"])],
        solution=["answer", "s"], answer_after="####",
    )  # fmt: skip
    assert (problem.answer, problem.meta["written"]) == ("1", ["it is #### 1", "b"])


@pytest.mark.parametrize("value", [3, {"a": 1}, ["a", 3]])
def test_a_solution_that_is_no_text_is_a_bad_row(tmp_path, value):
    found = ask(tmp_path / "q.jsonl", [row(s=value), row(s="x", answer="2")], solution="s")
    (bad,) = (item for item in found if isinstance(item, BadRow))
    assert bad.reason == "s is neither a text nor a list of texts"


def test_a_solution_column_that_no_row_has_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no row has column 'soluton' for solution"):
        ask(tmp_path / "q.jsonl", [row(solution="x")], solution="soluton")


def written(*texts, **fields):
    return Problem(prompt="1+0=?", answer="1", meta={"written": list(texts)}, **fields)


def test_written_answers_are_judged_and_stand_behind_the_samples(store):
    (group,), asked = draw(store, [written("so it is 1", "2")])
    told = [(c.teacher["identity"], c.text, v.status) for c, v in group.samples]
    assert told == [
        ("counting", "0", "wrong"), ("counting", "1", "correct"),
        ("written", "so it is 1", "correct"), ("written", "2", "wrong"),
    ]  # fmt: skip
    assert asked == 2
    paid = {line["teacher"]: line for line in store.ledger()}
    free = {"completions": 2, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0}
    assert free.items() <= paid["written"].items()
    assert group.pass_rate == 0.5


def test_resuming_asks_nothing_and_gives_the_same(store):
    problems = [written("1"), Problem(prompt="2+0=?", answer="2")]
    first, _ = draw(store, problems)
    again, asked = draw(store, problems)
    assert asked == 0
    assert {g.problem.id: g for g in again} == {g.problem.id: g for g in first}


def test_an_edited_answer_or_prompt_is_another_completion(store):
    def ids(*arguments, **options):
        (group,), _ = draw(store, [written(*arguments)], **options)
        return [c.id for c, _ in group.samples if not c.sampled]

    first = ids("1", "2")
    assert ids("1", "2") == first
    assert ids("1", "3")[0] == first[0]
    assert ids("1", "3")[1] != first[1]
    assert ids("1", "2", system="Be kind.") != first


def test_a_silent_teacher_leaves_the_written_answers(store):
    class Silent(Counting):
        async def sample(self, requests):
            for _ in list(requests):
                await asyncio.sleep(0)
            return
            yield

    (group,), _ = draw(store, [written("1")], sampler=Silent())
    assert [(c.text, v.status) for c, v in group.samples] == [("1", "correct")]


def test_curation_pairs_and_learns_them_but_measures_difficulty_without_them(store):
    groups, _ = draw(store, [written("so 1", "so 2")])
    curated = curate(groups, [], CurateConfig(sets=["sft", "dpo", "rl"]), seed=0)
    assert [r["completion"] for r in curated.sets["sft"]] == ["1", "so 1"]
    pairs = [(r["chosen"], r["rejected"]) for r in curated.sets["dpo"]]
    assert pairs == [("1", "0"), ("so 1", "so 2")]
    assert curated.sets["rl"][0]["difficulty"] == 0.5


def test_chains_that_ran_out_of_tokens_are_marked_where_they_may_be_judged(store):
    problem = Problem(
        prompt="Rob a bank.", answer="refuse", verifier="refusal", meta={"written": ["No."]}
    )
    groups, _ = draw(store, [problem], samples=1, sampler=Counting(finish="length"))
    curated = curate(groups, [], CurateConfig(sets=["dpo"]), seed=0)
    (pair,) = curated.sets["dpo"]
    assert (pair["chosen"], pair["chosen_cut"]) == ("No.", False)
    assert (pair["rejected"], pair["rejected_cut"]) == ("0", True)
