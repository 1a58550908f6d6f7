"""Answers that stand in the rows of the questions themselves: reference solutions, refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from verifiers.records import WRITTEN, Completion, Problem, Usage
from verifiers.sampler import Request


class WrittenSampler:
    """A sampler whose requests hold their answer, as the assistant's turn at the end of the chat.

    So a request key names question and answer by their content, an edited answer is another
    completion, and the store keeps it like any other, at no cost.
    """

    identity = WRITTEN
    batch = 1

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """The answers, in the order of the requests."""
        for request in requests:
            yield Completion(
                problem_id=request.problem_id,
                index=request.index,
                text=request.messages[-1]["content"],
                usage=Usage(cost=0.0),
                teacher={"identity": self.identity},
                request_key=request.key(self.identity),
            )


def answers(problem: Problem, system: str | None) -> list[Request]:
    """What gives the answers that are written in the row of `problem`."""
    chat = problem.messages(system)
    return [
        Request(
            problem_id=problem.id,
            messages=[*chat, {"role": "assistant", "content": text}],
            index=index,
        )
        for index, text in enumerate(problem.meta.get(WRITTEN, []))
    ]
