"""`all`, `any`, `weighted` and `consensus`: parts, their options, and what they make of verdicts."""

import asyncio

import pytest

from verifiers import base
from verifiers.base import BrokenPlugin, UnknownVerifier
from verifiers.pool import VerdictPool
from verifiers.records import Problem

BOTH = "<think>2 and 2</think><answer>4</answer>"
BARE = "It is 4."
SHAPED = "<think>2 and 2</think><answer>5</answer>"
SECTION = {
    "mine": {"use": "weighted", "of": {"math": 0.9, "format": 0.1}},
    "lenient": {"use": "weighted", "of": {"math": 0.9, "format": 0.1}, "threshold": 0.9},
    "both": {"use": "all", "of": ["math", "box"]},
    "box": {"use": "format", "shape": "boxed"},
    "nested": {"use": "any", "of": ["both", "exact"]},
    "exact": {"case": False},
}


def judged(name, text, answer="4", section=SECTION):
    verifier = base.load(name, section.get(name), section)
    return base.judge(name, verifier, Problem(prompt="2 + 2?", answer=answer), text)


@pytest.mark.parametrize(
    ("name", "text", "status", "score"),
    [
        ("mine", BOTH, "correct", 1.0),
        ("mine", BARE, "wrong", 0.9),
        ("mine", SHAPED, "wrong", 0.1),
        ("mine", "no", "wrong", 0.0),
        ("lenient", BARE, "correct", 0.9),
        ("lenient", SHAPED, "wrong", 0.1),
        ("both", r"so \boxed{4}", "correct", 1.0),
        ("both", BARE, "wrong", 0.0),
        ("nested", r"so \boxed{4}", "correct", 1.0),
        ("nested", BARE, "wrong", 0.0),
        ("nested", "4", "correct", 1.0),
    ],
)
def test_a_composite_takes_its_parts_from_the_section(name, text, status, score):
    found = judged(name, text)
    assert (found.status, found.score) == (status, score), found
    assert found.why
    assert found.verifier == name


def test_undecided_parts_are_not_called_wrong():
    hard = r"\boxed{9^{9^{9^9}}}"
    assert judged("both", hard).status == "undecided"
    assert judged("both", "no box: 9^{9^{9^9}}").status == "wrong"
    assert judged("nested", hard).reason == "timeout"
    assert judged("mine", f"<think>.</think><answer>{hard}</answer>").status == "undecided"
    assert judged("nested", "LET IT BE", "let it be").status == "correct"


def test_a_ground_truth_that_no_part_can_read_is_nobodys_fault():
    assert judged("mine", BOTH, "").reason == "bad_gold"
    assert judged("nested", BOTH, "").reason == "bad_gold"


@pytest.mark.parametrize(
    ("section", "error", "words"),
    [
        ({"a": {"use": "all", "of": ["b"]}, "b": {"use": "any", "of": ["a"]}}, BrokenPlugin, "a > b > a"),
        ({"a": {"use": "all", "of": ["a"]}}, BrokenPlugin, "part of itself"),
        ({"a": {"use": "all", "of": ["maths"]}}, UnknownVerifier, "did you mean 'math'"),
        ({"a": {"use": "all", "of": []}}, BrokenPlugin, "must name its parts"),
        ({"a": {"use": "weighted", "of": {"math": -1}}}, BrokenPlugin, "above 0"),
        ({"a": {"use": "weighted", "of": ["math"]}}, BrokenPlugin, "its weight"),
        ({"a": {"use": "weighted", "threshold": 0}}, BrokenPlugin, "threshold"),
        ({"a": {"use": "consensus", "of": "format"}}, BrokenPlugin, "no method `vote`"),
    ],
)  # fmt: skip
def test_a_bad_composite_is_refused(section, error, words):
    with pytest.raises(error, match=words):
        base.load("a", section["a"], section)


def test_what_names_a_composite_changes_with_its_parts():
    one = VerdictPool(workers=1, options=SECTION)
    other = VerdictPool(workers=1, options=SECTION | {"box": {"use": "format", "shape": "answer"}})
    assert one.judge_id("both") != other.judge_id("both")
    assert one.judge_id("nested") != other.judge_id("nested")
    assert one.judge_id("mine") == other.judge_id("mine")


def test_a_composite_works_in_the_pool():
    async def judge():
        async with VerdictPool(workers=1, options=SECTION) as pool:
            return await pool.verify(Problem(prompt="2 + 2?", answer="4", verifier="both"), BARE)

    found = asyncio.run(judge())
    assert (found.status, found.method) == ("wrong", "all(math correct, box wrong)")


def voted(texts, answer=None, section=None, **options):
    verifier = base.load("consensus", options, section)
    return [v.status for v in verifier.verify_group(Problem(prompt="?", answer=answer), texts)]


def test_the_majority_is_right_and_ties_decide_nothing():
    assert voted(["It is 4.", r"\boxed{4.0}", "5", "I do not know."]) == [
        "correct", "correct", "wrong", "wrong"
    ]  # fmt: skip
    for tie in (["4", "5"], ["4", "4", "5", "5"], ["4"], [], ["I do not know."] * 3):
        assert voted(tie) == ["undecided"] * len(tie)
    assert voted(["4", "4", "5", "6"]) == ["undecided"] * 4
    assert voted(["4", "4", "5", "6"], share=0.4) == ["correct", "correct", "wrong", "wrong"]
    assert voted(["4"], votes=1) == ["correct"]


def test_the_ground_truth_has_no_vote():
    assert voted(["4", "4", "5"], answer="5") == ["correct", "correct", "wrong"]


def test_what_cannot_be_read_has_no_vote_and_no_verdict():
    assert voted(["4", "4", r"\boxed{9^{9^{9^9}}}"])[:2] == ["correct", "correct"]
    assert voted(["yes", "Yes", "no"], of="exact", section={"exact": {"case": False}}) == [
        "correct", "correct", "wrong"
    ]  # fmt: skip
