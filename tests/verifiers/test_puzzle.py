"""`puzzle`: reasoning-gym's checkers in the box; no answer is executed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import reasoning_gym

from verifiers import base
from verifiers.records import Problem

LIST = Path(__file__).parents[1] / "data" / "puzzle_pairs.jsonl"
PAIRS = [json.loads(line) for line in LIST.read_text().splitlines()]
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


@pytest.mark.parametrize(
    ("name", "right", "text", "expected"),
    [("simple_integration", "x**9 - x**8/2 + C", "The answer is x**9 - x**8/2 + C.", "correct"),
     ("spell_backward", "ekilxesnu", "ekilxesnu or so", "wrong")],
)  # fmt: skip
def test_powers_are_no_bold_type_and_a_sum_that_rounds_up_is_no_full_score(
    puzzle, name, right, text, expected
):
    metadata = {"integrand": "9*x**8 - 4*x**7", "variable": "x"}
    answer = {"dataset": name, "entry": {"question": "", "answer": right, "metadata": metadata}}
    problem = Problem(prompt="", answer=answer, verifier="puzzle")
    verdict = base.judge("puzzle", puzzle, problem, text)
    assert verdict.status == expected
    assert text[slice(*verdict.span)] == verdict.extracted


def off(verifier, rows):
    """Data set, text and verdict of the rows that are not judged as labelled."""
    found = []
    for row in rows:
        problem = Problem(prompt=row["prompt"], answer=row["answer"], verifier="puzzle")
        verdict = base.judge("puzzle", verifier, problem, row["text"])
        if verdict.status != row["expected"]:
            found.append((row["answer"]["dataset"], row["text"], verdict))
    return found


def test_a_share_of_the_labelled_list(puzzle):
    assert len(PAIRS) >= 400
    assert len({row["answer"]["dataset"] for row in PAIRS}) >= 40
    assert off(puzzle, PAIRS[::11]) == []


@pytest.mark.slow
def test_every_labelled_pair(puzzle):
    assert off(puzzle, PAIRS) == []


def test_the_labelled_list_is_up_to_date(tmp_path):
    maker = LIST.with_name("make_puzzle_pairs.py")
    (tmp_path / maker.name).write_text(maker.read_text())
    subprocess.run([sys.executable, tmp_path / maker.name], check=True)
    assert (tmp_path / LIST.name).read_text() == LIST.read_text(), f"run {maker.name}"
