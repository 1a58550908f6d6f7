"""What a submission must not reach: secrets, folders, listeners and processes of the host."""

import contextlib
import ctypes
import os
import shutil
import socket
import tempfile
import time
import uuid
from pathlib import Path

SUBREAPER = 36


class Lookout:
    """Canaries outside the box; `fill` writes their places into an attack, `seen` tells of visits."""

    def __init__(self):
        self.outside = Path(tempfile.mkdtemp(prefix="lookout-", dir="/var/tmp"))
        self.outside.chmod(0o777)
        self.mark = f"mark-{uuid.uuid4().hex}"
        (self.outside / self.mark).touch()
        self.secret = self.outside / "secret"
        self.secret.write_text("canary")
        self.secret.chmod(0o644)
        self.name = "LOOKOUT_SECRET"
        os.environ[self.name] = "canary"
        self.abstract = f"lookout-{uuid.uuid4().hex}"
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.hidden = socket.socket(socket.AF_UNIX)
        self.hidden.bind("\0" + self.abstract)
        self.hidden.listen(64)
        self.path = socket.socket(socket.AF_UNIX)
        self.path.bind(str(self.outside / "listener"))
        (self.outside / "listener").chmod(0o777)
        self.path.listen(64)
        self.files = self._files()
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)

    def fill(self, text: str) -> str:
        """`text` with the places of the canaries."""
        for name, value in {
            "SECRET_FILE": self.secret, "SECRET_ENV": self.name, "OUTSIDE": self.outside,
            "CANARY": self.mark, "LOOPBACK_PORT": self.port, "ABSTRACT": self.abstract,
            "HOST_PID": os.getpid(),
        }.items():  # fmt: skip
            text = text.replace(f"@{name}@", str(value))
        return text

    def _files(self) -> list[str]:
        return sorted(str(path) for path in self.outside.rglob("*"))

    def seen(self) -> list[str]:
        """Who came by since the last call: connections, datagrams, files that were made or lost."""
        found = []
        for listener in (self.tcp, self.udp, self.hidden, self.path):
            listener.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                if listener is self.udp:
                    listener.recv(100)
                else:
                    listener.accept()[0].close()
                found.append(f"a visit at {listener}")
        if self._files() != self.files:
            found.append(f"files: {self._files()}")
            self.files = self._files()
        return found

    def close(self) -> None:
        """Take everything away."""
        for listener in (self.tcp, self.udp, self.hidden, self.path):
            listener.close()
        os.environ.pop(self.name, None)
        shutil.rmtree(self.outside, ignore_errors=True)


def family() -> set[int]:
    """All descendants of this process, orphans among them too, since it adopts them."""
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
                fresh = {int(pid) for pid in children.read_text().split()} - found
                waiting += fresh
                found |= fresh
    return {pid for pid in found if not _ended(pid)}


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def settled(size: int, seconds: float = 1.0) -> set[int]:
    """The family once it has at most `size` members, or what it is after `seconds`."""
    end = time.monotonic() + seconds
    while len(found := family()) > size and time.monotonic() < end:
        time.sleep(0.02)
    return found
