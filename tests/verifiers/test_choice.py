"""`choice`: where options come from, where the answer stands, and what takes too long elsewhere."""

import time

import pytest

from verifiers import base
from verifiers.choice import Choice
from verifiers.records import Problem

CITIES = {"options": {"A": "Lyon", "B": "Paris"}, "correct": "B"}
PRINTED = "Which is a metal?\nA) iron\nB) sulphur"


def verdict(answer, text, prompt="Capital of France?"):
    return base.judge("choice", Choice(), Problem(prompt=prompt, answer=answer), text)


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        (CITIES, "?"),
        ('{"correct": "B", "options": {"A": "Lyon", "B": "Paris"}}', "?"),
        ({"options": ["Lyon", "Paris"], "correct": 1}, "?"),
        ({"options": ["Lyon", "Paris"], "correct": "Paris"}, "?"),
        ({"options": {"a": "Lyon", "b": "Paris"}, "correct": "(b)"}, "?"),
        ("B", "Capital of France?\n(A) Lyon\n(B) Paris"),
        ("paris", "Capital of France? A) Lyon B) Paris"),
    ],
)
def test_ground_truths_of_every_form(answer, prompt):
    assert verdict(answer, "It is Paris.", prompt).correct
    assert verdict(answer, r"\boxed{B}", prompt).correct
    assert verdict(answer, r"\boxed{A}", prompt).status == "wrong"
    assert verdict(answer, "It is Lyon.", prompt).status == "wrong"


@pytest.mark.parametrize(
    "answer",
    [None, "", "C", {"options": ["x", "y"], "correct": 5}, {"options": 3, "correct": "A"}, 7,
     {"options": ["x", "y"], "correct": []}, {"options": ["x"] * 40, "correct": "A"}],
)  # fmt: skip
def test_ground_truths_that_are_none(answer):
    assert verdict(answer, "A", PRINTED).reason == "bad_gold"


def test_a_verdict_points_at_its_answer():
    text = "<think>A or B?</think>So it is **Paris**, I think. The answer is (B)."
    found = verdict(CITIES, text)
    assert text[slice(*found.span)].startswith("(B)")
    assert found.extracted == "B"
    assert "settles on B" in found.why


def test_votes_are_ground_truths():
    problem = Problem(prompt="?", answer=CITIES)
    vote = Choice().vote(problem, "The answer is Lyon.")
    assert verdict(vote, "A").correct
    assert Choice().vote(problem, "A or B") is None


@pytest.mark.parametrize(
    "piece", ["the answer is ", "(A) ", "A or B, ", "so it is B. ", "Paris, ", "A\n"]
)
def test_long_texts_take_no_time(piece):
    start = time.process_time()
    verdict(CITIES, piece * 50_000)
    assert time.process_time() - start < 1.5
