"""vLLM servers that we start, watch, start again after a crash, and stop with all they left.

The server is `python -m vllm.entrypoints.openai.api_server` in whatever environment the recipe
names, on a free port of the loopback, below a keeper (generators.teachers.keeper) that ends it and
all its children when this process ends, in whatever way.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from generators.teachers import keeper
from generators.teachers.errors import TeacherError
from generators.vllm_config import VllmConfig
from verifiers.pool import SECRET

KEEPER = (sys.executable, "-I", "-S", keeper.__file__)
GRACE = 15.0
LOOK_EVERY = 0.25
HEALTH_EVERY = 10.0
HEALTH_WITHIN = 60.0
HEALTH_MISSES = 3
PORT_TRIES = 3
NEUTRAL = dict.fromkeys((
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "max_new_tokens",
))  # fmt: skip
PLAIN_TEMPLATE = (
    "{% for m in messages %}{% if loop.index > 1 and not (loop.last and m.role == 'assistant') %}"
    "{{ '\\n' }}{% endif %}{{ m.content }}{% endfor %}"
)
"""Texts one below the other, and what an answer has so far right behind them."""


class VllmServer:
    """One model on a vLLM server of its own, started where somebody asks for its address.

    Args:
        model: folder or hub id.
        name: what it is called in requests.
        config: how it is started.
        log: file to which the server's output is appended.
        revision: of a hub model.
    """

    def __init__(
        self, model: str, name: str, config: VllmConfig, log: Path, revision: str = ""
    ) -> None:
        self.model, self.name, self.revision = model, name, revision
        self.config, self.log = config, log
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""
        self._said = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    async def up(self) -> str:
        """The base_url of the ready server, started where it is not running.

        Raises TeacherError with the end of its log where it does not get ready.
        """
        for attempt in range(1, PORT_TRIES + 1):
            if self.alive:
                break
            try:
                await self._start()
            except _PortTaken:
                if attempt == PORT_TRIES:
                    raise
        return f"{self._address}/v1"

    async def lost(self) -> None:
        """Returns when the server has ended, or does not answer for its health any more."""
        misses, due = 0, time.monotonic() + HEALTH_EVERY
        async with _session(HEALTH_WITHIN) as session:
            while self.alive and misses < HEALTH_MISSES:
                await asyncio.sleep(LOOK_EVERY)
                if time.monotonic() < due:
                    continue
                status = await _status(session, f"{self._address}/health")
                misses = 0 if status == 200 else HEALTH_MISSES if status else misses + 1
                due = time.monotonic() + HEALTH_EVERY

    def stop(self) -> None:
        """End the server and all its processes; its GPU memory is free when this returns."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(2 * GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    async def load(self) -> None:
        """Read the weights in the folder again, where the server runs: one that does not, or ends
        over it, reads them when it is started. What it kept of prompts is forgotten.

        The server's environment must have VLLM_SERVER_DEV_MODE=1. Raises TeacherError.
        """
        before, after = (
            ("wake_up?tags=weights", "wake_up?tags=kv_cache")
            if self._sleeps
            else ("pause?mode=abort", "resume")
        )
        words = {"method": "reload_weights", "kwargs": {"weights_path": self.model}}
        for path, body in ((before, None), ("collective_rpc", words), (after, None)):
            await self._tell(path, body)

    async def sleep(self) -> None:
        """Free the GPU until `load`, where vLLM was told to be able to: `enable_sleep_mode`."""
        if self._sleeps:
            await self._tell("sleep?level=2")

    @property
    def _sleeps(self) -> bool:
        return bool(self.config.options().get("enable_sleep_mode"))

    async def _tell(self, path: str, body: dict[str, Any] | None = None) -> None:
        if not self.alive:
            return
        try:
            async with (
                _session(self.config.ready_within) as session,
                session.post(f"{self._address}/{path}", json=body) as response,
            ):
                said = await response.text()
        except (aiohttp.ClientError, OSError):  # a timeout too
            self.stop()
            return
        if response.status != 200:
            raise TeacherError(
                f"vLLM refused /{path} (status {response.status}): {said[:300]}{self.last_words()}"
            )

    def last_words(self) -> str:
        """The end of what the server said since it was started, its errors first."""
        with self.log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(self._said, size - (1 << 18)))
            lines = stream.read().decode("utf-8", "replace").splitlines()
        lines = [line.strip()[:300] for line in lines if line.strip()]
        errors = [line for line in lines[:-6] if re.search(r"\w(Error|Exception)\b|error: ", line)]
        return "".join(f"\n  {line}" for line in dict.fromkeys([*errors[-4:], *lines[-6:]]))

    async def _start(self) -> None:
        self.stop()
        port, mark = _free_port(), f"distill-{secrets.token_hex(8)}"
        self._address = f"http://127.0.0.1:{port}"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = self.command(port, mark)
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            self._said = log.tell()
            self._process = subprocess.Popen(
                [*KEEPER, str(os.getpid()), str(GRACE), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
            )
        self.starts += 1
        try:
            await self._ready(mark)
        except BaseException:
            self.stop()
            raise

    async def _ready(self, mark: str) -> None:
        """Wait until the server is healthy and lists `mark`, which no other server does."""
        deadline = time.monotonic() + self.config.ready_within
        async with _session(10.0) as session:
            while True:
                if not self.alive:
                    words = self.last_words()
                    taken = "ddress already in use" in words
                    kind = _PortTaken if taken else TeacherError
                    raise kind(f"vLLM did not start; the end of {self.log}:{words}")
                if await _status(session, f"{self._address}/health") == 200 and mark in (
                    await _models(session, f"{self._address}/v1/models")
                ):
                    return
                if time.monotonic() > deadline:
                    raise TeacherError(
                        f"vLLM was not ready within {self.config.ready_within:g} seconds; "
                        f"the end of {self.log}:{self.last_words()}"
                    )
                await asyncio.sleep(LOOK_EVERY)

    def command(self, port: int, mark: str) -> list[str]:
        """How the server is started."""
        options = {"override_generation_config": NEUTRAL} | self.config.options()
        options["override_generation_config"] = NEUTRAL | options["override_generation_config"]
        if self.revision:
            options.setdefault("revision", self.revision)
        if Path(self.model).is_dir() and not _has_template(Path(self.model)):
            options.setdefault("chat_template", PLAIN_TEMPLATE)
        return [
            self.config.python or sys.executable, "-m", "vllm.entrypoints.openai.api_server",
            "--model", self.model, "--served-model-name", self.name, mark,
            "--host", "127.0.0.1", "--port", str(port), *arguments(options),
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        """Ours without keys, without what belongs to our own environment, and without telemetry."""
        ours = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("VLLM_", "HF_")) or not any(s in name.upper() for s in SECRET)
        }
        if self.config.python is not None:
            for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
                ours.pop(name, None)
        fixed = {"PYTHONSAFEPATH": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if Path(self.model).is_dir():
            fixed["HF_HUB_OFFLINE"] = "1"
        return ours | fixed | self.config.env


def arguments(options: dict[str, Any]) -> list[str]:
    """Options as vLLM's command line takes them: flags, lists of words, JSON for mappings."""
    words: list[str] = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list):
            words += [f"--{flag}", *(v if isinstance(v, str) else json.dumps(v) for v in value)]
        else:
            words += [f"--{flag}", value if isinstance(value, str) else json.dumps(value)]
    return words


def check(config: VllmConfig) -> str:
    """The folder of the vLLM that `config` starts; it is not imported.

    Raises TeacherError where there is none, or where it has no option of a name that is given.
    """
    python = config.python or sys.executable
    find = "import importlib.util as u; s = u.find_spec('vllm'); print(s.origin if s else '')"
    try:
        found = subprocess.run(
            [python, "-P", "-c", find], capture_output=True, text=True, timeout=60, check=True,
            env={**os.environ, **config.env},
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise TeacherError(f"vllm.python {python!r} is no Python that runs: {error}") from error
    if not found:
        raise TeacherError(
            f"there is no vLLM in the environment of {python}: pip install "
            "'distill-factory[vllm]', or name a Python that has it in vllm.python"
        )
    folder = Path(found).parent
    known = _option_names(folder)
    for name in config.options() if known else ():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TeacherError(f"vLLM in {folder} has no option {name!r}{hint}")
    return str(folder)


def _option_names(folder: Path) -> set[str]:
    """Names of the fields that vLLM makes its options from, read from its source."""
    names: set[str] = set()
    for pattern in ("engine/arg_utils.py", "entrypoints/**/cli_args.py"):
        for file in folder.glob(pattern):
            names |= set(re.findall(r"^    (\w+): ", file.read_text(encoding="utf-8"), re.M))
    return names


class _PortTaken(TeacherError):
    """Somebody else took the port between our look and the server's."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").exists():
        return True
    with contextlib.suppress(OSError, ValueError):
        return "chat_template" in json.loads((folder / "tokenizer_config.json").read_text())
    return False


def _session(within: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=within), trust_env=False)


async def _status(session: aiohttp.ClientSession, url: str) -> int | None:
    """The status of a page; None where nobody answers."""
    try:
        async with session.get(url) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


async def _models(session: aiohttp.ClientSession, url: str) -> set[str]:
    key = os.environ.get("VLLM_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with session.get(url, headers=headers) as response:
            return {model["id"] for model in (await response.json())["data"]}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return set()
