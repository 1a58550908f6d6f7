"""Prices: the few that are listed count at their own host only, and the recipe wins."""

import sqlite3

import pytest

from generators.budget import Bill, Budget
from generators.config import TeacherConfig
from generators.prices import LISTED, Price, listed, unbilled
from generators.store import Store
from generators.teachers.answers import read_usage
from verifiers.records import Completion, Usage


def teacher(model, url="https://api.openai.com/v1", backend="openai"):
    return TeacherConfig(backend=backend, model=model, base_url=url)


def test_cached_tokens_have_their_own_price():
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=400_000)
    assert Price(input=2, output=8, cached=0.5).cost(usage) == pytest.approx(1.2 + 0.2 + 4)
    assert Price(input=2, output=8).cost(usage) == 6


@pytest.mark.parametrize(
    ("told", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 60}}, 60),
        ({"prompt_cache_hit_tokens": 50}, 50),
        ({"prompt_tokens_details": None}, 0),
        ({"prompt_tokens_details": {"cached_tokens": "many"}}, 0),
        ({}, 0),
    ],
)
def test_cached_tokens_are_read_as_providers_say_them(told, cached):
    usage, counted = read_usage({"prompt_tokens": 100, "completion_tokens": 7, **told})
    assert (usage.cached_tokens, counted) == (cached, True)


def test_a_listed_price_counts_at_its_own_host_only():
    price, month = listed(teacher("gpt-4o-mini"))
    assert (price.input, price.output, price.cached) == (0.15, 0.6, 0.075)
    assert len(month) == 7
    assert listed(teacher("gpt-4o-mini", "http://localhost:8000/v1")) is None
    assert listed(teacher("gpt-4o-mini", ["https://api.openai.com/v1", "https://a.b/v1"])) is None
    assert listed(teacher("gpt-4o-mini-2024-07-18")) is None
    assert listed(teacher("gpt-4o-mini", None, "batch"))[0].input == 0.075
    assert listed(teacher("deepseek-chat", "https://api.deepseek.com", "batch")) is None
    assert listed(TeacherConfig(backend="vllm", model="gpt-4o")) is None


def test_every_listed_price_is_plausible_and_dated():
    for models in LISTED.values():
        for given, cached, said, month in models.values():
            assert 0 < cached <= given <= said
            assert "2025-01" <= month <= "2026-12"


def test_what_an_answer_cost_is_kept_with_it_and_counts_in_a_later_run(tmp_path):
    path = tmp_path / "s"
    budget = Budget("1usd", {"m": Price(input=1, output=1)})
    done = Completion(
        problem_id="p", text="x", request_key="k", teacher={"identity": "m#2@host"},
        usage=Usage(prompt_tokens=100_000, completion_tokens=100_000),
    )  # fmt: skip
    budget.pay("m#2@host", done.usage)
    assert (done.usage.cost, budget.bill) == (0.2, Bill(100_000, 100_000, 0.2))
    unknown = done.model_copy(update={"request_key": "l", "usage": Usage(prompt_tokens=100_000)})
    with Store(path) as store:
        store.put([done, unknown])
        assert store.ledger()[0]["cost"] == 0.2
        later = Budget("1usd", {"m": Price(input=3, output=3)})
        store.limit(later)
    assert later.spent == pytest.approx(0.2 + 0.3), "what has a cost keeps it; the rest is priced"
    assert sqlite3.connect(path).execute("SELECT count(*) FROM completions").fetchone() == (2,)


def test_an_answer_without_a_price_is_counted_as_such():
    budget = Budget(None, {}, unbilled([TeacherConfig(backend="vllm", model="/models/own")]))
    budget.pay("m", Usage(prompt_tokens=3, completion_tokens=4))
    budget.pay("m", Usage())
    budget.pay("own@abc", Usage(prompt_tokens=3, completion_tokens=4))
    assert (budget.unpriced, budget.full, budget.room(10**6)) == (1, False, True)
