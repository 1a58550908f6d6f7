"""Records: ids depend on content alone, JSON is a faithful copy, unknown fields are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from verifiers.records import (
    Completion,
    Group,
    Problem,
    Verdict,
    canonical_json,
    content_id,
    pass_rate,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_an_id_does_not_depend_on_the_order_of_keys(value):
    assert content_id(value) == content_id(dict(reversed(value.items())))
    assert json.loads(canonical_json(value)) == json.loads(json.dumps(value))


@given(st.text(), st.text() | st.integers() | st.none())
def test_a_problem_is_named_by_prompt_answer_and_verifier(prompt, answer):
    problem = Problem(prompt=prompt, answer=answer)
    assert (
        problem.id == Problem(prompt=prompt, answer=answer, source="elsewhere", difficulty=0.5).id
    )
    assert problem.id != Problem(prompt=prompt + "!", answer=answer).id
    assert problem.id != Problem(prompt=prompt, answer=answer, verifier="exact").id
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


def test_lone_surrogates_have_an_id():
    assert content_id("\ud800") != content_id("\ud801")


def test_a_paid_answer_serves_another_problem_under_another_id():
    one = Completion(problem_id="a", text="4", request_key="k")
    two = one.answering("b")
    assert (two.problem_id, two.text, two.request_key) == ("b", "4", "k")
    assert two.id == Completion(problem_id="b", text="4", request_key="k").id != one.id
    assert one.answering("a") is one


def test_messages_and_text_of_a_problem():
    chat = [{"role": "user", "content": "first"}, {"role": "user", "content": "last"}]
    assert Problem(prompt=chat).text == "last"
    assert Problem(prompt="p").messages("s")[0] == {"role": "system", "content": "s"}
    assert Problem(prompt=[]).text == ""


def test_a_verdict_fills_in_its_score():
    assert Verdict.model_validate({"status": "correct", "score": None}).score == 1.0
    assert Verdict.model_validate({"status": "wrong", "score": None}).score == 0.0
    assert Verdict(status="correct").correct


@pytest.mark.parametrize(
    "bad", [{"status": "maybe"}, {"status": "wrong", "score": 2}, {"status": "wrong", "extra": 1}]
)
def test_a_bad_verdict_is_refused(bad):
    with pytest.raises(ValidationError):
        Verdict.model_validate(bad)


def test_undecided_is_left_out_of_the_pass_rate():
    assert pass_rate(["correct", "wrong", "undecided"]) == 0.5
    assert pass_rate(["undecided"]) is None
    assert Group(problem=Problem(prompt="p")).pass_rate is None
