"""Answers as server-sent events, word by word; a stream can go on from a prefix."""

from __future__ import annotations

import asyncio

import orjson


async def stream(teacher, exchange, body, reply):
    """Stream the first choice of `reply`.

    Where the chat ends with an assistant's turn and the request says `continue_final_message`, only
    what follows that prefix is written. `teacher.cut_streams` are the numbers of words after which
    the next streams break off; `max_tokens` counts words.
    """
    text = reply["choices"][0].get("message", reply["choices"][0]).get("content", "")
    pieces, ended = piece(body, text)
    finish = reply["choices"][0]["finish_reason"] if ended else "length"
    cut = teacher.cut_streams.pop(0) if teacher.cut_streams else None
    exchange.write(exchange.head(200, None))
    sent = 0
    for word in pieces:
        if cut is not None and sent >= cut:
            teacher.completion_tokens += sent
            exchange.cut()
            return
        _event(exchange, reply, {"delta": {"content": word}, "finish_reason": None})
        sent += 1
        await asyncio.sleep(teacher.word_seconds)
    _event(exchange, reply, {"delta": {}, "finish_reason": finish})
    usage = {"prompt_tokens": reply["usage"]["prompt_tokens"], "completion_tokens": sent}
    if body.get("stream_options", {}).get("include_usage"):
        event = {"model": reply["model"], "choices": [], "usage": usage}
        exchange.chunk(b"data: " + orjson.dumps(event) + b"\n\n")
    teacher.pay(body, {"choices": [0], "usage": usage})
    exchange.chunk(b"data: [DONE]\n\n")
    exchange.chunk(b"")


def piece(body, text):
    """The words of `text` that are written now, behind the prefix and `max_tokens` at most, and
    whether they are the last."""
    words = text.removeprefix(prefix(body)).split(" ")
    pieces = [word if n == 0 else f" {word}" for n, word in enumerate(words) if word or n]
    most = body.get("max_tokens") or body.get("max_completion_tokens") or len(pieces)
    return pieces[:most], most >= len(pieces)


def prefix(body):
    """What the assistant has written already, where it is to go on."""
    last = body["messages"][-1] if body.get("messages") else {}
    ours = last.get("role") == "assistant" and body.get("continue_final_message")
    return last["content"] if ours else ""


def _event(exchange, reply, choice):
    event = {"model": reply["model"], "choices": [{"index": 0, **choice}]}
    exchange.chunk(b"data: " + orjson.dumps(event) + b"\n\n")
