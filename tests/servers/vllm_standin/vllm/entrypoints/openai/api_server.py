"""Takes vLLM's command line and answers like its server, and ends badly on demand.

The variable STANDIN holds JSON with any of: `folder`, where each start leaves a file with its
command line and pids; `ends`, after how many answers each start kills itself;
`fails`, how many starts end with an error; `slow`, seconds until it listens; `sick`, after how many
answers of the first start /health says 503; `poison`, a question that kills it; `latency`;
`refuses`, the path of a development endpoint that fails.

Prompts in token ids are answered by a digit each, of two tokens, all with the log-prob -1. What is
asked of the development endpoints is written to the file `told`, with the hash of the weights that
are to be read.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from aiohttp import web

PLAN = json.loads(os.environ["STANDIN"])
FOLDER = Path(PLAN["folder"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--served-model-name", nargs="+")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    known, _ = parser.parse_known_args()
    start = len(list(FOLDER.glob("start-*")))
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    told = {"argv": sys.argv, "pids": [os.getpid(), child.pid], "port": known.port,
            "secrets": [n for n in os.environ if n.endswith("_API_KEY")]}  # fmt: skip
    (FOLDER / f"start-{start}").write_text(json.dumps(told))
    if start < PLAN.get("fails", 0):
        print("loading\nRuntimeError: no room on the device\n" + "see above\n" * 9, flush=True)
        sys.exit(3)
    time.sleep(PLAN.get("slow", 0))
    app = web.Application()
    server = Server(known.served_model_name, start)
    app.router.add_get("/health", server.health)
    app.router.add_get("/v1/models", server.models)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_post("/v1/completions", server.complete)
    if os.environ.get("VLLM_SERVER_DEV_MODE") == "1":
        app.router.add_post("/{name:pause|resume|sleep|wake_up|collective_rpc}", server.told)
    web.run_app(app, host=known.host, port=known.port, print=None, handle_signals=False)


class Server:
    def __init__(self, names, start):
        ends = PLAN.get("ends", [])
        self.names, self.start, self.answers = names, start, 0
        self.end = ends[start] if start < len(ends) else 1 << 30

    async def health(self, request):
        sick = self.start == 0 and self.answers >= PLAN.get("sick", 1 << 30)
        return web.Response(status=503 if sick else 200)

    async def models(self, request):
        return web.json_response({"data": [{"id": name} for name in self.names]})

    async def chat(self, request):
        body = await request.json()
        said = body["messages"][-1]["content"]
        if body["model"] not in self.names:
            return web.json_response({"error": "no such model"}, status=404)
        if said == PLAN.get("poison") or self.answers >= self.end:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(PLAN.get("latency", 0.0))
        sick = self.start == 0 and self.answers >= PLAN.get("sick", 1 << 30)
        if sick:
            await asyncio.sleep(1000)
        self.answers += 1
        with (FOLDER / "answered").open("a") as file:
            file.write(f"{said}\n")
        message = {"role": "assistant", "content": f"{said} at {request.host}"}
        return web.json_response({
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5},
        })  # fmt: skip

    async def complete(self, request):
        body = await request.json()
        assert body["return_token_ids"]
        if self.answers >= self.end:
            os.kill(os.getpid(), signal.SIGKILL)
        self.answers += 1
        seed, n = body["seed"], body.get("n", 1)
        choices = [
            {"index": i, "finish_reason": "stop", "text": str((seed + i) % 10),
             "token_ids": [5 + (seed + i) % 10, 1], "prompt_token_ids": body["prompt"],
             "logprobs": {"token_logprobs": [-1.0, -1.0]}}
            for i in range(n)
        ]  # fmt: skip
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 2 * n}
        return web.json_response({"choices": choices, "usage": usage})

    async def told(self, request):
        name = request.path_qs.strip("/")
        if name == PLAN.get("refuses"):
            return web.json_response({"error": "not today"}, status=500)
        if name == "collective_rpc":
            body = await request.json()
            folder = Path(body["kwargs"]["weights_path"])
            files = b"".join(file.read_bytes() for file in sorted(folder.glob("*.safetensors")))
            name = f"{body['method']} {hashlib.sha256(files).hexdigest()[:8]}"
        with (FOLDER / "told").open("a") as file:
            file.write(f"{name}\n")
        return web.json_response({})


if __name__ == "__main__":
    main()
