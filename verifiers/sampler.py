"""One protocol for everything that writes text: teacher, student, judge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from verifiers.records import Completion, Message, Record, content_id


class Request(Record):
    """One completion that is wanted: the chat so far, how to sample, and which sample it is."""

    problem_id: str = ""
    messages: list[Message]
    sampling: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    index: int = 0

    def key(self, identity: str) -> str:
        """What is paid for: the same key is never asked twice of the same model."""
        return content_id(
            {
                "teacher": identity,
                "messages": self.messages,
                "sampling": self.sampling,
                "seed": self.seed,
                "index": self.index,
            }
        )


@runtime_checkable
class Sampler(Protocol):
    """Writes completions.

    `identity` names model and revision, never a port, a replica or a key. `batch` is the number
    of requests that are drawn together: a store keeps all of them or none, because the shape of a
    batch changes floating-point results (1 for served models).
    """

    identity: str
    batch: int

    def sample(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Completions in the order in which they finish."""
        ...
