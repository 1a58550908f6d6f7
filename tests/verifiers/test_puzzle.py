"""`puzzle`: reasoning-gym's checkers in the box; no answer is executed."""

import json

import pytest
import reasoning_gym

from verifiers import base
from verifiers.records import Problem

EVALUATING = (
    "binary_matrix", "countdown", "intermediate_integration", "n_queens", "polynomial_multiplication",
    "puzzle24", "simple_integration", "spiral_matrix", "string_insertion",
)  # fmt: skip
PLAIN = ("chain_sum", "zebra_puzzles", "arc_1d", "sokoban")
PROGRAMS = (
    "__import__('os').system('true')",
    "[c for c in ().__class__.__base__.__subclasses__()]",
    "exec('import os')",
    "(lambda: 1)()",
    "open('/etc/passwd').read()",
    "globals()",
    "print(1)",
    "sympify('__import__(\"os\")')",
    "type('T', (), {'__eq__': lambda a, b: True})()",
)


@pytest.fixture(scope="module")
def puzzle():
    verifier = base.load("puzzle")
    yield verifier
    verifier.close()


def entry(name):
    item = json.loads(
        json.dumps(reasoning_gym.create_dataset(name, size=1, seed=3)[0], default=str)
    )
    return Problem(prompt="", answer={"dataset": name, "entry": item}, verifier="puzzle"), item[
        "answer"
    ]


@pytest.mark.parametrize("name", EVALUATING + PLAIN)
def test_the_gold_is_right_and_nonsense_is_not(puzzle, name):
    problem, gold = entry(name)
    assert base.judge("puzzle", puzzle, problem, f"<answer>{gold}</answer>").correct
    verdict = base.judge("puzzle", puzzle, problem, "<answer>I do not know</answer>")
    assert verdict.status == "wrong"
    assert verdict.isolation != "none"


@pytest.mark.parametrize("name", EVALUATING)
def test_an_answer_that_is_a_program_is_wrong(puzzle, name):
    problem, _ = entry(name)
    for program in PROGRAMS:
        verdict = base.judge("puzzle", puzzle, problem, f"<answer>{program}</answer>")
        assert verdict.status == "wrong", (program, verdict)


def test_a_data_set_that_does_not_exist_is_a_bad_gold(puzzle):
    answer = {"dataset": "no_such_set", "entry": {"answer": "1"}}
    verdict = base.judge(
        "puzzle", puzzle, Problem(prompt="", answer=answer, verifier="puzzle"), "1"
    )
    assert (verdict.status, verdict.reason) == ("undecided", "bad_gold")


@pytest.mark.parametrize(
    ("text", "right"),
    [("so 7\n<answer>7</answer>", True), ("The answer is 7.", True), ("7", True),
     ("<think>7</think>8", False), ("<answer>7</answer> no, <answer>8</answer>", False)],
)  # fmt: skip
def test_where_the_answer_stands(puzzle, text, right):
    answer = {
        "dataset": "chain_sum",
        "entry": {"question": "4 + 3 =", "answer": "7", "metadata": {}},
    }
    verdict = base.judge(
        "puzzle", puzzle, Problem(prompt="", answer=answer, verifier="puzzle"), text
    )
    assert verdict.correct == right
