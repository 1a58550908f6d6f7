"""Answers that are judged together, in real workers and within the same limits."""

import asyncio

import pytest

from verifiers import base
from verifiers.pool import VerdictPool
from verifiers.records import Completion, Problem

PLUGIN = '''
import time


class Most:
    """Correct where most texts say the same."""

    version = "1"

    def verify(self, problem, text):
        return {"status": "undecided", "reason": "bad_row"}

    def verify_group(self, problem, texts):
        if "spin" in texts:
            while True:
                pass
        if "raise" in texts:
            raise RuntimeError("on purpose")
        if "short" in texts:
            return []
        most = max(texts, key=texts.count)
        return [{"status": "correct" if text == most else "wrong"} for text in texts]
'''


@pytest.fixture
def most(tmp_path, monkeypatch):
    (tmp_path / "most_verifier.py").write_text(PLUGIN)
    info = tmp_path / "most_verifier-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: most-verifier\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[distill.verifiers]\nmost = most_verifier:Most\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    base.plugins.cache_clear()
    yield
    base.plugins.cache_clear()


def grouped(texts, verifier="most", answer=None):
    async def run():
        problem = Problem(prompt="p", answer=answer, verifier=verifier, gold="consensus")
        async with VerdictPool(workers=1) as pool:
            return await pool.verify_group(problem, texts)

    return [(verdict.status, verdict.reason) for verdict in asyncio.run(run())]


def test_a_group_is_judged_together_in_order(most):
    assert grouped(["4", "5", "4"]) == [("correct", ""), ("wrong", ""), ("correct", "")]
    assert grouped([]) == []


@pytest.mark.parametrize(
    ("word", "reason"), [("raise", "infra"), ("short", "infra"), ("spin", "timeout")]
)
def test_a_fault_of_the_verifier_blames_nobody(most, word, reason):
    assert grouped(["4", word, "4"]) == [("undecided", reason)] * 3


def test_other_verifiers_judge_one_by_one(most):
    found = grouped(["a", "b", ""], "exact", "a")
    assert [status for status, _ in found] == ["correct", "wrong", "wrong"]


def test_what_was_cut_off_has_no_say(most):
    def completion(text, finish):
        return Completion(problem_id="p", text=text, finish_reason=finish, request_key=text)

    async def run():
        problem = Problem(prompt="p", verifier="most")
        async with VerdictPool(workers=1) as pool:
            given = [completion(t, f) for t, f in (("5", "length"), ("4", "stop"), ("", "error"))]
            return await pool.judge_group(problem, given)

    found = [(v.status, v.reason) for v in asyncio.run(run())]
    assert found == [("undecided", "truncated"), ("correct", ""), ("undecided", "infra")]
