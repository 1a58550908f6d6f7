"""Verifiers that ask a model, judged in the pool's own process: its workers have no HTTP client.

Such a verifier has two methods, which never wait: `request(problem, text)` gives the Request that
is to be asked, or the Verdict where nobody need be asked, and `read(problem, text, completion)`
gives the Verdict that the completion says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from verifiers import base
from verifiers.explain import why
from verifiers.records import Completion, Problem, Verdict
from verifiers.sampler import Request, Sampler

SERVED = 32


class Desk:
    """One verifier and the sampler it asks.

    Equal requests that are under way are asked once. A served model is asked at most `SERVED`
    requests at a time, or as many as the verifier's `in_flight` says; one in this process decodes
    them one by one, so that the shape of a batch cannot change what it says.
    """

    def __init__(self, name: str, verifier: Any, sampler: Sampler):
        self.name, self.verifier, self.sampler = name, verifier, sampler
        served = getattr(verifier, "in_flight", SERVED)
        self._room = asyncio.Semaphore(served if sampler.batch == 1 else 1)
        self._asked: dict[str, asyncio.Task[Completion]] = {}

    async def verify(self, problem: Problem, text: str) -> Verdict:
        """The verdict on `text`; a sampler that fails leaves it undecided."""
        asked = self._judged(problem, lambda: self.verifier.request(problem, text))
        if isinstance(asked, Verdict):
            return asked
        try:
            completion = await self._completion(asked)
        except Exception as error:
            detail = f"the sampler failed: {type(error).__name__}: {error}"[:300]
            return self._named(Verdict(status="undecided", reason="infra", detail=detail))
        verdict = self._judged(problem, lambda: self.verifier.read(problem, text, completion))
        assert isinstance(verdict, Verdict)
        return verdict

    def _judged(self, problem: Problem, step: Callable[[], Any]) -> Request | Verdict:
        """What a step of the verifier gives; whatever it raises is `undecided/infra`."""
        start = time.perf_counter()
        try:
            bad = base.gold_problem(self.verifier, problem)
            if bad:
                result: Any = {"status": "undecided", "reason": "bad_gold", "detail": bad}
            else:
                result = step()
            if isinstance(result, Request):
                return result
            verdict = base.as_verdict(result)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"[:300]
            verdict = base.as_verdict({"status": "undecided", "reason": "infra", "detail": detail})
        verdict.seconds = round(time.perf_counter() - start, 6)
        return self._named(verdict)

    def _named(self, verdict: Verdict) -> Verdict:
        verdict.verifier = self.name
        verdict.version = str(getattr(self.verifier, "version", ""))
        verdict.why = why(verdict)
        return verdict

    async def _completion(self, request: Request) -> Completion:
        key = request.key(self.sampler.identity)
        if key not in self._asked:
            task = asyncio.create_task(self._sample(request))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
            self._asked[key] = task
        return await asyncio.shield(self._asked[key])

    async def _sample(self, request: Request) -> Completion:
        async with self._room:
            found = [completion async for completion in self.sampler.sample([request])]
        if not found:
            raise RuntimeError("it gave no completion")
        return found[0]
