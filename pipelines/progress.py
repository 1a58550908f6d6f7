"""Progress on stderr: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO


class Progress:
    """What a run is doing. `every` is the time in seconds between lines where it is no terminal."""

    def __init__(self, stream: TextIO | None = None, every: float = 10.0):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self.every = 0.2 if self.live else every
        self.node = ""
        self.started = self.last = time.monotonic()

    def start(self, node: str) -> None:
        """A stage begins."""
        self.node, self.started = node, time.monotonic()
        self.last = self.started

    def due(self) -> bool:
        """Whether `update` would show something now."""
        return time.monotonic() - self.last >= self.every

    def update(self, text: str) -> None:
        """What the stage is at; shown when it is time to."""
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            self._show(f"{self.node}: {text}", end="" if self.live else "\n")

    def done(self, text: str) -> None:
        """The stage is done."""
        seconds = time.monotonic() - self.started
        self._show(f"{self.node}: {text} ({seconds:.1f} s)", end="\n")

    def note(self, text: str) -> None:
        """A line of its own."""
        self._show(text, end="\n")

    def _show(self, text: str, end: str) -> None:
        lead = "\r\x1b[K" if self.live else ""
        print(f"{lead}{text}", end=end, file=self.stream, flush=True)
