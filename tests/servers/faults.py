"""What can go wrong with an answer. Each fault is a function of the teacher, the exchange, the
body of the request and the answer that would have been right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

Reply = dict[str, Any]
HUGE = 50 << 20


def hang(teacher, exchange, body, reply):
    """No answer, ever."""


def silence(teacher, exchange, body, reply):
    """Headers, and then nothing."""
    exchange.write(exchange.head(200, 5000))


def drip(teacher, exchange, body, reply):
    """A byte a second."""
    content = orjson.dumps(reply)
    exchange.write(exchange.head(200, len(content)))

    async def trickle():
        for byte in content:
            if not exchange.open:
                return
            exchange.write(bytes([byte]))
            await asyncio.sleep(1.0)

    teacher.background(trickle())


def cut(teacher, exchange, body, reply):
    """The connection closes half way."""
    content = orjson.dumps(reply)
    exchange.write(exchange.head(200, len(content)) + content[: len(content) // 2])
    exchange.cut()


def reset(teacher, exchange, body, reply):
    """The connection breaks without an answer."""
    exchange.reset()


def garbage(teacher, exchange, body, reply):
    """A page instead of JSON."""
    exchange.send(200, b"<html>busy</html>")


def malformed(teacher, exchange, body, reply):
    """JSON that ends early."""
    teacher.pay(body, reply)
    exchange.send(200, orjson.dumps(reply)[:-9])


def empty(teacher, exchange, body, reply):
    """No choices."""
    teacher.answer(exchange, body, reply | {"choices": []})


def null(teacher, exchange, body, reply):
    """No content."""
    teacher.answer(exchange, body, _content(reply, None))


def wrong_n(teacher, exchange, body, reply):
    """One choice more than was asked for."""
    choices = [*reply["choices"], reply["choices"][0] | {"index": len(reply["choices"])}]
    teacher.answer(exchange, body, reply | {"choices": choices})


def odd(teacher, exchange, body, reply):
    """NUL and lone surrogates, as JSON escapes."""
    content = orjson.dumps(_content(reply, "@@")).replace(b"@@", rb"a\u0000b\ud800c")
    teacher.pay(body, reply)
    exchange.send(200, content)


def huge(teacher, exchange, body, reply):
    """A body of 50 MB."""
    teacher.answer(exchange, body, _content(reply, "x" * HUGE))


def truncated(teacher, exchange, body, reply):
    """Cut at max_tokens."""
    choices = [choice | {"finish_reason": "length"} for choice in reply["choices"]]
    teacher.answer(exchange, body, reply | {"choices": choices})


def duplicate(teacher, exchange, body, reply):
    """The answer that another request got."""
    reply = _content(reply, teacher.last or "again")
    teacher.answer(exchange, body, reply)


def unfinished(teacher, exchange, body, reply):
    """No finish_reason."""
    choices = [choice | {"finish_reason": None} for choice in reply["choices"]]
    teacher.answer(exchange, body, reply | {"choices": choices})


def no_usage(teacher, exchange, body, reply):
    """What it cost is left out."""
    reply = {key: value for key, value in reply.items() if key != "usage"}
    teacher.answer(exchange, body, reply)


def context(teacher, exchange, body, reply):
    """400: the prompt is too long."""
    said = "This model's maximum context length is 4096 tokens."
    error = {"message": said, "code": "context_length_exceeded"}
    exchange.send(400, orjson.dumps({"error": error}))


def status(teacher, exchange, code):
    """An HTTP status, with the server's headers and what it was sent."""
    said = f"status {code}, you sent {exchange.authorization}"
    exchange.send(int(code), orjson.dumps({"error": {"message": said}}), teacher.headers)


def _content(reply: Reply, text: str | None) -> Reply:
    choices = []
    for choice in reply["choices"]:
        if "message" in choice:
            choice = choice | {"message": {"role": "assistant", "content": text}}
        else:
            choice = choice | {"text": text}
        choices.append(choice)
    return reply | {"choices": choices}


FAULTS: dict[str, Callable[..., None]] = {
    one.__name__: one
    for one in (hang, silence, drip, cut, reset, garbage, malformed, empty, null, wrong_n, odd,
                huge, truncated, duplicate, unfinished, no_usage, context)
}  # fmt: skip
