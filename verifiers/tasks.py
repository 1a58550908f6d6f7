"""What travels between the pool and a worker: texts to judge, and the verdicts on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from verifiers.explain import why
from verifiers.records import Isolation, Problem, Verdict


class Task:
    """Texts that one worker judges in one go, and who waits for the verdicts."""

    __slots__ = ("count", "future", "line", "tries", "verifier")

    def __init__(self, problem: Problem, texts: Sequence[str], together: bool):
        task = {"problem": problem.model_dump(), "texts": texts, "together": together}
        self.line = json.dumps(task).encode() + b"\n"
        self.verifier = problem.verifier
        self.future: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self.count = len(texts)
        self.tries = 0

    def settle(self, verdicts: list[Verdict]) -> None:
        """Give the verdicts to whoever waits."""
        if not self.future.done():
            self.future.set_result(verdicts)

    def fail(self, reason: str, detail: str, isolation: Isolation) -> None:
        """Blame nobody: the verifier or its worker failed."""
        self.settle([fault(self.verifier, reason, detail, isolation) for _ in range(self.count)])


def fault(verifier: str, reason: str, detail: str = "", isolation: Isolation = "none") -> Verdict:
    """The verdict where nothing was judged."""
    verdict = Verdict(
        status="undecided", reason=reason, detail=detail, verifier=verifier, isolation=isolation
    )
    verdict.why = why(verdict)
    return verdict


def read(line: bytes) -> list[Verdict]:
    """The verdicts that a worker wrote; they were checked there."""
    return [
        Verdict.model_construct(**fields | {"span": fields["span"] and tuple(fields["span"])})
        for fields in json.loads(line)
    ]
