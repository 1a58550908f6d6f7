"""What can go wrong between us and a teacher, against a server that does it: nothing is lost, nothing
is paid twice unnoticed, and the ledger is the server's own count to the token."""

import asyncio
import json
import signal
import sqlite3
import sys

import pytest

from generators.store import Store
from generators.stored import Stored
from generators.teachers import openai_api
from generators.teachers.errors import TeacherError
from generators.teachers.openai_api import OpenAISampler
from generators.throttle import Pace
from tests.servers.teacher import TeacherServer, always, chance, essay, first
from verifiers.pool import secret
from verifiers.sampler import Request


def asks(count, samples=1, **sampling):
    for n in range(count):
        text = [{"role": "user", "content": f"question {n}"}]
        for index in range(samples):
            yield Request(problem_id=f"p{n}", messages=text, sampling=sampling, index=index)


def run(requests, server, path=None, **options):
    """(completions, sampler, ledger) of a whole run behind a store."""

    async def go():
        async with server as up:
            sampler = OpenAISampler("m", up.base_url, **{"backoff": 0.05, **options})
            with Store(path or ":memory:") as store:
                found = [c async for c in Stored(sampler, store).sample(requests)]
                return found, sampler, store.ledger()

    return asyncio.run(go())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def count(ledger):
    return sum(r["prompt_tokens"] for r in ledger), sum(r["completion_tokens"] for r in ledger)


def paid(server):
    return server.prompt_tokens, server.completion_tokens


@pytest.mark.parametrize("wait", [None, "0.05"])
def test_f1_a_third_of_the_calls_fail_and_every_row_arrives(path, wait):
    shares = {"429": 0.15, "500": 0.05, "502": 0.05, "503": 0.05}
    headers = {"Retry-After": wait} if wait else None
    server = TeacherServer(plan=chance(shares), latency=0.005, headers=headers)
    found, sampler, ledger = run(asks(400), server, path, max_in_flight=32)
    assert {c.problem_id for c in found} == {f"p{n}" for n in range(400)}
    assert {c.finish_reason for c in found} == {"stop"}
    assert server.requests <= 400 * (1 + sampler.patience.retries)
    assert count(ledger) == paid(server) == (7 * 400, 11 * 400)


def test_f1_concurrency_climbs_by_itself_and_stops_where_the_server_says_so(path):
    server = TeacherServer(latency=0.02, capacity=48)
    found, sampler, _ = run(asks(1500), server, path)
    assert len(found) == 1500
    assert server.most_in_flight > 32
    assert sampler.endpoints[0].throttle.limit < 96
    assert server.served["429"] < 500


@pytest.mark.parametrize("fault", ["hang", "silence", "drip"])
def test_f2_what_hangs_is_asked_again_and_holds_up_nobody(path, fault):
    server = TeacherServer(plan=chance({fault: 0.02}, seed=1), latency=0.01)
    found, sampler, ledger = run(asks(600), server, path, max_in_flight=32)
    assert len(found) == 600
    assert {c.finish_reason for c in found} == {"stop"}
    assert server.served[fault] > 3
    assert sampler.trouble["hedged"] >= server.served[fault]
    assert count(ledger) == paid(server)


@pytest.mark.parametrize("unit", [0.05, 30.0])
def test_f2_what_takes_longer_than_all_that_was_seen_and_was_overtaken_is_asked_again(unit):
    pace = Pace()
    for n in range(100, 120):
        assert pace.deadline is None
        pace.add(n * unit, (n + 1.1) * unit)
    assert pace.deadline == pytest.approx(2.2 * unit)
    assert not pace.overdue(117 * unit, 119.1 * unit)
    assert pace.overdue(117 * unit, 119.3 * unit)
    tried = [n for n in range(121, 160) if pace.overdue(119 * unit, n * unit)]
    assert tried == [122, 125, 130, 140]
    pace.add(140 * unit, 141 * unit)
    assert pace.overdue(119 * unit, 141 * unit)
    pace.add(141 * unit, 147 * unit)
    for n in range(150, 160):
        pace.add(n * unit, (n + 1) * unit)
    assert pace.deadline == pytest.approx((6 + 6 - 1.1) * unit)


def test_f2_of_a_server_that_stalls_little_is_asked_twice(path):
    stalled = 0.0

    def latency(number):
        nonlocal stalled
        now = asyncio.get_running_loop().time()
        stalled = now + 0.5 if number == 300 else stalled
        return 0.02 + max(0.0, stalled - now)

    server = TeacherServer(latency=latency)
    found, sampler, ledger = run(asks(600), server, path, max_in_flight=32)
    assert len(found) == 600
    assert server.requests - 600 == sampler.trouble["hedged"] <= 4
    assert count(ledger) == paid(server)


def test_f2_what_hangs_takes_no_places_for_good(path):
    server = TeacherServer(plan=chance({"hang": 0.05}, seed=2), latency=0.01)
    found, sampler, _ = run(asks(600), server, path, max_in_flight=4)
    assert (len(found), server.served["hang"] > 20) == (600, True)
    assert sampler.trouble["let go"] <= 4 + 4
    assert sampler.trouble["timeout"] + sampler.trouble["let go"] == server.served["hang"]


def test_f2_an_answer_that_comes_after_its_second_is_in_the_ledger(path):
    slow = {60, 61}
    server = TeacherServer(latency=lambda number: 1.2 if number in slow else 0.02)
    found, sampler, ledger = run(asks(400), server, path, max_in_flight=4)
    assert len(found) == 400
    assert sampler.trouble["answered twice"] >= 1
    assert ledger[0]["unusable"] == sampler.trouble["answered twice"]
    assert server.completion_tokens == 11 * server.paid.total()
    assert count(ledger) == paid(server)


def test_f2_a_second_try_that_is_refused_is_tried_on(path):
    server = TeacherServer(plan=chance({"hang": 0.04, "429": 0.4}, seed=3), latency=0.01)
    found, sampler, ledger = run(asks(300), server, path, max_in_flight=32)
    assert {c.finish_reason for c in found} == {"stop"}
    assert (len(found), sampler.trouble["hedged"] > 3) == (300, True)
    assert count(ledger) == paid(server)


@pytest.mark.parametrize("fault", ["cut", "reset", "unfinished"])
def test_f3_a_broken_answer_is_never_stored_as_whole(path, fault):
    server = TeacherServer(plan=first(fault, fault), message=essay(60))
    found, _, _ = run(asks(3), server, path)
    assert len(found) == 3
    assert all(c.finish_reason == "stop" and "#" in c.text for c in found)


def test_f3_a_cut_stream_goes_on_from_its_prefix(path):
    server = TeacherServer(message=essay(40), usage=(7, 41))
    server.cut_streams = [12, 9]
    (one,), sampler, _ = run(asks(1), server, path, stream=True)
    assert one.text == essay(40)({"prompt": "question 0"})["content"]
    assert one.finish_reason == "stop"
    assert sampler.trouble["stream cut"] == 2
    assert server.bodies[1]["messages"][-1]["role"] == "assistant"
    assert server.bodies[1]["continue_final_message"] is True
    assert len(server.bodies) == 3


def test_f3_a_server_that_cannot_go_on_writes_it_again(path):
    server = TeacherServer(message=essay(40), refuses=["continue_final_message"])
    server.cut_streams = [12]
    (one,), _, _ = run(asks(1), server, path, stream=True)
    assert one.text == essay(40)({"prompt": "question 0"})["content"]


@pytest.mark.parametrize("fault", ["garbage", "malformed", "empty", "null", "wrong_n", "odd"])
def test_f4_bodies_that_no_server_should_send(path, fault):
    server = TeacherServer(plan=first(fault), usage=(7, 11))
    found, _, ledger = run(asks(4), server, path)
    assert len(found) == 4
    assert {c.finish_reason for c in found} == {"stop"}
    assert all(c.text.encode() for c in found)
    if fault not in ("malformed", "garbage"):
        assert count(ledger) == paid(server)
    else:
        assert ledger[0]["uncounted"] == 1


@pytest.mark.slow
def test_f4_fifty_megabytes_are_not_read_to_the_end(path):
    server = TeacherServer(plan=always("huge"))
    found, _, ledger = run(asks(1), server, path)
    assert found[0].finish_reason == "error"
    assert ledger[0]["uncounted"] == 3


def test_f5_a_prompt_that_is_too_long_fails_alone_and_at_once(path):
    server = TeacherServer(plan=first("ok", "context"))
    found, sampler, _ = run(asks(20), server, path, max_in_flight=2)
    assert sorted(c.finish_reason for c in found) == ["error"] + ["stop"] * 19
    assert (server.requests, sampler.trouble) == (20, {"prompt too long": 1})


def test_f6_a_server_that_is_away_for_a_while_is_waited_for(path, monkeypatch):
    monkeypatch.setattr(openai_api, "REACH", 0.2)

    async def go():
        server = TeacherServer(latency=0.01)
        await server.start(0)
        port = server.port
        sampler = OpenAISampler("m", server.base_url, max_in_flight=4, backoff=0.2)
        with Store(path) as store:
            found = []
            async for completion in Stored(sampler, store).sample(asks(300)):
                found.append(completion)
                if len(found) == 50:
                    await server.stop()
                    again = asyncio.get_running_loop().call_later(
                        1.0, lambda: back.append(asyncio.ensure_future(server.start(port)))
                    )
            assert again
            await server.stop()
            return found, store.ledger(), server

    back = []
    found, ledger, server = asyncio.run(go())
    assert len({c.id for c in found}) == 300
    assert {c.finish_reason for c in found} == {"stop"}
    assert count(ledger) == paid(server)


@pytest.mark.parametrize("what", ["model", "fingerprint"])
def test_f6_another_model_behind_the_url_is_refused_in_a_later_run_too(path, what):
    run(asks(3), TeacherServer(fingerprint="fp_1"), path)
    changed = {"model": "m", "fingerprint": "fp_1"} | {what: "other"}
    if what == "model":
        other = TeacherServer(**changed)
        with pytest.raises(TeacherError, match="knows no model 'm'; it serves other"):
            run(asks(6), other, path)
        assert other.requests == 0
        return
    with pytest.raises(TeacherError, match=r"has changed: its fingerprint is 'other'"):
        run(asks(6), TeacherServer(**changed), path)
    found, _, _ = run(asks(6), TeacherServer(**changed), path, may_change=True)
    assert len(found) == 6


def test_a_provider_that_refuses_words_is_understood_and_it_is_said_once(path, caplog):
    server = TeacherServer(refuses=["seed", "max_tokens"])
    found, _, ledger = run(asks(50, max_tokens=9), server, path, max_in_flight=8)
    assert {c.finish_reason for c in found} == {"stop"}
    assert count(ledger) == paid(server) == (350, 550)
    last = server.bodies[-1]
    assert last["max_completion_tokens"] == 9
    assert not {"seed", "max_tokens"} & last.keys()
    assert sorted(record.message for record in caplog.records) == [
        "the teacher does not take 'seed'; it is left out",
        "the teacher wants max_completion_tokens instead of max_tokens",
    ]


def test_one_request_for_the_samples_of_a_question(path):
    server = TeacherServer(usage=(7, 10))
    found, _, ledger = run(asks(10, samples=4), server, path, n=4)
    assert server.requests == 10
    assert len({c.request_key for c in found}) == len({c.text for c in found}) == 40
    assert [r.key("m") in {c.request_key for c in found} for r in asks(10, samples=4)] == [
        True
    ] * 40
    assert count(ledger) == paid(server) == (70, 400)
    refusing = TeacherServer(refuses=["n"])
    found, _, ledger = run(asks(5, samples=4), refusing, n=4)
    assert len({c.request_key for c in found}) == len({c.text for c in found}) == 20
    assert count(ledger) == paid(refusing)


def test_several_endpoints_share_the_work_by_their_speed():
    async def go():
        async with TeacherServer(latency=0.01) as fast, TeacherServer(latency=0.3) as slow:
            urls = [slow.base_url, fast.base_url]
            sampler = OpenAISampler("m", urls, max_in_flight=4)
            found = [c async for c in sampler.sample(asks(200))]
            return found, fast.requests, slow.requests, sampler.identity

    found, fast, slow, identity = asyncio.run(go())
    assert len(found) == 200
    assert (fast > 2 * slow > 0, identity) == (True, "m")


def test_one_of_several_endpoints_may_be_dead():
    async def go():
        async with TeacherServer() as server:
            gone = server.base_url
        async with TeacherServer(latency=0.2) as server:
            sampler = OpenAISampler("m", [gone, server.base_url], max_in_flight=8)
            return [c async for c in sampler.sample(asks(64))], sampler.trouble

    found, trouble = asyncio.run(go())
    assert {c.finish_reason for c in found} == {"stop"}
    assert trouble.total() < 64


def test_log_probs_and_schemas(path):
    def message(body):
        return {"content": json.dumps({"a": 1})}

    server = TeacherServer(message=message)
    plain = server.reply

    def reply(body):
        full = plain(body)
        tops = [{"token": "{", "logprob": -0.12345}, {"token": "[", "logprob": float("-inf")}]
        place = {"token": "{", "logprob": -0.12345, "top_logprobs": tops}
        full["choices"][0]["logprobs"] = {"content": [place]}
        return full

    server.reply = reply
    schema = {"type": "object"}
    (one,), _, _ = run(asks(1, logprobs=2, json_schema=schema), server, path)
    body = server.bodies[0]
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert one.logprobs == [-0.1235]
    assert one.top_logprobs == [{"{": -0.1235, "[": -9999.0}]
    with Store(path) as store:
        assert store.get([one.request_key])[one.request_key].top_logprobs == one.top_logprobs


def test_the_completions_endpoint(path):
    server = TeacherServer(message=lambda body: {"content": body["prompt"] + " 4"})
    (one,), _, _ = run(asks(1), server, path, api="completions")
    assert (one.text, "messages" in server.bodies[0]) == ("question 0 4", False)


def test_cut_answers_are_paid_once_and_kept(path):
    server = TeacherServer(finish="length")
    found, _, ledger = run(asks(100), server, path)
    assert (server.requests, len(found), ledger[0]["completions"]) == (100, 100, 100)
    again = TeacherServer()
    run(asks(100), again, path)
    assert again.requests == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f8_a_signal_ends_the_run_soon_and_what_was_paid_is_kept(tmp_path, number):
    recipe = tmp_path / "r.yaml"
    rows = [{"prompt": f"question {n}", "answer": "1"} for n in range(2000)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    async def go():
        async with TeacherServer(latency=0.05) as server:
            recipe.write_text(
                f'name: r\nteacher: {{backend: openai, base_url: "{server.base_url}", model: m, '
                "max_in_flight: 8}\nquestions: [{from: jsonl, path: q.jsonl, verifier: exact}]\n"
                "chains: {samples: 1}\n"
            )
            command = "from pipelines.cli import main; main()"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", command, "generate", str(recipe), "--run-dir",
                str(tmp_path / "run"), stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            while server.requests < 100:
                await asyncio.sleep(0.01)
            process.send_signal(number)
            _, said = await asyncio.wait_for(process.communicate(), 10)
            return process.returncode, said.decode(), server.paid.total()

    status, said, delivered = asyncio.run(go())
    assert status == 130
    assert "goes on from here" in said
    with Store(tmp_path / "run" / "store.sqlite", readonly=True) as store:
        assert delivered - 40 <= store.ledger()[0]["completions"] <= delivered


def test_f10_a_store_of_an_older_schema_is_read_and_written(path):
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("DROP TRIGGER paid_again")
    db.execute("ALTER TABLE completions DROP COLUMN seconds")
    db.close()
    found, _, ledger = run(asks(3), TeacherServer(), path)
    assert (len(found), ledger[0]["completions"], ledger[0]["seconds"] > 0) == (3, 3, True)


def test_f16_no_key_in_the_store_in_logs_or_in_children(path, monkeypatch, caplog):
    key = "very-private-0123456789"
    monkeypatch.setenv("MY_ACCESS", key)
    server = TeacherServer(plan=first("malformed"))
    server.message = lambda body: {"content": f"you sent {next(iter(server.keys))}"}
    _, sampler, ledger = run(asks(1), server, path, api_key_env="MY_ACCESS")
    assert server.keys == {f"Bearer {key}"}
    with sqlite3.connect(path) as db:
        raw = db.execute("SELECT raw FROM spent").fetchone()[0]
    db.close()
    assert "you sent Bearer [key]" in raw
    assert secret("MY_ACCESS")
    assert key not in repr(vars(sampler)) + repr(ledger) + caplog.text


def test_the_key_may_stand_in_a_file(tmp_path):
    for text in ("sk-one\n", "OTHER=x\nexport OPENAI_API_KEY='sk-one'\n"):
        (tmp_path / "keys").write_text(text)
        server = TeacherServer()
        run(asks(1), server, api_key_file=str(tmp_path / "keys"))
        assert server.keys == {"Bearer sk-one"}
