"""The pool: faults of verifiers and workers end one row at most, and blame nobody."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from verifiers import base
from verifiers.pool import Backlog, VerdictPool
from verifiers.records import Completion, Problem

PLUGIN = '''
import os, signal, time
from pathlib import Path


class Act:
    """Does what the text says."""

    version = "7"

    def verify(self, problem, text):
        word, _, rest = text.partition(" ")
        if word == "die":
            with open(rest, "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "die-once" and not Path(rest).exists():
            Path(rest).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "spin":
            while True:
                pass
        if word == "sleep":
            time.sleep(60)
        if word == "raise":
            raise RuntimeError("on purpose")
        if word == "print":
            print('{"status": "correct"}', flush=True)
            os.write(1, b"loud\\n")
        if word == "grow":
            [bytes(1 << 20) for _ in range(4096)]
        if word == "nonsense":
            return {"status": "perhaps"}
        return {"status": "correct" if str(problem.answer) == text else "wrong"}
'''


@pytest.fixture
def act(tmp_path, monkeypatch):
    """A real plug-in on the path: a module, and the metadata of an installed distribution."""
    (tmp_path / "acting_verifier.py").write_text(PLUGIN)
    info = tmp_path / "acting_verifier-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acting-verifier\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[distill.verifiers]\nact = acting_verifier:Act\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    base.plugins.cache_clear()
    yield tmp_path
    base.plugins.cache_clear()


def judged(texts, workers=2, limit=1.5, answer="ok", verifier="act"):
    """Verdicts on `texts`, in order."""

    async def run():
        problem = Problem(prompt="", answer=answer, verifier=verifier)
        async with VerdictPool(workers=workers, limit=limit) as pool:
            return await asyncio.gather(*(pool.verify(problem, text) for text in texts))

    return asyncio.run(run())


def test_a_worker_that_dies_costs_one_row_and_is_tried_twice(act):
    note = act / "note"
    verdicts = judged(["ok"] * 20 + [f"die {note}"] + ["ok"] * 20)
    bad = verdicts.pop(20)
    assert (bad.status, bad.reason, bad.verifier) == ("undecided", "infra", "act")
    assert note.read_text() == "xx"
    assert all(verdict.correct for verdict in verdicts)


def test_a_row_whose_worker_died_once_is_judged_by_the_next(act):
    verdicts = judged([f"die-once {act / 'once'}", "ok", "no"], workers=1)
    assert [verdict.status for verdict in verdicts] == ["wrong", "correct", "wrong"]


def test_a_worker_killed_from_outside_is_replaced(act):
    async def run():
        problem = Problem(prompt="", answer="ok", verifier="act")
        async with VerdictPool(workers=1) as pool:
            assert (await pool.verify(problem, "ok")).correct
            for child in children():
                os.kill(child, signal.SIGKILL)
            return await pool.verify(problem, "ok")

    assert asyncio.run(run()).correct


@pytest.mark.parametrize("text", ["spin", "sleep"])
def test_a_hanging_verifier_times_out_within_bounds(act, text):
    start = time.monotonic()
    verdicts = judged([text, *["ok"] * 10], limit=1.0)
    assert (verdicts[0].status, verdicts[0].reason) == ("undecided", "timeout")
    assert all(verdict.correct for verdict in verdicts[1:])
    assert time.monotonic() - start < 20
    assert not children()


@pytest.mark.parametrize("text", ["raise", "nonsense", "grow"])
def test_a_failing_verifier_is_undecided(act, text):
    verdicts = judged([text, "ok"], workers=1, limit=5)
    assert (verdicts[0].status, verdicts[0].reason) == ("undecided", "infra")
    assert verdicts[1].correct


def test_what_a_verifier_prints_does_not_disturb_the_answers(act):
    verdicts = judged(["print", "ok", "print", "ok"], workers=1)
    assert [verdict.status for verdict in verdicts] == ["wrong", "correct"] * 2


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "x" * 1_000_000, "\u2028\n\r\x1b", ""])
def test_any_text_passes_through(act, text):
    assert judged([text], answer=text)[0].correct


def test_an_unknown_verifier_is_undecided():
    verdict = judged(["1"], verifier="nosuch")[0]
    assert (verdict.status, verdict.reason) == ("undecided", "infra")
    assert "unknown verifier" in verdict.detail


def test_versions_and_options_name_a_judge(act):
    pool = VerdictPool(workers=1)
    assert pool.require(["act"]) == {"act": "7"}
    with pytest.raises(base.UnknownVerifier, match="did you mean 'math'"):
        pool.require(["maths"])


@pytest.mark.parametrize(("finish", "reason"), [("length", "truncated"), ("error", "infra")])
def test_an_unfinished_completion_is_undecided_without_a_look(finish, reason):
    async def run():
        completion = Completion(problem_id="p", text="4", finish_reason=finish, request_key="k")
        async with VerdictPool(workers=1) as pool:
            return await pool.judge(Problem(prompt="", answer="4"), completion)

    verdict = asyncio.run(run())
    assert (verdict.status, verdict.reason, verdict.verifier) == ("undecided", reason, "math")


def test_maths_in_the_pool_is_bounded():
    texts = [r"\boxed{4}", r"\boxed{9^{9^{9^9}}}", r"\boxed{" + "1+" * 50_000 + "1}", r"\boxed{5}"]
    verdicts = judged(texts, answer="4", verifier="math")
    assert [verdict.status for verdict in verdicts] == [
        "correct",
        "undecided",
        "undecided",
        "wrong",
    ]
    assert [verdict.reason for verdict in verdicts] == ["", "timeout", "timeout", "different"]


def test_secrets_do_not_reach_a_worker(act, monkeypatch):
    (act / "acting_verifier.py").write_text(
        "import os\nclass Act:\n    version = '1'\n"
        "    def verify(self, problem, text):\n"
        "        return {'status': 'wrong' if 'OPENAI_API_KEY' in os.environ else 'correct'}\n"
    )
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert judged(["any"])[0].correct


def children() -> list[int]:
    """Worker processes of this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def test_a_judgement_that_fails_is_never_lost():
    async def fails():
        raise OSError("disk")

    async def go():
        backlog = Backlog(most=2)
        await backlog.add(asyncio.sleep(0))
        await backlog.add(fails())
        await backlog.drain()

    with pytest.raises(OSError, match="disk"):
        asyncio.run(go())


@pytest.mark.parametrize("score", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("status", ["correct", "wrong", "undecided"])
def test_a_verdict_comes_back_as_it_was_given(act, status, score):
    given = {
        "status": status,
        "score": score,
        "reason": "no_answer",
        "extracted": "é\n",
        "span": (1, 2),
    }
    (act / "acting_verifier.py").write_text(
        f"class Act:\n    version = '1'\n    def verify(self, problem, text):\n        return {given}\n"
    )
    verdict = judged(["any"], workers=1)[0]
    assert {name: getattr(verdict, name) for name in given} == given


def test_what_a_plug_in_writes_between_the_answers_is_believed_of_nothing(act):
    """Nor does it hold anything up."""
    (act / "acting_verifier.py").write_text(
        "import os\nclass Act:\n    version = '1'\n"
        "    def verify(self, problem, text):\n"
        "        for fd in range(3, 9):\n"
        "            try:\n"
        "                os.write(fd, b'[]\\nnonsense\\n')\n"
        "            except OSError:\n"
        "                pass\n"
        "        return {'status': 'wrong'}\n"
    )
    verdicts = judged(["any"] * 5, workers=1)
    assert {verdict.status for verdict in verdicts} <= {"undecided", "wrong"}
