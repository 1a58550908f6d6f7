"""What models cost: a price, and the few that are known without a recipe's saying so.

The table is of the providers' own list prices, each with the month it was read; a price that has
changed since, a discount or a proxy's own price is said in the recipe (`prices`), which wins. A
model that stands in neither has no price, and nothing is guessed. A name alone means nothing: the
table counts only where the teacher's base_url is the provider's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from generators.config import Section, TeacherConfig
from verifiers.records import Usage

MILLION = 1_000_000
BATCH = {"api.openai.com": 0.5}
"""What a batch costs of the list price."""
FREE = ("local", "vllm", "recorded")
"""Teachers that nobody sends a bill for."""


class Price(Section):
    """US dollars for a million tokens."""

    input: float = Field(ge=0, description="US dollars for a million tokens of prompts.")
    output: float = Field(ge=0, description="US dollars for a million tokens of completions.")
    cached: float | None = Field(
        None, ge=0, description="US dollars for a million tokens of prompts that the provider says "
        "it had in its cache; as `input` where absent."
    )  # fmt: skip

    def cost(self, usage: Usage) -> float:
        """US dollars of one completion."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        dollars = self.input * (usage.prompt_tokens - cached)
        dollars += (self.input if self.cached is None else self.cached) * cached
        return (dollars + self.output * usage.completion_tokens) / MILLION


LISTED: dict[str, dict[str, tuple[float, float, float, str]]] = {
    "api.openai.com": {
        "gpt-5": (1.25, 0.125, 10.0, "2025-10"),
        "gpt-5-mini": (0.25, 0.025, 2.0, "2025-10"),
        "gpt-5-nano": (0.05, 0.005, 0.4, "2025-10"),
        "gpt-4.1": (2.0, 0.5, 8.0, "2025-10"),
        "gpt-4.1-mini": (0.4, 0.1, 1.6, "2025-10"),
        "gpt-4.1-nano": (0.1, 0.025, 0.4, "2025-10"),
        "gpt-4o": (2.5, 1.25, 10.0, "2025-10"),
        "gpt-4o-mini": (0.15, 0.075, 0.6, "2025-10"),
        "o3": (2.0, 0.5, 8.0, "2025-10"),
        "o4-mini": (1.1, 0.275, 4.4, "2025-10"),
    },
    "api.deepseek.com": {
        "deepseek-chat": (0.28, 0.028, 0.42, "2025-12"),
        "deepseek-reasoner": (0.28, 0.028, 0.42, "2025-12"),
    },
}
"""By host and model: input, cached input, output, and the month the price was read."""


def price(teacher: TeacherConfig, prices: Mapping[str, Price]) -> Price | None:
    """What a teacher costs: nothing, by `prices`, or by the list; None where nobody knows."""
    if teacher.backend in FREE:
        return Price(input=0, output=0)
    known = listed(teacher)
    return prices.get(str(teacher.model)) or (known and known[0])


def unbilled(teachers: Iterable[TeacherConfig]) -> set[str]:
    """The models, as recipe and identities name them, that nobody sends a bill for."""
    models = [str(teacher.model) for teacher in teachers if teacher.backend in FREE]
    return {*models, *(Path(model).name for model in models)}


def listed(teacher: TeacherConfig) -> tuple[Price, str] | None:
    """The list price of a teacher and the month it was read; None where it is not known."""
    if teacher.backend not in ("openai", "batch"):
        return None
    urls = teacher.base_url or "https://api.openai.com/v1"
    hosts = {urlsplit(url).hostname or "" for url in ([urls] if isinstance(urls, str) else urls)}
    host = hosts.pop() if len(hosts) == 1 else ""
    found = LISTED.get(host, {}).get(str(teacher.model))
    if found is None:
        return None
    full = BATCH.get(host) if teacher.backend == "batch" else 1.0
    if full is None:
        return None
    given, cached, said, month = found
    return Price(input=given * full, cached=cached * full, output=said * full), month
