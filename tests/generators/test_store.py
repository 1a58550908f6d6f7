"""The store: paid once, never lost, damage is found."""

import asyncio
import sqlite3

import pytest

from generators.store import Store
from generators.stored import Stored
from generators.teachers.openai_api import OpenAISampler
from tests.servers.teacher import TeacherServer
from verifiers.records import Completion, Usage, Verdict
from verifiers.sampler import Request


class Echo:
    """A sampler that answers with its prompt and counts what it was asked."""

    identity = "echo"

    def __init__(self, batch=1, stop_after=None):
        self.batch = batch
        self.asked = []
        self.stop_after = stop_after

    async def sample(self, requests):
        for request in requests:
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                raise ConnectionError("gone")
            self.asked.append(request)
            yield Completion(
                problem_id=request.problem_id,
                index=request.index,
                text=request.messages[0]["content"],
                usage=Usage(prompt_tokens=1, completion_tokens=2, cost=0.5),
                teacher={"identity": self.identity},
                request_key=request.key(self.identity),
            )


def requests(names, samples=2, system=None):
    for name in names:
        for index in range(samples):
            messages = [{"role": "user", "content": name.split("/")[0]}]
            if system:
                messages.insert(0, {"role": "system", "content": system})
            yield Request(problem_id=name, messages=messages, index=index)


def collect(sampler, wanted):
    async def run():
        return [completion async for completion in sampler.sample(wanted)]

    return asyncio.run(run())


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def test_nothing_is_asked_twice(store):
    first = Stored(Echo(), store)
    assert len(collect(first, requests("abc"))) == 6
    again = Stored(Echo(), store)
    assert len(collect(again, requests("abc"))) == 6
    assert again.asked == 0
    more = Stored(Echo(), store)
    assert len(collect(more, requests("abcd"))) == 8
    assert more.asked == 2
    assert len(collect(more, requests("abcd", samples=3))) == 12
    assert more.asked == 2 + 4


def test_another_system_prompt_is_another_request(store):
    collect(Stored(Echo(), store), requests("abc"))
    other = Stored(Echo(), store)
    collect(other, requests("abc", system="be brief"))
    assert other.asked == 6


@pytest.mark.parametrize("batch", [1, 4])
def test_problems_with_one_prompt_share_the_paid_answer(store, batch):
    sampler = Stored(Echo(batch), store)
    got = collect(sampler, requests(["a/1", "a/2", "b"]))
    assert sampler.asked == 4
    assert len({c.id for c in got}) == 6
    assert sorted(c.problem_id for c in got) == ["a/1", "a/1", "a/2", "a/2", "b", "b"]


def test_a_batch_is_stored_whole_or_not_at_all(store):
    sampler = Stored(Echo(batch=4, stop_after=6), store)
    with pytest.raises(ConnectionError):
        collect(sampler, requests("abcde"))
    again = Echo(batch=4)
    collect(Stored(again, store), requests("abcde"))
    assert len(again.asked) == 6
    assert [r.index for r in again.asked] == [0, 1] * 3


def test_a_flipped_byte_is_found_and_made_again(store, tmp_path):
    collect(Stored(Echo(), store), requests("abc"))
    with sqlite3.connect(tmp_path / "store.sqlite") as other:
        other.execute("UPDATE completions SET body = replace(body, '\"a\"', '\"x\"')")
    other.close()
    again = Stored(Echo(), store)
    got = collect(again, requests("abc"))
    assert again.asked == 2
    assert len(store.damaged) == 2
    assert sorted(c.text for c in got) == list("aabbcc")
    row = store.ledger()[0]
    assert (row["completions"], row["unusable"], row["completion_tokens"]) == (6, 2, 16)


@pytest.mark.parametrize("paid", [True, False])
def test_failed_completions_are_kept_where_they_were_paid(store, paid):
    class Failing(Echo):
        async def sample(self, requests):
            async for completion in super().sample(requests):
                usage = completion.usage if paid else Usage()
                yield completion.model_copy(update={"finish_reason": "error", "usage": usage})

    assert len(collect(Stored(Failing(), store), requests("ab"))) == 4
    again = Stored(Failing(), store)
    assert len(collect(again, requests("ab"))) == 4
    assert again.asked == (0 if paid else 4)
    assert [row["completion_tokens"] for row in store.ledger()] == ([8] if paid else [])


def test_the_ledger_sums_what_was_paid(store):
    collect(Stored(Echo(), store), requests("abc"))
    assert store.ledger() == [
        {
            "teacher": "echo",
            "completions": 6,
            "unusable": 0,
            "uncounted": 0,
            "prompt_tokens": 6,
            "completion_tokens": 12,
            "cost": 3.0,
            "seconds": 0.0,
        }
    ]


def test_verdicts_are_kept_by_judge(store):
    store.judged("j1", "c1", Verdict(status="correct", score=1.0))
    store.flush()
    assert store.verdict("c1", "j1").correct
    assert store.verdict("c1", "j2") is None
    assert store.verdict("c2", "j1") is None


def test_several_samplers_keep_at_the_same_time(tmp_path):
    async def run():
        with Store(tmp_path / "store.sqlite") as store:
            sampler = Stored(Echo(), store)

            async def one(number):
                return [c async for c in sampler.sample(requests([f"p{number}"], samples=2))]

            found = await asyncio.gather(*(one(number) for number in range(30)))
            assert sum(map(len, found)) == 60
            return store.get([c.request_key for part in found for c in part])

    assert len(asyncio.run(run())) == 60


def test_answers_are_stored_however_slowly_they_are_read_and_no_more_is_asked_meanwhile(tmp_path):
    async def run():
        async with TeacherServer() as server:
            sampler = OpenAISampler("m", server.base_url, max_in_flight=16)
            with Store(tmp_path / "store.sqlite") as store:
                found = Stored(sampler, store).sample(requests(map(str, range(1000)), samples=1))
                await anext(found)
                await asyncio.sleep(0.5)
                stalled = server.requests
                (row,) = store.ledger()
                assert row["completions"] == server.paid.total() == stalled
                rest = [completion async for completion in found]
                return stalled, 1 + len(rest), server.requests

    stalled, got, asked = asyncio.run(run())
    assert 16 < stalled < 500
    assert (got, asked) == (1000, 1000)


def test_verdicts_are_stored_with_the_answers_that_come_next(tmp_path):
    path = tmp_path / "store.sqlite"

    def seen(completion):
        with Store(path, readonly=True) as other:
            return other.verdict(completion, "j") is not None

    with Store(path) as store:
        first, second = collect(Stored(Echo(), store), requests(["a", "b"], samples=1))
        store.judged("j", first.id, Verdict(status="wrong"))
        assert not seen(first.id)
        asyncio.run(store.keep([second.model_copy(update={"request_key": "another"})]))
        assert seen(first.id)
        store.judged("j", second.id, Verdict(status="wrong"))
        store.flush()
        assert seen(second.id)
