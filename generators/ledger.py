"""What was paid for beyond the completions that a store keeps: the rest of the bill."""

from __future__ import annotations

from typing import NamedTuple

RAW_MOST = 1 << 16


class Spent(NamedTuple):
    """A paid answer that no completion holds: it could not be used, or another one came first.

    `raw` is what the server sent, cut at 64 KiB; `seconds` the time it took; `counted` is False
    where the server did not say what it cost.
    """

    request_key: str
    teacher: str
    reason: str
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    seconds: float
    raw: str
    counted: bool = True


def shortened(content: bytes) -> str:
    """What a server sent, as text that fits a row."""
    return content[:RAW_MOST].decode("utf-8", "replace")
