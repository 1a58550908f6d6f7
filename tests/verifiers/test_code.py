"""The `code` verifier: what is right and what is not, by real boxes."""

import pytest

from verifiers import base
from verifiers.records import Problem


@pytest.fixture(scope="module")
def code():
    verifier = base.load("code", {"test_seconds": 2, "seconds": 4})
    yield verifier
    verifier.close()


def judged(code, text, tests, entry="f"):
    answer = {"kind": "function", "entry_point": entry, "tests": tests}
    return base.judge("code", code, Problem(prompt="", answer=answer, verifier="code"), text)


def one(code, body, expected, *args):
    """The verdict on `def f(...): <body>` with one test."""
    return judged(code, body, [{"args": list(args), "expected": expected}])


RIGHT = {
    "threads": (
        "import threading\ndef f(n):\n    out = []\n    ts = [threading.Thread(target=out.append, args=(i,)) for i in range(n)]\n"
        "    [t.start() for t in ts]; [t.join() for t in ts]\n    return sorted(out)",
        [0, 1, 2], 3,
    ),
    "pool of threads": ("from concurrent.futures import ThreadPoolExecutor\ndef f(n):\n    with ThreadPoolExecutor(32) as p: return list(p.map(lambda x: x * x, range(n)))", [0, 1, 4], 3),
    "deep recursion": ("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)", 50_000, 50_000),
    "cached recursion": ("import sys, functools\nsys.setrecursionlimit(10**6)\n@functools.lru_cache(None)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)", 20_000, 20_000),
    "stack of a thread": ("import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\ndef f(n):\n    out = []\n    def g(n): return 0 if n == 0 else 1 + g(n - 1)\n    t = threading.Thread(target=lambda: out.append(g(n))); t.start(); t.join()\n    return out[0]", 30_000, 30_000),
    "subprocess": ("import subprocess\ndef f(x): return subprocess.run(['echo', x], capture_output=True, text=True).stdout.strip()", "hi", "hi"),
    "processes": ("import multiprocessing as m\ndef g(x): return x * x\ndef f(n):\n    with m.Pool(2) as p: return p.map(g, range(n))", [0, 1, 4], 3),
    "asyncio": ("import asyncio\nasync def g(x):\n    await asyncio.sleep(0.001)\n    return x\ndef f(x): return asyncio.run(g(x))", 5, 5),
    "files": ("import tempfile, os\ndef f(x):\n    with tempfile.NamedTemporaryFile('w+') as t:\n        t.write(x); t.flush()\n        return open(t.name).read()", "a", "a"),
    "dataclass": ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(x): return P(x).x", 1, 1),
    "class Solution": ("class Solution:\n    def f(self, x): return x", 1, 1),
    "prints": ("def f(x):\n    print('x' * 1000)\n    return x", 1, 1),
    "exit is there": ("def f(x):\n    return callable(exit) and callable(quit)", True, 1),
    "Counter": ("from collections import Counter\ndef f(x): return Counter(x)", {"a": 2, "b": 1}, "aab"),
    "int subclass": ("from enum import IntEnum\nclass E(IntEnum):\n    A = 3\ndef f(x): return E.A", 3, 1),
    "huge integer": ("def f(n): return 3 ** n % 10**30", pow(3, 5000, 10**30), 5000),
    "last digits of a float": ("def f(x): return 0.1 + 0.2", 0.3, 1),
    "annotations": ("from __future__ import annotations\nfrom typing import List\ndef f(x: List[int]) -> Undefined: return x", [1], [1]),
    "numpy": ("import numpy as np\ndef f(x): return np.sum(np.array(x))", 6, [1, 2, 3]),
    "fork": ("import os\ndef f(x):\n    pid = os.fork()\n    if pid == 0: os._exit(0)\n    os.waitpid(pid, 0)\n    return x", 1, 1),
    "main guard": ("def f(x): return x\nif __name__ == '__main__':\n    raise SystemExit(1)", 1, 1),
}  # fmt: skip
WRONG = {
    "True for 1": ("def f(x): return True", 1, "different"),
    "1.0 for 1": ("def f(x): return 1.0", 1, "different"),
    "1 for 1.0": ("def f(x): return 1", 1.0, "different"),
    "text for a number": ("def f(x): return '1'", 1, "different"),
    "tuple for a list": ("def f(x): return (1, 2)", [1, 2], "different"),
    "rounded": ("def f(x): return 3.1416", 3.14159265, "different"),
    "lies about equality": ("class L:\n    def __eq__(self, o): return True\n    def __hash__(self): return 1\ndef f(x): return L()", 1, "different"),
    "list that lies": ("class L(list):\n    def __eq__(self, o): return True\n    def __len__(self): return 2\n    def __iter__(self): return iter([1, 2])\ndef f(x): return L()", [1, 2], "different"),
    "huge text of digits": ("def f(x): return 16 ** 100000", 1, "different"),
    "endless iterator": ("import itertools\ndef f(x): return itertools.count()", 1, "different"),
    "endless list": ("class L(list):\n    def __iter__(self):\n        while True: yield 1\ndef f(x): return L()", [1], "different"),
    "in itself": ("def f(x):\n    a = []\n    for i in range(50): a = [a, a]\n    return a", [], "output"),
    "exit early": ("import os\ndef f(x): os._exit(0)", 1, "crash"),
    "exit at import": ("import sys\nsys.exit(0)", 1, "crash"),
    "loops": ("def f(x):\n    while True: pass", 1, "timeout"),
    "deaf loop": ("import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\ndef f(x):\n    while True: pass", 1, "timeout"),
    "memory": ("def f(x): return len([0] * 10**9)", 10**9, "memory"),
    "floods": ("def f(x):\n    while True: print('x' * 10000)", 1, "output"),
    "returns a lot": ("def f(x): return 'x' * 5_000_000", 1, "output"),
    "no function": ("def g(x): return 1", 1, "no_answer"),
    "syntax": ("def f(x) return 1", 1, "crash"),
    "recursion": ("def f(x): return f(x)", 1, "crash"),
    "closes everything": ("import os\nos.closerange(0, 1 << 16)\ndef f(x): return 1", 1, "crash"),
    "kills its parent": ("import os\nfor s in (9, 15, 19):\n    os.kill(os.getppid(), s)\nos.kill(-1, 9)\ndef f(x): return 2", 1, None),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_is_not_refused(code, name):
    if name == "processes" and code.isolation == "landlock":
        pytest.skip("Landlock leaves no place for named semaphores")
    source, expected, argument = RIGHT[name]
    verdict = one(code, source, expected, argument)
    assert verdict.correct, verdict
    assert verdict.isolation != "none"


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_wrong_and_says_why(code, name):
    source, expected, reason = WRONG[name]
    verdict = one(code, source, expected, 1)
    assert verdict.status == "wrong", verdict
    assert reason in (None, verdict.reason), verdict
    assert verdict.why
    assert verdict.seconds < 5
    after = one(code, "import os\ndef f(x): return os.listdir('.')", [], 1)
    assert after.correct, after


def scripted(code, text, test):
    """The verdict on `text` where `test` is a program that defines `check`."""
    answer = {"kind": "script", "entry_point": "f", "test": test}
    return base.judge("code", code, Problem(prompt="", answer=answer, verifier="code"), text)


CHANGES = """
def check(candidate):
    items = [3, 1, 2]
    assert candidate(items) == 6
    assert items == [1, 2, 3]
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [("items.sort()\n    return sum(items)", "correct"),
     ("return sum(items)", "wrong"),
     ("items.sort()", "wrong"),
     ("items.sort()\n    return 7", "wrong")],
)  # fmt: skip
def test_a_script_sees_what_is_returned_and_what_became_of_the_argument(code, body, expected):
    assert scripted(code, f"def f(items):\n    {body}", CHANGES).status == expected


@pytest.mark.parametrize(
    "check",
    ["def check(candidate): pass", "check = lambda *_: True",
     "import builtins\nbuiltins.check = lambda *_: None",
     "import __main__\n__main__.check = lambda *_: None\ndef check(candidate): return True"],
)  # fmt: skip
def test_a_submission_that_defines_its_own_check_is_judged_by_the_real_one(code, check):
    test = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9"
    assert scripted(code, f"{check}\ndef f(x): return 5", test).status == "wrong"
    assert scripted(code, f"{check}\ndef f(x): return x * x", test).status == "correct"


SHELL = {"file": "main.sh", "run": "sh main.sh", "fences": ["bash"]}
BUILT = {"file": "prog.txt", "build": "cp prog.txt made.sh", "run": "sh made.sh"}
NOWHERE = {"file": "main.x", "build": "no-such-compiler main.x", "run": "./main"}


@pytest.fixture(scope="module")
def polyglot():
    languages = {"shell": SHELL, "built": BUILT, "nowhere": NOWHERE}
    verifier = base.load("code", {"languages": languages})
    yield verifier
    verifier.close()


@pytest.mark.parametrize(
    ("language", "source", "status", "reason"),
    [("shell", "read a\necho $((a + 1))", "correct", ""),
     ("shell", "read a\necho $((a + 2))", "wrong", "different"),
     ("shell", "read a\necho $((a + 1))\nexit 4", "wrong", "crash"),
     ("shell", "while :; do echo 4; done", "wrong", "output"),
     ("built", "read a\necho $((a + 1))", "correct", ""),
     ("built", "read a\necho $a", "wrong", "different"),
     ("nowhere", "anything", "undecided", "infra"),
     ("unheard", "anything", "undecided", "bad_gold")],
)  # fmt: skip
def test_a_language_that_the_recipe_names(polyglot, language, source, status, reason):
    tests = [{"stdin": "3\n", "stdout": "4\n"}]
    answer = {"kind": "stdio", "language": language, "tests": tests}
    text = f"So:\n```{language}\n{source}\n```"
    found = base.judge("code", polyglot, Problem(prompt="", answer=answer, verifier="code"), text)
    assert (found.status, found.reason) == (status, reason), found
    assert found.isolation != "none"
