"""A batch API on loopback that behaves as OpenAI documents its own.

    async with BatchServer(message=...) as server: ... server.base_url

It keeps what it was given in memory. `plan(custom_id, batch)` says what becomes of a request in the
batch of that number: "ok", an HTTP status, "expired", "absent" (in no file) or "null" (an answer
that cannot be used). `ends(batch)` is the status a batch ends with; `looks` how often it is looked
at until then; `refuse` how many batches fail for being too many; `lose(batch)` is True where the
answer to its making is lost on the way. `latency` of making one is in seconds. What was paid is in
`paid`, by custom id.
"""

import asyncio
import time
from collections import Counter

import orjson
from aiohttp import web


class BatchServer:
    def __init__(self, *, plan=lambda key, batch: "ok", ends=lambda batch: "completed", looks=2,
                 refuse=lambda count: None, lose=lambda batch: False, latency=0.0):  # fmt: skip
        self.plan, self.ends, self.looks, self.refuse = plan, ends, looks, refuse
        self.lose, self.latency = lose, latency
        self.files, self.batches, self.paid, self.bodies = {}, {}, Counter(), {}
        self.keys, self.downloads = set(), 0

    async def __aenter__(self):
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._content)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self._retrieve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    def _keep(self, content, purpose):
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "created_at": int(time.time()),
                "filename": "requests.jsonl", "purpose": purpose, "status": "processed"}  # fmt: skip

    async def _upload(self, request):
        self.keys.add(request.headers.get("Authorization"))
        form = await request.post()
        return web.json_response(self._keep(form["file"].file.read(), form["purpose"]))

    async def _content(self, request):
        self.downloads += 1
        content = self.files.get(request.match_info["id"])
        if content is None:
            return web.json_response({"error": {"message": "No such File object"}}, status=404)
        return web.Response(body=content)

    async def _create(self, request):
        body = orjson.loads(await request.read())
        number = len(self.batches)
        lines = [orjson.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        batch = {
            "id": f"batch_{number}", "object": "batch", "created_at": int(time.time()),
            "status": "validating", "looks": 0, "number": number, "lines": lines, **body,
        }  # fmt: skip
        self.batches[batch["id"]] = batch
        refusal = self.refuse(len(lines))
        if refusal:
            batch |= {"status": "failed", "errors": {"data": [refusal]}}
        await asyncio.sleep(self.latency)
        if self.lose(number):
            request.transport.close()
        return web.json_response(self._shown(batch))

    async def _list(self, request):
        newest = sorted(self.batches.values(), key=lambda batch: -batch["number"])
        after = request.query.get("after")
        start = 1 + next((n for n, b in enumerate(newest) if b["id"] == after), -1)
        page = newest[start : start + 2]
        data = [self._shown(batch) for batch in page]
        more = start + 2 < len(newest)
        return web.json_response({"object": "list", "data": data, "has_more": more})

    async def _retrieve(self, request):
        batch = self.batches[request.match_info["id"]]
        if batch["status"] in ("validating", "in_progress"):
            batch["looks"] += 1
            batch["status"] = "in_progress"
            if batch["looks"] >= self.looks:
                self._finish(batch)
        return web.json_response(self._shown(batch))

    def _finish(self, batch):
        good, bad = [], []
        for line in reversed(batch["lines"]):
            key = line["custom_id"]
            self.bodies[key] = line["body"]
            what = self.plan(key, batch["number"])
            result = {"id": f"req_{key[:6]}", "custom_id": key, "response": None, "error": None}
            if what in ("ok", "null"):
                self.paid[key] += 1
                result["response"] = {"status_code": 200, "request_id": "r",
                                      "body": self._answer(line["body"], what)}  # fmt: skip
                good.append(result)
            elif what == "expired":
                result["error"] = {"code": "batch_expired", "message": "not executed in time"}
                bad.append(result)
            elif what != "absent":
                body = {"error": {"message": f"status {what}"}}
                result["response"] = {"status_code": int(what), "request_id": "r", "body": body}
                bad.append(result)
        batch["status"] = self.ends(batch["number"])
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
                batch[name] = self._keep(content, "batch_output")["id"]

    def _answer(self, body, what):
        said = f"{body['messages'][-1]['content']} seed {body['seed']} \u2028 end"
        message = {"role": "assistant", "content": said if what == "ok" else None}
        return {
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 11},
        }

    def _shown(self, batch):
        hidden = ("looks", "number", "lines")
        return {name: value for name, value in batch.items() if name not in hidden}
