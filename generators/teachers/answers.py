"""Reads what an OpenAI-compatible endpoint sent back; nothing in it is trusted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from generators.teachers.thinking import split_thinking
from verifiers.records import FinishReason, Usage

FINISH: dict[str, FinishReason] = {
    "stop": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop",
    "length": "length", "max_tokens": "length",
}  # fmt: skip
REASONING = ("reasoning_content", "reasoning")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
TOO_LONG = ("context_length_exceeded", "maximum context length", "context window", "too long")


@dataclass(slots=True)
class Answer:
    """What a model wrote; its tokens and their log-probs where they were asked for."""

    text: str
    reasoning: str
    finish_reason: FinishReason
    logprobs: list[float] | None = None
    top_logprobs: list[dict[str, float]] | None = None
    token_ids: list[int] | None = None


@dataclass(frozen=True)
class Trouble:
    """Why an attempt brought no answer, the seconds the server asks us to wait, did it answer.

    `partial` is what a broken stream had written, `final` that asking again is of no use,
    `unreachable` why there was no connection.
    """

    reason: str
    wait: float | None = None
    answered: bool = False
    partial: str = ""
    final: bool = False
    unreachable: str = ""


@dataclass(slots=True)
class Reading:
    """The body of a 200: its answers, or what is wrong with it; what was paid; who says it is."""

    found: list[Answer] | Trouble
    usage: Usage
    served: dict[str, str] = field(default_factory=dict)
    counted: bool = True

    def __getitem__(self, place: int) -> Any:
        return (self.found, self.usage)[place]


def read(content: bytes, n: int = 1, prefix: str = "") -> Reading:
    """The first `n` answers in the body of a 200, all of which go on from `prefix`; fewer where it
    holds fewer."""
    try:
        body = loads(content)
    except ValueError:
        return Reading(Trouble("no JSON", answered=True), Usage(), counted=False)
    if not isinstance(body, dict):
        return Reading(Trouble("no JSON object", answered=True), Usage(), counted=False)
    usage, counted = read_usage(body.get("usage"))
    choices = body.get("choices")
    first = choices[:n] if isinstance(choices, list) else []
    answers = [_answer(choice, prefix) for choice in first]
    good = [answer for answer in answers if isinstance(answer, Answer)]
    bad = [answer for answer in answers if isinstance(answer, Trouble)]
    trouble = bad[0] if bad else Trouble("no choices", answered=True)
    return Reading(good or trouble, usage, read_served(body), counted)


def loads(content: bytes) -> Any:
    """JSON, also with the lone surrogates that orjson refuses. Raises ValueError."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        if b"\\ud" not in content.lower():
            raise
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _answer(choice: Any, prefix: str) -> Answer | Trouble:
    if not isinstance(choice, dict):
        return Trouble("no choices", answered=True)
    message = choice.get("message")
    if not isinstance(message, dict):
        if not isinstance(choice.get("text"), str):
            return Trouble("no choices", answered=True)
        message = {"content": choice["text"]}
    text = message.get("content")
    reasoning = next((message[name] for name in REASONING if message.get(name)), "")
    if isinstance(text, list):
        parts: list[Any] = text
        text, reasoning = _joined(parts, "text"), reasoning or _joined(parts, "thinking")
    if text is None:
        text = "" if reasoning else message.get("refusal")
    if not isinstance(text, str) or not isinstance(reasoning, str):
        return Trouble("no content", answered=True)
    finish = choice.get("finish_reason")
    if not isinstance(finish, str):
        return Trouble("no finish_reason", answered=True)
    if isinstance(choice.get("token_ids"), list):
        return _drawn(choice, text, finish)
    answer = answer_of(prefix + text, reasoning, finish)
    if choice.get("logprobs"):
        answer.logprobs, answer.top_logprobs = _logprobs(choice["logprobs"])
    return answer


def _drawn(choice: dict[str, Any], text: str, finish: str) -> Answer | Trouble:
    """An answer with its token ids, as the model wrote it, and their log-probs."""
    ids, given = choice["token_ids"], choice.get("logprobs")
    scores = given.get("token_logprobs") if isinstance(given, dict) else None
    if not isinstance(scores, list) or len(scores) != len(ids):
        return Trouble("no log-prob for each token", answered=True)
    reason = FINISH.get(finish.lower(), "error")
    return Answer(_storable(text), "", reason, logprobs=scores, token_ids=ids)


def _joined(parts: list[Any], kind: str) -> str:
    """The texts of one kind of a content in parts; a thought may hold parts of text itself."""
    found = [part[kind] for part in parts if isinstance(part, dict) and part.get(kind)]
    said = [inner for one in found for inner in (one if isinstance(one, list) else [one])]
    texts = [one.get("text") if isinstance(one, dict) else one for one in said]
    return "".join(text for text in texts if isinstance(text, str))


def answer_of(text: str, reasoning: str, finish: str) -> Answer:
    """An answer with its reasoning apart and no character that a file cannot hold."""
    if not reasoning:
        reasoning, text = split_thinking(text)
    return Answer(_storable(text), _storable(reasoning), FINISH.get(finish.lower(), "error"))


def _storable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _logprobs(given: Any) -> tuple[list[float] | None, list[dict[str, float]] | None]:
    """Log-probs of the tokens and of likelier ones at each place, both APIs' forms."""
    if not isinstance(given, dict):
        return None, None
    if isinstance(given.get("token_logprobs"), list):
        own = [_rounded(value) for value in given["token_logprobs"]]
        tops = [
            {_storable(str(token)): _rounded(value) for token, value in place.items()}
            for place in given.get("top_logprobs") or []
            if isinstance(place, dict)
        ]
        return own, tops or None
    places = [place for place in given.get("content") or [] if isinstance(place, dict)]
    own = [_rounded(place.get("logprob")) for place in places]
    tops = [
        {
            _storable(str(top.get("token"))): _rounded(top.get("logprob"))
            for top in place.get("top_logprobs") or []
            if isinstance(top, dict)
        }
        for place in places
    ]
    return own or None, tops if any(tops) else None


def _rounded(value: Any) -> float:
    """Four decimals; what is no number, or -inf, is -9999."""
    good = isinstance(value, int | float) and math.isfinite(value)
    return round(float(value), 4) if good else -9999.0


def read_usage(value: Any) -> tuple[Usage, bool]:
    """What was paid, and whether the server said so."""
    if not isinstance(value, dict):
        return Usage(), False
    cost = value.get("cost")
    usage = Usage(
        prompt_tokens=_count(value.get("prompt_tokens")),
        completion_tokens=_count(value.get("completion_tokens")),
        cached_tokens=_cached(value),
        cost=float(cost) if isinstance(cost, int | float) and cost >= 0 else None,
    )
    return usage, True


def _cached(usage: dict[str, Any]) -> int:
    """Tokens of the prompt that were in the provider's cache, by OpenAI's name or DeepSeek's."""
    details = usage.get("prompt_tokens_details")
    told = details.get("cached_tokens") if isinstance(details, dict) else None
    return _count(usage.get("prompt_cache_hit_tokens") if told is None else told)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def read_served(body: dict[str, Any]) -> dict[str, str]:
    """Who the server says it is."""
    served = {"model": body.get("model"), "fingerprint": body.get("system_fingerprint")}
    return {name: value for name, value in served.items() if isinstance(value, str) and value}


def shares(usage: Usage, answers: list[Answer]) -> list[Usage]:
    """What each of several answers of one request cost: its tokens, or by length where nobody told
    them; together the whole."""
    if len(answers) == 1:
        return [usage]
    sizes = [
        len(answer.text) + len(answer.reasoning) + 1
        if answer.token_ids is None
        else len(answer.token_ids)
        for answer in answers
    ]
    found, given, done = [], 0, 0
    for number, size in enumerate(sizes):
        done += size
        upto = usage.completion_tokens * done // max(1, sum(sizes))
        cost = None if usage.cost is None else usage.cost / len(sizes)
        prompt, cached = (usage.prompt_tokens, usage.cached_tokens) if number == 0 else (0, 0)
        found.append(
            Usage(
                prompt_tokens=prompt, completion_tokens=upto - given, cached_tokens=cached,
                cost=cost,
            )
        )  # fmt: skip
        given = upto
    return found


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers of an answer ask us to wait, or None."""
    wait = retry_after(headers.get("Retry-After"))
    milliseconds = retry_after(headers.get("retry-after-ms"))
    return wait if milliseconds is None else milliseconds / 1000


def spent_until(headers: Mapping[str, str]) -> float:
    """Seconds until a rate limit that is used up opens again; 0 where none is."""
    wait = 0.0
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            wait = max(wait, _duration(headers.get(f"x-ratelimit-reset-{what}", "")))
    return wait


def _duration(text: str) -> float:
    """Seconds of `6m0s`, `120ms` or a plain number; at most a minute is believed."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(text[:40]))
    return min(60.0, seconds) if seconds > 0 else 0.0


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


def too_long(complaint: str) -> bool:
    """True where a 400 says that the prompt does not fit the model."""
    return any(words in complaint for words in TOO_LONG)


def complaint(content: bytes, hide: str) -> str:
    """The error message in a body, in one short line without the secret `hide`."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = content[:5000].decode("utf-8", "replace")
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and name in body:
            body = body[name]
    text = "".join(c if c.isprintable() else " " for c in str(body)[:5000])
    text = " ".join((text.replace(hide, "[key]") if hide else text).split())
    return text if len(text) <= 300 else text[:299] + "…"
