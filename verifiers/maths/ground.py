"""A ground truth: what it says, and why it cannot be used."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from verifiers.extract import marked
from verifiers.maths import rational
from verifiers.maths.node import Node, TooHard
from verifiers.maths.vocabulary import WORDY

LONGEST = 200_000


class Gold(NamedTuple):
    """A ground truth: its text, its value where it is a plain rational, why it cannot be used."""

    text: str
    plain: tuple[Any, bool] | None = None
    fault: str | None = None
    hard: bool = False


@lru_cache(maxsize=8192)
def ground(answer: str) -> Gold:
    """A ground truth, read once: behind its final marker where it is a whole solution."""
    text = answer.strip()
    if len(text) > LONGEST:
        return Gold("", fault=f"the answer is longer than {LONGEST:,} characters")
    plain = rational.read(text)
    if plain is None and text:
        found = marked(text)
        text = found.text if found else text
        plain = rational.read(text)
    if plain is not None:
        return Gold(text, plain)
    if not text:
        return Gold(text, fault="the answer is empty")
    try:
        node = meaning(text)
    except TooHard:
        return Gold(text, hard=True)
    if node.op == "false":
        return Gold(text, fault="the answer contradicts itself")
    if node.op == "raw":
        from verifiers.maths import fallback

        if not fallback.readable(text):
            return Gold(text, fault="the answer cannot be read")
    return Gold(text)


def meaning(text: str, thousands: bool | None = None) -> Node:
    """What a text means as mathematics. Raises TooHard."""
    from verifiers.maths.answers import read
    from verifiers.maths.resolve import resolve

    try:
        return resolve(read(text, thousands))
    except RecursionError as error:
        raise TooHard("nested too deeply") from error


def reads(text: str) -> bool:
    """Whether a text is mathematics by itself."""
    if rational.read(text) is not None:
        return True
    try:
        return bool(meaning(text).op not in WORDY)
    except TooHard:
        return True
