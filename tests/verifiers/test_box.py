"""The box on every rung that this machine has: what it keeps in, and what it leaves behind."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verifiers import base
from verifiers.box import box as boxes
from verifiers.box import ladder
from verifiers.box.box import Box, NoBox
from verifiers.box.compare import same
from verifiers.box.order import Child, Limits
from verifiers.box.plain import pack
from verifiers.records import Problem
from verifiers.submission import find


def rungs():
    found = []
    for rung in ladder.RUNGS:
        try:
            boxes._Running(rung, ()).close()
            found.append(rung)
        except OSError:
            continue
    return found


@pytest.fixture(scope="module", params=rungs())
def box(request):
    os.environ[ladder.ONLY] = request.param
    box = Box()
    yield box
    box.close()
    del os.environ[ladder.ONLY]


def call(box, body, *args, limits=None, top=""):
    """What `def f(*a): body` returns in the box, or its message."""
    source = f"{top}\ndef f(*a):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    task = {"source": source, "entry": "f", "tests": [{"args": list(args), "kwargs": {}}]}
    outcome = box.run([Child("function", task)], limits or Limits(test=2, submission=3))
    last = outcome.messages[-1] if outcome.messages else {}
    return last.get("value", last.get("error", outcome.why))


def test_no_network(box):
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = "import socket\nsocket.create_connection(('127.0.0.1', a[0]), 1)\nreturn 'reached'"
        assert "Error" in str(call(box, reach, server.getsockname()[1]))
    vsock = "import socket\nsocket.socket(40, socket.SOCK_STREAM)"
    assert "Error" in str(call(box, vsock))


def test_no_host_files_nor_environment(box, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o666)
    for path in (str(secret), "/etc/passwd", "/etc/hostname", __file__):
        assert "Error" in str(call(box, "return open(a[0]).read()", path)), path
    assert (
        call(
            box, "import os\nreturn 'PYTEST_CURRENT_TEST' in os.environ or 'HOSTNAME' in os.environ"
        )
        is False
    )
    assert "Error" in str(call(box, "open('/usr/x', 'w')"))


def test_it_runs_as_nobody_in_particular(box):
    assert call(box, "import os\nreturn os.getuid()") != 0
    assert "Error" in str(call(box, "import os\nos.setuid(0)"))


@pytest.mark.parametrize("body", [
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)\n    os._exit(0)\nreturn 1",
    "import subprocess\nsubprocess.Popen(['sleep', '60'])\nreturn 1",
    "import os\nwhile True: os.fork()",
    "import os\nwhile True:\n    if os.fork(): os._exit(0)",
    "import threading, time\nfor _ in range(10**4): threading.Thread(target=time.sleep, args=(60,)).start()",
])  # fmt: skip
def test_nothing_is_left_running(box, body):
    start = time.monotonic()
    call(box, body)
    assert time.monotonic() - start < 4
    pid = box._start()._zygote or box._start()._process.pid
    assert len(boxes._tree(pid)) == 0
    assert call(box, "return 7") == 7


def test_memory_is_bounded_for_all_processes_together(box):
    body = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(os.urandom(1 << 20)) * 200\n        time.sleep(5)\n        os._exit(0)\ntime.sleep(5)\nreturn 1"
    start = time.monotonic()
    assert call(box, body, limits=Limits(test=6, submission=8)) == "memory"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("body", [
    "import os\nos.kill(os.getppid(), 9)\nreturn 1", "import os\nos.kill(1, 9)\nreturn 1",
    "import os, signal\nos.kill(1, signal.SIGINT)\nreturn 1", "import os\nos.kill(-1, 9)\nreturn 1",
])  # fmt: skip
def test_signals_stay_inside(box, body):
    pid = box._start()._process.pid
    call(box, body)
    assert call(box, "return 7") == 7
    assert box._start()._process.pid == pid


@pytest.mark.parametrize("body", [
    "open('left', 'w').write('x')", "import os\nos.makedirs('a/' * 300)\nos.chmod('a', 0)",
    "import os\nfor _ in range(1500):\n    os.mkdir('d'); os.chdir('d')\nos._exit(3)",
    "import os\nopen('left', 'w').write('x'); os.close(250)",
])  # fmt: skip
def test_the_scratch_folder_is_wiped(box, body):
    call(box, body)
    assert call(box, "import os\nreturn os.listdir(os.environ['TMPDIR'])") == []


def test_a_box_that_is_killed_is_replaced(box):
    assert call(box, "return 1") == 1
    running = box._start()
    os.kill(running._zygote or running._process.pid, 9)
    assert call(box, "return 2") == 2


def test_an_inherited_descriptor_is_closed(box):
    body = "import os\nopen_ = []\nfor n in range(3, 250):\n    try: os.fstat(n); open_.append(n)\n    except OSError: pass\nreturn open_"
    assert call(box, body) == []


def test_no_shared_pipe_is_poisoned(box):
    call(box, "import os\nfor n in (0, 1, 2, 250):\n    os.set_blocking(n, False)\nreturn 1")
    assert call(box, "print('x' * 500_000)\nreturn 1") == 1


def test_as_an_ordinary_user():
    """The same as somebody else than root, where a Python outside of root's home is there."""
    python = "/usr/bin/python3"
    same_version = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    if os.geteuid() or subprocess.run([python, "-c", same_version], check=False).returncode:
        pytest.skip("needs root and a system Python of this version")
    root = Path(__file__).parents[2]
    code = "from verifiers.box.box import isolation\nprint(isolation())"
    env = {
        "PYTHONPATH": f"{root}:{ladder.packages()[0]}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.environ["PATH"],
    }
    for rung in rungs():
        done = subprocess.run(
            [python, "-c", code], env=env | {ladder.ONLY: rung}, user=65534, group=65534,
            extra_groups=[], cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.strip() == rung, done.stderr


def test_where_there_is_no_isolation_boxed_verifiers_refuse(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(boxes, "_found", [])
    with pytest.raises(NoBox, match="darwin"):
        boxes.isolation()
    with pytest.raises(base.VerifierError, match="box"):
        base.load("code")
    assert base.load("math").trust == "pure"


def test_unsafe_only_where_it_was_said(monkeypatch):
    monkeypatch.setattr(boxes, "_found", [])
    monkeypatch.setattr(ladder, "RUNGS", ())
    monkeypatch.delenv(ladder.ONLY, raising=False)
    with pytest.raises(NoBox, match="--unsafe-local"):
        boxes.isolation()
    monkeypatch.setenv(ladder.UNSAFE, "1")
    assert boxes.isolation() == "unsafe"
    box = Box()
    assert call(box, "return 5") == 5
    box.close()


def test_comparison_of_hostile_values_is_bounded():
    start = time.monotonic()
    collide = [[n * (2**61 - 1), 0] for n in range(30_000)]
    assert not same({"a": 1}, {"d": collide})
    assert not same([1], {"s": [n for n, _ in collide]})
    assert not same({str(n): 0 for n in range(30_000)}, {"d": collide})
    assert not same(1, {"i": "f" * 500_000})
    assert same(16**1000, {"i": hex(16**1000)})
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(("expected", "returned", "equal"), [
    (1, 1, True), (1, True, False), (1.0, 1, False), (1, 1.0, False), ([1], (1,), False),
    ({"a": [1]}, {"a": [1]}, True), ({"1": 2}, {1: 2}, False), (None, None, True), ("a", "a", True),
    (0.3, 0.1 + 0.2, True), (0.0, 1e-17, True), (1e-30, 0.0, False), (float("nan"), float("nan"), True),
    ([], {}, False), ("", [], False), ([1, 2], [1], False), (10**30, 10**30, True),
])  # fmt: skip
def test_comparison(expected, returned, equal):
    assert same(expected, pack(returned)) is equal


@pytest.mark.parametrize(
    "text",
    [
        "```\n" * 250_000,
        "`" * 10**6,
        "\n" * 10**6,
        "```python\n" + " " * 10**6,
        "<think>" * 140_000,
    ],
)
def test_finding_code_is_linear(text):
    start = time.monotonic()
    find(text, entry="f")
    assert time.monotonic() - start < 3


def test_a_test_that_is_forged_by_the_first_message_does_not_pass():
    source = "import os, json\nm = json.dumps({'passed': True}).encode()\nos.write(250, len(m).to_bytes(4, 'big') + m)\nos._exit(0)"
    answer = {"kind": "script", "entry_point": "f", "test": "def check(c):\n    assert c(1) == 2"}
    verifier = base.load("code")
    verdict = base.judge(
        "code", verifier, Problem(prompt="", answer=answer, verifier="code"), source
    )
    verifier.close()
    assert verdict.status == "wrong"
