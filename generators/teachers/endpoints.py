"""The endpoints behind a teacher: their URLs, their key, and how each of them is doing."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from yarl import URL

from generators.teachers.errors import TeacherError
from generators.throttle import Pace, Throttle
from verifiers.pool import HIDDEN


class Endpoint:
    """One server: `root` is its base URL up to and with /v1; `reached` once anything came back."""

    def __init__(self, base_url: str, max_in_flight: int | None):
        self.root, self.host = _root(base_url)
        self.loopback = is_loopback(self.host)
        self.chat = URL(f"{self.root}/chat/completions")
        self.completions = URL(f"{self.root}/completions")
        self.models = URL(f"{self.root}/models")
        self.throttle = Throttle(max_in_flight)
        self.pace = Pace()
        self.last_answer = 0.0
        self.checked = self.reached = False

    def __repr__(self) -> str:
        return f"Endpoint({self.root!r})"

    @property
    def backlog(self) -> float:
        """Seconds until one more request would be answered here, by its own speed so far."""
        return (self.throttle.in_flight + 1) / self.throttle.limit * (self.pace.typical or 1.0)

    @property
    def taken(self) -> float:
        """The share of its places that is taken with one more, 1 at most."""
        return min(1.0, (self.throttle.in_flight + 1) / self.throttle.limit)


def choose(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    """The endpoint with room that would answer soonest, or None where there is no room."""
    now = time.monotonic()
    if len(endpoints) == 1:
        return endpoints[0] if endpoints[0].throttle.room(now) > 0 else None
    free = [endpoint for endpoint in endpoints if endpoint.throttle.room(now) > 0]
    return min(free, key=lambda endpoint: endpoint.backlog, default=None)


class Key:
    """Where the key comes from: an environment variable, or a file of one. It is never kept."""

    def __init__(self, variable: str, file: str | None, host: str, optional: bool):
        self.variable, self.file, self.host, self.optional = variable, file, host, optional
        HIDDEN.add(variable)
        self.read()

    def __repr__(self) -> str:
        return f"Key({self.variable!r})"

    @property
    def where(self) -> str:
        """What a person looks at to mend it."""
        return self.file or self.variable

    def read(self) -> str:
        """The key; empty where none is needed. Raises TeacherError."""
        key = self._from_file() if self.file else os.environ.get(self.variable, "").strip()
        if not key and not self.optional:
            raise TeacherError(
                f"the teacher at {self.host} needs a key: "
                f"set the environment variable {self.variable}, or teacher.api_key_file"
            )
        if not (key.isascii() and key.isprintable()):
            raise TeacherError(f"the value of {self.where} is no key: it has odd characters")
        return key

    def _from_file(self) -> str:
        """The line `NAME=key` of our variable, else the whole file."""
        assert self.file is not None
        try:
            text = Path(self.file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TeacherError(f"the key file {self.file} cannot be read") from error
        for line in text.splitlines():
            name, equals, value = line.removeprefix("export ").partition("=")
            if equals and name.strip() == self.variable:
                return value.strip().strip("\"'")
        return text.strip()


def _root(base_url: str) -> tuple[str, str]:
    """(base URL without the path of an API call, host); raises TeacherError."""
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise TeacherError(f"base_url is no URL: {error}") from error
    if not host or parts.scheme not in ("http", "https"):
        raise TeacherError("base_url must look like https://host/v1")
    if parts.username or parts.password or parts.query:
        raise TeacherError("base_url must hold no password and no query; keys go into api_key_env")
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat")
    return f"{parts.scheme}://{parts.netloc}{path}", host


def is_loopback(host: str) -> bool:
    """True where `host` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
