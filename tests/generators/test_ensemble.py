"""Several teachers a question: each chain knows its own, and nothing is asked in vain."""

import asyncio
from collections import Counter
from itertools import islice

import pytest

from generators.store import Store
from generators.stored import Stored
from generators.teachers import ensemble
from generators.teachers.ensemble import Ensemble, Member
from generators.teachers.errors import TeacherError
from generators.teachers.openai_api import OpenAISampler
from tests.servers.teacher import TeacherServer, always
from verifiers.records import Completion
from verifiers.sampler import Request


def asks(count, samples):
    for n in range(count):
        text = [{"role": "user", "content": f"question {n}"}]
        for index in range(samples):
            yield Request(problem_id=f"p{n}", messages=text, index=index)


class Writer:
    """A teacher that takes its time and decodes whole batches; `seen` is the order it was asked."""

    def __init__(self, name, pause=0.0, batch=1, fails_at=None):
        self.identity, self.batch, self.pause, self.fails_at = name, batch, pause, fails_at
        self.seen, self.batches, self.most_behind = [], [], 0

    async def sample(self, requests):
        waiting = iter(requests)
        while flying := list(islice(waiting, self.batch)):
            self.batches.append(len(flying))
            await asyncio.sleep(self.pause)
            for request in flying:
                if self.fails_at == len(self.seen):
                    raise TeacherError(f"{self.identity} is dead")
                self.seen.append(request)
                yield Completion(
                    problem_id=request.problem_id, index=request.index, text=self.identity,
                    request_key=request.key(self.identity), sampling=request.sampling,
                    teacher={"identity": self.identity},
                )  # fmt: skip


def draw(members, requests):
    async def go():
        return [c async for c in Ensemble(members).sample(requests)]

    return asyncio.run(go())


def test_samples_go_to_teachers_in_turn_with_their_own_sampling():
    one, two = Writer("one"), Writer("two")
    found = draw([Member(one), Member(two, {"temperature": 0.5})], asks(6, 5))
    assert len({c.id for c in found}) == 30
    assert {(c.text, c.index % 2) for c in found} == {("one", 0), ("two", 1)}
    assert all(c.teacher["identity"] == c.text for c in found)
    assert {str(c.sampling) for c in found if c.text == "two"} == {"{'temperature': 0.5}"}
    assert Counter(c.text for c in found) == {"one": 18, "two": 12}


def test_a_fast_teacher_waits_for_a_slow_one_and_batches_stay_whole(monkeypatch):
    monkeypatch.setattr(ensemble, "AHEAD", 20)
    fast, slow = Writer("fast", batch=7), Writer("slow", pause=0.0005)
    read = 0

    def counted():
        nonlocal read
        for request in asks(200, 2):
            read += 1
            assert read - 2 * len(slow.seen) <= 2 * (20 + 7) + 2, "what waits stays little"
            yield request

    found = draw([Member(fast), Member(slow)], counted())
    assert len({c.id for c in found}) == 400
    assert set(fast.batches[:-1]) == {7}


def test_a_teacher_that_fails_ends_the_run_after_what_is_under_way():
    good, bad = Writer("good", pause=0.001), Writer("bad", fails_at=3)
    found = []

    async def go():
        async for completion in Ensemble([Member(good), Member(bad)]).sample(asks(5000, 2)):
            found.append(completion)

    with pytest.raises(TeacherError, match="bad is dead"):
        asyncio.run(go())
    assert len([c for c in found if c.text == "bad"]) == 3
    assert len(found) == len(good.seen) + len(bad.seen) < 500


def test_nothing_is_left_running_where_the_reader_goes():
    async def go():
        inner = Ensemble([Member(Writer("one")), Member(Writer("two"))]).sample(asks(5000, 2))
        async for _ in inner:
            break
        await inner.aclose()
        return len(asyncio.all_tasks())

    assert asyncio.run(go()) == 1


def test_real_teachers_behind_a_store_are_paid_once_and_one_more_costs_only_its_own(tmp_path):
    async def go(servers, samples=4):
        with Store(tmp_path / "s") as store:
            members = [
                Member(Stored(OpenAISampler(name, up.base_url), store))
                for name, up in zip(("a", "b"), servers, strict=False)
            ]
            both = Ensemble(members)
            found = [c async for c in both.sample(asks(30, samples))]
            assert {one.root for one in both.endpoints} == {up.base_url for up in servers}
            return found, both.asked, [row["teacher"] for row in store.ledger()]

    async def all_of_it():
        async with TeacherServer(model="a") as one, TeacherServer(model="b", latency=0.01) as two:
            alone = await go([one])
            first = await go([one, two])
            again = await go([one, two])
            return alone, first, again, one.requests, two.requests

    alone, first, again, ones, twos = asyncio.run(all_of_it())
    assert (alone[1], first[1], again[1]) == (120, 60, 0)
    assert (ones, twos) == (120, 60)
    assert {c.id for c in first[0]} == {c.id for c in again[0]}
    assert first[2] == ["a", "b"]
    assert {(c.teacher["model"], c.index % 2) for c in first[0]} == {("a", 0), ("b", 1)}


def test_a_dead_endpoint_is_said_and_the_other_teachers_answers_are_kept(tmp_path):
    async def go():
        async with TeacherServer(model="a") as one, TeacherServer(plan=always("401")) as two:
            with Store(tmp_path / "s") as store:
                members = [Member(Stored(OpenAISampler("a", one.base_url), store)),
                           Member(Stored(OpenAISampler("m", two.base_url), store))]  # fmt: skip
                with pytest.raises(TeacherError, match="refused the key"):
                    async for _ in Ensemble(members).sample(asks(300, 2)):
                        pass
                return one.paid.total(), store.ledger()

    paid, ledger = asyncio.run(go())
    assert paid == sum(row["completions"] for row in ledger if row["teacher"] == "a") > 0
