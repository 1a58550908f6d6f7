"""The API teacher against a real server on loopback."""

import asyncio
import json
import time
import tracemalloc

import pytest

from generators.teachers import openai_api
from generators.teachers.answers import complaint, read, retry_after
from generators.teachers.errors import TeacherError, TeacherRefusal
from generators.teachers.openai_api import OpenAISampler
from generators.teachers.thinking import split_thinking
from tests.servers.teacher import TeacherServer, always, first
from verifiers.records import content_id
from verifiers.sampler import Request, Sampler

KEY = "sk-very-secret-0123456789"


def asks(count, **sampling):
    for n in range(count):
        text = [{"role": "user", "content": f"question {n}"}]
        yield Request(problem_id=f"p{n}", messages=text, sampling=sampling, index=n)


def run(requests, server=None, **options):
    """(completions, sampler, server) of a whole run."""

    async def go():
        async with server or TeacherServer() as up:
            sampler = OpenAISampler("m", up.base_url, **{"backoff": 0.01, **options})
            return [c async for c in sampler.sample(requests)], sampler, up

    return asyncio.run(go())


def test_every_request_is_answered_once():
    found, sampler, server = run(asks(200, temperature=0.5), max_in_flight=16)
    assert isinstance(sampler, Sampler)
    assert server.requests == 200
    assert {c.problem_id for c in found} == {f"p{n}" for n in range(200)}
    one = next(c for c in found if c.problem_id == "p3")
    request = list(asks(4, temperature=0.5))[3]
    assert one.request_key == request.key("m")
    assert one.text.startswith("question 3 seed ")
    assert (one.index, one.finish_reason, one.sampling) == (3, "stop", {"temperature": 0.5})
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (7, 11)
    assert one.teacher == {"identity": "m", "model": "m", "revision": ""}
    assert server.keys == {None}
    assert {"model", "messages", "temperature", "seed"} == server.bodies[0].keys()


def test_samples_of_one_problem_differ_and_repeat():
    one = [next(asks(1)).model_copy(update={"index": n}) for n in range(4)]
    texts = [{c.index: c.text for c in run(one)[0]} for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(set(texts[0].values())) == 4


def test_null_leaves_a_field_out_and_ours_are_refused():
    assert "seed" not in run(asks(1, seed=None))[2].bodies[0]
    with pytest.raises(TeacherError, match="must not set n, stream"):
        run(asks(1, stream=True, n=4))


def test_concurrency_is_bounded_and_requests_are_read_lazily():
    drawn, most = 0, 0

    def counted():
        nonlocal drawn
        for request in asks(60):
            drawn += 1
            yield request

    async def go():
        nonlocal most
        async with TeacherServer(latency=0.01) as server:
            sampler, got = OpenAISampler("m", server.base_url, max_in_flight=5), 0
            async for _ in sampler.sample(counted()):
                got += 1
                most = max(most, drawn - got)
            return server.most_in_flight

    assert asyncio.run(go()) == 5
    assert most <= 5


def test_completions_come_in_finishing_order():
    slow = TeacherServer(plan=first("500"))
    found, _, _ = run(asks(5), slow, max_in_flight=5, backoff=0.5)
    assert [c.problem_id for c in found][-1] == "p0"


@pytest.mark.parametrize("fault", ["429", "500", "503", "garbage", "cut", "empty", "null"])
def test_passing_trouble_is_retried(fault):
    found, sampler, server = run(asks(1), TeacherServer(plan=first(fault, fault)))
    assert [c.finish_reason for c in found] == ["stop"]
    assert server.served == {fault: 2, "ok": 1}
    assert sampler.trouble.total() == 2
    assert found[0].usage.completion_tokens == 11
    wasted = sum(spent.completion_tokens for spent in sampler.spent)
    assert 11 + wasted == server.completion_tokens == (33 if fault in ("empty", "null") else 11)


def test_a_hanging_request_is_asked_again():
    found, sampler, _ = run(asks(1), TeacherServer(plan=first("hang")), timeout=0.2)
    assert found[0].finish_reason == "stop"
    assert sampler.trouble == {"timeout": 1}


def test_retry_after_is_honoured():
    start = time.monotonic()
    server = TeacherServer(plan=first("429"), headers={"Retry-After": "1"})
    assert run(asks(1), server)[0][0].finish_reason == "stop"
    assert time.monotonic() - start >= 1.0


def test_a_wait_without_end_stops_with_a_sentence():
    server = TeacherServer(plan=always("429"), headers={"Retry-After": "86400"})
    with pytest.raises(TeacherError, match="asks to wait 86400 seconds"):
        run(asks(3), server)


@pytest.mark.parametrize("fault", ["garbage", "empty", "null", "500", "cut"])
def test_a_request_that_never_succeeds_is_data(fault):
    found, _, server = run(asks(3), TeacherServer(plan=always(fault)), retries=2)
    assert [(c.finish_reason, c.text) for c in found] == [("error", "")] * 3
    assert server.served == {fault: 9}


def test_a_dead_endpoint_stops_the_run():
    async def go():
        async with TeacherServer() as server:
            gone = server.base_url
        sampler = OpenAISampler("m", gone, retries=1, backoff=0.01, give_up_after=4)
        return [c async for c in sampler.sample(asks(1000))]

    with pytest.raises(TeacherError, match="answered none of the last 4 requests"):
        asyncio.run(go())


def test_an_address_where_nothing_ever_answered_is_given_up_soon(monkeypatch):
    monkeypatch.setattr(openai_api, "REACH", 0.5)

    async def go():
        async with TeacherServer() as server:
            gone = server.base_url
        return [c async for c in OpenAISampler("m", gone).sample(asks(100))]

    start = time.monotonic()
    with pytest.raises(
        TeacherRefusal, match=r"nothing has ever answered at \S+ \(connection refused"
    ):
        asyncio.run(go())
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("status", "words"),
    [("400", "refused a request"), ("401", "refused the key in THE_KEY"),
     ("403", "refused the key"), ("404", "knows no model 'm'"), ("301", "refused a request")],
)  # fmt: skip
def test_a_refusal_stops_without_a_retry_and_without_the_key(monkeypatch, status, words):
    monkeypatch.setenv("THE_KEY", KEY)
    server = TeacherServer(plan=first("ok", status))
    with pytest.raises(TeacherRefusal, match=words) as caught:
        run(asks(2), server, api_key_env="THE_KEY", max_in_flight=1)
    assert server.requests == 2
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in str(caught.value)
    assert "you sent Bearer [key]" in str(caught.value)


def test_what_is_under_way_is_delivered_before_the_error():
    async def go():
        got, server = [], TeacherServer(plan=first("ok", "400", "500", "ok", "ok"), latency=0.05)
        async with server:
            sampler = OpenAISampler("m", server.base_url, max_in_flight=5, backoff=30)
            try:
                async for completion in sampler.sample(asks(50)):
                    got.append(completion)
            except TeacherError:
                return len(got), server.served["ok"]

    got, served = asyncio.run(asyncio.wait_for(go(), 10))
    assert 3 <= got == served <= 8


def test_leaving_early_closes_everything():
    async def go():
        async with TeacherServer(latency=0.02) as server:
            stream = OpenAISampler("m", server.base_url, max_in_flight=4).sample(asks(100))
            await anext(stream)
            await stream.aclose()
            return server.requests

    assert asyncio.run(go()) < 12


def test_the_key_stays_out_of_sight(monkeypatch):
    monkeypatch.setenv("THE_KEY", KEY)
    sampler = OpenAISampler("m", "https://api.example.com/v1", api_key_env="THE_KEY")
    assert KEY not in repr(sampler) + repr(vars(sampler)) + sampler.identity


def test_a_key_is_asked_for_where_the_endpoint_is_remote(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(TeacherError, match="set the environment variable OPENAI_API_KEY"):
        OpenAISampler("m")
    for host in ("localhost", "127.0.0.1:9", "[::1]:9"):
        OpenAISampler("m", f"http://{host}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u2026")
    with pytest.raises(TeacherError, match="odd characters"):
        OpenAISampler("m")


@pytest.mark.parametrize("url", ["api.openai.com", "ftp://x/v1", "http://[::1", "http://a:x/v1",
                                 "https://me:pw@host/v1", "https://host/v1?key=1"])  # fmt: skip
def test_a_bad_base_url_is_refused(url):
    with pytest.raises(TeacherError, match="base_url"):
        OpenAISampler("m", url)


def test_identity_names_model_revision_and_host_but_no_port(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    remote = "https://api.example.com:8443/v1/"
    assert OpenAISampler("m", remote).identity == "m@api.example.com"
    assert OpenAISampler("m", remote, revision="r1", identity="mine").identity == "m#r1@mine"
    assert OpenAISampler("m", "http://127.0.0.1:1/v1").identity == "m"
    full = OpenAISampler("m", "http://localhost:1/v1/chat/completions")
    assert full.url == "http://localhost:1/v1/chat/completions"


@pytest.mark.parametrize(
    ("message", "reasoning", "text"),
    [
        ({"content": "4"}, "", "4"),
        ({"content": "4", "reasoning_content": "2+2"}, "2+2", "4"),
        ({"content": "4", "reasoning": "2+2"}, "2+2", "4"),
        ({"content": "<think>\n2+2\n</think>\n\n4"}, "2+2", "4"),
        ({"content": "2+2</think>4"}, "2+2", "4"),
        ({"content": None, "reasoning_content": "2+"}, "2+", ""),
        ({"content": None, "refusal": "I will not."}, "", "I will not."),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                    {"type": "text", "text": "4"},
                ]
            },
            "2+2",
            "4",
        ),
    ],
)
def test_reasoning_is_told_from_the_answer(message, reasoning, text):
    found = run(asks(1), TeacherServer(message=lambda body: message))[0][0]
    assert (found.reasoning, found.text) == (reasoning, text)


def test_a_truncated_chain_says_so():
    cut = TeacherServer(message=lambda body: {"content": "<think>so 2+"}, finish="length")
    found = run(asks(1), cut)[0][0]
    assert (found.finish_reason, found.reasoning, found.text) == ("length", "so 2+", "")
    assert split_thinking("a < b") == ("", "a < b")


def test_a_filtered_answer_is_no_answer_and_not_paid_again():
    found, _, server = run(asks(1), TeacherServer(finish="content_filter"))
    assert (found[0].finish_reason, server.requests) == ("error", 1)


def test_useless_answers_are_paid_three_times_at_most():
    found, _, server = run(asks(1), TeacherServer(plan=always("null")))
    assert (found[0].finish_reason, server.requests) == ("error", 3)


def test_bodies_that_no_server_should_send():
    for body in (b"[]", b"null", b'{"choices": {}}', b'{"choices": ["x"]}', b"\xff",
                 b'{"choices": [{"message": {"content": 4}, "finish_reason": "stop"}]}',
                 b'{"choices": [{"message": {"content": "4"}, "finish_reason": ["x"]}]}',
                 b'{"choices": [{"message": {"content": "4"}}]}'):  # fmt: skip
        assert read(body)[0].answered
    assert retry_after("soon") is retry_after(None) is retry_after("nan") is None
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert complaint(b"x" * 5000, hide="") == "x" * 299 + "…"


def test_memory_stays_flat():
    async def go():
        async with TeacherServer() as server:
            sampler, sizes = OpenAISampler("m", server.base_url), []
            tracemalloc.start()
            async for completion in sampler.sample(asks(1500)):
                server.bodies.clear()
                if completion.index in (500, 1499):
                    sizes.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
            return sizes[1] - sizes[0]

    assert asyncio.run(go()) < 300_000


def test_the_seed_is_the_requests_own():
    body = run(asks(1))[2].bodies[0]
    key = next(asks(1)).key("m")
    assert body["seed"] == int(key[:8], 16) >> 1 < 2**31
    assert len(key) == len(content_id(0)) == 24


def test_token_ids_need_a_log_prob_each():
    def choice(scores):
        return {"text": "<think>a</think>b", "finish_reason": "length", "token_ids": [7, 8],
                "logprobs": {"token_logprobs": scores}}  # fmt: skip

    (answer,) = read(json.dumps({"choices": [choice([-0.123456, -1])]}).encode()).found
    assert (answer.text, answer.token_ids) == ("<think>a</think>b", [7, 8])
    assert answer.logprobs == [-0.123456, -1]
    assert answer.finish_reason == "length"
    for scores in (None, [], [-0.5]):
        found = read(json.dumps({"choices": [choice(scores)]}).encode()).found
        assert found.reason == "no log-prob for each token"
