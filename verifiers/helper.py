"""A helper process that answers one line with one line, and is killed where it does not."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from verifiers.pool import cpu_seconds

PATIENCE = 20


class Died(Exception):
    """The helper ended without an answer."""


class Starved(Exception):
    """The helper was not given the time that it may take; nobody's fault."""


class Helper:
    """A script of ours in an interpreter of its own, warm between requests.

    It knows nothing of the environment, and ends when its stdin does. Args:
        script: its file.
        seconds: CPU time that one answer may take; twenty times as much wall time.
    """

    def __init__(self, script: Path, seconds: float):
        self.script, self.seconds = script, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, task: dict[str, Any]) -> Any:
        """Its answer to `task`; raises TimeoutError, Died or Starved.

        After any of these it starts afresh.
        """
        with self._lock:
            process = self._running()
            try:
                return self._answer(process, json.dumps(task).encode() + b"\n")
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            process.wait()

    def __del__(self) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(self.script)], env={},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], line: bytes) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        start, used = time.monotonic(), cpu_seconds(process.pid)
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError as error:
            raise Died("it does not listen") from error
        answer = b""
        while not answer.endswith(b"\n"):
            if select.select([process.stdout], [], [], 0.05)[0]:
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise Died("it ended without an answer")
                answer += piece
            elif cpu_seconds(process.pid) - used > self.seconds:
                raise TimeoutError(f"no answer after {self.seconds} s")
            elif time.monotonic() - start > PATIENCE * self.seconds:
                raise Starved(f"the machine gave it no {self.seconds} s of CPU time")
        return json.loads(answer)
