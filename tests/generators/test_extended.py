"""Chains that were cut go on from where they were: only what is missing is paid, each piece once."""

import asyncio

import pytest

from generators.extended import Extended
from generators.store import Store
from generators.stored import Stored
from generators.teachers.openai_api import OpenAISampler
from tests.servers.teacher import TeacherServer, essay, first
from verifiers.sampler import Request

WORDS = 40


def asks(count):
    for n in range(count):
        text = [{"role": "user", "content": f"question {n}"}]
        yield Request(problem_id=f"p{n}", messages=text, sampling={"max_tokens": 16})


def run(server, path, pieces, count=20, **options):
    async def go():
        async with server as up, asyncio.timeout(20):
            with Store(path) as store:
                stored = Stored(OpenAISampler("m", up.base_url, backoff=0.05, **options), store)
                found = [c async for c in Extended(stored, pieces).sample(asks(count))]
                return found, store.ledger()

    return asyncio.run(go())


def whole(number):
    return essay(WORDS)({"prompt": f"question {number}"})["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_cut_answers_go_on_and_each_word_is_paid_once(tmp_path, stream):
    path = tmp_path / "store.sqlite"
    server = TeacherServer(message=essay(WORDS), by_word=True)
    found, ledger = run(server, path, 2, stream=stream)
    assert {c.problem_id: c.text for c in found} == {f"p{n}": whole(n) for n in range(20)}
    assert {c.finish_reason for c in found} == {"stop"}
    assert {c.usage.completion_tokens for c in found} == {WORDS + 1}
    assert server.completion_tokens == 20 * (WORDS + 1) == ledger[0]["completion_tokens"]
    assert (server.requests, ledger[0]["completions"]) == (60, 60)
    again = TeacherServer()
    rebuilt, _ = run(again, path, 2, stream=stream)
    assert again.requests == 0
    assert {c.id: c.model_dump() for c in rebuilt} == {c.id: c.model_dump() for c in found}


def test_as_many_pieces_as_the_recipe_says_and_more_of_them_pay_only_for_the_rest(tmp_path):
    path = tmp_path / "store.sqlite"
    one = TeacherServer(message=essay(WORDS), by_word=True)
    found, _ = run(one, path, 1)
    assert {(c.finish_reason, c.usage.completion_tokens) for c in found} == {("length", 32)}
    assert all(whole(int(c.problem_id[1:])).startswith(c.text) for c in found)
    two = TeacherServer(message=essay(WORDS), by_word=True)
    found, _ = run(two, path, 2)
    assert two.completion_tokens == 20 * (WORDS + 1 - 32)
    assert {c.finish_reason for c in found} == {"stop"}


def test_a_server_that_cannot_go_on_is_asked_once_and_it_is_said_once(tmp_path, caplog):
    server = TeacherServer(message=essay(WORDS), by_word=True, refuses=["continue_final_message"])
    found, ledger = run(server, tmp_path / "store.sqlite", 2, max_in_flight=1)
    assert {(c.finish_reason, c.usage.completion_tokens) for c in found} == {("length", 16)}
    assert (server.requests, server.served["refused"]) == (21, 1)
    assert ledger[0]["completion_tokens"] == server.completion_tokens == 20 * 16
    assert sorted(record.message for record in caplog.records) == [
        "the teacher cannot go on from an answer that was cut; such chains stay cut",
        "the teacher does not take 'continue_final_message'; it is left out",
    ]


def test_a_piece_that_fails_leaves_the_answer_as_it_was(tmp_path):
    server = TeacherServer(
        message=essay(WORDS), by_word=True, plan=first(*["ok"] * 3, *["context"] * 3)
    )
    found, _ = run(server, tmp_path / "store.sqlite", 2, count=3, max_in_flight=3)
    assert {(c.finish_reason, c.usage.completion_tokens) for c in found} == {("length", 16)}
    assert all(whole(int(c.problem_id[1:])).startswith(c.text) for c in found)


def test_reasoning_that_was_cut_stays_cut(tmp_path, caplog):
    server = TeacherServer(message=lambda body: {"content": "<think>" + " a" * 30}, by_word=True)
    found, _ = run(server, tmp_path / "store.sqlite", 2, count=3)
    assert [c.finish_reason for c in found] == ["length"] * 3
    assert server.requests == 3
    assert "cannot go on" in caplog.text


def test_the_local_teacher_goes_on_from_its_own_prefix(tmp_path):
    from pipelines.recipe import EMBEDDED
    from students.rollouts.decoder import LocalSampler

    sums = ["7+2-5+8=?", "3-9+4=?", "8+8-1-6+2=?", "5-4=?", "6+7=?"]

    def ask(tokens):
        for text in sums:
            chat = [{"role": "user", "content": text}]
            sampling = {"temperature": 0.0, "max_tokens": tokens}
            yield Request(problem_id=text, messages=chat, sampling=sampling)

    async def go(tokens, pieces):
        with Store(tmp_path / f"{tokens}.sqlite") as store:
            stored = Stored(LocalSampler.of_folder(EMBEDDED, batch=4), store)
            asked = Extended(stored, pieces) if pieces else stored
            found = {c.problem_id: c async for c in asked.sample(ask(tokens))}
            return {name: (c.text, c.usage.completion_tokens) for name, c in found.items()}

    whole = asyncio.run(go(64, 0))
    assert max(tokens for _, tokens in whole.values()) > 12
    assert asyncio.run(go(6, 12)) == whole
