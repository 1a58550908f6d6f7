"""What a run pays, in tokens and US dollars, and the limit on it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from functools import cache
from math import inf

from generators.errors import GeneratorError
from generators.prices import Price
from generators.teachers.errors import TeacherError
from verifiers.records import Usage

UNITS = {"usd": 1.0, "tok": 1.0, "ktok": 1e3, "mtok": 1e6, "gtok": 1e9}


class BudgetSpent(TeacherError):
    """The limit is reached; what was paid for is in the store."""


@dataclass(frozen=True)
class Bill:
    """Tokens and US dollars that were paid."""

    prompt_tokens: float = 0
    completion_tokens: float = 0
    usd: float = 0.0

    def __add__(self, other: Bill) -> Bill:
        return Bill(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Bill) -> Bill:
        return self + other.times(-1)

    def times(self, factor: float) -> Bill:
        """So many times as much."""
        return Bill(*(value * factor for value in astuple(self)))


class Budget:
    """What may be spent in all, and whether there is room for another request.

    Args:
        text: such as `25usd`, `100Mtok` or `500ktok`; tokens are those of prompts and completions.
            None: no limit, and what is paid is counted all the same.
        prices: by model, for completions whose server does not say what they cost.
        free: models that nobody sends a bill for.

    `open` requests are under way; `bill` was paid since it was made, and `unpriced` answers among
    it had no known price.

    Raises GeneratorError where `text` is no budget.
    """

    def __init__(self, text: str | None, prices: Mapping[str, Price], free: Collection[str] = ()):
        self.text, self.limit, self.in_dollars = text or "", inf, False
        if text is not None:
            match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]+)", text.strip().lower())
            if match is None or match[2] not in UNITS or float(match[1]) <= 0:
                raise GeneratorError(f"{text!r} is no budget: write 25usd, 100Mtok or 500ktok")
            self.limit, self.in_dollars = float(match[1]) * UNITS[match[2]], match[2] == "usd"
        self.prices, self.free = dict(prices), set(free)
        self.spent, self.open = 0.0, 0
        self._tokens_in = self._tokens_out = self.unpriced = 0
        self._usd = 0.0
        self._paid, self._count = 0.0, 0

    def check(self, model: str) -> None:
        """Raise GeneratorError where nobody knows what `model` costs."""
        if self.in_dollars and model not in self.free and model not in self.prices:
            raise GeneratorError(f"--budget {self.text}: {no_price(model)}")

    def of(self, identity: str, usage: Usage) -> float:
        """What a completion of the teacher `identity` takes off the budget."""
        if not self.in_dollars:
            return usage.prompt_tokens + usage.completion_tokens
        cost = self.cost(identity, usage)
        return cost or 0.0

    def cost(self, identity: str, usage: Usage) -> float | None:
        """US dollars: what the server said, else by the price of the model; None where neither."""
        if usage.cost is not None:
            return usage.cost
        price = self.prices.get(model_of(identity))
        used = usage.prompt_tokens or usage.completion_tokens
        return price.cost(usage) if price is not None and used else None

    def begin(self, rows: Iterable[tuple[str, Usage]]) -> None:
        """What was paid before, by the teacher's identity."""
        self.spent, self.open = sum(self.of(teacher, usage) for teacher, usage in rows), 0

    @property
    def bill(self) -> Bill:
        """What was paid since this was made."""
        return Bill(self._tokens_in, self._tokens_out, self._usd)

    @property
    def answers(self) -> int:
        """Requests that were answered since this was made."""
        return self._count

    @property
    def full(self) -> bool:
        """Whether all of it is spent."""
        return self.spent >= self.limit

    def room(self, more: int) -> bool:
        """Whether `more` requests may go out, where they and those under way cost what others
        did. The first go out alone, to learn that."""
        if self.limit == inf:
            return True
        if self.open == 0:
            return not self.full
        if not self._count:
            return False
        each = self._paid / self._count
        return self.spent + each * (self.open + more) <= self.limit

    def pay(self, identity: str, usage: Usage, answer: bool = True) -> None:
        """Count what came, and note in `usage` what it cost; `answer` where it ends a request."""
        usage.cost = self.cost(identity, usage)
        self._tokens_in += usage.prompt_tokens
        self._tokens_out += usage.completion_tokens
        self._usd += usage.cost or 0.0
        used = usage.prompt_tokens or usage.completion_tokens
        if usage.cost is None and used and model_of(identity) not in self.free:
            self.unpriced += 1
        amount = self.of(identity, usage)
        self.spent += amount
        if answer:
            self.open -= 1
            self._paid, self._count = self._paid + amount, self._count + 1

    def over(self) -> BudgetSpent:
        """The error that ends the run."""
        unit = "US dollars" if self.in_dollars else "tokens"
        shown = f"{self.spent:,.4g}" if self.in_dollars else f"{self.spent:,.0f}"
        return BudgetSpent(
            f"the budget of {self.text} is reached: {shown} {unit} are spent, and all that came of "
            "it is kept; the same command with a larger --budget goes on from there"
        )


@cache
def model_of(identity: str) -> str:
    """The model that a teacher's identity names."""
    return re.split("[#@]", identity, maxsplit=1)[0]


def no_price(model: str) -> str:
    """That a model has no price, and where to say it."""
    return (
        f"no price is known for {model!r}; say it in the recipe: "
        f"prices: {{{model!r}: {{input: 1.0, output: 4.0}}}} (US dollars a million tokens)"
    )
