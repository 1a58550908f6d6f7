"""Chains that go on where they were cut: a sampler that asks for further pieces."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple

from generators.intake import pauses
from generators.stored import Stored
from generators.teachers.warm import Warm
from verifiers.records import Completion, Usage
from verifiers.sampler import Request

log = logging.getLogger("distill.teacher")


class _Asked(NamedTuple):
    """A request under way: its place among all, the answer it goes on from, pieces before it."""

    place: int
    request: Request
    before: Completion | None = None
    pieces: int = 0


class Extended:
    """A sampler whose answers, where they are cut at `max_tokens`, go on up to `pieces` times.

    Each piece is a request of its own with the text so far as its prefix, so each is stored and
    paid once, and what was stored before is not asked again. An answer has the text of all its
    pieces and what they cost together; it is as it was before a piece that fails. Cut answers that
    hold reasoning apart from the text stay cut: no chat call takes reasoning back as a beginning.

    Where requests are drawn in batches, the pieces of all answers are asked together after them, in
    their order, so that the batches are the same however often a run is interrupted.
    """

    def __init__(self, sampler: Stored | Warm, pieces: int):
        self.sampler, self.pieces = sampler, pieces
        self.identity, self.batch = sampler.identity, sampler.batch
        self._said: set[str] = set()

    @property
    def asked(self) -> int:
        """Requests that had to be made."""
        return self.sampler.asked

    @property
    def trouble(self) -> dict[str, int]:
        """What went wrong, by reason."""
        return dict(getattr(self.sampler, "trouble", {}))

    @property
    def endpoints(self) -> list[Any]:
        """The servers that are asked."""
        return self.sampler.endpoints

    async def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions as they finish; those that go on come when they are done."""
        further: list[_Asked] = []
        under_way: dict[tuple[str, int], _Asked] = {}
        paused = pauses(requests)
        fresh: Iterator[_Asked] = map(_Asked, count(), iter(requests))
        while True:
            line = _Line(fresh, further if self.batch == 1 else [], under_way, paused)
            async for piece in self.sampler.sample(line):
                one = under_way.pop((piece.problem_id, piece.index))
                answer = _joined(one.before, piece)
                if answer.finish_reason == "length" and self._goes_on(one, answer):
                    request = one.request.model_copy(update={"prefix": answer.text})
                    further.append(_Asked(one.place, request, answer, one.pieces + 1))
                else:
                    yield answer
            if not further:
                return
            fresh = iter(sorted(further))
            further = []

    def _goes_on(self, one: _Asked, answer: Completion) -> bool:
        """Whether a cut answer is asked for another piece; says once why not."""
        if answer.teacher.get("identity") != self.identity:
            return False
        if not self.sampler.continues:
            self._say("the teacher cannot go on from an answer that was cut; such chains stay cut")
            return False
        grown = one.before is None or len(answer.text) > len(one.before.text)
        if one.pieces >= self.pieces or not grown:
            return False
        if answer.reasoning or not answer.text:
            self._say("an answer that was cut in or behind its reasoning cannot go on")
            return False
        return True

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            log.warning("%s", what)


class _Line:
    """What is asked next: further pieces first, then new answers. It pauses, and is `full`, while
    either may still come."""

    def __init__(
        self,
        fresh: Iterator[_Asked],
        further: list[_Asked],
        under_way: dict[tuple[str, int], _Asked],
        paused: Callable[[], bool],
    ):
        self._fresh, self._further, self._under_way = fresh, further, under_way
        self._paused, self._over = paused, False

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        one = self._further.pop() if self._further else next(self._fresh, None)
        if one is None:
            self._over = not self._paused()
            raise StopIteration
        self._under_way[one.request.problem_id, one.request.index] = one
        return one.request

    def full(self) -> bool:
        """Whether there may be more, though not now."""
        if self._further:
            return False
        return bool(self._under_way) if self._over else self._paused()


def _joined(before: Completion | None, piece: Completion) -> Completion:
    """The answer with its newest piece, whose text holds the whole; without it where it failed."""
    if before is None:
        return piece
    if piece.finish_reason == "error":
        return before
    costs = zip(before.usage, piece.usage, strict=True)
    usage = {
        name: None if one is None and other is None else (one or 0) + (other or 0)
        for (name, one), (_, other) in costs
    }
    update: dict[str, Any] = {
        "usage": Usage(**usage), "seconds": before.seconds + piece.seconds,
    }  # fmt: skip
    for name in ("token_ids", "logprobs", "top_logprobs"):
        first, second = getattr(before, name), getattr(piece, name)
        update[name] = [*first, *second] if first and second else None
    return piece.model_copy(update=update)
