"""Reads what an OpenAI-compatible endpoint sent back; nothing in it is trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from generators.teachers.thinking import split_thinking
from verifiers.records import FinishReason, Usage

FINISH: dict[str, FinishReason] = {"stop": "stop", "eos_token": "stop", "length": "length"}


@dataclass(frozen=True)
class Answer:
    """What a model wrote."""

    text: str
    reasoning: str
    finish_reason: FinishReason


@dataclass(frozen=True)
class Trouble:
    """Why an attempt brought no answer, the seconds the server asks us to wait, did it answer."""

    reason: str
    wait: float | None = None
    answered: bool = False


def read(content: bytes) -> tuple[Answer | Trouble, Usage]:
    """The answer in the body of a 200, or what is wrong with it; and what was paid for it."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Trouble("no JSON", answered=True), Usage()
    if not isinstance(body, dict):
        return Trouble("no JSON object", answered=True), Usage()
    usage = _usage(body.get("usage"))
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return Trouble("no choices", answered=True), usage
    text = message.get("content")
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if text is None and reasoning:
        text = ""
    if not isinstance(text, str) or not isinstance(reasoning, str):
        return Trouble("no content", answered=True), usage
    finish = choice.get("finish_reason")
    if not isinstance(finish, str):
        return Trouble("no finish_reason", answered=True), usage
    if not reasoning:
        reasoning, text = split_thinking(text)
    return Answer(text, reasoning, FINISH.get(finish, "error")), usage


def _usage(value: Any) -> Usage:
    counts = value if isinstance(value, dict) else {}
    cost = counts.get("cost")
    return Usage(
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        cost=float(cost) if isinstance(cost, int | float) and cost >= 0 else None,
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def add(a: Usage, b: Usage) -> Usage:
    """What two attempts cost together."""
    known = [usage.cost for usage in (a, b) if usage.cost is not None]
    return Usage(
        prompt_tokens=a.prompt_tokens + b.prompt_tokens,
        completion_tokens=a.completion_tokens + b.completion_tokens,
        cost=sum(known) if known else None,
    )


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header (a number or a date); None where it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def complaint(content: bytes, hide: str) -> str:
    """The error message in a body, in one short line without the secret `hide`."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = content.decode("utf-8", "replace")
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and name in body:
            body = body[name]
    text = "".join(c if c.isprintable() else " " for c in str(body))
    text = " ".join((text.replace(hide, "[key]") if hide else text).split())
    return text if len(text) <= 300 else text[:299] + "…"
