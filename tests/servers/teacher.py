"""A real teacher on loopback that counts what it is paid for and misbehaves on demand.

In tests:

    async with TeacherServer(plan=first("429", "cut")) as server:
        ... server.base_url ...; server.served["cut"] == 1

As a command (docs/faulty_teacher.md):

    python -m tests.servers.teacher --port 8001 --latency 0.05 --fault 429=0.2 --fault hang=0.01

`plan` maps the number of a request (from 0) to what happens to it: "ok", an HTTP status, or a
fault of `tests/servers/faults.py`. It answers POST /v1/chat/completions and /v1/completions, plain
and streamed, GET /v1/models, and GET /ledger with what it was paid.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
from collections import Counter

import orjson

from tests.servers.faults import FAULTS, status
from tests.servers.http import Connection, Exchange
from tests.servers.stream import piece, stream

WORDS = "so the sum of both is then what we look for and it follows that".split()  # noqa: SIM905


def first(*faults):
    """The first requests meet these faults, later ones are answered."""
    return lambda number: faults[number] if number < len(faults) else "ok"


def always(fault):
    return lambda number: fault


def chance(shares, seed=0):
    """Each fault at its share of the requests, at random."""
    rng = random.Random(seed)
    names, weights = [*shares, "ok"], [*shares.values(), 1 - sum(shares.values())]
    return lambda number: rng.choices(names, weights)[0]


def echo(body):
    """The default answer: what was asked, and the seed it was asked with."""
    return {"content": f"{question(body)} seed {body.get('seed')}"}


def essay(words):
    """Answers of so many words, always the same to the same question."""

    def write(body):
        start = int(hashlib.sha256(question(body).encode()).hexdigest()[:8], 16)
        text = " ".join(WORDS[(start + n) % len(WORDS)] for n in range(words))
        return {"content": f"{text} #{start % 100}"}

    return write


def question(body):
    """The last thing that the user said, or the prompt."""
    if "prompt" in body:
        return body["prompt"]
    return next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")


class TeacherServer:
    """A teacher and its ledger.

    Args:
        plan: what happens to the request of a number.
        message: makes the message of an answer from the body of a request.
        finish: the finish_reason of answers.
        latency: seconds until an answer, or a function of the request's number.
        headers: of answers with an error status, such as Retry-After.
        usage: (prompt tokens, completion tokens) of an answer, or a function of the body and text.
        model, fingerprint: what it says it is.
        refuses: fields of the request that it does not know: a 400 names them.
        capacity: requests at a time; more get a 429. None: no limit.
        by_word: plain answers too are cut at `max_tokens`, go on from a prefix, and cost what they
            have of words.
        keep: keep the bodies of all requests in `bodies`.

    `served` counts what happened, `paid` the completions by question, `prompt_tokens` and
    `completion_tokens` what it was paid for: every answer that left it whole. `twice` holds, for
    each question that was answered again, when it had been answered before.
    """

    def __init__(
        self, *, plan=first(), message=echo, finish="stop", latency=0.0, headers=None,  # noqa: B008
        usage=(7, 11), model="m", fingerprint=None, refuses=(), capacity=None, keep=True,
        by_word=False,
    ):  # fmt: skip
        self.plan, self.message, self.finish = plan, message, finish
        self.latency = latency if callable(latency) else lambda number: latency
        self.headers, self.usage = headers or {}, usage if callable(usage) else lambda b, t: usage
        self.model, self.fingerprint = model, fingerprint
        self.refuses, self.capacity, self.keep = set(refuses), capacity, keep
        self.by_word = by_word
        self.served, self.requests, self.connections = Counter(), 0, 0
        self.paid, self.prompt_tokens, self.completion_tokens = Counter(), 0, 0
        self.delivered, self.twice = {}, []
        self.in_flight, self.most_in_flight, self.last = 0, 0, None
        self.bodies, self.keys = [], set()
        self.first_request = self.last_request = None
        self.cut_streams, self.word_seconds = [], 0.0
        self._open, self._tasks = set(), set()

    async def __aenter__(self):
        await self.start(0)
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self, port, host="127.0.0.1"):
        """Listen; port 0 is a free one."""
        self._loop = asyncio.get_running_loop()
        self._server = await self._loop.create_server(self._connect, host, port, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://{host}:{self.port}/v1"

    async def stop(self):
        """Stop listening and break what is open."""
        self._server.close()
        for connection in list(self._open):
            connection.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def ledger(self):
        """What it was asked and paid, as GET /ledger shows it."""
        return {
            "requests": self.requests,
            "served": dict(self.served),
            "completions": self.paid.total(),
            "questions": len(self.paid),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "most_in_flight": self.most_in_flight,
            "connections": self.connections,
            "now": self._loop.time(),
            "twice": self.twice,
            "seconds": (self.last_request or 0) - (self.first_request or 0),
        }

    def background(self, work):
        """Run `work` until it ends or the server stops."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def pay(self, body, reply):
        """Note an answer that leaves the house."""
        spent, asked = reply["usage"], question(body)
        if asked in self.delivered:
            self.twice.append(self.delivered[asked])
        self.delivered[asked] = self._loop.time()
        self.paid[asked] += len(reply["choices"])
        self.prompt_tokens += spent["prompt_tokens"]
        self.completion_tokens += spent["completion_tokens"]

    def answer(self, exchange, body, reply):
        """Send an answer and note what it cost; nobody pays where the client has gone."""
        if not exchange.open:
            self.served["gone"] += 1
            return
        if body.get("stream"):
            self.background(stream(self, exchange, body, reply))
            return
        if "usage" in reply:
            self.pay(body, reply)
        exchange.send(200, orjson.dumps(reply))

    def _connect(self):
        self.connections += 1
        return Connection(self._handle, self._open)

    def _handle(self, exchange: Exchange):
        path = exchange.path.partition("?")[0]
        if exchange.method == "GET":
            self._get(exchange, path)
            return
        if path not in ("/v1/chat/completions", "/v1/completions"):
            exchange.send(404, b'{"error": {"message": "no such path"}}')
            return
        number, self.requests = self.requests, self.requests + 1
        now = self.last_request = self._loop.time()
        self.first_request = self.first_request or now
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        body = orjson.loads(exchange.body)
        self.keys.add(exchange.authorization)
        if self.keep:
            self.bodies.append(body)
        wait = self.latency(number)
        if wait:
            self._loop.call_later(wait, self._serve, number, exchange, body)
        else:
            self._serve(number, exchange, body)

    def _get(self, exchange, path):
        if path == "/ledger":
            exchange.send(200, orjson.dumps(self.ledger()))
        elif path == "/v1/models" and self.model:
            entry = {"id": self.model, "object": "model", "root": self.model}
            exchange.send(200, orjson.dumps({"object": "list", "data": [entry]}))
        else:
            exchange.send(404, b"{}")

    def _serve(self, number, exchange, body):
        crowded = self.capacity is not None and self.in_flight > self.capacity
        self.in_flight -= 1
        self.last_request = self._loop.time()
        fault = "429" if crowded else self.plan(number)
        unknown = sorted(self.refuses & body.keys())
        if fault == "ok" and unknown:
            fault = "refused"
        self.served[fault] += 1
        if fault == "refused":
            self._refuse(exchange, unknown[0])
        elif fault.isdigit():
            status(self, exchange, fault)
        elif fault == "ok":
            reply = self.reply(body)
            self.answer(exchange, body, reply)
            self.last = reply["choices"][0].get("message", {}).get("content")
        else:
            FAULTS[fault](self, exchange, body, self.reply(body))

    def _refuse(self, exchange, field):
        said = f"Unrecognized request argument supplied: {field}"
        if field == "max_tokens":
            said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        error = {"message": said, "param": field, "code": "unsupported_parameter"}
        exchange.send(400, orjson.dumps({"error": error}))

    def reply(self, body):
        """The right answer to the body of a request."""
        message = self.message(body)
        chat = "messages" in body
        choices = []
        for n in range(body.get("n", 1)):
            said = message if n == 0 else self.message(body | {"seed": [body.get("seed"), n]})
            holds = (
                {"message": {"role": "assistant", **said}} if chat else {"text": said["content"]}
            )
            choices.append({"index": n, "finish_reason": self.finish, **holds})
        prompt, completion = self.usage(body, message.get("content"))
        if self.by_word and not body.get("stream"):
            words, ended = piece(body, message["content"])
            choices[0]["finish_reason"] = self.finish if ended else "length"
            choices[0].get("message", choices[0])["content" if chat else "text"] = "".join(words)
            completion = len(words)
        reply = {
            "id": "c", "object": "chat.completion", "model": self.model, "choices": choices,
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion * len(choices)},
        }  # fmt: skip
        if self.fingerprint:
            reply["system_fingerprint"] = self.fingerprint
        return reply


def _share(text):
    name, _, share = text.partition("=")
    if not (name.isdigit() or name in FAULTS):
        raise argparse.ArgumentTypeError(f"no fault {name!r}; there are: {', '.join(FAULTS)}")
    return name, float(share)


async def main(options):
    headers = {"Retry-After": options.retry_after} if options.retry_after else {}
    server = TeacherServer(
        plan=chance(dict(options.fault), options.seed), message=essay(options.words),
        latency=options.latency, headers=headers, usage=(options.words // 6, options.words),
        model=options.model, fingerprint=options.fingerprint, refuses=options.refuse,
        capacity=options.capacity, finish=options.finish, keep=False, by_word=options.by_word,
    )  # fmt: skip
    await server.start(options.port)
    print(server.base_url, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
        print(json.dumps(server.ledger()), flush=True)


def command():
    parser = argparse.ArgumentParser(description="A teacher that misbehaves on demand.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer")
    parser.add_argument("--words", type=int, default=30, help="length of an answer")
    parser.add_argument("--fault", type=_share, action="append", default=[], help="FAULT=SHARE")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--retry-after", help="header of answers with an error status")
    parser.add_argument("--capacity", type=int, help="requests at a time; more get a 429")
    parser.add_argument("--refuse", action="append", default=[], help="a field it does not know")
    parser.add_argument("--model", default="m", help="what it says it is")
    parser.add_argument("--fingerprint", help="its system_fingerprint")
    parser.add_argument("--by-word", action="store_true", help="cut at max_tokens words")
    parser.add_argument("--finish", default="stop", help="finish_reason of answers")
    try:
        asyncio.run(main(parser.parse_args()))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    command()
