"""A small HTTP/1.1 server on plain asyncio, fast enough to be the quick side of a benchmark.

One `Exchange` a request: the handler answers when it likes, with whatever bytes it likes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


class Exchange:
    """One request and the connection that its answer goes to."""

    __slots__ = ("_connection", "authorization", "body", "method", "path", "started")

    def __init__(self, connection: Connection, head: bytes, body: bytes):
        line, _, rest = head.partition(b"\r\n")
        method, path, _ = line.split(b" ", 2)
        self.method, self.path = method.decode(), path.decode()
        value = _header(rest, b"authorization")
        self.authorization = value.decode() if value is not None else None
        self.body = body
        self._connection = connection
        self.started = asyncio.get_running_loop().time()

    @property
    def open(self) -> bool:
        """True while the client is still there."""
        transport = self._connection.transport
        return transport is not None and not transport.is_closing()

    def head(self, status: int, length: int | None, headers: Mapping[str, str] = {}) -> bytes:
        """Status line and headers; without a length the body is sent in chunks."""
        reason = REASONS.get(status, "Status")
        lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: application/json"]
        lines.append(
            "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        )
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def write(self, data: bytes) -> None:
        """Bytes as they are, to a client that is still there."""
        if self.open:
            self._connection.transport.write(data)

    def chunk(self, data: bytes) -> None:
        """One chunk of a chunked body; the empty one ends it."""
        self.write(b"%x\r\n%s\r\n" % (len(data), data))

    def send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        """A whole answer."""
        self.write(self.head(status, len(body), headers) + body)

    def cut(self) -> None:
        """Close the connection."""
        if self.open:
            self._connection.transport.close()

    def reset(self) -> None:
        """Break the connection, so that the client sees a reset."""
        if self.open:
            raw = self._connection.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._connection.transport.abort()


class Connection(asyncio.Protocol):
    """Cuts what arrives into requests."""

    def __init__(self, handle: Callable[[Exchange], None], known: set[Connection]):
        self.handle, self.known = handle, known
        self.transport: asyncio.Transport | None = None
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.known.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.known.discard(self)
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.data = self.data + data if self.data else data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head, start = self.data[:end], end + 4
            length = int(_header(head, b"content-length") or 0)
            if len(self.data) < start + length:
                return
            body, self.data = self.data[start : start + length], self.data[start + length :]
            self.handle(Exchange(self, head, body))


def _header(head: bytes, name: bytes) -> bytes | None:
    at = head.lower().find(b"\r\n" + name + b":")
    if at < 0:
        at = 0 if head.lower().startswith(name + b":") else -2
        if at < 0:
            return None
        start = len(name) + 1
    else:
        start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip()
