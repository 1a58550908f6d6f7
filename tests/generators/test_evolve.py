"""Questions that a teacher writes: kept where their ground truth can be computed."""

import asyncio

import pytest

from generators.config import EvolveSource, Sampling
from generators.questions import BadRow
from generators.questions.evolve import evolve
from generators.questions.pile import Pile
from verifiers.math import Math
from verifiers.records import Completion, Problem

PARENTS = [Problem(prompt=f"{n} + 1=?", answer=str(n + 1)) for n in range(3)]


class Writer:
    """A teacher that writes what it is told to."""

    identity = "writer"
    batch = 1

    def __init__(self, *texts, finish="stop"):
        self.texts, self.finish = list(texts), finish
        self.asked = []

    async def sample(self, requests):
        for request in requests:
            self.asked.append(request.messages[-1]["content"])
            yield Completion(
                problem_id=request.problem_id, index=request.index, finish_reason=self.finish,
                text=self.texts[len(self.asked) - 1], request_key=request.key("writer"),
            )  # fmt: skip


def write(writer, n):
    source = EvolveSource(**{"from": "evolve"}, n=n, prompt="harder: {prompt}")

    async def go():
        found = []
        with Pile() as pile:
            for parent in PARENTS:
                pile.add(parent)
            async for item in evolve(source, pile, writer, Math(), Sampling(), 0):
                found.append(item)
                if isinstance(item, Problem):
                    pile.add(item, written=True)
        return found

    return asyncio.run(go())


def test_ground_truth_is_computed_and_parents_are_named():
    writer = Writer("2 + 3 * 4=?", "7 - 10 =?", " 6 / 4=? ", "2 * 2=?")
    found = write(writer, 4)
    assert writer.asked == [f"harder: {n} + 1=?" for n in (0, 1, 2, 0)]
    assert sorted((p.prompt, p.answer) for p in found) == [
        ("2 * 2=?", "4"), ("2 + 3 * 4=?", "14"), ("6 / 4=?", "3/2"), ("7 - 10 =?", "-3"),
    ]  # fmt: skip
    by_prompt = {p.prompt: p for p in found}
    assert by_prompt["7 - 10 =?"].parents == [PARENTS[1].id]
    assert by_prompt["7 - 10 =?"].gold == "computed"
    assert by_prompt["7 - 10 =?"].meta["operator"] == "evolve"


@pytest.mark.parametrize(
    "text",
    ["", "what?", "3 + x=?", "3 + =?", "1 / 0=?", "__import__('os').system('true')=?", "9^9^9^9=?", "0 + 1=?", "5", "=?"],
)  # fmt: skip
def test_questions_without_a_ground_truth_are_rejected(text):
    (found,) = write(Writer(text), 1)
    assert isinstance(found, BadRow)


def test_a_question_that_is_known_already_is_rejected():
    found = write(Writer("2 + 3=?", "2 + 3=?", "1 + 1=?", "4 + 4=?"), 4)
    told = [item.reason if isinstance(item, BadRow) else item.prompt for item in found]
    known = "the question is known already"
    assert told == ["2 + 3=?", known, known, "4 + 4=?"]


def test_cut_questions_are_rejected():
    (found,) = write(Writer("3 + 4=?", finish="length"), 1)
    assert found.reason == "the question was cut off"
