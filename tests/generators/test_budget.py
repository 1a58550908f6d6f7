"""A budget: what it may be, what counts, and that what was paid is kept."""

import asyncio

import pytest

from generators.budget import Budget, BudgetSpent, Price
from generators.errors import GeneratorError
from generators.store import Store
from generators.stored import Stored
from verifiers.records import Completion, Usage
from verifiers.sampler import Request


class Tens:
    """Ten tokens an answer, however many are asked at once."""

    identity = "tens#1@host"

    def __init__(self, batch=1):
        self.batch = batch

    async def sample(self, requests):
        flying = list(requests)
        for request in flying:
            yield Completion(
                problem_id=request.problem_id, index=request.index, text="x",
                request_key=request.key(self.identity), teacher={"identity": self.identity},
                usage=Usage(prompt_tokens=4, completion_tokens=6),
            )  # fmt: skip


def ask(path, budget, count=50, batch=1):
    """Completions that came, and whether the budget ended it."""
    requests = [
        Request(problem_id="p", messages=[{"role": "user", "content": "?"}], index=n)
        for n in range(count)
    ]

    async def go():
        with Store(path) as store:
            store.limit(budget)
            came = []
            try:
                async for completion in Stored(Tens(batch), store).sample(iter(requests)):
                    came.append(completion.index)
            except BudgetSpent as error:
                return came, str(error)
            return came, ""

    return asyncio.run(go())


@pytest.mark.parametrize("text", ["", "25", "usd", "-3usd", "0usd", "3eur", "1e3tok", "nan usd"])
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(GeneratorError, match="no budget"):
        Budget(text, {})


def test_tokens_stop_at_the_limit_and_what_came_is_kept(tmp_path):
    came, why = ask(tmp_path / "s", Budget("0.2ktok", {}))
    assert came == list(range(20))
    assert "200 tokens" in why
    again, why = ask(tmp_path / "s", Budget("300tok", {}))
    assert again == list(range(30))
    assert "300 tokens" in why
    assert ask(tmp_path / "s", Budget("1Mtok", {})) == (list(range(50)), "")


def test_a_budget_that_is_just_enough_is_no_error(tmp_path):
    assert ask(tmp_path / "s", Budget("500tok", {})) == (list(range(50)), "")


def test_dollars_by_the_price_of_the_model(tmp_path):
    prices = {"tens": Price(input=1, output=1)}
    came, why = ask(tmp_path / "s", Budget("0.0001usd", prices))
    assert len(came) == 10
    assert "US dollars" in why


def test_batches_stay_whole(tmp_path):
    came, why = ask(tmp_path / "s", Budget("150tok", {}), batch=8)
    assert len(came) == 16
    assert why


def test_a_model_without_a_price_is_refused_for_dollars_only():
    with pytest.raises(GeneratorError, match="no price is known for 'big'"):
        Budget("1usd", {}).check("big")
    Budget("1usd", {}, ["big"]).check("big")
    Budget("1tok", {}).check("big")
