"""A small real teacher on loopback that counts what it served and misbehaves on demand.

    async with TeacherServer(plan=first("429", "cut")) as server:
        ... server.base_url ...; server.served["cut"] == 1

`plan` maps the number of a request (from 0) to what happens to it: "ok", an HTTP status,
"hang" (no answer), "garbage" (no JSON), "cut" (the connection breaks half way), "empty" (no
choices) or "null" (no content).
"""

import asyncio
from collections import Counter

import orjson
from aiohttp import web


def first(*faults):
    """The first requests meet these faults, later ones are answered."""
    return lambda number: faults[number] if number < len(faults) else "ok"


def always(fault):
    return lambda number: fault


def echo(body):
    """The default answer: what was asked, and the seed it was asked with."""
    return {"content": f"{body['messages'][-1]['content']} seed {body.get('seed')}"}


class TeacherServer:
    """Serves POST /v1/chat/completions; `message` makes the message of a request's body."""

    def __init__(self, *, plan=first(), message=echo, finish="stop", latency=0.0, headers=None):  # noqa: B008
        self.plan, self.message, self.finish = plan, message, finish
        self.latency, self.headers = latency, headers or {}
        self.served, self.requests = Counter(), 0
        self.in_flight, self.most_in_flight = 0, 0
        self.bodies, self.keys = [], set()

    async def __aenter__(self):
        self._closing = asyncio.Event()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_):
        self._closing.set()
        await self._runner.cleanup()

    async def _chat(self, request):
        number, self.requests = self.requests, self.requests + 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            body = orjson.loads(await request.read())
            self.bodies.append(body)
            self.keys.add(request.headers.get("Authorization"))
            await asyncio.sleep(self.latency)
            fault = self.plan(number)
            self.served[fault] += 1
            return await self._answer(request, body, fault)
        finally:
            self.in_flight -= 1

    async def _answer(self, request, body, fault):
        if fault.isdigit():
            said = f"status {fault}, you sent {request.headers.get('Authorization')}"
            return web.json_response(
                {"error": {"message": said}}, status=int(fault), headers=self.headers
            )
        if fault == "hang":
            await self._closing.wait()
        if fault == "garbage":
            return web.Response(text="<html>busy</html>")
        message = self.message(body) if fault != "null" else {"content": None}
        choice = {"index": 0, "finish_reason": self.finish, "message": message}
        reply = {
            "choices": [] if fault == "empty" else [choice],
            "usage": {"prompt_tokens": 7, "completion_tokens": 11},
        }
        if fault == "cut":
            return await self._cut(request, orjson.dumps(reply))
        return web.json_response(reply)

    async def _cut(self, request, content):
        response = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        request.transport.close()
        return response
