"""The `code` verifier and the box under attack: nothing is fooled, nothing honest is refused."""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.verifiers.lookout import settled
from tests.verifiers.siege import PROBE, ROWS, RUNGS, UNTOUCHED, Siege, suite
from verifiers import base
from verifiers.box.box import NoBox

NOT_ON = {"landlock": ("honest-literal-tmp", "honest-multiprocessing")}
"""What a rung does not offer: a /tmp of one's own by that name, semaphores in /dev/shm."""
OPEN = ("honest-script-14",)
"""Refused though right: in a script's test, a class as the entry point."""
SHARE = 16
FORK_BOMB = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n"


@pytest.fixture(params=RUNGS)
def siege(request, monkeypatch):
    monkeypatch.setenv("DISTILL_BOX", request.param)
    try:
        base.load("code").close()
    except NoBox as error:
        pytest.skip(str(error))
    with Siege(request.param) as siege:
        yield siege


def rows_for(rung):
    return [
        row
        for row in suite()
        if row["category"] not in NOT_ON.get(rung, ()) and row["id"] not in OPEN
    ]


def test_the_suite_is_large_and_a_third_of_it_is_made():
    rows = suite()
    hostile = [row for row in rows if row["expected"] != "correct"]
    assert len(hostile) >= 160
    assert len(rows) - len(hostile) >= 60
    assert sum(row["by"] != "hand" for row in rows) * 3 >= len(rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_made_rows_are_up_to_date(tmp_path):
    maker = ROWS.with_name("make_hostile_code.py")
    (tmp_path / maker.name).write_text(maker.read_text())
    (tmp_path / ROWS.name).write_text(ROWS.read_text())
    subprocess.run([sys.executable, tmp_path / maker.name], check=True)
    assert (tmp_path / ROWS.name).read_text() == ROWS.read_text()


def test_a_share_of_the_suite(siege):
    quick = [row for row in rows_for(siege.rung) if row.get("limit", 9) > 2]
    assert siege.all(quick[RUNGS.index(siege.rung) :: SHARE]) == {}


@pytest.mark.slow
def test_the_whole_suite(siege):
    assert siege.all(rows_for(siege.rung)) == {}


def test_a_fork_bomb_starves_nobody_next_to_it(siege):
    bombs = base.load("code", {"seconds": 3, "test_seconds": 3})
    gold = {"kind": "function", "entry_point": "f", "tests": [{"args": [], "expected": 1}]}
    found = []
    bomb = threading.Thread(target=lambda: found.append(siege._judge(bombs, gold, FORK_BOMB)))
    siege.judge(UNTOUCHED, PROBE)
    bomb.start()
    time.sleep(0.3)
    beside = [siege.judge(UNTOUCHED, PROBE)[0].status for _ in range(5)]
    bomb.join()
    bombs.close()
    assert beside == ["correct"] * 5
    assert found[0][0].status == "wrong"


def test_nothing_is_left_when_the_box_is_closed(siege):
    before = {*Path(tempfile.gettempdir()).glob("distill-box-*")}
    siege.judge(UNTOUCHED, PROBE)
    siege.judge(UNTOUCHED, "import os, time\nif os.fork() == 0: time.sleep(60)\n" + PROBE)
    for verifier in siege.verifiers.values():
        verifier.close()
    assert settled(0) == set()
    assert {*Path(tempfile.gettempdir()).glob("distill-box-*")} <= before
