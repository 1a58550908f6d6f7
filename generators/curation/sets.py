"""Training rows of what the filters have left, in the names that trainers know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generators.curation.items import Chain, Item
from generators.curation.text import said
from verifiers.records import Message, content_id

Row = dict[str, Any]


class Rows:
    """Writes the rows of one run of curation.

    A set has one form: where there is a system prompt, or any prompt is a chat, all its rows are
    chats. A chain that ran out of tokens is marked as cut, so that no trainer teaches its end.
    """

    def __init__(self, items: list[Item], system: str | None):
        self._items = items
        self._system = system
        self._chat = bool(system) or any(not isinstance(i.problem.prompt, str) for i in items)

    def cpt(self) -> Iterator[Row]:
        """`{"text"}`: the prompt's words and a confirmed chain that came to its end."""
        for item, chain in self._chains():
            if chain.status == "correct" and not chain.cut:
                text = f"{said(item.problem.prompt)}\n{chain.text}"
                yield {"text": text, **_traced("cpt", item, completion_id=chain.id)}

    def sft(self) -> Iterator[Row]:
        """`{"prompt", "completion", "cut"}`, or `{"messages", "cut"}`."""
        for item, chain in self._chains():
            trace = {"cut": chain.cut, **_traced("sft", item, completion_id=chain.id)}
            prompt = self._prompt(item)
            if isinstance(prompt, str):
                yield {"prompt": prompt, "completion": chain.text, **trace}
            else:
                yield {"messages": [*prompt, _said_by_model(chain)], **trace}

    def dpo(self) -> Iterator[Row]:
        """`{"prompt", "chosen", "rejected", "chosen_cut", "rejected_cut"}`: a correct chain over a
        wrong one of the same problem; no chain stands in two pairs."""
        for item in self._items:
            correct = [chain for chain in item.chains if chain.status == "correct"]
            wrong = {chain.text: chain for chain in reversed(item.negatives)}
            for good, bad in zip(correct, reversed(wrong.values()), strict=False):
                yield {
                    "prompt": self._prompt(item),
                    "chosen": [_said_by_model(good)] if self._chat else good.text,
                    "rejected": [_said_by_model(bad)] if self._chat else bad.text,
                    "chosen_cut": good.cut,
                    "rejected_cut": bad.cut,
                    **_traced("dpo", item, chosen_id=good.id, rejected_id=bad.id),
                }

    def rl(self) -> Iterator[Row]:
        """`{"prompt", "answer", "verifier", "difficulty"}`: a problem that can be judged."""
        for item in self._items:
            if not item.unusable:
                yield {
                    "prompt": self._prompt(item),
                    "answer": item.problem.answer,
                    "verifier": item.problem.verifier,
                    "difficulty": item.rate,
                    **_traced("rl", item),
                }

    def _chains(self) -> Iterator[tuple[Item, Chain]]:
        return ((item, chain) for item in self._items for chain in item.chains)

    def _prompt(self, item: Item) -> str | list[Message]:
        prompt = item.problem.prompt
        return item.problem.messages(self._system) if self._chat else prompt


def _said_by_model(chain: Chain) -> Message:
    return {"role": "assistant", "content": chain.text}


def _traced(name: str, item: Item, **completions: str) -> Row:
    """What `distill trace` needs: ids of the row, its problem and its completions."""
    sources = list(completions.values()) or [item.problem.id]
    return {
        "sample_id": content_id([name, *sources]),
        "problem_id": item.problem.id,
        **completions,
    }
