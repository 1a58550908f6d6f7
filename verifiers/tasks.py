"""What travels between the pool and a worker: texts to judge, and the verdicts on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from verifiers.explain import why
from verifiers.records import VERDICTS, Isolation, Problem, Verdict


class Task:
    """Texts that one worker judges in one go, and who waits for the verdicts."""

    __slots__ = ("count", "future", "line", "tries", "verifier")

    def __init__(self, problem: Problem, texts: Sequence[str], together: bool):
        task = {"problem": vars(problem), "texts": texts, "together": together}
        self.line = _line(task)
        self.verifier = problem.verifier
        self.future: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        self.count = len(texts)
        self.tries = 0

    def answer(self, line: bytes) -> float:
        """Give what a worker wrote to whoever waits; the seconds that it worked."""
        try:
            verdicts = VERDICTS.validate_json(line)
        except ValidationError:
            verdicts = []
        if len(verdicts) != self.count:
            self.fail("infra", "the verifier's worker wrote no verdict", "none")
        else:
            self.settle(verdicts)
        return sum(verdict.seconds for verdict in verdicts)

    def settle(self, verdicts: list[Verdict]) -> None:
        """Give the verdicts to whoever waits."""
        if not self.future.done():
            self.future.set_result(verdicts)

    def fail(self, reason: str, detail: str, isolation: Isolation) -> None:
        """Blame nobody: the verifier or its worker failed."""
        self.settle([fault(self.verifier, reason, detail, isolation) for _ in range(self.count)])


def _line(task: dict[str, Any]) -> bytes:
    """`task` as a line; what orjson refuses (lone surrogates, large integers) by the slower way."""
    try:
        # a copy: what orjson gives is cut short in place, and memory frays around it
        return orjson.dumps(task) + b"\n"
    except TypeError:
        return json.dumps(task).encode() + b"\n"


def read(line: bytes) -> Any:
    """What `Task.line` holds."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


def fault(verifier: str, reason: str, detail: str = "", isolation: Isolation = "none") -> Verdict:
    """The verdict where nothing was judged."""
    verdict = Verdict(
        status="undecided", reason=reason, detail=detail, verifier=verifier, isolation=isolation
    )
    verdict.why = why(verdict)
    return verdict
