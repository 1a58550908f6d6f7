"""A verifier as a reward function of the form that other trainers take, TRL's among them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from verifiers.pool import VerdictPool
from verifiers.records import Problem, Verdict
from verifiers.sampler import Sampler


class RewardFunction:
    """`f(prompts, completions, **columns) -> [score or None, ...]`, one value for each completion.

    Args:
        verifier: judges the rows that name none in a column `verifier`.
        section: options by verifier name, the recipe's `verifiers` section.
        workers: worker processes; the CPUs this process may use where None.
        samplers: who is asked by verifiers that ask a model, by the verifier's name.

    Prompts and completions are texts or chats; of a chat the last assistant message counts. The
    column `answer` holds the ground truths. A reward is the verdict's score, 0 to 1; undecided is
    None, which TRL leaves out. Answers to one problem that are judged together are those of one
    call. May be called from any thread, also while an event loop runs in it; the workers start with
    the first call and end with `close`, a `with` block or the process.

    Raises VerifierError where a verifier cannot be had.
    """

    def __init__(
        self,
        verifier: str = "math",
        section: Mapping[str, Mapping[str, Any]] | None = None,
        workers: int | None = None,
        samplers: Mapping[str, Sampler] | None = None,
    ):
        self.verifier = verifier
        self.__name__ = verifier
        self._new = partial(VerdictPool, workers, section, samplers=samplers)
        self._pool = self._new()
        self._pool.require([verifier])
        self._known = {verifier}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
    ) -> list[float | None]:
        """The rewards of `completions`; raises ValueError where a column is of another length."""
        verdicts = self.verdicts(prompts, completions, **columns)
        return [None if v.status == "undecided" else float(v.score) for v in verdicts]

    def verdicts(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
    ) -> list[Verdict]:
        """The verdicts that the rewards are made of."""
        count = len(completions)
        answers = _column(columns, "answer", count)
        judges = _column(columns, "verifier", count)
        self._pool.require({judge for judge in judges if judge} - self._known)
        self._known.update(filter(None, judges))
        problems = [
            _problem(_text(prompt, "user"), answer, judge or self.verifier)
            for prompt, answer, judge in zip(prompts, answers, judges, strict=True)
        ]
        texts = [_text(completion, "assistant") for completion in completions]
        return self._run(self._judge(problems, texts))

    async def _judge(self, problems: list[Problem | None], texts: list[str]) -> list[Verdict]:
        groups: dict[str, list[int]] = {}
        known = {problem.id: problem for problem in problems if problem}
        for place, problem in enumerate(problems):
            if problem:
                groups.setdefault(problem.id, []).append(place)
        bad = Verdict(status="undecided", reason="bad_row", detail="the answer is not JSON")
        found = [bad] * len(texts)

        async def judge(name: str, places: list[int]) -> None:
            group = [texts[place] for place in places]
            verdicts = await self._pool.verify_group(known[name], group)
            for place, verdict in zip(places, verdicts, strict=True):
                found[place] = verdict

        await asyncio.gather(*(judge(name, places) for name, places in groups.items()))
        return found

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What `work` returns; it runs in a loop of its own, in a thread of its own."""
        with self._lock:
            if self._loop is None:
                self._pool, self._loop = self._new(), asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End the workers; the next call starts new ones."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._pool.__aexit__(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def __enter__(self) -> RewardFunction:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` until it is stopped, then let what is left of it end."""
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _column(columns: Mapping[str, Any], name: str, count: int) -> Sequence[Any]:
    """A column, a value for each completion; None for each where it is absent."""
    values = columns.get(name)
    if values is None:
        return [None] * count
    if isinstance(values, str) or len(values) != count:
        raise ValueError(f"column {name!r} must hold {count} values, one for each completion")
    return values.tolist() if hasattr(values, "tolist") else values


def _problem(prompt: str, answer: Any, verifier: str) -> Problem | None:
    """The problem of a row; None where its answer is not JSON."""
    try:
        return Problem(prompt=prompt, answer=answer, verifier=verifier)
    except (ValueError, TypeError, RecursionError):
        return None


def _text(said: Any, role: str) -> str:
    """A prompt or completion as text: of a chat the last message of `role`."""
    if isinstance(said, str):
        return said
    messages = [message for message in said if message.get("role") == role]
    content = messages[-1].get("content") if messages else ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
