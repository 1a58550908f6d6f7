"""Sequential stopping: known answers of the rules, and what is asked for because of them."""

import asyncio
import random
from math import isclose

import pytest
from pydantic import ValidationError

from generators.bands import inside
from generators.chains import chains
from generators.config import ChainsConfig, Samples, Sampling
from generators.stopping import Rule, band_chance, beta_binomial, leaders, vote_chance
from generators.store import Store
from generators.stored import Stored
from generators.target import Target, upper_bound
from generators.teachers.openai_api import OpenAISampler
from tests.servers.teacher import TeacherServer, first
from verifiers.pool import VerdictPool
from verifiers.records import Completion, Group, Problem, Verdict, content_id

RIGHT, WRONG = Verdict(status="correct"), Verdict(status="wrong", extracted="7")
NONE, CUT = Verdict(status="wrong", reason="no_answer"), Verdict(status="undecided")


def test_beta_binomial_is_a_distribution_and_uniform_under_a_uniform_prior():
    assert isclose(sum(beta_binomial(k, 9, 0.5, 2.5) for k in range(10)), 1)
    assert all(isclose(beta_binomial(k, 4, 1, 1), 0.2) for k in range(5))


def test_chance_of_a_band_by_hand():
    one_left = band_chance(2, "solved")
    assert isclose(one_left(1, 0, 0), 0.75 * 0.75 + 0.25)
    assert one_left(0, 1, 0) == 0
    assert band_chance(3, "learnable")(1, 1, 0) == 1
    assert band_chance(2, (0.0, 1.0))(0, 0, 2) == 0, "without a decided sample there is no rate"


def test_chance_of_a_band_is_the_beta_binomial_sum():
    chance, left = band_chance(16, (0.25, 0.75)), 10
    assert chance(2, 4, 0) != chance(4, 2, 1)
    decided = {n: beta_binomial(n, left, 6.5, 0.5) for n in range(left + 1)}
    by_sum = sum(
        weight * beta_binomial(k, n, 2.5, 4.5)
        for n, weight in decided.items()
        for k in range(n + 1)
        if 0.25 <= (2 + k) / (6 + n) <= 0.75
    )
    assert isclose(chance(2, 4, 0), by_sum)


def test_chance_of_a_vote():
    assert isclose(vote_chance(3, 1, 1), 1)
    assert vote_chance(2, 2, 0) == 0
    assert isclose(vote_chance(1, 0, 1), 2 / 3)


def test_correct_answers_are_one_vote_and_no_answer_is_none():
    assert leaders([RIGHT, RIGHT, WRONG, NONE, CUT]) == (2, 1)
    assert leaders([NONE, CUT]) == (0, 0)


@pytest.mark.parametrize(
    ("keep", "verdicts", "more"),
    [
        ("learnable", [], 2),
        ("learnable", [RIGHT], 1),
        ("learnable", [RIGHT, WRONG], 0),
        ("learnable", [CUT, CUT], 2),
        ("unsolved", [RIGHT, WRONG], 0),
        ((0.5, 1.0), [RIGHT] * 5, 0),
        ((0.0, 1.0), [RIGHT] * 2, 0),
        ((0.1, 0.9), [RIGHT] * 16, 0),
    ],
)
def test_a_band_is_known_as_soon_as_the_draws_left_can_hardly_change_it(keep, verdicts, more):
    assert Rule(Samples(min=2, max=16), keep).more(verdicts) == more


@pytest.mark.parametrize("keep", ["learnable", "solved", (0.25, 0.75), (0.5, 1.0)])
def test_at_confidence_1_the_band_is_that_of_all_samples(keep):
    rule = Rule(Samples(min=1, max=8, confidence=1), keep)
    for bits in range(256):
        verdicts = [RIGHT if bits >> n & 1 else WRONG for n in range(8)]
        drawn = stopped(rule, verdicts)
        label = inside(sum(v.correct for v in verdicts[:drawn]) / drawn, keep)
        assert label == inside(bits.bit_count() / 8, keep)


def test_the_label_of_fewer_samples_is_nearly_always_that_of_all():
    rng, rule, same, drawn = random.Random(5), Rule(Samples(), (0.25, 1.0)), 0, 0
    for _ in range(1000):
        rate = rng.betavariate(0.5, 0.5)
        verdicts = [RIGHT if rng.random() < rate else WRONG for _ in range(16)]
        count = stopped(rule, verdicts)
        drawn += count
        rates = [sum(v.correct for v in verdicts[:n]) / n for n in (count, 16)]
        same += inside(rates[0], (0.25, 1.0)) == inside(rates[1], (0.25, 1.0))
    assert same >= 960
    assert drawn <= 0.5 * 16_000


def stopped(rule, verdicts):
    drawn = 0
    while more := rule.more(verdicts[:drawn]):
        drawn += more
    return drawn


def test_votes_stop_when_nobody_can_catch_up():
    certain = Rule(Samples(min=1, max=5, stop="vote_decided", confidence=1), "learnable")
    assert certain.more([WRONG, WRONG]) == 1
    assert certain.more([WRONG] * 3) == 0
    assert certain.more([WRONG, WRONG, RIGHT]) == 1
    likely = Rule(Samples(min=1, max=16, stop="vote_decided", confidence=0.8), "learnable")
    assert stopped(likely, [RIGHT] * 16) < 9


def test_verdicts_that_are_given_together_predict_no_band():
    assert Rule(Samples(min=2, max=16), "learnable").more([RIGHT, WRONG], together=True) == 14


def test_samples_are_a_number_or_a_range():
    assert ChainsConfig(samples=3).model_dump()["samples"] == 3
    assert ChainsConfig(samples={"max": 8}).model_dump()["samples"]["min"] == 2
    for bad in (0, True, "many", {"min": 5, "max": 4}, {"max": 129}, {"most": 3}):
        with pytest.raises(ValidationError):
            ChainsConfig(samples=bad)


class Coin:
    """Answers 1 with a chance that is the problem's own; writes down what it is asked."""

    identity = "coin"

    def __init__(self, batch):
        self.batch = batch
        self.log = []

    async def sample(self, requests):
        for request in requests:
            key = request.key(self.identity)
            self.log.append((request.problem_id, request.index))
            rate = int(request.messages[-1]["content"].split("+")[0]) % 5 / 4
            text = "1" if int(content_id(key)[:8], 16) / 2**32 < rate else "2"
            yield Completion(
                problem_id=request.problem_id, index=request.index, text=text, request_key=key,
                teacher={"identity": self.identity},
            )  # fmt: skip
            await asyncio.sleep(0)


def drawn(path, batch, samples, most=10**9, questions=60, target=None):
    """Groups by problem and the requests made; stops after `most` groups as a kill would."""
    coin = Coin(batch)
    problems = [Problem(prompt=f"{n}+0", answer="1", verifier="exact") for n in range(questions)]
    config = ChainsConfig(samples=samples)

    async def go():
        found = {}
        with Store(path) as store:
            async with VerdictPool(workers=1) as pool:
                all_of_it = chains(
                    iter(problems), Stored(coin, store), pool, store, config, Sampling(), 0,
                    target=target,
                )  # fmt: skip
                async for group in all_of_it:
                    found[group.problem.id] = [c.index for c, _ in group.samples]
                    if len(found) == most:
                        await all_of_it.aclose()
                        break
        return found

    return asyncio.run(go()), coin.log


@pytest.mark.parametrize("batch", [1, 4])
def test_every_question_is_asked_until_it_is_known(tmp_path, batch):
    found, log = drawn(tmp_path / "s.sqlite", batch, {"min": 2, "max": 8})
    assert len(found) == 60
    assert all(indices == list(range(len(indices))) for indices in found.values())
    assert {len(indices) for indices in found.values()} >= {2, 8}
    assert len(log) == sum(map(len, found.values())) == len(set(log))
    again, asked = drawn(tmp_path / "s.sqlite", batch, {"min": 2, "max": 8})
    assert again == found
    assert asked == []


def test_an_answer_that_hangs_holds_up_no_other_question(tmp_path, monkeypatch):
    monkeypatch.setattr("generators.throttle.SHORTEST_DEADLINE", 1.5)
    problems = [Problem(prompt=f"{n}+0", answer="1", verifier="exact") for n in range(20)]
    config = ChainsConfig(samples={"min": 2, "max": 8})

    async def go():
        async with (
            TeacherServer(plan=first("hang"), message=lambda body: {"content": "2"}) as server,
            VerdictPool(workers=1) as pool,
        ):
            with Store(tmp_path / "s.sqlite") as store:
                teacher = Stored(OpenAISampler("m", server.base_url, max_in_flight=64), store)
                groups = chains(problems, teacher, pool, store, config, Sampling(), 0)
                return [(g.problem.prompt, len(g.samples)) async for g in groups]

    found = asyncio.run(go())
    assert len(found) == 20
    assert {count for _, count in found} == {found[0][1]} != {2}
    assert found[-1][0] == "0+0"


@pytest.mark.parametrize("batch", [1, 4])
def test_a_larger_max_pays_only_for_what_is_new(tmp_path, batch):
    first, log = drawn(tmp_path / "s.sqlite", batch, {"min": 2, "max": 4})
    then, more = drawn(tmp_path / "s.sqlite", batch, {"min": 2, "max": 12})
    assert not set(log) & set(more)
    assert any(len(then[name]) > len(first[name]) for name in first)


def test_rounds_are_the_same_however_often_a_run_breaks_off(tmp_path):
    whole, log = drawn(tmp_path / "whole.sqlite", 4, {"min": 2, "max": 8})
    parts = []
    for most in (5, 23, 10**9):
        found, asked = drawn(tmp_path / "parts.sqlite", 4, {"min": 2, "max": 8}, most)
        parts += asked
    assert found == whole
    assert list(dict.fromkeys(parts)) == log


@pytest.mark.parametrize("batch", [1, 4])
def test_questions_are_read_until_enough_samples_are_accepted(tmp_path, batch):
    target = Target(20, 60, 4)
    found, log = drawn(tmp_path / "s.sqlite", batch, 4, target=target)
    assert 20 <= target.accepted <= 32
    assert len(log) == 4 * len(found) == 4 * target.closed
    assert target.why == ""
    assert drawn(tmp_path / "s.sqlite", batch, 4, target=Target(20, 60, 4)) == (found, [])


def test_too_few_questions_are_said(tmp_path):
    target = Target(10_000, 60, 4)
    found, _ = drawn(tmp_path / "s.sqlite", 1, 4, target=target)
    assert len(found) < 60, "the bound is seen before the last question"
    assert "at the very most" in target.why
    assert f"{target.accepted} of 10,000" in target.why


def test_nothing_accepted_is_hopeless_long_before_the_last_question():
    target = Target(50, 10_000, 1)
    while more := target.next():
        for _ in range(more):
            target.add(group("2", finish="error"))
    assert target.closed < 1500
    assert "100% of" in target.why
    assert "failed" in target.why


def group(text, finish="stop"):
    problem = Problem(prompt="1+0", answer="1")
    completion = Completion(
        problem_id=problem.id, text=text, request_key=text, finish_reason=finish
    )
    return Group(problem=problem, samples=[(completion, RIGHT if text == "1" else NONE)])


def test_upper_bound_of_a_rate():
    assert isclose(upper_bound(0, 100, 0.05), 1 - 0.05**0.01)
    assert upper_bound(7, 7) == 1
    assert 0.5 < upper_bound(50, 100) < 0.66
