"""A limit on what a run pays: in tokens, or in US dollars by a table of prices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import Field

from generators.config import Section
from generators.errors import GeneratorError
from generators.teachers.errors import TeacherError
from verifiers.records import Usage

MILLION = 1_000_000
UNITS = {"usd": 1.0, "tok": 1.0, "ktok": 1e3, "mtok": 1e6, "gtok": 1e9}


class BudgetSpent(TeacherError):
    """The limit is reached; what was paid for is in the store."""


class Price(Section):
    """US dollars for a million tokens."""

    input: float = Field(ge=0, description="US dollars for a million tokens of prompts.")
    output: float = Field(ge=0, description="US dollars for a million tokens of completions.")

    def cost(self, usage: Usage) -> float:
        """US dollars of one completion."""
        dollars = self.input * usage.prompt_tokens + self.output * usage.completion_tokens
        return dollars / MILLION


class Budget:
    """What may be spent in all, and whether there is room for another request.

    Args:
        text: such as `25usd`, `100Mtok` or `500ktok`; tokens are those of prompts and completions.
        prices: by model, for completions whose server does not say what they cost.

    Raises GeneratorError where `text` is no budget.
    """

    def __init__(self, text: str, prices: Mapping[str, Price]):
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]+)", text.strip().lower())
        if match is None or match[2] not in UNITS or float(match[1]) <= 0:
            raise GeneratorError(f"{text!r} is no budget: write 25usd, 100Mtok or 500ktok")
        self.text, self.dollars = text, match[2] == "usd"
        self.limit = float(match[1]) * UNITS[match[2]]
        self.prices = dict(prices)
        self.spent, self.open = 0.0, 0
        self._paid, self._count = 0.0, 0

    def check(self, model: str, free: bool) -> None:
        """Raise GeneratorError where nobody knows what `model` costs."""
        if self.dollars and not free and model not in self.prices:
            raise GeneratorError(
                f"--budget {self.text}: no price is known for {model!r}; say it in the recipe: "
                f"prices: {{{model!r}: {{input: 1.0, output: 4.0}}}} (US dollars a million tokens)"
            )

    def of(self, identity: str, usage: Usage) -> float:
        """What a completion of the teacher `identity` takes off the budget."""
        model = re.split("[#@]", identity)[0]
        if not self.dollars:
            return usage.prompt_tokens + usage.completion_tokens
        if usage.cost is None and model in self.prices:
            return self.prices[model].cost(usage)
        return usage.cost or 0.0

    def begin(self, rows: Iterable[tuple[str, Usage]]) -> None:
        """What was paid before, by the teacher's identity."""
        self.spent, self.open = sum(self.of(teacher, usage) for teacher, usage in rows), 0

    @property
    def full(self) -> bool:
        """Whether all of it is spent."""
        return self.spent >= self.limit

    def room(self, more: int) -> bool:
        """Whether `more` requests may go out, where they and those under way cost what others
        did. The first go out alone, to learn that."""
        if self.open == 0:
            return not self.full
        if not self._count:
            return False
        each = self._paid / self._count
        return self.spent + each * (self.open + more) <= self.limit

    def pay(self, identity: str, usage: Usage, answer: bool = True) -> None:
        """Count what came; `answer` where it ends a request."""
        cost = self.of(identity, usage)
        self.spent += cost
        if answer:
            self.open -= 1
            self._paid, self._count = self._paid + cost, self._count + 1

    def over(self) -> BudgetSpent:
        """The error that ends the run."""
        unit = "US dollars" if self.dollars else "tokens"
        shown = f"{self.spent:,.4g}" if self.dollars else f"{self.spent:,.0f}"
        return BudgetSpent(
            f"the budget of {self.text} is reached: {shown} {unit} are spent, and all that came of "
            "it is kept; the same command with a larger --budget goes on from there"
        )
