"""Runs the rows of hostile_code.jsonl against the `code` verifier and says what went wrong."""

import json
import os
import time
from pathlib import Path

from tests.verifiers.lookout import Lookout, family, settled
from verifiers import base
from verifiers.records import Problem

ROWS = Path(__file__).parents[1] / "data" / "hostile_code.jsonl"
SLACK = 1.0
LIMITS = (2, 4, 10)
RUNGS = ("bubblewrap", "namespaces", "landlock")
UNTOUCHED = {
    "kind": "function",
    "entry_point": "odd_things",
    "tests": [{"args": [], "expected": []}],
}
PROBE = """
import builtins, contextlib, gc, json, os, random, resource, signal, sys, tempfile, threading, time

def odd_things():
    odd = []
    def expect(name, fine):
        if not fine:
            odd.append(name)
    mask = os.umask(0o022)
    expect(f"umask {mask:o}", mask in (0o022, 0o077))
    for top in {os.getcwd(), tempfile.gettempdir()}:
        expect(f"left in {top}: {os.listdir(top)[:3]}", not os.listdir(top))
        path = os.path.join(top, "probe")
        with open(path, "w") as file:
            file.write("x")
        os.unlink(path)
    with contextlib.suppress(OSError):
        expect(f"left in /dev/shm: {os.listdir('/dev/shm')[:3]}", not os.listdir("/dev/shm"))
    for name, least in (("NOFILE", 64), ("CPU", 1), ("NPROC", 8), ("FSIZE", 1 << 20), ("STACK", 1 << 20)):
        soft = resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0]
        expect(f"{name} {soft}", soft == -1 or soft >= least)
    expect("signal mask", not signal.pthread_sigmask(signal.SIG_BLOCK, []))
    expect("timer", signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0))
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1):
        expect(f"handler {number}", signal.getsignal(number) == signal.SIG_DFL)
    for number in (0, 1, 2):
        expect(f"descriptor {number} does not block", os.get_blocking(number))
    expect("environment", "/nowhere" not in str(os.environ) and "LD_PRELOAD" not in os.environ)
    expect("canary", "canary" not in str(os.environ))
    expect("path", all(top not in ("", "/tmp", ".") for top in sys.path))
    expect("modules", "poison" not in sys.modules and "sitecustomize" not in sys.modules)
    expect("builtins", type(print) is type(len) and builtins.print is print)
    expect("json", json.loads(json.dumps([1])) == [1])
    expect("niceness", os.getpriority(os.PRIO_PROCESS, 0) < 19)
    expect("recursion", sys.getrecursionlimit() >= 1000)
    expect("digits", sys.get_int_max_str_digits() >= 4300)
    expect("collector", gc.isenabled())
    expect("threads", threading.active_count() == 1)
    expect("time zone", time.tzname[0] != "UTC+11" and time.timezone != 39600)
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    expect("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7)
    return odd
"""


def suite() -> list[dict]:
    """All rows."""
    return [json.loads(line) for line in ROWS.read_text().splitlines()]


def text_of(row: dict) -> str:
    """A row's completion; a list stands for pieces with the times that each is repeated."""
    said = row["completion"]
    return said if isinstance(said, str) else "".join(piece * times for piece, times in said)


class Siege:
    """The `code` verifier on one rung of the ladder, watched from outside."""

    def __init__(self, rung: str):
        self.rung = rung
        self.lookout = Lookout()
        self.verifiers = {}
        self.walls = {}
        self._before, os.environ["DISTILL_BOX"] = os.environ.get("DISTILL_BOX"), rung

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lookout.close()
        os.environ.pop("DISTILL_BOX")
        if self._before:
            os.environ["DISTILL_BOX"] = self._before
        for verifier in self.verifiers.values():
            verifier.close()

    def limit(self, asked) -> float:
        """One of few limits, so that few boxes are needed: the next one up from what a row asks."""
        return next((limit for limit in LIMITS if limit >= (asked or LIMITS[-1])), LIMITS[-1])

    def judge(self, gold, text, limit=None, prompt=""):
        """The verdict on one text, and the seconds it took."""
        limit = self.limit(limit)
        if limit not in self.verifiers:
            options = {"seconds": limit, "test_seconds": min(5, limit)}
            self.verifiers[limit] = base.load("code", options)
            self._judge(self.verifiers[limit], UNTOUCHED, PROBE)
        return self._judge(self.verifiers[limit], gold, text, prompt)

    def _judge(self, verifier, gold, text, prompt=""):
        start = time.monotonic()
        problem = Problem(prompt=prompt, answer=gold, verifier="code")
        found = base.judge("code", verifier, problem, text)
        return found, time.monotonic() - start

    def attack(self, row: dict) -> list[str]:
        """What went wrong with one row: the verdict, the time, what was left behind or reached."""
        limit = row.get("limit")
        gold = json.loads(self.lookout.fill(json.dumps(row["answer"])))
        text = self.lookout.fill(text_of(row))
        self.judge(UNTOUCHED, PROBE + "# numpy" * ("numpy" in text), limit)
        size = len(family())
        found, wall = self.judge(gold, text, limit, row.get("prompt", ""))
        self.walls[row["id"]] = wall
        off = []
        if found.status != row["expected"]:
            off.append(f"{found.status}/{found.reason}: {found.why} {found.detail}"[:400])
        if found.isolation != self.rung and row["expected"] != "undecided":
            off.append(f"isolation is {found.isolation}")
        if wall > self.limit(limit) + SLACK:
            off.append(f"it took {wall:.2f} s")
        if len(left := settled(size)) > size:
            off.append(f"processes left: {left}")
        off += self.lookout.seen()
        after, _ = self.judge(UNTOUCHED, PROBE, limit)
        if after.status != "correct":
            off.append(f"what the next one finds: {after.reason} {after.why} {after.detail}"[:400])
        return off

    def all(self, rows) -> dict[str, list[str]]:
        """What went wrong, by row."""
        return {row["id"]: off for row in rows if (off := self.attack(row))}
