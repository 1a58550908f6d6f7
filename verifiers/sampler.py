"""One protocol for everything that writes text: teacher, student, judge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from verifiers.records import Completion, Message, Record, content_id


class Request(Record):
    """One completion that is wanted: the chat so far, how to sample, and which sample it is.

    `prefix` is what the answer begins with: it goes on from there, and its text holds both.
    """

    problem_id: str = ""
    messages: list[Message]
    sampling: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    index: int = 0
    prefix: str = ""

    def key(self, identity: str) -> str:
        """What is paid for: the same key is never asked twice of the same model."""
        asked = {
            "teacher": identity,
            "messages": self.messages,
            "sampling": self.sampling,
            "seed": self.seed,
            "index": self.index,
        }
        return content_id(asked | {"prefix": self.prefix} if self.prefix else asked)


@runtime_checkable
class Sampler(Protocol):
    """Writes completions.

    `identity` names model and revision, never a port, a replica or a key. `batch` is the number
    of requests that are drawn together: a store keeps all of them or none, because the shape of a
    batch changes floating-point results (1 for served models). One that can go on from a request's
    `prefix` has a true attribute `continues`; requests with a prefix are for those only.
    """

    identity: str
    batch: int

    def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions in the order in which they finish."""
        ...
