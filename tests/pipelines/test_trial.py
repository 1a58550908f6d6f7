"""`--limit N`: N rows end to end, then what the whole would cost; nothing is paid twice."""

import json

import pytest

from pipelines.projection import estimate, student
from tests.pipelines.test_judges import served
from tests.pipelines.test_run import distill, rows
from tests.servers.teacher import always, first

RECIPE = """\
name: tried
teacher: {{backend: openai, base_url: "{url}", model: m, sampling: {{max_tokens: 64}}}}
questions: [{{from: jsonl, path: q.jsonl, verifier: exact}}]
chains: {{samples: 3{chains}}}
evaluate: {{heldout: {{n: 10}}}}
{more}
"""


def answered(body):
    """Right for even numbers, longer for larger ones."""
    number = int(body["messages"][-1]["content"].split()[1])
    return {"content": str(number if number % 2 == 0 else -1)}


def usage(body, text):
    return 10, 20 + int(body["messages"][-1]["content"].split()[1])


@pytest.fixture
def place(tmp_path):
    lines = [json.dumps({"prompt": f"question {n}", "answer": str(n)}) for n in range(100)]
    (tmp_path / "q.jsonl").write_text("\n".join(lines))

    def write(url, chains="", more=""):
        (tmp_path / "r.yaml").write_text(RECIPE.format(url=url, chains=chains, more=more))
        return tmp_path / "r.yaml"

    return write


def test_rows_are_shown_with_verdicts_and_the_whole_run_pays_only_the_rest(place, tmp_path):
    run = tmp_path / "run"
    with served(message=answered, usage=usage) as server:
        recipe = place(server.base_url, more="prices: {m: {input: 100, output: 1000}}")
        said = distill("generate", recipe, "--run-dir", run, "--limit", "9", check=0).stdout
        assert server.requests == 27
        assert said.count("question ") == 2 * 9
        assert said.count("  correct") + said.count("  wrong (different)") == 27
        assert "9 of 90 questions, 27 chains" in said
        assert "requests    270\n" in said
        assert "tokens in   2,700\n" in said
        assert "(the recipe's prices)" in said
        assert not (run / "data" / "chains").exists()
        told = distill("generate", recipe, "--run-dir", run, "--limit", "9", "--json", check=0)
        assert server.requests == 27, "what is stored is not asked again"
        tried = json.loads(told.stdout)
        assert tried["asked"] == 0
        assert tried["whole"]["seconds_at_this_pace"] is None
        assert [len(row["chains"]) for row in tried["rows"]] == [3] * 9
        distill("generate", recipe, "--run-dir", run, check=0)
        assert server.requests == 270
        whole, out = tried["whole"], server.completion_tokens
        assert whole["completion_tokens"]["low"] <= out <= whole["completion_tokens"]["high"]
        assert whole["usd"]["low"] <= (2700 * 100 + out * 1000) / 1e6 <= whole["usd"]["high"]
    held = {row["id"] for row in rows(run, "heldout")}
    assert not held & {row["id"] for row in tried["rows"]}


def test_an_answer_to_several_questions_is_counted_once(place, tmp_path):
    with served(message=lambda body: {"content": "1"}, usage=(10, 20)) as server:
        recipe = place(server.base_url)
        lines = [json.dumps({"prompt": "same", "answer": str(n)}) for n in range(30)]
        lines += [json.dumps({"prompt": f"other {n}", "answer": "1"}) for n in range(10)]
        (tmp_path / "q.jsonl").write_text("\n".join(lines))
        options = ("--set", "evaluate=null", "--limit", "40", "--json")
        told = distill("run", recipe, "--run-dir", tmp_path / "r", *options, check=0).stdout
        assert server.requests == 33
    whole = json.loads(told)["whole"]
    assert (whole["requests"]["about"], whole["prompt_tokens"]["about"]) == (33, 330)
    assert whole["seconds_at_this_pace"] is not None


def test_a_model_without_a_price_and_too_few_rows_are_said(place, tmp_path):
    with served(message=answered) as server:
        recipe = place(server.base_url, chains=", accepted: 30")
        said = distill("run", recipe, "--run-dir", tmp_path / "r", "--limit", "4", check=0).stdout
    assert "US dollars  not told (no price is known for 'm'" in said
    assert "too few questions for an interval" in said
    assert "questions   20\n" in said, "30 accepted at 1.5 a question"


def test_a_target_out_of_reach_is_said_before_it_is_paid_for(place, tmp_path):
    with served(message=lambda body: {"content": "never"}) as server:
        recipe = place(server.base_url, chains=", accepted: 30")
        said = distill("run", recipe, "--run-dir", tmp_path / "r", "--limit", "5", check=0).stdout
    assert "out of reach" in said


def test_a_teacher_that_answers_nothing_is_an_error_and_one_that_fails_at_times_is_told(
    place, tmp_path
):
    with served(plan=always("context")) as server:
        recipe = place(server.base_url)
        done = distill("run", recipe, "--run-dir", tmp_path / "r", "--limit", "2", check=1)
    assert "gave no answer at all (prompt too long: 6)" in done.stderr
    assert "whole run" not in done.stdout
    with served(plan=first("context"), message=answered) as server:
        recipe = place(server.base_url)
        said = distill("run", recipe, "--run-dir", tmp_path / "s", "--limit", "2", check=0).stdout
    assert "1 of 6 requests failed (prompt too long: 1); the next run asks them again" in said


@pytest.mark.parametrize("limit", ["0", "-3", "many", "2.5"])
def test_what_is_no_limit_is_refused_and_writes_nothing(place, tmp_path, limit):
    recipe = place("http://localhost:9/v1")
    distill("generate", recipe, "--run-dir", tmp_path / "r", "--limit", limit, check=2)
    assert not (tmp_path / "r").exists()


def test_the_interval_is_students_and_closes_as_all_is_seen():
    assert [round(student(n), 2) for n in (4, 9, 30)] == [2.78, 2.26, 2.04]
    assert estimate([1.0, 2.0], 10) == {"about": 15.0, "low": None, "high": None}
    whole = estimate([1.0, 2.0, 3.0, 4.0, 5.0], 5)
    assert whole == {"about": 15.0, "low": 15.0, "high": 15.0}
    some = estimate([1.0, 2.0, 3.0, 4.0, 5.0], 10)
    half = 2.776 * (2.5 / 5 / 2) ** 0.5 * 10
    assert (some["low"], some["high"]) == pytest.approx((30 - half, 30 + half), rel=1e-3)
    assert estimate([1.0, 1.0, 1.0, 1.0, 30.0], 10)["low"] == 34.0, "so much is paid already"
