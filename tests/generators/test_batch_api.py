"""The batch teacher against a loopback server that behaves as OpenAI documents its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generators.store import Store
from generators.stored import Stored
from generators.teachers.batch_api import BatchSampler
from generators.teachers.errors import TeacherError, TeacherRefusal
from tests.servers.batch import BatchServer
from tests.servers.teacher import TeacherServer
from verifiers.sampler import Request, Sampler

ROOT = Path(__file__).parents[2]


def asks(count):
    for n in range(count):
        text = [{"role": "user", "content": f"question {n}"}]
        yield Request(problem_id=f"p{n}", messages=text, sampling={"max_tokens": 9}, index=n)


def run(folder, requests, server=None, runs=1, **options):
    """(completions of the last run, its sampler, server)."""

    async def go():
        async with server or BatchServer() as up:
            for _ in range(runs):
                sampler = BatchSampler(
                    "m", up.base_url, journal=folder, **{"pause": 0.02, **options}
                )
                found = [c async for c in sampler.sample(requests())]
            return found, sampler, up

    return asyncio.run(go())


def test_every_request_is_answered_once(tmp_path):
    found, sampler, server = run(tmp_path, lambda: asks(25), most=10)
    assert isinstance(sampler, Sampler)
    assert sorted(c.index for c in found) == list(range(25))
    assert len(server.batches) == 3
    assert set(server.paid.values()) == {1}
    one = next(c for c in found if c.index == 3)
    request = list(asks(4))[3]
    assert one.request_key == request.key("m") == request.key(sampler.identity)
    assert one.text.startswith("question 3 seed ")
    assert one.text.endswith("\u2028 end")
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (7, 11)
    assert server.bodies[one.request_key]["max_completion_tokens"] == 9
    batch = next(iter(server.batches.values()))
    assert (batch["endpoint"], batch["completion_window"]) == ("/v1/chat/completions", "24h")


def test_batches_are_cut_by_size_and_only_some_are_under_way(tmp_path):
    found, _, server = run(tmp_path, lambda: asks(20), most_bytes=1000, at_once=2)
    assert len(found) == 20
    assert len(server.batches) > 4
    assert all(len(server.files[b["input_file_id"]]) <= 1000 for b in server.batches.values())


def test_nothing_is_bought_again_by_a_second_run(tmp_path):
    found, _, server = run(tmp_path, lambda: asks(9), runs=3, most=4)
    assert len(found) == 9
    assert len(server.batches) == 3
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("fault", ["500", "429", "expired", "absent"])
def test_what_a_batch_left_goes_into_another(tmp_path, fault):
    server = BatchServer(
        plan=lambda key, batch: fault if batch == 0 and key < "8" else "ok",
        ends=lambda batch: "expired" if fault == "expired" and batch == 0 else "completed",
    )
    found, _, server = run(tmp_path, lambda: asks(30), server)
    assert {c.finish_reason for c in found} == {"stop"}
    assert sorted(c.index for c in found) == list(range(30))
    assert len(server.batches) == 2
    assert len(server.batches["batch_1"]["lines"]) < 30
    assert set(server.paid.values()) == {1}


def test_a_request_that_is_never_answered_is_data(tmp_path):
    key = next(asks(1)).key("m")
    for fault, batches in (("500", 3), ("400", 1), ("null", 3)):
        server = BatchServer(plan=lambda k, batch, f=fault: f if k == key else "ok")
        found, sampler, server = run(tmp_path / fault, lambda: asks(5), server)
        assert [c.index for c in found if c.finish_reason == "error"] == [0]
        assert len(server.batches) == batches
        assert len(sampler.spent) == (3 if fault == "null" else 0)
    assert sampler.spent[0].completion_tokens == 11


def test_a_batch_that_is_too_much_is_halved(tmp_path):
    def refuse(count):
        return {"code": "token_limit_exceeded", "message": "too much"} if count > 5 else None

    found, _, server = run(tmp_path, lambda: asks(16), BatchServer(refuse=refuse))
    assert sorted(c.index for c in found) == list(range(16))
    assert set(server.paid.values()) == {1}


def test_a_batch_that_is_refused_stops_with_the_reason(tmp_path):
    def refuse(count):
        return {"code": "invalid_json_line", "message": "line 1 is no JSON"}

    with pytest.raises(TeacherError, match="refused batch batch_0: line 1 is no JSON"):
        run(tmp_path, lambda: asks(3), BatchServer(refuse=refuse))


def test_an_endpoint_without_batches_is_refused(tmp_path):
    with pytest.raises(TeacherRefusal, match="has no batch API at this base_url"):
        run(tmp_path, lambda: asks(3), TeacherServer())
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_batch_delivers_what_it_has_and_stops(tmp_path):
    server = BatchServer(
        plan=lambda key, batch: "ok" if key < "8" else "absent", ends=lambda batch: "cancelled"
    )

    async def go():
        got = []
        async with server:
            sampler = BatchSampler("m", server.base_url, journal=tmp_path, pause=0.02)
            try:
                async for completion in sampler.sample(asks(20)):
                    got.append(completion)
            except TeacherError as error:
                return got, str(error)

    got, said = asyncio.run(go())
    assert said.startswith("batch batch_0 was cancelled; run again")
    assert len(got) == server.paid.total() > 0


def test_an_answer_that_is_lost_on_the_way_buys_nothing_twice(tmp_path):
    found, _, server = run(tmp_path, lambda: asks(6), BatchServer(lose=lambda batch: batch == 0))
    assert len(found) == 6
    assert len(server.batches) == 1


def test_the_key_and_a_refused_key(tmp_path, monkeypatch):
    monkeypatch.setenv("THE_KEY", "sk-very-secret")
    _, sampler, server = run(tmp_path, lambda: asks(1), api_key_env="THE_KEY")
    assert server.keys == {"Bearer sk-very-secret"}
    assert "secret" not in repr(vars(sampler)) + "".join(p.read_text() for p in tmp_path.iterdir())
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(TeacherError, match="set the environment variable OPENAI_API_KEY"):
        BatchSampler("m", journal=tmp_path)


def test_a_file_that_is_gone_is_a_sentence(tmp_path):
    async def go():
        async with BatchServer() as server:
            sampler = BatchSampler("m", server.base_url, journal=tmp_path, pause=0.02)
            assert len([c async for c in sampler.sample(asks(3))]) == 3
            server.files.clear()
            return [c async for c in sampler.sample(asks(3))]

    with pytest.raises(TeacherError, match=r"no longer has its results.* Remove .*json to buy"):
        asyncio.run(go())


BUYER = """
import asyncio, sys
from pathlib import Path
from generators.store import Store
from generators.stored import Stored
from generators.teachers.batch_api import BatchSampler
from tests.generators.test_batch_api import asks

async def go():
    folder = Path(sys.argv[2])
    sampler = BatchSampler("m", sys.argv[1], journal=folder / "batches", most=10, pause=0.05)
    with Store(folder / "store.sqlite") as store:
        async for completion in Stored(sampler, store).sample(asks(30)):
            print(completion.index, flush=True)

asyncio.run(go())
"""


def test_kills_at_many_moments_buy_nothing_twice(tmp_path):
    async def go():
        deaths = 0
        async with BatchServer(latency=0.3, looks=3) as server:
            for delay in (0.05, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2, None):
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", BUYER, server.base_url, str(tmp_path), cwd=ROOT,
                    stdout=subprocess.PIPE,
                )  # fmt: skip
                if delay is None:
                    said, _ = await process.communicate()
                    break
                while not server.batches and process.returncode is None:
                    await asyncio.sleep(0.02)
                await asyncio.sleep(delay)
                if process.returncode is None:
                    os.kill(process.pid, signal.SIGKILL)
                    deaths += 1
                await process.communicate()
        return deaths, said, server

    deaths, said, server = asyncio.run(go())
    assert deaths > 2
    assert len(set(said.split())) == 30
    assert set(server.paid.values()) == {1}
    assert len(server.paid) == 30
    with Store(tmp_path / "store.sqlite") as store:
        asyncio.run(none_missing(store))
    assert all(
        json.loads(f.read_text())["teacher"] == "m" for f in (tmp_path / "batches").iterdir()
    )


async def none_missing(store):
    class Nobody:
        identity, batch = "m", 1

        async def sample(self, requests):
            for request in requests:
                raise AssertionError(request)
            yield

    assert len([c async for c in Stored(Nobody(), store).sample(asks(30))]) == 30
